"""JointLoss: several structure losses at once, each with its weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.data.pairs import Pairs
from sigraph.files.arguments import is_number
from sigraph.files.random import keyed_seed
from sigraph.losses.base import StructureLoss


class JointLoss(StructureLoss):
    r"""The weighted sum :math:`\sum_k w_k L_k` of structure losses on the same embeddings and pairs.

    In an experiment file a list says the same: ``structure_loss: [{_target_: TargetLoss, ..., weight: 0.7},
    {_target_: InfoNCELoss, weight: 0.3}]``.

    Args:
        losses: At least one.
        weights: Of each, finite and >= 0, not all 0; None: 1 each. A loss of weight 0 is not computed.

    Shapes:
        - **z:** [A, D].  **pairs:** A anchors, C candidates.  **returns:** scalar.

    Source: (1 - lambda) L_M + lambda L_SI of McDermott et al. 2023, Eq. 1, has one L_SI; a sum of several is the same
    with several ways to say what is close.

    Guide:
        minimises: a weighted sum of other losses
        use it when: pairs and a target say different things
        start with: a list of components, each with its ``weight``
        costs: as its losses
        anchor without a positive: as its losses say
        anchor without a negative: as its losses say
        several processes: yes
        in a memory: each of its losses, rather than the sum
    """

    def __init__(self, losses: Sequence[StructureLoss], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        is_list = isinstance(losses, list | tuple) and losses
        if not is_list or not all(isinstance(one, StructureLoss) for one in losses):
            raise ValueError(f"'losses' needs a list of structure losses in 'JointLoss' (got {losses!r:.80})")
        weights = [1.0] * len(losses) if weights is None else weights
        fits = isinstance(weights, list | tuple) and len(weights) == len(losses)
        if not fits or not all(is_number(one) and 0 <= one < float("inf") for one in weights) or not any(weights):
            raise ValueError(
                f"'weights' needs a number >= 0 a loss, {len(losses)} in all and not all 0, in 'JointLoss' "
                f"(got {weights!r})"
            )
        self.losses, self.weights = nn.ModuleList(losses), [float(one) for one in weights]
        for loss, weight in zip(losses, self.weights, strict=True):
            if not weight:  # several processes wait for a gradient of every parameter that asks for one
                loss.requires_grad_(False)

    @property
    def _each(self) -> list[StructureLoss]:
        return cast(list[StructureLoss], list(self.losses))

    def prepare(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> None:
        for number, loss in enumerate(self._each):
            loss.prepare(dataset, graph, seed if number == 0 else keyed_seed(seed, number) >> 1)

    def forward(self, z: Tensor, pairs: Pairs, candidates: Tensor | None = None) -> Tensor:
        weighted = zip(self._each, self.weights, strict=True)
        parts = [weight * loss(z, pairs, candidates) for loss, weight in weighted if weight]
        return torch.stack(parts).sum()

    @property
    def additive(self) -> bool:
        """Whether all of the losses are."""
        return all(loss.additive for loss in self._each)
