"""SubgraphSampler: steps that are a few neighbourhoods, with many edges among their samples."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.files.arguments import MOST_LAYERS, check_integers
from sigraph.samplers.base import PairSampler, joined


class SubgraphSampler(PairSampler):
    r"""Each seed sample with its neighbours, their neighbours, and so on: a step is a few neighbourhoods.

    All edges among the samples are positives, and most samples of a neighbourhood have several: steps are far denser
    than with pairs. Each neighbourhood's negatives are the others; give few seed samples a step (``batch_size`` counts
    them, a step holds up to :math:`\sum_{h=0}^{H} k^h` samples for each).

    Args:
        graph: The pre-training graph.
        num_neighbors: k, neighbours drawn for each newly reached sample, >= 1; distinct while its degree allows.
        num_hops: H, how far a neighbourhood reaches, >= 1.
        num_negatives: Non-neighbours drawn for each seed sample, >= 0.
        weighted: Draw neighbours in proportion to the weights of their edges, independently; false: uniformly.
        exclude_hops: Pairs at most so many edges apart that are no edges are neither positive nor negative, >= 1; 1:
            every pair without an edge is a negative, within a neighbourhood as well.

    Shapes:
        - **seeds:** [S]  ->  **node:** [B], S <= B <= S * (1 + k + ... + k^H + num_negatives)

    Source: the neighbourhoods of Hamilton et al., "Inductive Representation Learning on Large Graphs", NeurIPS 2017,
    Algorithm 2. Differs in that nothing is aggregated: each sample is encoded by itself.
    """

    def __init__(
        self,
        graph: PretrainGraph,
        num_neighbors: int = 4,
        num_hops: int = 2,
        num_negatives: int = 0,
        weighted: bool = False,
        exclude_hops: int = 1,
    ) -> None:
        super().__init__(graph, weighted, exclude_hops)
        check_integers("SubgraphSampler", 1, num_neighbors=num_neighbors)
        check_integers("SubgraphSampler", 1, most=MOST_LAYERS, num_hops=num_hops)
        check_integers("SubgraphSampler", 0, num_negatives=num_negatives)
        self.num_neighbors, self.num_hops, self.num_negatives = num_neighbors, num_hops, num_negatives

    def draw(self, seeds: Tensor, generator: torch.Generator | None = None) -> Tensor:
        node = joined([seeds])
        first = 0  # samples before it had their neighbours drawn
        for _ in range(self.num_hops):
            reached = joined([node, self.neighbors(node[first:], self.num_neighbors, generator)])
            first, node = node.numel(), reached
        if self.num_negatives:
            node = joined([node, self.negatives(seeds, self.num_negatives, generator)])
        return node
