"""The contract of a sampler: which samples meet in a step, and which pairs are positive."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from sigraph.data import Pairs, PretrainGraph


class PairSampler(ABC):
    """Draws the samples of a step around its seed samples and says which pairs of them are positive.

    Implement :meth:`draw`. :meth:`pairs` is the only place that decides what is positive, negative or ignored: all
    edges between anchors and candidates are positives with their weights, copies of a node are nothing, pairs across
    groups are ignored, everything else is a negative.

    Args:
        graph: The pre-training graph, with at least one edge.

    Raises:
        ValueError: The graph has no nodes or no edges.
    """

    def __init__(self, graph: PretrainGraph) -> None:
        if not isinstance(graph, PretrainGraph):
            got = type(graph).__name__
            raise ValueError(f"'graph' needs to be a PretrainGraph in {type(self).__name__!r} (got {got})")
        if not graph.num_nodes or not graph.num_edges:
            raise ValueError(
                f"'graph' needs at least one edge in {type(self).__name__!r} "
                f"(got {graph.num_nodes or 0} nodes, {graph.num_edges} edges): there is no structure to induce"
            )
        self.store = graph.store
        self.group = graph.group
        self.num_nodes = int(graph.num_nodes)

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
        weight = None if self.store.weight is None else self.store.weight[edge]
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
        )

    def sample(self, seeds: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Pairs]:
        """Draw the samples of a step and the pairs among them.

        Returns:
            Unique node ids, seed samples first, shape [B]; and the square pairs among them.
        """
        node = self.draw(seeds, generator)
        return node, self.pairs(node, node)


def unique_in_order(ids: Tensor) -> Tensor:
    """Each id once, in the order of first appearance. Shape [M] -> [B]."""
    value, order = ids.sort(stable=True)
    first = torch.ones_like(value, dtype=torch.bool)
    first[1:] = value[1:] != value[:-1]
    return ids[order[first].sort().values]
