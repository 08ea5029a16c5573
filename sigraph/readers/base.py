"""The contract of a reader: raw records -> samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.config.described import Described
from sigraph.files.arguments import said
from sigraph.files.columns import is_text
from sigraph.files.counted import counted
from sigraph.files.suggestions import did_you_mean
from sigraph.samples import Samples

SHOWN = 5
BETWEEN = "\n"  # columns of text that are read as one


class UnreadableRecordsError(ValueError):
    """Some records cannot be read, and the others can: who pre-trains is told so, who predicts leaves them out.

    Args:
        message: For who needs all of them: which, and the way out.
        rows: Their rows, ascending. Shape [M], M >= 1
        cells: What cannot be read, of the first of them.
    """

    def __init__(self, message: str, rows: np.ndarray, cells: Sequence[str]) -> None:
        super().__init__(message)
        self.rows, self.cells = rows, list(cells)


class Reader(Described, ABC):
    """Makes samples of the records of a data set: features, token sequences, graphs.

    It learns what it needs (a vocabulary, means) from the samples that are pre-trained on, and goes home with the
    encoder that was trained on what it read: :meth:`state` is kept beside the weights. A new one is a subclass in a
    file of its own; constructor arguments come from the YAML, ``pretrain.reader: {_target_: ..., column: text}``.
    """

    @abstractmethod
    def fit(self, records: pa.Table) -> None:
        """Learn from records; the same ones always teach the same.

        Raises:
            ValueError: A column is missing, or of another kind, or there is nothing to learn from; it is named.
        """

    @abstractmethod
    def read(self, records: pa.Table) -> Samples:
        """Samples of records, these or others; row i becomes sample i.

        Raises:
            UnreadableRecordsError: Of some records nothing can be made; the others can be read without them.
            ValueError: As in :meth:`fit`.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What was learned, as JSON holds it."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave.

        Raises:
            ValueError: It is nothing of the kind.
        """

    @property
    def max_parts(self) -> int | None:
        """Parts of a sample at most where a part is a letter and those behind are left out; None: there is no telling.

        A task of parts then has no label of what is left out.
        """
        return None

    @property
    def wanted(self) -> list[str]:
        """Columns that it needs, by name: its ``column`` (or several that it reads as one), its ``columns``."""
        several = getattr(self, "columns", None)
        return [*self._of_column, *(several if isinstance(several, list) else [])]

    @property
    def written(self) -> list[str]:
        """Columns that a text alone can stand for: the one that it needs, or those that it reads as one; else none."""
        wanted = self.wanted
        return wanted if len(wanted) == 1 or wanted == self._of_column else []

    @property
    def _of_column(self) -> list[str]:
        one = getattr(self, "column", None)
        return [one] if isinstance(one, str) else list(one) if isinstance(one, list) else []

    def note(self, records: pa.Table) -> str:
        """What of some records is not known and read as unknown, counted in words; empty: everything is known."""
        return ""

    def known(self, records: pa.Table) -> np.ndarray | None:
        """How much of each record is known, of its words, letters or cells: what is predicted from 0 is from nothing.

        Returns:
            Shares in [0, 1], 0 where there is nothing at all. Shape [N] float64; None: the reader cannot tell.
        """
        return None


def check_column(owner: str, column: str | Sequence[str]) -> str | list[str]:
    """A column, or the list of different ones that a reader reads as one.

    Raises:
        ValueError: It is neither.
    """
    if isinstance(column, str):
        return column
    listed = list(column) if isinstance(column, list | tuple) else []
    if not listed or not all(isinstance(one, str) for one in listed) or len(set(listed)) < len(listed):
        raise ValueError(f"'column' needs a column's name, or a list of different ones, in {owner!r} (got {column!r})")
    return listed


def text_column(records: pa.Table, column: str | Sequence[str], owner: str, is_new: bool = False) -> pa.Array:
    """A column of text, nulls as empty text; integers, as a table of new samples may hold alone, as they are written.

    Args:
        records: The table.
        column: Its name; or those of several, whose cells are joined in this order, a missing one as empty text, with
            a line's end between two; where all are missing the text is empty.
        owner: Which reader asks.
        is_new: Whether nothing is learned from it, so that all of it may be empty.

    Raises:
        ValueError: There is no such column, it is of another kind, or all of it is empty.
    """
    if isinstance(column, str):
        return _text_of(records, column, owner, is_new)
    parts = [_text_of(records, one, owner, is_new) for one in column]
    return parts[0] if len(parts) == 1 else joined_texts(parts, BETWEEN)


def joined_texts(parts: Sequence[pa.Array], between: str) -> pa.Array:
    """Texts side by side as one each; where all are empty so is the whole. Shapes [N] -> [N]"""
    mark, nothing = (pa.scalar(one, pa.large_string()) for one in (between, ""))
    is_empty = pc.equal(pc.binary_join_element_wise(*parts, nothing), nothing)
    return pc.if_else(is_empty, nothing, pc.binary_join_element_wise(*parts, mark))


def _text_of(records: pa.Table, column: str, owner: str, is_new: bool) -> pa.Array:
    cells = column_of(records, column, owner)
    if is_new and (pa.types.is_integer(cells.type) or pa.types.is_null(cells.type)):
        cells = cells.cast(pa.large_string())
    if not is_text(cells.type):
        raise ValueError(f"'column' {column!r} of {owner!r} needs text (got {cells.type}); name another column")
    text = pc.fill_null(cells.cast(pa.large_string()).combine_chunks(), "")
    if not is_new and len(text) and not pc.any(pc.not_equal(pc.utf8_trim_whitespace(text), "")).as_py():
        raise ValueError(
            f"'column' {column!r} of {owner!r} is empty in all {counted(len(text), 'row')}; name another column"
        )
    return text


def column_of(records: pa.Table, column: str, owner: str) -> pa.ChunkedArray:
    """A column by its name; categories of pandas as what they stand for.

    Raises:
        ValueError: There is none, or several.
    """
    if not isinstance(records, pa.Table):
        raise ValueError(
            f"'records' needs a pyarrow Table, such as dataset.records, in {owner!r} (got {said(records)})"
        )
    names = records.column_names
    if names.count(column) != 1:
        how = "is in the records more than once" if column in names else "is not in the records"
        there = ", ".join(map(repr, names))
        raise ValueError(f"'column' {column!r} of {owner!r} {how}{did_you_mean(column, names)}; there are: {there}")
    cells = records.column(column)
    return cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells


def first_rows(where: np.ndarray) -> str:
    """The first of some rows, for a message."""
    rows = np.flatnonzero(where)
    return ", ".join(str(row + 1) for row in rows[:SHOWN]) + (", ..." if rows.size > SHOWN else "")


def shares(known: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Share of what is known of each record, whose words or letters stand in a row; 0 of none. [M], [N + 1] -> [N]"""
    until = np.concatenate([[0], np.cumsum(known)])[offset]
    return np.diff(until) / np.maximum(np.diff(offset), 1)


def stated(state: Mapping[str, Any], name: str, kind: type | tuple[type, ...], owner: str) -> Any:
    """A field of a state, of the kind it has to be."""
    found = state.get(name) if isinstance(state, Mapping) else None
    if not isinstance(found, kind):
        raise ValueError(f"the state of {owner!r} needs {name!r} (got {type(found).__name__})")
    return found
