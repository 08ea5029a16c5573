"""DegreeBalancedSampler: neighbours of low degree first, so that hubs are not in every step."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.files.arguments import check_integers, is_number
from sigraph.samplers.base import PairSampler, joined
from sigraph.samplers.reach import first_of_each

_CHOICES = 16  # neighbours that a drawn one is picked from


class DegreeBalancedSampler(PairSampler):
    r"""Each seed sample with neighbours that are picked against their degree, and a few uniform non-neighbours.

    A uniform neighbour of a uniform sample is a node in proportion to its degree, roughly: hubs are in every step, and
    most positives are theirs. Here neighbour j of a sample is picked with probability

    .. math:: p(j \mid i) \propto d_j^{-\gamma}, \qquad j \in N(i),

    one after the other without repeats. A sample of more than 16 neighbours (4k for k >= 4 drawn ones) picks among
    so many uniform ones of them: no more work than that, whatever its degree. A neighbour that is the only one is
    picked all the same.

    Args:
        graph: The pre-training graph.
        num_neighbors: Neighbours drawn for each seed sample, >= 0; distinct.
        num_negatives: Non-neighbours drawn for each seed sample, >= 0, uniform: no hub is preferred there.
        power: :math:`\gamma`, how much degrees count, >= 0; 0: uniform neighbours, 1: a sample is drawn as a neighbour
            about as often as any other.
        exclude_hops: Pairs at most so many edges apart that are no edges are neither positive nor negative, >= 1; 1:
            every pair without an edge is a negative.

    Shapes:
        - **seeds:** [S]  ->  **node:** [B], S <= B <= S * (1 + num_neighbors + num_negatives)

    Source: own; picks without repeats by exponential keys, Efraimidis and Spirakis, "Weighted random sampling with a
    reservoir", Information Processing Letters 2006.
    """

    def __init__(
        self,
        graph: PretrainGraph,
        num_neighbors: int = 1,
        num_negatives: int = 1,
        power: float = 1.0,
        exclude_hops: int = 1,
    ) -> None:
        super().__init__(graph, exclude_hops=exclude_hops)
        check_integers("DegreeBalancedSampler", 0, num_neighbors=num_neighbors, num_negatives=num_negatives)
        if not is_number(power) or not 0 <= power < float("inf"):
            raise ValueError(f"'power' needs to be a number >= 0 in 'DegreeBalancedSampler' (got {power!r})")
        self.num_neighbors, self.num_negatives, self.power = num_neighbors, num_negatives, float(power)

    def neighbors(self, nodes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
        choice = self.store.draw_neighbors(nodes, max(_CHOICES, 4 * k), generator)  # [A, M]
        share = torch.rand(choice.shape, dtype=torch.float64, generator=generator)
        degree = self.store.degree(choice.clamp(min=0).view(-1)).view_as(choice)
        # log of an exponential time with rate d^-power: the k earliest are the picks
        time = (-torch.log1p(-share)).log() + self.power * degree.clamp(min=1).double().log()
        time[(choice < 0) | ~first_of_each(choice)] = torch.inf
        first, column = time.topk(k, dim=1, largest=False)
        return torch.where(first < torch.inf, choice.gather(1, column), -1)

    def draw(self, seeds: Tensor, generator: torch.Generator | None = None) -> Tensor:
        parts = [seeds]
        if self.num_neighbors:
            parts.append(self.neighbors(seeds, self.num_neighbors, generator))
        if self.num_negatives:
            parts.append(self.negatives(seeds, self.num_negatives, generator))
        return joined(parts)
