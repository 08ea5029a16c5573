"""Edges from files: tables, ``.npy``, Matrix Market and GraphML, each as a table of two columns of ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sigraph.files.paths import user_path
from sigraph.tables.edge_table import guess_ends, is_edge, say_no_header
from sigraph.tables.ids import IdIndex
from sigraph.tables.table_file import GRAPHS, Source, TableFile, file_kind, is_array_file, read_array, read_table
from sigraph.tables.text_faults import find_encoding_fault, one_line, open_bytes

_DECLARED = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_PIECE = 1 << 20
_ENDS = ("source", "target")


def read_edges(
    source: Source,
    header: bool = True,
    name: str = "edges",
    columns: Sequence[str] | None = None,
    index: IdIndex | None = None,
) -> tuple[TableFile, list[str]]:
    """A table of edges, and its two columns of ids.

    Args:
        source: A table; ``.npy`` of shape [E, 2] or [2, E]; ``.mtx``, whose row i is node i, from 0 on; ``.graphml``.
        header: Whether CSV and TSV files name their columns; those whose first row is an edge do not, which is noted.
        name: How messages call a source that is no file.
        columns: The two columns; None: they are guessed.
        index: The samples' ids, by which a missing header is noticed.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no edges; the message names file and place.
    """
    if is_array_file(source):
        file = _of_array(source)
    elif isinstance(source, str | Path) and (kind := file_kind(user_path(source))) in GRAPHS:
        path = user_path(source)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: there is no such file")
        file = _of_matrix(path) if kind == ".mtx" else _of_graphml(path)
    else:
        file = read_table(source, header, name)
        ends = None if columns else guess_ends(file)
        if ends and not file.is_typed and header and is_edge(ends, index):
            file = read_table(source, False, name)
            file = replace(file, notes=(*file.notes, say_no_header(ends)))
    return file, [file.find(column) for column in columns] if columns else guess_ends(file)


def _of_array(source: Source) -> TableFile:
    """Edges of shape [E, 2] or [2, E]."""
    array = np.asarray(read_array(source))
    if array.ndim != 2 or 2 not in array.shape or array.dtype.kind not in "iu":
        raise ValueError(
            f"{source} needs integer ids of shape [E, 2] or [2, E] (got {array.dtype} {list(array.shape)})"
        )
    if array.shape == (2, 2):
        raise ValueError(f"{source} has shape [2, 2]: is an edge a row or a column? Give two edges as a text file")
    array = array if array.shape[1] == 2 else array.T
    return TableFile(str(source), pa.table({"source": np.ascontiguousarray(array[:, 0]), "target": array[:, 1].copy()}))


def _of_matrix(path: Path) -> TableFile:
    """The entries of a square matrix; of a symmetric one each edge once."""
    from scipy.io import mminfo, mmread

    try:
        with open_bytes(path) as file:
            rows, columns, _, _, field, symmetry = mminfo(file)
        if rows != columns:
            raise ValueError(f"{path} needs a square matrix, a row and a column a sample (got {rows} x {columns})")
        if field == "complex":
            raise ValueError(f"{path} needs real weights (got complex ones)")
        with open_bytes(path) as file:
            entries: Any = mmread(file)
    except (OSError, TypeError, OverflowError, ValueError) as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path} is no Matrix Market file that can be read ({one_line(error)})") from error
    if isinstance(entries, np.ndarray):
        raise ValueError(f"{path} needs a sparse matrix, of `coordinate` format (got `array`)")
    u, v, weight = entries.row.astype(np.int64), entries.col.astype(np.int64), entries.data
    once = u >= v if symmetry != "general" else np.ones(len(u), bool)
    table = {"source": u[once], "target": v[once], **({} if field == "pattern" else {"weight": weight[once]})}
    note = f"row i of the {rows:,} x {rows:,} matrix is the id i, from 0 on"
    return TableFile(str(path), pa.table(table), notes=(note,))


def _of_graphml(path: Path) -> TableFile:
    """Edges between node ids, with their ``weight``; a file that declares entities is refused, none is expanded."""
    import networkx

    fault = find_encoding_fault(path)
    if fault:
        raise ValueError(fault)
    tail = b""
    with open_bytes(path) as file:
        while piece := file.read(_PIECE):
            if _DECLARED.search(tail + piece):
                raise ValueError(
                    f"{path} declares a document type or entities, which GraphML does not need: remove them"
                )
            tail = piece[-64:]
    try:
        with open_bytes(path) as file:
            graph = networkx.read_graphml(file)
    except Exception as error:  # of the XML or of networkx: SyntaxError, KeyError, NetworkXError
        raise ValueError(f"{path} is no GraphML file that can be read ({one_line(error)})") from error
    listed = list(graph.edges(data="weight"))
    table = {end: pa.array([str(edge[i]) for edge in listed], pa.large_string()) for i, end in enumerate(_ENDS)}
    if any(weight is not None for *_, weight in listed):
        table["weight"] = pa.array(["" if weight is None else str(weight) for *_, weight in listed], pa.large_string())
    return TableFile(str(path), pa.table(table), is_typed=False)
