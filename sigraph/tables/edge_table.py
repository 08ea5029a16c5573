"""Which columns of a table hold an edge's ends and its weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.columns import as_numbers, first_odd, is_number, is_text, missing_as_null, type_name
from sigraph.files.counted import counted
from sigraph.tables.dialect import ENDS
from sigraph.tables.float_digits import as_float32
from sigraph.tables.ids import IdIndex
from sigraph.tables.table_file import TableFile


def guess_ends(file: TableFile) -> list[str]:
    """The columns that hold an edge's ends, by name, else the first two that are no weights and no row numbers."""
    for names in ENDS:
        found = [file.first_of(name) for name in names]
        if found[0] is not None and found[1] is not None:
            return [found[0], found[1]]
    numbers = {*file.index_columns(), file.first_of("weight")}
    others = [column for column in file.table.column_names if column not in numbers]
    ends = (others if len(others) > 1 else file.table.column_names)[:2]
    if len(ends) < 2:
        raise ValueError(f"{file.name} needs two columns of ids (there is only {ends})")
    return ends


def is_edge(ends: Sequence[str], index: IdIndex | None) -> bool:
    """Whether what should be two names of columns are the ends of an edge, so that nothing names the columns.

    Args:
        ends: Two names.
        index: The samples' ids, of which one of them is one; None: both are integers.
    """
    if index is None:
        return all(name.isdigit() for name in ends)
    return any(index.holds([name]) for name in ends)


def say_no_header(ends: Sequence[str]) -> str:
    """That the first row is an edge."""
    return f"its first row, {', '.join(ends)}, is an edge, so that no row names the columns"


def read_weights(file: TableFile, column: str) -> pa.ChunkedArray:
    """A column of weights, integers or numbers [R]; none missing, all finite and >= 0 in float32 too.

    Raises:
        ValueError: Some are not; the message names the first row.
    """
    cells = missing_as_null(file.values(column))
    where = f"{file.name}, column {column!r}"
    if cells.null_count:
        row = file.first_row + pc.index(pc.is_null(cells), pa.scalar(True)).as_py() + 1
        raise ValueError(
            f"{where} lacks {counted(cells.null_count, 'weight')} in {counted(len(cells), 'row')} (first: row "
            f"{row:,}); fill them, or leave these edges out"
        )
    if not is_number(cells.type):
        row = first_odd(cells) if is_text(cells.type) else -1
        such = f"; row {file.first_row + row + 1:,}: {cells[row].as_py()!r:.40}" if row >= 0 else ""
        raise ValueError(f"{where} needs weights that are numbers (got {type_name(cells.type)}){such}")
    weights = as_numbers(cells, np.float64)
    wrong = np.flatnonzero(~(np.isfinite(as_float32(weights)) & (weights >= 0)))
    if wrong.size:
        raise ValueError(
            f"{where} needs finite values >= 0 (got {counted(wrong.size, 'other')}; first: {weights[wrong[0]]:g} in "
            f"row {file.first_row + int(wrong[0]) + 1:,})"
        )
    return cells


def nothing_left(name: str, num_rows: int, num_unknown: int, num_loops: int, unknown: str = "") -> str:
    """Why a file of edges gives a graph without any, for an error.

    Args:
        name: The file.
        num_rows: Its rows.
        num_unknown: Those of ids that no sample has.
        num_loops: Those that join a sample to itself.
        unknown: Some of the unknown ids, in words.
    """
    if not num_rows:
        return f"{name} has no edges, only columns: there is no graph to learn from"
    such = f" ({unknown})" if unknown else ""
    why = [f"{counted(num_unknown, 'is', 'are')} of ids that no sample has{such}"] if num_unknown else []
    why += [f"{counted(num_loops, 'joins', 'join')} a sample to itself"] if num_loops else []
    way = "are these the ids of the samples?" if num_unknown else "name the columns of both ends (--edge-columns)"
    return f"{name}: none of its {counted(num_rows, 'row')} is an edge: {' and '.join(why)}; {way}"


def say_different_weights(num_edges: int) -> str:
    """That so many edges were given with more than one weight."""
    return f"{counted(num_edges, 'edge is', 'edges are')} given with different weights; each takes the mean of them"


def say_no_weights(column: str) -> str:
    """That every weight is 0."""
    return (
        f"all weights in {column!r} are 0, so that no edge pulls where edges count by their weight; if they are no "
        "weights, name another column (--weight-column) or leave this one out"
    )


def count_different_weights(ends: np.ndarray, num_nodes: int, weights: np.ndarray) -> int:
    """Undirected edges that are given several times, with weights that are not all the same.

    Args:
        ends: Shape [2, M], in [0, num_nodes).
        num_nodes: N.
        weights: As the file has them. Shape [M].
    """
    low, high = ends.min(axis=0).astype(np.int64), ends.max(axis=0).astype(np.int64)
    edge = (low * num_nodes + high)[low != high]
    order = np.argsort(edge, kind="stable")
    edge, weight = edge[order], weights[low != high][order]
    differs = (edge[1:] == edge[:-1]) & (weight[1:] != weight[:-1])
    return int(np.unique(edge[1:][differs]).size)
