"""Who lies within a few edges of whom, for the nodes of a step and never for all pairs of the graph."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data.pairs import equal_pairs, expand
from sigraph.data.store import CSRStore, EdgeStore


def neighbors_of(store: EdgeStore, nodes: Tensor) -> tuple[Tensor, Tensor]:
    """All neighbours of each node, sorted within a node. Shape [A] -> positions in ``nodes`` [M], neighbours [M]."""
    if isinstance(store, CSRStore):
        start = store.rowptr[nodes]
        row, edge = expand(start, store.rowptr[nodes + 1] - start)
        return row, store.col[edge].long()
    lists = [store.neighbors(node) for node in nodes.tolist()]
    sizes = torch.tensor([len(one) for one in lists], dtype=torch.long)
    return torch.repeat_interleave(sizes), torch.cat([torch.empty(0, dtype=torch.long), *lists])


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
    for _ in range(hops):
        which, neighbor = neighbors_of(store, frontier % store.num_nodes)
        reached = ((frontier // store.num_nodes)[which] * store.num_nodes + neighbor).unique()
        frontier = reached[~torch.isin(reached, key)]
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
    left, right = equal_pairs(around, met)
    key = (row[left] * cols.numel() + col[right]).unique()
    found = torch.stack([key // max(cols.numel(), 1), key % max(cols.numel(), 1)])
    return found[:, rows[found[0]] != cols[found[1]]]


def first_of_each(values: Tensor) -> Tensor:
    """True where a value stands for the first time in its row. Shape [A, M] -> [A, M], boolean."""
    value, order = values.sort(dim=1, stable=True)
    fresh = torch.ones_like(value, dtype=torch.bool)
    fresh[:, 1:] = value[:, 1:] != value[:, :-1]
    return torch.empty_like(fresh).scatter_(1, order, fresh)
