"""Batches that are bounded by what their samples cost, not by their number alone."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.samples.base import Samples

NODES_OR_TOKENS = 1 << 17  # of a batch that nothing trains on, padding counted
NUMBERS = 1 << 25  # entries of its feature rows


def bounded_batches(samples: Samples, node: Tensor, most: int, budget: int = NODES_OR_TOKENS) -> list[Tensor]:
    """Some samples in their order, cut into batches: as many as fit, one at least.

    A batch costs its number of samples times the largest cost of one, since sequences are padded to the longest; of
    samples that all cost the same, as feature rows, ``NUMBERS`` entries.

    Args:
        samples: What ``node`` numbers.
        node: Sample ids. Shape [M].
        most: Samples of a batch, >= 1.
        budget: Tokens or nodes of a batch, >= 1.
    """
    cost = samples.cost()
    if cost is None:
        width = samples.sizes.get("in_channels", 1)
        return list(node.split(max(1, min(most, NUMBERS // width))))
    own, batches, start = cost[node].tolist(), [], 0
    largest = 0
    for i, each in enumerate(own):
        largest = max(largest, each)
        if i > start and (i - start >= most or (i - start + 1) * largest > budget):
            batches.append(node[start:i])
            start, largest = i, each
    return [*batches, node[start:]] if len(node) else []


def by_cost(samples: Samples, node: Tensor) -> Tensor:
    """Places in ``node`` from the cheapest sample to the dearest, so that batches of them hold alike ones. [M]"""
    cost = samples.cost()
    return torch.arange(len(node)) if cost is None else cost[node].argsort(stable=True)


def bounded_number(samples: Samples, node: Tensor, budget: int = NODES_OR_TOKENS) -> int:
    """How many of some samples a batch holds at most, whichever of them it is."""
    cost = samples.cost()
    if cost is None:
        return max(1, NUMBERS // samples.sizes.get("in_channels", 1))
    return max(1, budget // max(1, int(cost[node].max()))) if len(node) else 1
