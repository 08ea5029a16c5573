"""Random rectangles with every rule of Pairs, and those rules as a slow loop."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sigraph.data.pairs import Pairs
from sigraph.losses import StructureLoss

Case = tuple[Tensor, Tensor, Pairs]


@pytest.fixture
def random_case() -> Callable[..., Case]:
    """(z [A, D], candidates [C, D], pairs) with the named optional fields of Pairs."""

    def draw(seed: int, *options: str, num_anchors: int = 7, num_candidates: int = 11, num_channels: int = 5) -> Case:
        generator = torch.Generator().manual_seed(seed)

        def index(density: float) -> Tensor:
            return (torch.rand(num_anchors, num_candidates, generator=generator) < density).nonzero().t()

        def integers(high: int, size: int) -> Tensor:
            return torch.randint(high, (size,), generator=generator)

        positive = index(0.3)
        positive = positive[:, torch.randperm(positive.size(1), generator=generator)]
        fields: dict[str, Tensor] = {}
        if "weight" in options:
            fields["weight"] = integers(4, positive.size(1)) / 2.0  # some are 0
        if "ignore" in options:
            fields["ignore_index"] = index(0.2)
        if "negative" in options:
            fields["negative_index"] = index(0.5)
        if "ids" in options:
            fields |= {"anchor_id": integers(20, num_anchors), "candidate_id": integers(20, num_candidates)}
        if "groups" in options:
            fields |= {"anchor_group": integers(2, num_anchors), "candidate_group": integers(2, num_candidates)}
        if "self" in options:
            own = integers(num_candidates + 1, num_anchors) - 1  # -1: not among the candidates
            keep = own[positive[0]] != positive[1]
            positive, fields["self_index"] = positive[:, keep], own
            if "weight" in fields:
                fields["weight"] = fields["weight"][keep]
        z = torch.randn(num_anchors, num_channels, generator=generator, dtype=torch.float64)
        candidates = torch.randn(num_candidates, num_channels, generator=generator, dtype=torch.float64)
        return z, candidates, Pairs(positive, num_anchors, num_candidates, **fields)

    return draw


@pytest.fixture
def listed() -> Callable[[Pairs], tuple[list[dict[int, float]], list[list[int]]]]:
    """The rules of Pairs pair by pair: for each anchor {positive: weight} and [negatives]."""

    def rules(pairs: Pairs) -> tuple[list[dict[int, float]], list[list[int]]]:
        def listing(index: Tensor | None) -> set[tuple[int, int]]:
            return set() if index is None else {(int(i), int(j)) for i, j in index.t().tolist()}

        ones = [1.0] * pairs.num_positives
        weights = ones if pairs.weight is None else pairs.weight.tolist()
        weight = {(int(i), int(j)): w for (i, j), w in zip(pairs.positive_index.t().tolist(), weights, strict=True)}
        ignored, negative = listing(pairs.ignore_index), listing(pairs.negative_index)
        positives: list[dict[int, float]] = [{} for _ in range(pairs.num_anchors)]
        negatives: list[list[int]] = [[] for _ in range(pairs.num_anchors)]
        for i in range(pairs.num_anchors):
            for j in range(pairs.num_candidates):
                if pairs.self_index is not None and int(pairs.self_index[i]) == j:
                    continue
                if pairs.anchor_id is not None and pairs.anchor_id[i] == pairs.candidate_id[j]:
                    continue
                if pairs.anchor_group is not None and pairs.anchor_group[i] != pairs.candidate_group[j]:
                    continue
                if (i, j) in ignored:
                    continue
                if (i, j) in weight:
                    if weight[i, j] > 0:
                        positives[i][j] = weight[i, j]
                elif pairs.negative_index is None or (i, j) in negative:
                    negatives[i].append(j)
        return positives, negatives

    return rules


@pytest.fixture
def value_and_gradient() -> Callable[..., tuple[Tensor, ...]]:
    """The loss and its gradients with respect to z and, if given, the candidates."""

    def compute(loss: StructureLoss, z: Tensor, pairs: Pairs, candidates: Tensor | None = None) -> tuple[Tensor, ...]:
        inputs = [x.clone().requires_grad_() for x in (z, candidates) if x is not None]
        value = loss(inputs[0], pairs, *inputs[1:])
        return value.detach(), *torch.autograd.grad(value, inputs)

    return compute
