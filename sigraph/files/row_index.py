"""The index of a pandas Series or DataFrame: rows are taken in their order; an index of another order is refused."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

_OURS = (__name__.partition(".")[0], "torch")  # whose decorators stand between
_AS_THEY_ARE = "rows as they are: .reset_index(drop=True) or .to_numpy()"


def check_index(value: Any, what: str, row: str = "sample") -> None:
    """Refuse an index that numbers the rows otherwise than 0, 1, ...; warn of one that holds other things.

    For values of which row i is sample (or edge) i: whoever aligns by the index, as pandas does, means another row.

    Args:
        value: Anything; what has no index passes.
        what: Whose rows, for messages.
        row: What a row is of.

    Raises:
        ValueError: The index is a permutation of the row numbers, or has some of them elsewhere.
    """
    if not has_index(value) or len(value) == 0:
        return
    index = np.asarray(value.index)
    if index.dtype.kind in "iuf" and index.ndim == 1:
        rows = np.arange(len(index))
        if np.array_equal(index, rows):
            return
        if bool(((index >= 0) & (index < len(index))).any()):
            first = int((index != rows).argmax())
            raise ValueError(
                f"{what} needs {row} i in row i (got a pandas index that numbers rows otherwise: row {first} is "
                f"{index[first]}); if it holds {row} numbers: .sort_index(); to take {_AS_THEY_ARE}"
            )
    shown = value.index[0]
    warn_caller(
        f"{what} has a pandas index (row 0 is {shown!r:.40}), which is not looked at: row i is taken for {row} i"
    )


def check_same_index(values: Mapping[str, Any]) -> None:
    """Refuse pandas objects that stand beside each other, row by row, with different indexes.

    Args:
        values: By what they are called in messages; those without an index pass.
    """
    indexed = {what: value for what, value in values.items() if has_index(value)}
    if len(indexed) < 2:
        return
    (first, one), *others = indexed.items()
    for what, other in others:
        if len(one) == len(other) and not one.index.equals(other.index):
            raise ValueError(
                f"{first} and {what} need rows in the same order (got pandas objects of different index); order one by "
                f"the other, .loc[other.index], or take {_AS_THEY_ARE}"
            )


def has_index(value: Any) -> bool:
    """Whether a value is a Series or a DataFrame."""
    return hasattr(value, "iloc") and hasattr(value, "index")


def warn_caller(message: str) -> None:
    """Warn, at the line of whoever called this package."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _OURS:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
