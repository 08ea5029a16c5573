"""Degree-preserving rewiring: the control that keeps a graph's degrees and destroys what they join."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from sigraph.data.sample_graph import SampleGraph
from sigraph.edges import CSRStore, LabelSetStore
from sigraph.files.arguments import check_generator, check_kinds, is_number, shown

G = TypeVar("G", bound=SampleGraph)
_ROUNDS = 20  # swaps tried for each edge; mixing of the degrees' configurations is done well before


def rewire_edges(graph: G, rate: float = 1.0, generator: torch.Generator | None = None) -> G:
    """Exchange the ends of random pairs of edges; every node keeps its degree, no loop or repeat arises.

    Two edges (a, b) and (c, d) become (a, d) and (c, b) unless that would make a loop or an edge that exists. All
    chosen edges are paired at once and the round is repeated, so that the chain of Maslov and Sneppen runs without a
    loop over edges. In each exchange a weight stays with one end of its edge.

    In a two-level graph (:class:`~sigraph.data.LabelSetStore`) samples exchange their sets instead, at random: the
    degrees are those of before, handed out anew, and it stays two-level. Isolated samples stay isolated.

    Args:
        graph: The graph to rewire; it is not changed.
        rate: Share of the edges that take part, in [0, 1]; of a two-level graph the share of the samples with edges.
        generator: Source of all randomness.

    Returns:
        A graph of the same class with the same nodes, groups, degrees (as a multiset if it is two-level) and number
        of edges.

    Source: Maslov and Sneppen, "Specificity and stability in topology of protein networks", Science 2002.
    """
    check_kinds("rewire_edges", graph=(graph, SampleGraph))
    check_generator("rewire_edges", generator)
    if not is_number(rate) or not 0 <= rate <= 1:
        raise ValueError(f"'rate' needs to be in [0, 1] in 'rewire_edges' (got {shown(rate)})")
    store = graph.store
    if isinstance(store, LabelSetStore):
        joined = store.degree(torch.arange(store.num_nodes)).nonzero().view(-1)
        chosen = joined[torch.randperm(joined.numel(), generator=generator)[: round(rate * joined.numel())]]
        return graph.from_store(store.permuted(chosen, generator), graph.group)
    num_nodes, row, col, weight = int(graph.num_nodes or 0), *upper_edges(graph)
    num_chosen = round(rate * row.numel())
    chosen = torch.randperm(row.numel(), generator=generator)[:num_chosen]
    if num_chosen >= 2:
        for _ in range(_ROUNDS):
            _swap(row, col, chosen, num_nodes, generator)
    return graph.from_store(CSRStore.from_edges(torch.stack([row, col]), num_nodes, weight), graph.group)


def upper_edges(graph: SampleGraph) -> tuple[Tensor, Tensor, Tensor | None]:
    """Each undirected edge once: its smaller end, its larger end and its weight. Shape [E / 2] each."""
    rowptr, col = graph.csr()
    row, col = torch.repeat_interleave(rowptr.diff()), col.long()
    upper = row < col
    weight = graph.store.weight
    return row[upper], col[upper], None if weight is None else weight[upper]


def _swap(row: Tensor, col: Tensor, chosen: Tensor, num_nodes: int, generator: torch.Generator | None) -> None:
    """One round, in place: pair the chosen edges at random and make every exchange that is allowed."""
    order = chosen[torch.randperm(chosen.numel(), generator=generator)]
    half = order.numel() // 2
    one, two = order[:half], order[half : 2 * half]
    turn = torch.randint(0, 2, (half,), generator=generator).bool()  # which way round the second edge is taken
    a, b = row[one], col[one]
    c, d = torch.where(turn, col[two], row[two]), torch.where(turn, row[two], col[two])

    def key(u: Tensor, v: Tensor) -> Tensor:
        return torch.minimum(u, v) * num_nodes + torch.maximum(u, v)

    first, second = key(a, d), key(c, b)
    allowed = (a != d) & (c != b)
    allowed &= ~torch.isin(first, key(row, col)) & ~torch.isin(second, key(row, col))
    # Two exchanges of one round may want the same new edge: neither is made.
    _, inverse, count = torch.cat([first, second]).unique(return_inverse=True, return_counts=True)
    alone = (count[inverse] == 1).view(2, -1).all(dim=0)
    made = (allowed & alone).nonzero().view(-1)
    row[one[made]], col[one[made]] = a[made], d[made]
    row[two[made]], col[two[made]] = c[made], b[made]
