"""NeighborPairSampler: each seed sample with a few neighbours and a few non-neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.files.arguments import check_integers
from sigraph.samplers.base import PairSampler, joined


class NeighborPairSampler(PairSampler):
    r"""Each seed sample with a few neighbours and a few uniform non-neighbours.

    All edges among the B unique samples of the step are positives, not only those drawn; every other pair is a
    negative. Non-neighbours come from a complement draw (one random number each, no rejection), so hubs and nearly
    complete graphs are safe. A node without neighbours, or without non-neighbours, simply adds none. On a graph with
    groups (:attr:`~sigraph.PretrainGraph.group`, e.g. the species of proteins) non-neighbours are of the seed sample's
    own group, and pairs across groups are ignored.

    Args:
        graph: The pre-training graph.
        num_neighbors: Neighbours drawn for each seed sample, >= 0; distinct while its degree allows.
        num_negatives: Non-neighbours drawn for each seed sample, >= 0.
        weighted: Draw neighbours in proportion to the weights of their edges, independently of each other; false:
            uniformly.
        exclude_hops: Pairs at most so many edges apart that are no edges are neither positive nor negative, and no
            negative is drawn among them, >= 1; 1: every pair without an edge is a negative. For 2 or 3 on graphs
            without large hubs: any two neighbours of a hub are two edges apart, and each such pair of a step is listed.

    Shapes:
        - **seeds:** [S]  ->  **node:** [B], S <= B <= S * (1 + num_neighbors + num_negatives)

    Raises:
        ValueError: ``weighted`` on a graph without weights; from a draw, negatives of a graph where no sample has any.

    Source: the pair sampling of McDermott et al. 2023, Methods, without its O(N) work per sample.
    """

    def __init__(
        self,
        graph: PretrainGraph,
        num_neighbors: int = 1,
        num_negatives: int = 1,
        weighted: bool = False,
        exclude_hops: int = 1,
    ) -> None:
        super().__init__(graph, weighted, exclude_hops)
        check_integers("NeighborPairSampler", 0, num_neighbors=num_neighbors, num_negatives=num_negatives)
        self.num_neighbors, self.num_negatives = num_neighbors, num_negatives

    def draw(self, seeds: Tensor, generator: torch.Generator | None = None) -> Tensor:
        parts = [seeds]
        if self.num_neighbors:
            parts.append(self.neighbors(seeds, self.num_neighbors, generator))
        if self.num_negatives:
            parts.append(self.negatives(seeds, self.num_negatives, generator))
        return joined(parts)
