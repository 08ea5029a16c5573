"""RandomWalkSampler: each seed sample with the samples of short walks that start from it."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.files.arguments import MOST_LAYERS, check_integers
from sigraph.samplers.base import PairSampler, joined


class RandomWalkSampler(PairSampler):
    r"""Each seed sample with the samples that short random walks from it visit, and a few uniform non-neighbours.

    Walks bring chains of neighbours into a step, so that a seed sample meets its surroundings and not only its
    neighbours. Which pairs are positive does not depend on who walked where: edges are, here as everywhere, because
    other processes and a memory of older steps have to decide the same of the same pair. Samples that DeepWalk would
    call positive, a few steps apart on a walk, are positives of the graph of
    :func:`~sigraph.graphs.hop_graph` (``hops`` of a data set's graph), whose weights are those of walks.

    Args:
        graph: The pre-training graph.
        walk_length: Steps of a walk, >= 1.
        num_walks: Walks from each seed sample, >= 1.
        num_negatives: Non-neighbours drawn for each seed sample, >= 0.
        weighted: Take each step in proportion to the weights of the edges; false: uniformly.
        exclude_hops: Pairs at most so many edges apart that are no edges are neither positive nor negative, >= 1; 1:
            every pair without an edge is a negative, two steps of a walk as well.

    Shapes:
        - **seeds:** [S]  ->  **node:** [B], S <= B <= S * (1 + num_walks * walk_length + num_negatives)

    Source: the walks of Perozzi et al., "DeepWalk: Online Learning of Social Representations", KDD 2014. Differs in
    what is positive: edges, not co-occurrence in a window.
    """

    def __init__(
        self,
        graph: PretrainGraph,
        walk_length: int = 3,
        num_walks: int = 1,
        num_negatives: int = 1,
        weighted: bool = False,
        exclude_hops: int = 1,
    ) -> None:
        super().__init__(graph, weighted, exclude_hops)
        check_integers("RandomWalkSampler", 1, num_walks=num_walks)
        check_integers("RandomWalkSampler", 1, most=MOST_LAYERS, walk_length=walk_length)
        check_integers("RandomWalkSampler", 0, num_negatives=num_negatives)
        self.walk_length, self.num_walks, self.num_negatives = walk_length, num_walks, num_negatives

    def walk(self, nodes: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One walk from each node; one that cannot go on stays. Shape [A] -> [A, walk_length + 1], start included."""
        steps = [nodes]
        for _ in range(self.walk_length):
            step = self.neighbors(steps[-1], 1, generator).view(-1)
            steps.append(torch.where(step < 0, steps[-1], step))
        return torch.stack(steps, dim=1)

    def draw(self, seeds: Tensor, generator: torch.Generator | None = None) -> Tensor:
        parts = [seeds, self.walk(seeds.repeat_interleave(self.num_walks), generator)]
        if self.num_negatives:
            parts.append(self.negatives(seeds, self.num_negatives, generator))
        return joined(parts)
