"""What labels are: one judgement of values, with one set of words, for everything that takes labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.files.columns import first_odd, is_number, typed_column
from sigraph.tasks.label_cells import LabelCells, read_cells

TYPES = ("classification", "multilabel", "regression")
# What other tools write for a missing value, lower case; "" is a cell of blanks.
MISSING_WORDS = ["", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?", "-"]
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
    classes: Sequence[str | int] | None = None,
    missing: float | None = None,
    at: Callable[[int], str] = "sample {}".format,
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
        classes: What class 0, 1, ... is called: the order of classes that are given by name.
        missing: A further value that means missing, such as -100; besides it None, NaN, NA and masked cells always do,
            and -1 in integer classes and label columns if this is None.
        at: Says where entry i stands, for messages.

    Raises:
        ValueError: A value or shape that is no label, with the place and the way out.
    """
    if type and type not in TYPES:
        raise ValueError(f"'type' of {what} needs to be one of {', '.join(TYPES)} (got {type!r})")
    cells = read_cells(value, what)
    if cells.text is not None:
        return _by_name(cells.text, what, type, classes, at)
    judge = _Judge(what, at, missing, cells.columns)
    y, absent = _present(cells, missing)
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


def _present(cells: LabelCells, missing: float | None) -> tuple[Tensor, Tensor]:
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
    missing: float | None
    names: list[str] | None
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
        absent = absent | minus
        way = "another mark of missing labels is said by 'missing'; other integers are renumbered by unique()"
        self.refuse((y < 0) & ~absent, y, "classes as integers >= 0, -1 where missing", way)
        if bool(absent.any()):
            y = torch.where(absent, -1, y)
        present = y[y >= 0].unique()  # sorted
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
        elif present.numel() < count:
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
        if y.size(1) > 1 and len(y) and bool(((y == 1).sum(dim=1) == 1).all()):
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
                self.notes.append(f"-1 stands for {minus:,} labels and is taken for a number; a missing one is NaN")
            y = wide
        elif not bool(absent.all()):
            known = y[~absent].unique()
            if known.numel() <= 2 and bool((known == known.round()).all()):
                self.notes.append(
                    "the numbers are whole, and no more than two: if they are classes, say type classification"
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
    text: pa.ChunkedArray, what: str, type: str, classes: Sequence[str | int] | None, at: Callable[[int], str]
) -> LabelValues:
    """Classes by name: sorted, or in the order that was given."""
    if type in ("regression", "multilabel"):
        row = first_odd(text)
        such = f", such as {text[row].as_py()!r:.40} at {at(row)}" if row >= 0 else ""
        needed = "numbers for regression" if type == "regression" else "0 and 1 in label columns"
        raise ValueError(f"{what} needs {needed} (got text{such}); a missing label is blank, None or NaN")
    notes = words_for_missing(text)
    if classes is None:
        names = pc.unique(text.combine_chunks()).drop_null()
        names = names.take(pc.sort_indices(names))
        called: list[str | int] = names.to_pylist()
    else:
        called, names = list(classes), pa.array([str(one) for one in classes], pa.large_string())
    index = pc.index_in(text, value_set=names)
    unknown = pc.fill_null(pc.and_(pc.is_null(index), pc.is_valid(text)), False).to_numpy()
    if unknown.any():
        row = int(unknown.argmax())
        raise ValueError(
            f"{what} needs the names in 'classes' (got {text[row].as_py()!r:.40} at {at(row)}, which is not among them)"
        )
    y = torch.from_numpy(pc.fill_null(index, -1).to_numpy().astype("int64"))
    return LabelValues(y, "classification", called, notes)


def words_for_missing(values: pa.ChunkedArray) -> list[str]:
    """Notes on classes that may be no classes: they are kept, since labels are never changed."""
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    is_word = pc.fill_null(pc.is_in(plain, value_set=pa.array(MISSING_WORDS, plain.type)), False)
    if not pc.any(is_word).as_py():
        return []
    others = values.filter(pc.invert(is_word)).drop_null()
    hint = " (all others are numbers)" if len(others) and is_number(typed_column(others).type) else ""
    notes = []
    for found in pc.value_counts(values.filter(is_word)).to_pylist():
        count = "1 label is" if found["counts"] == 1 else f"{found['counts']:,} labels are"
        kept = f"the text {found['values']!r}, kept as a class{hint}"
        notes.append(f"{count} {kept}; leave the cell blank if it means missing")
    return notes


def _shown(value: Tensor) -> str:
    number = value.item()
    return f"{number:.10g}" if isinstance(number, float) else str(number)
