"""The contract of a sampler: which samples meet in a step, and which pairs are positive."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from sigraph.data import Pairs, PretrainGraph
from sigraph.files.arguments import MOST_LAYERS, check_flags, check_integers, check_kinds
from sigraph.samplers.negatives import NegativeDraws
from sigraph.samplers.reach import pairs_within
from sigraph.samplers.weighted import WeightedDraws


class PairSampler(ABC):
    """Draws the samples of a step around its seed samples and says which pairs of them are positive.

    Implement :meth:`draw`. :meth:`pairs` is the only place that decides what is positive, negative or ignored: all
    edges between anchors and candidates are positives with their weights, copies of a node are nothing, pairs across
    groups are ignored, so are other pairs within ``exclude_hops`` edges, everything else is a negative.

    Args:
        graph: The pre-training graph, with at least one edge.
        weighted: Draw neighbours in proportion to the weights of their edges, independently; an edge of weight 0 never.
            False: uniform and distinct while the degree allows.
        exclude_hops: Pairs up to so many edges apart that are no edges are neither positive nor negative, and none of
            them is drawn as a negative, >= 1; 1: every pair without an edge is a negative. 2 costs little even around
            hubs; from 3 on, what is within two edges of each sample is laid out, near a hub much of the graph.

    Raises:
        ValueError: The graph has no nodes or no edges; ``weighted`` without weights.
    """

    def __init__(self, graph: PretrainGraph, weighted: bool = False, exclude_hops: int = 1) -> None:
        check_kinds(type(self).__name__, graph=(graph, PretrainGraph))
        if not graph.num_nodes or not graph.num_edges:
            raise ValueError(
                f"'graph' needs at least one edge in {type(self).__name__!r} "
                f"(got {graph.num_nodes or 0} nodes, {graph.num_edges} edges): there is no structure to induce"
            )
        name = type(self).__name__
        check_flags(name, weighted=weighted)
        check_integers(name, 1, most=MOST_LAYERS, exclude_hops=exclude_hops)
        self.store = graph.store
        self.group = graph.group
        self.num_nodes = int(graph.num_nodes)
        self.exclude_hops = exclude_hops
        self._weighted = WeightedDraws(self.store, name) if weighted else None
        self._negatives = NegativeDraws(self.store, self.group, exclude_hops)

    @abstractmethod
    def draw(self, seeds: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The samples of a step.

        Args:
            seeds: Ids of the seed samples, repeats allowed. Shape [S].
            generator: Source of all randomness.

        Returns:
            Unique ids, the seed samples first in their order. Shape [B].
        """

    def pairs(self, anchors: Tensor, candidates: Tensor) -> Pairs:
        """Which pairs of two lists of nodes are positive, negative or neither.

        Args:
            anchors: Node ids. Shape [A].
            candidates: Node ids; give the same tensor twice for the plain square case. Shape [C].
        """
        square = candidates is anchors
        positive_index, edge = self.store.edges_between(anchors, candidates)
        weight = self.store.weight_of(edge)
        return Pairs(
            positive_index,
            anchors.numel(),
            candidates.numel(),
            weight=weight,
            self_index=torch.arange(anchors.numel()) if square else None,
            anchor_id=anchors,
            candidate_id=candidates,
            anchor_group=None if self.group is None else self.group[anchors],
            candidate_group=None if self.group is None else self.group[candidates],
            ignore_index=self._ignored(anchors, candidates, positive_index) if self.exclude_hops > 1 else None,
        )

    def sample(self, seeds: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Pairs]:
        """Draw the samples of a step and the pairs among them.

        Returns:
            Unique node ids, seed samples first, shape [B]; and the square pairs among them.
        """
        node = self.draw(seeds, generator)
        return node, self.pairs(node, node)

    def neighbors(self, nodes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
        """``k`` neighbours of each node, as ``weighted`` says; -1 where there is none to draw. Shape [A] -> [A, k]."""
        draws = self.store.draw_neighbors if self._weighted is None else self._weighted.draw
        return draws(nodes, k, generator)

    def negatives(self, nodes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
        """``k`` uniform negatives of each node; -1 where there is none. Shape [A] -> [A, k].

        Of the node's own group, if the graph has groups, and not within ``exclude_hops``.

        Raises:
            ValueError: No node of the graph has any.
        """
        found = self._negatives.draw(nodes, k, generator)
        if nodes.numel() and not bool((found >= 0).any()):
            self._negatives.check(type(self).__name__)
        return found

    def _ignored(self, anchors: Tensor, candidates: Tensor, positive_index: Tensor) -> Tensor:
        """Pairs within ``exclude_hops`` that are no edges. Shape [2, R]."""
        near = pairs_within(self.store, anchors, candidates, self.exclude_hops)
        size, other = candidates.numel(), torch.ones(near.size(1), dtype=torch.bool)
        # The pairs come in order, and every edge is among them.
        other[torch.searchsorted(near[0] * size + near[1], positive_index[0] * size + positive_index[1])] = False
        return near[:, other]


def unique_in_order(ids: Tensor) -> Tensor:
    """Each id once, in the order of first appearance. Shape [M] -> [B]."""
    value, order = ids.sort(stable=True)
    first = torch.ones_like(value, dtype=torch.bool)
    first[1:] = value[1:] != value[:-1]
    return ids[order[first].sort().values]


def joined(parts: list[Tensor]) -> Tensor:
    """Each id of several draws once, in the order of first appearance; -1 stands for nothing. Shape [B]."""
    node = torch.cat([part.reshape(-1) for part in parts])
    return unique_in_order(node[node >= 0])
