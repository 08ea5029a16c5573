"""NeighborPairSampler: each seed sample with a few neighbours and a few non-neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.data.arguments import check_integers
from sigraph.samplers.base import PairSampler, unique_in_order


class NeighborPairSampler(PairSampler):
    r"""Each seed sample with uniform neighbours and uniform non-neighbours.

    All edges among the B unique samples of the step are positives, not only those drawn; every other pair is a
    negative. Non-neighbours come from a complement draw (one random number each, no rejection), so hubs and nearly
    complete graphs are safe. A node without neighbours, or without non-neighbours, simply adds none.

    Args:
        graph: The pre-training graph.
        num_neighbors: Neighbours drawn for each seed sample, >= 0; distinct while its degree allows.
        num_negatives: Non-neighbours drawn for each seed sample, >= 0.

    Shapes:
        - **seeds:** [S]  ->  **node:** [B], S <= B <= S * (1 + num_neighbors + num_negatives)

    Source: the pair sampling of McDermott et al. 2023, Methods, without its O(N) work per sample.
    """

    def __init__(self, graph: PretrainGraph, num_neighbors: int = 1, num_negatives: int = 1) -> None:
        super().__init__(graph)
        check_integers("NeighborPairSampler", 0, num_neighbors=num_neighbors, num_negatives=num_negatives)
        self.num_neighbors, self.num_negatives = num_neighbors, num_negatives

    def draw(self, seeds: Tensor, generator: torch.Generator | None = None) -> Tensor:
        parts = [seeds]
        if self.num_neighbors:
            parts.append(self.store.draw_neighbors(seeds, self.num_neighbors, generator).view(-1))
        if self.num_negatives:
            parts.append(self.store.draw_non_neighbors(seeds, self.num_negatives, generator).view(-1))
        node = torch.cat(parts)
        return unique_in_order(node[node >= 0])
