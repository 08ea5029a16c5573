"""Which columns of a table hold an edge's ends and its weight."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from sigraph.data.columns import as_numbers, is_number, type_name
from sigraph.data.ids import IdIndex
from sigraph.data.tables import TableFile

ENDS = (("source", "target"), ("src", "dst"), ("from", "to"), ("u", "v"))


def guess_ends(file: TableFile, index: IdIndex | None) -> list[str]:
    """The columns that hold an edge's ends, by name, else the first two.

    Args:
        file: The edges, or their columns alone.
        index: The samples' ids, by which a missing header is noticed; None: integers alone are ids.
    """
    for names in ENDS:
        found = [file.first_of(name) for name in names]
        if found[0] is not None and found[1] is not None:
            return [found[0], found[1]]
    ends = file.table.column_names[:2]
    if len(ends) < 2:
        raise ValueError(f"{file.name} needs two columns of ids (there is only {ends})")
    if not file.is_typed and (index.holds(ends) if index else all(name.isdigit() for name in ends)):
        raise ValueError(f"{file.name}: its first row, {', '.join(ends)}, is an edge: no header? Say so (--no-header)")
    return ends


def read_weights(file: TableFile, column: str) -> torch.Tensor:
    """A column of weights, float32 [R]; none missing."""
    cells = file.values(column)
    where = f"{file.name}, column {column!r}"
    if not is_number(cells.type):
        raise ValueError(f"{where} needs weights that are numbers (got {type_name(cells.type)})")
    if cells.null_count:
        row = file.first_row + pc.index(pc.is_null(cells), pa.scalar(True)).as_py() + 1
        raise ValueError(f"{where} lacks {cells.null_count:,} weights (first: row {row})")
    return torch.from_numpy(as_numbers(cells, np.float32).copy())
