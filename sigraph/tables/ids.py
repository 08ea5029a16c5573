"""Ids: from what a user calls a sample to its position."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.columns import is_text
from sigraph.files.counted import counted
from sigraph.tables.table_file import TableFile

INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"  # as one writes it: 7, not 007, +7 or 7.0
SHOWN = 10


@dataclass(frozen=True)
class IdColumn:
    """Ids as a column of a file holds them.

    Args:
        where: File and column, for messages.
        text: Each id as text. Shape [R].
        is_integer: Whether every id is an integer, written as such.
        is_typed: Whether the file says so itself (Parquet, JSONL, ``.npy``); CSV and TSV do not.
    """

    where: str
    text: pa.Array
    is_integer: bool
    is_typed: bool

    def __len__(self) -> int:
        return len(self.text)

    @property
    def kind(self) -> str:
        """``integers`` or ``text``."""
        return "integers" if self.is_integer else "text"

    @property
    def ids(self) -> pa.Array:
        """The ids in their own type: int64; or text, which integers beyond int64 are kept as, too."""
        if self.is_integer:
            with contextlib.suppress(pa.ArrowInvalid):
                return self.text.cast(pa.int64())
        return self.text

    def show(self, text: pa.Array) -> str:
        """The first ten of some of these ids, for a message."""
        items = [id if self.is_integer else f"{id!r:.60}" for id in text[:SHOWN].to_pylist()]
        return ", ".join(items) + (", ..." if len(text) > SHOWN else "")


def read_ids(file: TableFile, column: str) -> IdColumn:
    """A column of ids; integers or text, none missing.

    Raises:
        ValueError: Ids are missing (the message names the rows), or are neither integers nor text.
    """
    cells = file.table.column(column).combine_chunks()
    if isinstance(cells, pa.ChunkedArray):  # more text than one array of 32-bit offsets holds
        cells = file.table.column(column).cast(pa.large_string()).combine_chunks()
    where, kind = f"{file.name}, column {column!r}", cells.type
    is_integer = pa.types.is_integer(kind)
    if not is_integer and not is_text(kind) and len(cells):
        is_float = pa.types.is_floating(kind)
        way = "write them as integers or text, since floats lose digits" if is_float else "name another column"
        raise ValueError(f"{where} needs ids that are integers or text (got {kind}); {way}")
    text = pc.cast(cells, pa.large_string())
    empty = pc.fill_null(pc.equal(text, ""), True).to_numpy(zero_copy_only=False)
    if empty.any():
        rows = np.flatnonzero(empty)
        first = ", ".join(str(file.first_row + row + 1) for row in rows[:SHOWN])
        raise ValueError(
            f"{where} lacks ids in {counted(rows.size, 'row')} (row {first}{', ...' if rows.size > SHOWN else ''})"
        )
    if not file.is_typed:
        first_is = len(text) > 0 and re.match(INTEGER, text[0].as_py())
        is_integer = bool(first_is) and bool(pc.all(pc.match_substring_regex(text, INTEGER)).as_py())
    return IdColumn(where, text, is_integer, file.is_typed)


class IdIndex:
    """The samples' ids, for looking up positions.

    Args:
        column: One id a sample.

    Raises:
        ValueError: An id occurs twice.
    """

    def __init__(self, column: IdColumn) -> None:
        self.column = column
        counts = pc.value_counts(column.text)
        twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
        if len(twice):
            raise ValueError(
                f"{column.where}: {counted(len(twice), 'id occurs', 'ids occur')} more than once "
                f"({column.show(twice)}); keep one row each"
            )

    def __len__(self) -> int:
        return len(self.column)

    def find(self, column: IdColumn) -> np.ndarray:
        """Position of each id, -1 where no sample has it. Shape [R] int64.

        Raises:
            ValueError: One column holds integers and the other text, so that ids which look alike differ.
        """
        own = self.column
        if own.is_integer and column.is_integer and len(own):
            ids = column.ids
            if self._is_int64 and not is_text(ids.type):
                return self._find_integers(ids.to_numpy())
        both_typed = own.is_typed and column.is_typed and own.is_integer != column.is_integer
        position = pc.fill_null(pc.index_in(column.text, value_set=own.text), -1).to_numpy(zero_copy_only=False)
        if own.is_integer != column.is_integer and len(column):
            unknown = column.text.filter(pa.array(position < 0))
            look_alike = pc.any(pc.is_in(_without_zeros(unknown), value_set=self._without_zeros)).as_py()
            if both_typed or look_alike or len(unknown) == len(column):
                example = unknown if len(unknown) else column.text
                raise ValueError(
                    f"mixed id types: {own.where} holds {own.kind} (such as {own.show(own.text[:1])}), {column.where} "
                    f"holds {column.kind} (such as {column.show(example[:1])}); write the ids alike in both files, or "
                    "name another column of ids (--id-column)"
                )
        return position.astype(np.int64)

    def holds(self, ids: list[str]) -> bool:
        """Whether all of some texts are ids of samples."""
        return pc.all(pc.is_in(pa.array(ids, pa.large_string()), value_set=self.column.text)).as_py()

    def _find_integers(self, ids: np.ndarray) -> np.ndarray:
        """By a sorted list that is made once: pyarrow would hash all samples anew for each piece of a file."""
        known, order = self._sorted
        place = np.searchsorted(known, ids)
        place[place == known.size] = 0
        return np.where(known[place] == ids, order[place], -1)

    @cached_property
    def _is_int64(self) -> bool:
        return not is_text(self.column.ids.type)

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        ids = self.column.ids.to_numpy()
        order = np.argsort(ids, kind="stable")
        return ids[order], order

    @cached_property
    def _without_zeros(self) -> pa.Array:
        return _without_zeros(self.column.text)

    def say_unknown(self, column: IdColumn, position: np.ndarray, rows: np.ndarray, what: str) -> str:
        """How many of a file's ids no sample has, and the first ten; ``what`` a row is, in the singular."""
        ids = pc.unique(column.text.filter(pa.array(position < 0)))
        said = f"{counted(len(ids), 'unknown id')} in {counted(int(rows.sum()), what)} ({column.show(ids)})"
        bare = pc.utf8_trim_whitespace(self.column.text)
        blanks = pc.sum(pc.is_in(pc.utf8_trim_whitespace(ids), value_set=bare)).as_py()
        return f"{said}; {blanks:,} of them differ from ids of samples by blanks alone" if blanks else said


def _without_zeros(text: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(text, r"^0+([0-9])", r"\1")
