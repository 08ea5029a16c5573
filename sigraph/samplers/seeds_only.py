"""SeedsOnly: a step's samples are its seeds and nobody else."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.samplers.base import PairSampler, joined


class SeedsOnly(PairSampler):
    """Adds no sample to the seeds of a step: for losses that need no partner, as :class:`~sigraph.losses.TargetLoss`.

    Edges among the seeds are positives as ever, so that a loss of pairs beside it has the few that meet by chance.

    Args:
        graph: The pre-training graph.
        exclude_hops: Pairs at most so many edges apart that are no edges are neither positive nor negative, >= 1; 1:
            every pair without an edge is a negative.

    Shapes:
        - **seeds:** [S]  ->  **node:** [B], B <= S: each seed once

    Source: plain minibatches; sigraph's for losses of a sample and its target.
    """

    def __init__(self, graph: PretrainGraph, exclude_hops: int = 1) -> None:
        super().__init__(graph, exclude_hops=exclude_hops)

    def draw(self, seeds: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return joined([seeds])
