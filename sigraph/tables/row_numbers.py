"""Columns that number the rows of a table, as pandas writes them: neither ids nor features."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.tables.table_file import TableFile


def row_number_columns(file: TableFile) -> list[str]:
    """The columns that number rows.

    A column without a name if it holds integers that are all different; ``Unnamed: 0`` and ``__index_level_0__``,
    which pandas calls an index; and ``index`` if it holds each of 0 ... N - 1.
    """
    return [column for column in file.index_columns() if _numbers_rows(file, column)]


def say_unnamed(file: TableFile, left_out: list[str]) -> list[str]:
    """Notes on row numbers that are left out, and on columns without a name that are kept."""
    named = ", ".join(map(repr, left_out))
    notes = [f"left out: {named}, which numbers the rows (rename it to keep it)"] if left_out else []
    kept = [column for column in file.unnamed if column not in left_out]
    return notes + [f"a column without a name is called {column!r}" for column in kept]


def _numbers_rows(file: TableFile, column: str) -> bool:
    cells = file.values(column)
    if column not in file.unnamed and column != "index":
        return True
    if not pa.types.is_integer(cells.type) or cells.null_count or pc.count_distinct(cells).as_py() < len(cells):
        return False
    if column in file.unnamed:
        return True
    numbers: np.ndarray = cells.to_numpy()
    return bool(numbers.size) and int(numbers.min()) == 0 and int(numbers.max()) == numbers.size - 1
