"""Classes by name: text, and integers that are what classes are called rather than their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.files.arguments import said
from sigraph.files.columns import is_number, typed_column
from sigraph.files.counted import counted
from sigraph.tasks.label_cells import read_cells

# What other tools write for a missing value, lower case; "" is a cell of blanks.
MISSING_WORDS = ["", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?", "-"]
_SHOWN = 5

Names = Sequence[str | int]


def checked_names(names: Any, what: str) -> list[str | int]:
    """Names of classes or label columns as they go into JSON: Python's text and integers, each once.

    Args:
        names: What was given; numpy's own kinds become Python's.
        what: Whose names, for messages.
    """
    if isinstance(names, str | bytes | Mapping | Set) or not isinstance(names, Iterable):
        raise ValueError(f"{what} needs a list of names, class 0 first (got {said(names)})")
    plain: list[Any] = [name.item() if isinstance(name, np.generic | Tensor) else name for name in names]
    wrong = [name for name in plain if not isinstance(name, str | int)]
    if wrong:
        raise ValueError(f"{what} needs text or integers, class 0 first (got {wrong[0]!r:.40})")
    known: set[str] = set()
    for name in map(str, plain):
        if name in known:
            raise ValueError(f"{what} needs each name once (got {name!r:.40} again)")
        known.add(name)
    return plain


def shown_names(names: Names | None) -> str:
    names = names or ()
    return ", ".join(f"{name!r:.40}" for name in names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


# Integers #############################################################################################################


def integer_names(classes: Names | None) -> list[int]:
    """The names that are integers; none if they are the ids themselves, or if a name is text."""
    names = [name for name in classes or () if isinstance(name, int) and not isinstance(name, bool)]
    return [] if len(names) < len(classes or ()) or names == list(range(len(names))) else names


def are_names(values: Iterable[Tensor], classes: Names | None, least: int = -1) -> bool:
    """Whether integers are what classes are called: where they cannot all be ids, and all are names.

    Args:
        values: Integers that are read alike; those that are missing left out.
        classes: What class 0, 1, ... is called.
        least: The smallest id; -1 where that means missing.
    """
    names = torch.tensor(integer_names(classes))
    values = [value for value in values if value.numel()]
    if not names.numel() or not values:
        return False
    is_id = all(bool(((value >= least) & (value < names.numel())).all()) for value in values)
    return not is_id and all(bool(torch.isin(value, names.to(value.dtype)).all()) for value in values)


def are_names_together(given: Mapping[str, Any], classes: Names | None) -> bool:
    """Whether labels and predictions, which are read alike, hold names of classes rather than ids.

    Args:
        given: By what they are called in messages: anything that holds labels, none of them missing.
        classes: As in :func:`are_names`.
    """
    if not integer_names(classes):
        return False
    cells = [read_cells(value, what) for what, value in given.items()]
    numbers = [cell.numbers for cell in cells if cell.numbers is not None]
    return len(numbers) < len(cells) or are_names(numbers, classes, least=0)


def ids_of_names(y: Tensor, absent: Tensor, classes: Names) -> tuple[Tensor, Tensor]:
    """Class ids of integers that are names, -1 where missing, and which are no name."""
    names = torch.tensor(integer_names(classes), dtype=torch.int64)
    order = names.argsort()
    place = torch.searchsorted(names[order], y.long()).clamp(max=len(names) - 1)
    ids = order[place]
    odd = (names[ids] != y) & ~absent
    return torch.where(absent | odd, -1, ids), odd


def reading_note(y: Tensor, classes: Names | None) -> list[str]:
    """A note where integers can be ids and names, and differ: they are taken for ids.

    Args:
        y: Class ids, none missing.
        classes: As in :func:`are_names`.
    """
    names = torch.tensor(integer_names(classes))
    present = y.unique()
    if not names.numel() or not bool((torch.isin(present, names) & (present < names.numel())).all()):
        return []
    other = present[names[present.long()] != present]
    if not other.numel():
        return []
    first = int(other[0])
    return [
        f"labels and 'classes' are integers that can be read two ways: they are taken for class ids, so that a label "
        f"{first} is class {first}, called {int(names[first])}; if they are names, give them as text"
    ]


# Text #################################################################################################################


def ids_of_text(
    text: pa.ChunkedArray, what: str, classes: Names | None, at: Callable[[int], str]
) -> tuple[Tensor, list[str | int]]:
    """Class ids of names, -1 where missing, and the names: sorted, or in the order that was given."""
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
            f"{what} needs the names in 'classes' (got {text[row].as_py()!r:.40} at {at(row)}, which is not among "
            f"them: {shown_names(called)})"
        )
    return torch.from_numpy(pc.fill_null(index, -1).to_numpy().astype("int64")), called


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
        count = counted(found["counts"], "label is", "labels are")
        kept = f"the text {found['values']!r}, kept as a class{hint}"
        notes.append(f"{count} {kept}; leave the cell blank if it means missing")
    return notes
