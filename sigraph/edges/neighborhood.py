"""Sums over the neighbours of every node, a block of edges at a time; a two-level store is not written out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn.functional import embedding_bag

from sigraph.edges.label_store import LabelSetStore, in_full
from sigraph.edges.sparse import csr_tensor
from sigraph.edges.store import CSRStore, EdgeStore

BLOCK = 1 << 22  # directed edges looked at at a time


def neighbor_sums(store: EdgeStore, value: Tensor, weighted: bool = False) -> Tensor:
    """The sum of values over each node's neighbours.

    Args:
        store: The edges; memory-mapped ones are read block by block, those of a :class:`LabelSetStore` set by set.
        value: Finite numbers of each node. Shape [N, k], float32 (exact for counts below 2^24) or float64.
        weighted: Whether a neighbour counts with its edge's weight, where edges have one; else all count the same.

    Returns:
        Shape [N, k], of the same type; 0 for an isolated node.
    """
    if isinstance(store, LabelSetStore):
        own = store.set_of.long()
        in_set = value.new_zeros(store.num_sets, value.size(1)).index_add_(0, own, value)
        return (
            neighbor_sums(store.sets, in_set, weighted)[own] - value
        )  # a set stands in its own row, and a sample in its set
    store = in_full(store, "neighbor_sums")
    value, out = value.contiguous(), torch.empty_like(value, memory_format=torch.contiguous_format)
    weight, start = store.weight if weighted else None, 0
    for first, last, rowptr, col in edge_blocks(store):
        end = start + col.numel()
        each = None if weight is None else weight[start:end].to(value.dtype)
        out[first:last] = _block_sums(rowptr, col, each, value)
        start = end
    return out


def _block_sums(rowptr: Tensor, col: Tensor, weight: Tensor | None, value: Tensor) -> Tensor:
    """Rows of a sparse matrix times a dense one, on all threads. Shape [R + 1], [E], [E], [N, k] -> [R, k]."""
    if value.dtype == torch.float32:  # twice as fast as a sparse product, whose indices it would copy
        rowptr = rowptr.to(col.dtype)
        return embedding_bag(col, value, rowptr, mode="sum", per_sample_weights=weight, include_last_offset=True)
    each = value.new_ones(col.numel()) if weight is None else weight
    return torch.sparse.mm(csr_tensor(rowptr, col.long(), each, (rowptr.numel() - 1, len(value))), value, "sum")


def neighbor_matches(store: EdgeStore, y: Tensor) -> Tensor:
    """How many neighbours of each node have its own class; 0 where the class is below 0.

    Args:
        store: As in :func:`neighbor_sums`.
        y: Classes >= 0, others are missing. Shape [N] integers.

    Returns:
        Shape [N] int64.
    """
    known = y >= 0
    if isinstance(store, LabelSetStore):
        return _matches_by_set(store, y, known)
    store = in_full(store, "neighbor_matches")
    out = torch.zeros(y.numel(), dtype=torch.long)
    for first, last, rowptr, col in edge_blocks(store):
        own = y[first:last].repeat_interleave(rowptr.diff())
        out[first:last] = torch.segment_reduce((own == y[col]).float(), "sum", offsets=rowptr, initial=0).long()
    return out * known


def edge_blocks(store: CSRStore, size: int | None = None) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """Rows ``first`` to ``last`` (excluded) of a store, about ``size`` edges at a time, as CSR rows of their own."""
    size = size or BLOCK
    first = 0
    while first < store.num_nodes:
        start = int(store.rowptr[first])
        last = int(torch.searchsorted(store.rowptr, start + size, right=True)) - 1
        last = min(max(last, first + 1), store.num_nodes)
        yield first, last, store.rowptr[first : last + 1] - start, store.col[start : int(store.rowptr[last])]
        first = last


def _matches_by_set(store: LabelSetStore, y: Tensor, known: Tensor) -> Tensor:
    """By how many samples of each class the joined sets hold: [S, S] @ [S, C], both sparse."""
    own, sample = store.set_of.long().numpy(), known.nonzero().view(-1).numpy()
    out = np.zeros(y.numel(), np.int64)
    if not sample.size:
        return torch.from_numpy(out)
    classes, label = np.unique(y.numpy()[sample], return_inverse=True)
    counts = csr_matrix((np.ones(sample.size, np.int64), (own[sample], label)), (store.num_sets, classes.size))
    joined = (np.ones(store.sets.num_edges, np.int64), store.sets.col.numpy(), store.sets.rowptr.numpy())
    around = csr_matrix(joined, (store.num_sets, store.num_sets)) @ counts
    out[sample] = np.asarray(around[own[sample], label]).reshape(-1) - 1
    return torch.from_numpy(out)
