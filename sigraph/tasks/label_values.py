"""What labels are: one judgement of values, with one set of words, for everything that takes labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.files.arguments import is_number
from sigraph.files.columns import first_odd
from sigraph.files.counted import counted
from sigraph.files.row_index import warn_caller
from sigraph.tasks.class_names import (
    Names,
    are_names,
    ids_of_names,
    ids_of_text,
    integer_names,
    reading_note,
    shown_names,
    words_for_missing,
)
from sigraph.tasks.label_cells import LabelCells, read_cells

TYPES = ("classification", "multilabel", "regression")
_EXACT = 2**53  # beyond, not every integer is a float64


@dataclass
class LabelValues:
    """Labels that passed.

    Args:
        y: int64 or another signed integer = classes, -1 missing; 1-D float = regression, NaN missing; 2-D = label
            columns of 0 and 1, NaN missing. Shape [N] or [N, num_columns].
        type: ``classification``, ``multilabel`` or ``regression``.
        classes: What class (or label column) 0, 1, ... is called, where the labels themselves say it.
        notes: What may surprise, in words.
    """

    y: Tensor
    type: str
    classes: list[str | int] | None = None
    notes: list[str] = field(default_factory=list)


def label_values(
    value: Any,
    what: str,
    type: str = "",
    *,
    classes: Names | None = None,
    missing: Any = None,
    at: Callable[[int], str] = "sample {}".format,
    num_classes: int | None = None,
    are_named: bool | None = None,
    is_dense: bool = True,
) -> LabelValues:
    """Labels as a tensor of one of the three types, or the reason why they are none.

    Text is classes by name, sorted, unless ``classes`` gives their order. Floats keep their precision; integers that
    are numbers (``type`` regression) become float64. A single column, shape [N, 1], holds classes or numbers like [N],
    unless it holds nothing but 0, 1 and missing: then it is a label column, if ``type`` does not say otherwise.

    Args:
        value: A tensor, an array (numpy, masked, pandas, pyarrow), a list, a table of label columns.
        what: Whose labels, the subject of each message.
        type: ``classification``, ``multilabel`` or ``regression``; empty: text, integers and true/false are classes,
            floats regression, rows multi-label. ``classification`` takes whole floats and one-hot rows too.
        classes: What class 0, 1, ... is called: the order of classes that are given by name. Integers are class ids,
            unless they cannot all be and all are among these names.
        missing: A further value that means missing, such as -100, or a text among text; besides it None, NaN, NA and
            masked cells always do, and -1 in integer classes and label columns if this is None.
        at: Says where entry i stands, for messages.
        num_classes: How many classes there are, where that is known; then ids beyond are refused.
        are_named: Whether integers are names of ``classes``, where that is known.
        is_dense: Whether a class for each integer up to the largest is meant, so that gaps are noted.

    Raises:
        ValueError: A value or shape that is no label, with the place and the way out.
    """
    if type and type not in TYPES:
        raise ValueError(f"'type' of {what} needs to be one of {', '.join(TYPES)} (got {type!r})")
    cells = read_cells(value, what, at)
    _check_missing(missing, what, cells)
    if cells.text is not None:
        return _by_name(cells.text, what, type, classes, missing, at)
    judge = _Judge(what, at, missing, cells.columns, bool(type), classes, num_classes, are_named, is_dense)
    y, absent = _present(cells, missing)
    if missing is not None and not bool((absent if missing != missing else y.eq(missing)).any()):
        judge.notes.append(_no_label_is(missing))
    if y.dim() not in (1, 2):
        raise ValueError(
            f"{what} needs to be 1-D (classes, regression) or 2-D (multi-label) (got shape {list(y.shape)})"
        )
    if y.dim() == 2 and y.size(1) == 1 and type != "multilabel":
        is_column = bool(((y == 0) | (y == 1) | absent | (judge.minus_is_missing(y) & (y == -1))).all())
        if type or not is_column:
            y, absent = y[:, 0], absent[:, 0]
        else:
            judge.notes.append("shape [N, 1] of 0 and 1 is one label column (multi-label); two classes are [N]")
    called: list[str | int] | None = list(cells.columns) if cells.columns and y.dim() == 2 else None
    if type == "classification" and y.dim() == 2:
        y, absent = _from_one_hot(y, absent, what, at)
    if type == "regression" and y.dim() == 2:
        raise ValueError(f"{what} needs shape [N] for {type} (got {list(y.shape)}); label columns are multi-label")
    if type == "multilabel" and y.dim() == 1:
        raise ValueError(f"{what} needs shape [N, num_columns] for {type} (got {list(y.shape)}); one is y[:, None]")
    found = type or ("multilabel" if y.dim() == 2 else "regression" if y.is_floating_point() else "classification")
    judged = {"classification": judge.classes, "multilabel": judge.columns, "regression": judge.numbers}[found]
    return LabelValues(judged(y, absent), found, called, judge.notes)


def labels_said(value: Any, what: str, type: str = "", **options: Any) -> LabelValues:
    """As :func:`label_values`, whose notes are warned of at the line of whoever gave the labels."""
    found = label_values(value, what, type, **options)
    for note in found.notes:
        warn_caller(f"{what}: {note}")
    return found


def _present(cells: LabelCells, missing: Any) -> tuple[Tensor, Tensor]:
    """The numbers and which of them are missing by any mark."""
    y = cells.numbers if cells.numbers is not None else torch.empty(0)
    absent = torch.isnan(y) if y.is_floating_point() else torch.zeros_like(y, dtype=torch.bool)
    if cells.absent is not None:
        absent = absent | cells.absent
    return y, absent if missing is None else absent | (y == missing)


@dataclass
class _Judge:
    """Judges numbers, for messages about ``what``; collects what is worth saying."""

    what: str
    at: Callable[[int], str]
    missing: Any
    names: list[str] | None
    is_type_said: bool
    called: Names | None
    num_classes: int | None
    are_named: bool | None
    is_dense: bool
    notes: list[str] = field(default_factory=list)

    def minus_is_missing(self, y: Tensor) -> bool:
        """Whether -1 means missing: in integers, unless another value was said to."""
        return self.missing is None and not y.is_floating_point()

    def classes(self, y: Tensor, absent: Tensor) -> Tensor:
        if y.is_floating_point():
            odd = ~absent & ~((y == y.round()) & (y.abs() <= _EXACT))
            self.refuse(odd, y, "classes as whole numbers", "numbers that are no classes are regression")
            y = torch.where(absent, -1, y).long()
        minus = ~absent & (y == -1) if self.missing is None else torch.zeros_like(absent)
        gone = absent if -1 in (self.called or ()) else absent | minus
        named = are_names([y[~gone]], self.called) if self.are_named is None else self.are_named
        if named and self.called is not None:
            ids, odd = ids_of_names(y, gone, self.called)
            self.refuse(odd, y, f"names of classes ({shown_names(self.called)})", "all of them, and no class ids")
            return ids
        absent = absent | minus
        way = "another mark of missing labels is said by 'missing'; other integers are renumbered by unique()"
        self.refuse((y < 0) & ~absent, y, "classes as integers >= 0, -1 where missing", way)
        if bool(absent.any()):
            y = torch.where(absent, -1, y)
        if self.num_classes is not None:
            names = f" or names ({shown_names(self.called)})" if integer_names(self.called) else ""
            mixed = "all ids or all names, labels and predictions alike" if names else "counted from 0"
            self.refuse(y >= self.num_classes, y, f"class ids from 0 to {self.num_classes - 1}{names}", mixed)
        present = y[y >= 0].unique()  # sorted
        self.notes += reading_note(present, self.called) if self.num_classes is None else []
        if present.numel():
            self._note_classes(present, is_signed=present.tolist() == [1] and bool(minus.any()))
        return y

    def _note_classes(self, present: Tensor, is_signed: bool) -> None:
        count = int(present[-1]) + 1
        if is_signed:
            self.notes.append(
                "the labels are 1 and -1 alone: -1 is taken for missing, which leaves one class; "
                "two classes are (y + 1) // 2"
            )
        elif present.numel() < count and self.is_dense and self.num_classes is None:
            first = int((present != torch.arange(present.numel())).nonzero()[0])
            way = "they are counted from 0: y - 1 where yours start at 1" if first == 0 else "renumbered by unique()"
            empty = f"{count - present.numel():,} of the {count:,} classes, such as {first}"
            self.notes.append(f"no sample is of {empty} ({way})")

    def columns(self, y: Tensor, absent: Tensor) -> Tensor:
        if self.minus_is_missing(y) and bool((minus := (y == -1) & ~absent).any()):
            absent = absent | minus
            no = "" if bool((y == 0).any()) else "; no cell is 0: if -1 means no, give (y + 1) // 2"
            self.notes.append(f"-1 stands in {int(minus.sum()):,} label cells and is taken for missing{no}")
        odd = ~absent & (y != 0) & (y != 1)
        if bool(odd.any()):
            row, column = odd.nonzero()[0].tolist()
            name = repr(self.names[column]) if self.names else column
            raise ValueError(
                f"{self.what} needs 0, 1 or missing (NaN, or -1 in integers) in label columns (got "
                f"{_shown(y[row, column])} in column {name} of {self.at(row)}); classes or numbers need one column"
            )
        if bool(absent.any()):
            return torch.where(absent, torch.nan, y if y.is_floating_point() else y.float())
        if not self.is_type_said and y.size(1) > 1 and len(y) and bool(((y == 1).sum(dim=1) == 1).all()):
            self.notes.append(
                f"each row has exactly one 1 in {y.size(1):,} columns (one-hot): if these are classes, say so "
                "(--task-type, or type='classification'), and they are split and scored as classes are"
            )
        return y

    def numbers(self, y: Tensor, absent: Tensor) -> Tensor:
        if not y.is_floating_point():
            wide = y.double()
            lost = ~absent & ((y > _EXACT) | (y < -_EXACT)) & (wide.long() != y)
            self.refuse(lost, y, "numbers that float64 can hold", "subtract an offset, such as their least")
            minus = int(((y == -1) & ~absent).sum())
            if minus and not bool(((y < -1) & ~absent).any()):
                self.notes.append(
                    f"-1 stands for {counted(minus, 'label')} and is taken for a number; a missing one is NaN"
                )
            y = wide
        elif not self.is_type_said and not bool(absent.all()):
            known = y[~absent].unique()
            if known.numel() <= 2 and bool((known == known.round()).all()):
                self.notes.append(
                    "the numbers are whole, and no more than two: if they are classes, say so (--task-type "
                    "classification, or type='classification')"
                )
        self.refuse(torch.isinf(y) & ~absent, y, "finite numbers, NaN where missing", "mend or drop that label")
        return torch.where(absent, torch.nan, y) if bool(absent.any()) else y

    def refuse(self, odd: Tensor, y: Tensor, needed: str, way: str) -> None:
        """Refuse entries that are marked; names the first and counts them."""
        if bool(odd.any()):
            row, count = int(odd.nonzero()[0, 0]), int(odd.sum())
            more = f" and {count - 1:,} more" if count > 1 else ""
            raise ValueError(f"{self.what} needs {needed} (got {_shown(y[row])} at {self.at(row)}{more}); {way}")


def _from_one_hot(y: Tensor, absent: Tensor, what: str, at: Callable[[int], str]) -> tuple[Tensor, Tensor]:
    """Classes of rows with a single 1; rows without a known cell are missing."""
    gone = absent.all(dim=1)
    odd = ~gone & ((y == 1).sum(dim=1).ne(1) | ((y != 0) & (y != 1)).any(dim=1))
    if bool(odd.any()):
        raise ValueError(
            f"{what} needs one 1 in each row, else 0, to be classes (got another row at {at(int(odd.nonzero()[0]))}); "
            "rows with several 1 are multi-label"
        )
    return torch.where(gone, -1, (y == 1).int().argmax(dim=1)), gone


def _by_name(
    text: pa.ChunkedArray,
    what: str,
    type: str,
    classes: Names | None,
    missing: Any,
    at: Callable[[int], str],
) -> LabelValues:
    """Classes by name: sorted, or in the order that was given."""
    notes = []
    if missing is not None:
        is_missing = pc.fill_null(pc.equal(text, missing), False)
        if missing and not pc.any(is_missing).as_py():
            notes.append(_no_label_is(missing))
        text = pc.if_else(is_missing, pa.scalar(None, text.type), text)
    if type in ("regression", "multilabel"):
        row = first_odd(text)
        such = f", such as {text[row].as_py()!r:.40} at {at(row)}" if row >= 0 else ""
        needed = "numbers for regression" if type == "regression" else "0 and 1 in label columns"
        raise ValueError(f"{what} needs {needed} (got text{such}); a missing label is blank, None or NaN")
    y, called = ids_of_text(text, what, classes, at)
    return LabelValues(y, "classification", called, notes + (words_for_missing(text) if classes is None else []))


def _check_missing(missing: Any, what: str, cells: LabelCells) -> None:
    """Refuse a mark of missing labels that is of another kind than the labels."""
    if cells.text is not None:
        kind, fits = "text", isinstance(missing, str)
    else:
        kind, fits = "number", is_number(missing) and not (isinstance(missing, Integral) and abs(int(missing)) >= 2**63)
    if missing is not None and not fits:
        raise ValueError(f"'missing' needs a {kind}, as the labels are, for {what} (got {missing!r:.40})")


def _no_label_is(missing: Any) -> str:
    return f"no label is {missing!r:.40}, which 'missing' says"


def _shown(value: Tensor) -> str:
    number = value.item()
    return f"{number:.10g}" if isinstance(number, float) else str(number)
