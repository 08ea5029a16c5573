"""Edges between the rows of a table X: by their names, by their numbers, or as a matrix; never those of other rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sized
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from sigraph.data import PretrainGraph
from sigraph.data.foreign import is_matrix, is_networkx, way_from
from sigraph.data.given import refuse_other_names
from sigraph.files.arguments import is_frame, said
from sigraph.files.counted import counted
from sigraph.files.row_index import has_index

_OWNER = "'SIPTEncoder.fit'"
_WAYS = (
    "name the rows, by the index of a DataFrame or by ids=..., and let edges name them (a fold keeps the edges of its "
    "rows); or SIPTEncoder(graph='knn')"
)


class NamedEdges(NamedTuple):
    """Ends of edges as they were given, and their weights."""

    ends: np.ndarray  # [2, E], integers or text
    weight: np.ndarray | None = None  # [E]


def row_names(X: Any, ids: Any, count: int) -> pa.Array | None:
    """What the rows are called; None: they are counted.

    Args:
        X: The table as it was given; the index of a pandas object names its rows, unless it is 0, 1, ..., count - 1.
        ids: Names given besides: integers or text. Shape [N]; None: those of ``X``.
        count: N.

    Raises:
        ValueError: Names are missing, are no integers or text, or do not tell the rows apart.
    """
    if ids is None and not has_index(X):
        return None
    given = X.index if ids is None else ids
    what = "the index of 'X'" if ids is None else "'ids'"
    if ids is None and getattr(given, "nlevels", 1) > 1:
        raise ValueError(f"{what} needs integers or text in {_OWNER} (got {said(given)}); give ids=...")
    if not isinstance(given, Iterable) or not isinstance(given, Sized) or isinstance(given, str | dict | set):
        raise ValueError(f"{what} needs integers or text, one a row, in {_OWNER} (got {said(given)})")
    names = _plain(np.asarray(given), what)
    if len(names) != count:
        raise ValueError(f"{what} needs a name for each of {count} rows in {_OWNER} (got {len(names)})")
    if ids is None and names.dtype.kind in "iu" and np.array_equal(names, np.arange(count)):
        return None
    if len(np.unique(names)) < count:
        raise ValueError(f"{what} needs each name once in {_OWNER}, since edges name rows by it; give ids=...")
    return pa.array(names.tolist())


def graph_of_rows(edges: Any, count: int, names: pa.Array | None) -> PretrainGraph:
    """The pre-training graph over the rows of X.

    Args:
        edges: Named or numbered ends, shape [2, E] or [E, 2]; a table of two columns and perhaps ``weight``; a networkx
            graph whose nodes are names; a matrix with a row and a column for each row of X, or a table of it whose
            index and columns are names; a PretrainGraph over the rows.
        count: N, the number of rows.
        names: What they are called. None: edges number them.

    Raises:
        ValueError: Edges cannot be told to be those of these rows; none is between two of them.
    """
    if isinstance(edges, PretrainGraph):
        _check_size(edges.num_nodes, edges.num_nodes, count, edges)
        if names is not None:
            refuse_other_names(names, edges, "edges")
        graph = edges
    elif _is_square(edges):
        rows, columns = edges.shape
        _check_size(rows, columns, count, edges)
        graph = PretrainGraph.from_adjacency(edges)
    else:
        given = _named(edges, count)
        index, is_there = _numbered(given, count) if names is None else _looked_up(given, names)
        if not is_there.all():  # words without numbers: of many folds the same, which Python says once
            warnings.warn(
                f"'edges' in {_OWNER} names rows that 'X' does not have: their edges are left out, as a fold of a "
                "cross-validation needs it (n_edges_ are left); where 'X' is whole, look at the names",
                stacklevel=3,
            )
        index = index[:, is_there]
        weight = None if given.weight is None else torch.from_numpy(given.weight[is_there])
        if weight is None:  # each pair once, in whichever directions it came
            index = np.unique(np.sort(index, axis=0), axis=1)
        graph = PretrainGraph(torch.from_numpy(index), count, weight)
    if not graph.num_edges:
        raise ValueError(f"'edges' needs an edge between two rows of 'X' in {_OWNER} (got none)")
    return graph


def _is_square(edges: Any) -> bool:
    """Whether it is a matrix, perhaps with rows sliced: nothing else has two dimensions of more than 2."""
    if is_matrix(edges):
        return True
    is_array = hasattr(edges, "__array__") and not is_frame(edges) and not is_networkx(edges)
    return is_array and len(edges.shape) == 2 and min(edges.shape) > 2


def _check_size(rows: int | None, columns: int | None, count: int, edges: Any) -> None:
    if rows == columns == count:
        return
    sliced = " (rows were taken from it as from X, and not columns)" if rows == count else ""
    raise ValueError(
        f"'edges' needs a row and a column for each of {count} rows of 'X' in {_OWNER} (got {said(edges)}, {rows} x "
        f"{columns}){sliced}: of a fold it has to be of the fold's rows, edges[rows][:, rows]. In cross-validation "
        f"{_WAYS}"
    )


def _named(edges: Any, count: int) -> NamedEdges:
    """Ends and weights, whatever they are given in."""
    if is_networkx(edges):
        found = list(edges.edges(data=True))
        ends = _plain(np.array([end for u, v, _ in found for end in (u, v)]).reshape(-1, 2), "'edges'").T
        weights = [data.get("weight") for _, _, data in found]
        return NamedEdges(ends, np.array(weights, float) if weights and None not in weights else None)
    if is_frame(edges):
        return _of_frame(edges, count)
    if isinstance(edges, str) or not (hasattr(edges, "__array__") or isinstance(edges, list | tuple)):
        way = f": {way_from(edges)}" if way_from(edges) else ""
        raise ValueError(f"'edges' needs ends of edges or a matrix in {_OWNER} (got {said(edges)}){way}")
    pairs = isinstance(edges, list) and bool(edges) and all(isinstance(one, tuple) for one in edges)
    try:
        ends = np.asarray(edges)
    except ValueError as error:
        raise ValueError(f"'edges' needs two ends an edge in {_OWNER} (got {said(edges)}: {error})") from error
    if ends.ndim != 2 or 2 not in ends.shape:
        raise ValueError(f"'edges' needs shape [2, E] or [E, 2] in {_OWNER} (got {list(ends.shape)})")
    if ends.shape == (2, 2) and not pairs:
        raise ValueError(f"'edges' of shape [2, 2] can be read either way in {_OWNER}; give a list of tuples")
    if pairs or ends.shape[0] != 2:
        _refuse_sliced(len(ends), count)
        ends = ends.T
    return NamedEdges(_plain(ends, "'edges'"))


def _of_frame(edges: Any, count: int) -> NamedEdges:
    names = list(edges.columns)
    if has_index(edges) and len(names) > 3 and set(edges.index) <= set(names):  # a matrix, perhaps with rows sliced
        values = edges.to_numpy()
        row, col = values.nonzero()
        weight = np.asarray(values[row, col], float)
        ends = np.stack([np.asarray(edges.index)[row], np.asarray(edges.columns)[col]])
        return NamedEdges(_plain(ends, "'edges'"), None if (weight == 1).all() else weight)
    weighted = [name for name in names if str(name).lower() == "weight"]
    of_ends = [name for name in names if name not in weighted]
    if len(of_ends) != 2 or len(weighted) > 1:
        raise ValueError(
            f"'edges' needs columns of two ends, and perhaps 'weight', or a matrix with names as index and columns, in "
            f"{_OWNER} (got columns {', '.join(map(repr, names[:5]))})"
        )
    _refuse_sliced(len(edges), count)
    ends = _plain(np.stack([np.asarray(edges[name]) for name in of_ends]), "'edges'")
    return NamedEdges(ends, np.asarray(edges[weighted[0]], float) if weighted else None)


def _refuse_sliced(num_edges: int, count: int) -> None:
    """Refuse as many edges as X has rows: scikit-learn takes some of each for a fold, and edges would be lost."""
    if num_edges == count:
        raise ValueError(
            f"'edges' needs to be told from rows in {_OWNER}: there are as many as rows of 'X', {count}, one below the "
            "other, of which a cross-validation takes some like rows; give them side by side, [2, E]: "
            "numpy.asarray(edges).T"
        )


def _plain(values: np.ndarray, what: str) -> np.ndarray:
    """Integers as int64, text as objects."""
    if values.dtype.kind in "iu":
        return values.astype(np.int64)
    if values.dtype.kind == "O" and values.size and all(isinstance(one, int | np.integer) for one in values.flat):
        return values.astype(np.int64)
    if values.dtype.kind in "OUT" and all(isinstance(one, str) for one in values.flat):
        return values.astype(object)
    if not values.size:
        return values.astype(np.int64)
    raise ValueError(f"{what} needs integers or text, of one kind, in {_OWNER} (got {values.dtype})")


def _numbered(given: NamedEdges, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers as they are, if they are those of X beyond doubt: its last row is among them, and none behind."""
    ends = given.ends
    if ends.dtype.kind != "i":
        raise ValueError(
            f"'edges' names rows (such as {ends.flat[0]!r:.40}), but the rows of 'X' have no names in {_OWNER}; give a "
            "DataFrame whose index names them, or ids=..."
        )
    low, high = (int(ends.min()), int(ends.max())) if ends.size else (0, count - 1)
    if low < 0 or high >= count:
        raise ValueError(
            f"'edges' needs row numbers in [0, {count}) in {_OWNER} (got [{low}, {high}]): these are edges of other "
            f"rows, of which 'X' may be a fold. In cross-validation {_WAYS}"
        )
    if high < count - 1:
        raise ValueError(
            f"'edges' needs to say of which rows it is in {_OWNER}: its last row number is {high}, the last row of 'X' "
            f"{count - 1}, which may be a fold of others. If row i is meant by i: ids=range({count}); in "
            f"cross-validation {_WAYS}"
        )
    return ends, np.ones(ends.shape[1], dtype=bool)


def _looked_up(given: NamedEdges, names: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows that ends name, and which edges have both of them here."""
    text = pa.types.is_string(names.type)
    if (given.ends.dtype.kind == "O") != text and given.ends.size:
        raise ValueError(
            f"'edges' needs the names of rows in {_OWNER}, such as {names[0].as_py()!r:.40} (got such as "
            f"{given.ends.flat[0]!r:.40})"
        )
    ends = pa.array(given.ends.reshape(-1), names.type)
    index = pc.fill_null(pc.index_in(ends, names), -1).to_numpy().astype(np.int64).reshape(2, -1)
    is_there = (index >= 0).all(axis=0)
    if not is_there.any():
        of_edges = f"of {counted(len(is_there), 'edge')} none names two"
        raise ValueError(
            f"'edges' needs an edge between two rows of 'X' in {_OWNER}: {of_edges} (rows are called such as "
            f"{names[0].as_py()!r:.40})"
        )
    return index, is_there
