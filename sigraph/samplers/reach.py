"""Who lies within a few edges of whom, for the nodes of a step and never for all pairs of the graph."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array
from torch import Tensor

from sigraph.edges.store import EdgeStore

_BUSY = 256  # a node is busy if more than this part of all pairs meets there: then a column of a matrix costs less
_HELD = 1 << 22  # numbers held at a time


def ball(store: EdgeStore, nodes: Tensor, hops: int) -> tuple[Tensor, Tensor]:
    """All nodes at most ``hops`` edges from each node, itself included, each once.

    Args:
        store: The edges.
        nodes: Node ids, repeats allowed. Shape [A].
        hops: >= 0.

    Returns:
        Positions in ``nodes`` and node ids, of equal shape [M].
    """
    key = frontier = torch.arange(nodes.numel()) * store.num_nodes + nodes
    for hop in range(hops):
        which, neighbor = store.all_neighbors(frontier % store.num_nodes)
        frontier = (frontier // store.num_nodes)[which] * store.num_nodes + neighbor
        if hop:  # the first neighbours are distinct and not the node itself
            frontier = frontier.unique()
            frontier = frontier[~torch.isin(frontier, key)]
        key = torch.cat([key, frontier])
    return key // store.num_nodes, key % store.num_nodes


def is_within(store: EdgeStore, anchors: Tensor, row: Tensor, node: Tensor, hops: int) -> Tensor:
    """Whether each listed node is at most ``hops`` edges from its anchor, or the anchor itself.

    Walks from both ends meet in the middle: no ball of more than half the hops, rounded up, is laid out.

    Args:
        store: The edges.
        anchors: Node ids. Shape [A].
        row: Which anchor each node is compared with. Shape [T].
        node: Node ids. Shape [T].
        hops: >= 1.

    Returns:
        Shape [T], boolean.
    """
    owner, around = ball(store, anchors, hops - hops // 2)
    known = (owner * store.num_nodes + around).sort().values
    asked, met = ball(store, node, hops // 2)
    key = row[asked] * store.num_nodes + met
    place = torch.searchsorted(known, key).clamp(max=max(known.numel() - 1, 0))
    out = torch.zeros(node.numel(), dtype=torch.bool)
    if known.numel():
        out[asked[known[place] == key]] = True
    return out


def pairs_within(store: EdgeStore, rows: Tensor, cols: Tensor, hops: int) -> Tensor:
    """Positions (in ``rows``, in ``cols``) of every two different nodes at most ``hops`` edges apart, each pair once.

    Args:
        store: The edges.
        rows: Node ids, repeats allowed. Shape [A].
        cols: Node ids, repeats allowed. Shape [C].
        hops: >= 1.

    Returns:
        Shape [2, R], sorted by row, then column.
    """
    row, around = ball(store, rows, hops - hops // 2)
    col, met = ball(store, cols, hops // 2)
    found = meetings(row, around, rows.numel(), col, met, cols.numel())
    return found[:, rows[found[0]] != cols[found[1]]]


def meetings(row: Tensor, around: Tensor, num_rows: int, col: Tensor, met: Tensor, num_cols: int) -> Tensor:
    """Which rows and columns have a node in common, each pair once, however many nodes they share.

    Where many meet at one node, a product of matrices says who does: their pairs are not listed.

    Args:
        row, around: A row and a node of its own, each once. Shape [P].
        num_rows: A.
        col, met: A column and a node of its own, each once. Shape [Q].
        num_cols: C.

    Returns:
        Shape [2, R], sorted by row, then column.
    """
    node = met.unique()
    place = torch.searchsorted(node, around).clamp(max=max(node.numel() - 1, 0))
    shared = (node[place] == around).nonzero().view(-1) if node.numel() else around.new_empty(0)
    row, around, met = row[shared], place[shared], torch.searchsorted(node, met)
    count = [torch.bincount(at, minlength=node.numel()) for at in (around, met)]
    pairs = count[0] * count[1]  # of each node
    busy = pairs * _BUSY > num_rows * num_cols
    if int(pairs[busy].sum()) <= num_rows * num_cols:
        busy[:] = False
    shape = (num_rows, node.numel()), (node.numel(), num_cols)
    few = ~busy[around], ~busy[met]
    few_rows = _incidence(row[few[0]], around[few[0]], shape[0])
    product = few_rows @ _incidence(met[few[1]], col[few[1]], shape[1])
    product.sort_indices()
    if not bool(busy.any()):
        found = torch.from_numpy(product.indices).long()
        return torch.stack([torch.repeat_interleave(torch.from_numpy(product.indptr).diff()), found])
    hubs = busy.nonzero().view(-1).numpy()
    left = _incidence(row, around, shape[0])[:, hubs]
    right = torch.from_numpy(_incidence(met, col, shape[1])[hubs].toarray())  # [H, C]
    parts = []
    step = max(1, _HELD // max(num_cols, len(hubs)))
    for start in range(0, num_rows, step):
        block = torch.from_numpy(left[start : start + step].toarray()) @ right
        block += torch.from_numpy(product[start : start + step].toarray())
        parts.append(block.nonzero() + torch.tensor([start, 0]))
    return torch.cat(parts).t()


def _incidence(row: Tensor, col: Tensor, shape: tuple[int, int]) -> csr_array:
    return coo_array((np.ones(row.numel(), np.float32), (row.numpy(), col.numpy())), shape).tocsr()


def first_of_each(values: Tensor) -> Tensor:
    """True where a value stands for the first time in its row. Shape [A, M] -> [A, M], boolean."""
    value, order = values.sort(dim=1, stable=True)
    fresh = torch.ones_like(value, dtype=torch.bool)
    fresh[:, 1:] = value[:, 1:] != value[:, :-1]
    return torch.empty_like(fresh).scatter_(1, order, fresh)
