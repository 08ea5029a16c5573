"""Edges as given made into sorted symmetric rows, in memory: more by counting than by sorting."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array

BLOCK_EDGES, MOST_BLOCKS = 1 << 16, 1 << 11  # edges of a block of rows, on average: they stay in the cache


class MergedEdges(NamedTuple):
    """Rows of a :class:`~sigraph.data.CSRStore`, and how many of the given edges are not in them."""

    rowptr: np.ndarray  # [N + 1] int64
    col: np.ndarray  # [E], int32 below 2^31 nodes, else int64
    weight: np.ndarray | None  # [E] float32
    self_loops: int
    repeats: int
    averaged: int = 0  # edges given with weights that differ


def merge_edges(row: np.ndarray, col: np.ndarray, num_nodes: int, weight: np.ndarray | None = None) -> MergedEdges:
    """Symmetrise, merge repeats and drop self-loops; the weight of an edge is the mean of those it was given with.

    Where every edge is listed in both directions, the second one is no repeat.

    Args:
        row, col: Node ids in [0, N). Shape [M] each, integers.
        num_nodes: N.
        weight: Shape [M].
    """
    num_given, kept = row.size, row != col
    if not kept.all():
        row, col = row[kept], col[kept]
        weight = None if weight is None else weight[kept]
    del kept
    data = None if weight is None else weight.astype(np.float64) + 1j  # these sum to weights and their number
    directed = _rows(row, col, num_nodes, data)
    symmetric = data is None and _is_symmetric(directed)
    turned = directed if symmetric else _turned(directed)
    both = directed if symmetric else directed + turned
    num_merged = both.nnz if both.nnz == directed.nnz else both.nnz // 2
    return MergedEdges(
        both.indptr.astype(np.int64),
        both.indices.astype(np.int32 if num_nodes < 2**31 else np.int64, copy=False),
        None if weight is None else (both.data.real / both.data.imag).astype(np.float32),
        num_given - row.size,
        row.size - num_merged,
        0 if weight is None or both.nnz == 2 * row.size else _averaged(directed, turned, row, col, weight),
    )


def _averaged(directed: csr_array, turned: csr_array, row: np.ndarray, col: np.ndarray, weight: np.ndarray) -> int:
    """Edges whose given weights differ, over repeats and both directions."""
    if directed.nnz == row.size:  # no repeats: what the two directions have in common cancels, numbers and weights
        return int(((directed - turned).data.imag == 0).sum()) // 2
    key = np.minimum(row, col).astype(np.int64) * directed.shape[0] + np.maximum(row, col)
    order = key.argsort(kind="stable")
    start = np.flatnonzero(np.diff(key[order], prepend=-1))
    least, most = (function.reduceat(weight[order], start) for function in (np.minimum, np.maximum))
    return int((least != most).sum())


def _rows(row: np.ndarray, col: np.ndarray, num_nodes: int, data: np.ndarray | None = None) -> csr_array:
    """Sorted rows without repeats, whose data are summed; without data, ones.

    Edges go to blocks of rows first, by counting, and then each block to its rows: both within the cache, which a jump
    from row to row over the whole graph is not. Only within a row is anything sorted, and not if it is so already.
    """
    ids = np.int32 if max(num_nodes, row.size) < 2**31 else np.int64
    rowptr, size = np.zeros(num_nodes + 1, ids), 0
    if row.size:
        shift = (num_nodes // max(1, min(row.size // BLOCK_EDGES, MOST_BLOCKS))).bit_length()
        block, place = np.empty(row.size, ids), np.empty(row.size, np.min_scalar_type(-(1 << shift)))
        np.right_shift(row, shift, out=block, casting="unsafe")
        np.bitwise_and(row, (1 << shift) - 1, out=place, casting="unsafe")
        shape = (((num_nodes - 1) >> shift) + 1, num_nodes)
        moved = None if data is None else _by_row(block, col, data, shape).data
        blocks = _by_row(block, col.astype(ids, copy=False), place, shape)
        del block, place
        col, data = blocks.indices, moved
        ones = np.ones(int(np.diff(blocks.indptr).max()), np.int8)
        for number, (start, stop) in enumerate(zip(blocks.indptr[:-1], blocks.indptr[1:], strict=True)):
            first, rows = number << shift, min(1 << shift, num_nodes - (number << shift))
            given = ones[: stop - start] if data is None else data[start:stop]
            part = _by_row(blocks.data[start:stop], col[start:stop], given, (rows, num_nodes))
            part.sum_duplicates()
            rowptr[first + 1 : first + rows + 1] = size + part.indptr[1:]
            col[size : size + part.nnz] = part.indices  # over what was read already
            if data is not None:
                data[size : size + part.nnz] = part.data
            size += part.nnz
    merged = np.ones(size, np.int8) if data is None else data[:size]
    return csr_array((merged, col[:size], rowptr), (num_nodes, num_nodes))


def _is_symmetric(directed: csr_array) -> bool:
    """Whether rows without loops hold every edge in both directions; half of them are turned to see it."""
    half, rest = divmod(directed.nnz, 2)
    lower = np.empty((2, half), directed.indices.dtype)
    stop = 0
    for row, col in _pieces(directed):
        place = (col < row).nonzero()[0]
        start, stop = stop, stop + place.size
        if stop > half:
            return False
        lower[0, start:stop], lower[1, start:stop] = col[place], row[place]
    if rest or stop < half:
        return False
    turned, stop = _rows(lower[0], lower[1], directed.shape[0]), 0
    for row, col in _pieces(directed):
        place = (col > row).nonzero()[0]
        start, stop = stop, stop + place.size
        first, end = (int(row[0]), int(row[-1]) + 1) if row.size else (0, 0)
        count = np.bincount(row[place] - first, minlength=end - first)
        if not np.array_equal(turned.indices[start:stop], col[place]) or not np.array_equal(
            np.diff(turned.indptr[first : end + 1]), count
        ):
            return False
    return True


def _pieces(rows: csr_array) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row and column of all entries, some whole rows at a time."""
    number = np.unique(np.searchsorted(rows.indptr, np.arange(0, rows.nnz + BLOCK_EDGES, BLOCK_EDGES)))
    number = np.unique(np.concatenate([number, [rows.shape[0]]]).clip(max=rows.shape[0]))
    for first, last in pairwise(number.tolist()):
        row = np.repeat(np.arange(first, last, dtype=rows.indices.dtype), np.diff(rows.indptr[first : last + 1]))
        yield row, rows.indices[rows.indptr[first] : rows.indptr[last]]


def _turned(directed: csr_array) -> csr_array:
    row = np.repeat(np.arange(directed.shape[0], dtype=directed.indices.dtype), np.diff(directed.indptr))
    data = directed.data if np.iscomplexobj(directed.data) else None
    return _rows(directed.indices, row, directed.shape[0], data)


def _by_row(row: np.ndarray, col: np.ndarray, data: np.ndarray, shape: tuple[int, int]) -> csr_array:
    """Entries by their row, each row in the order given."""
    entries = coo_array((data, (row, col)), shape)
    entries.has_canonical_format = True  # otherwise repeats would be merged
    return entries.tocsr()
