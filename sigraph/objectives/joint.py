"""JointObjective: several objectives on the same samples of a step, added up."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from sigraph.encoders import Encoder, Encoding
from sigraph.files.arguments import check_numbers, is_number, shown
from sigraph.objectives.base import Objective
from sigraph.samples.base import Samples


class JointObjective(Objective):
    r"""Several objectives at once, such as masking and the labels of training samples: their weighted sum.

    .. math:: L_M = \sum_k w_k\, L_k

    Args:
        objectives: Two or more; in a YAML a list of components, whose arguments are filled in as those of one are.
        weights: A number > 0 for each; None: 1 each.

    Shapes:
        - **inputs:** samples that all of them read  ->  what one of them made of these, and a target for each.
          **returns:** scalar.

    The encoder reads a sample once, so that at most one of them may change it: the others predict from what that one
    left. Of two that hide, the second would predict what the first put there; this is refused.

    Source: the two steps of Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, section 3, of
    nodes and then of whole graphs. Differs in: at the same time.

    Guide:
        reads: what its objectives read
        predicts: what its objectives predict, at once
    """

    def __init__(self, objectives: list[Objective], weights: list[float] | None = None) -> None:
        super().__init__()
        name = "JointObjective"
        is_list = isinstance(objectives, list | tuple | nn.ModuleList) and len(objectives) > 1
        if not is_list or not all(isinstance(one, Objective) for one in objectives):
            raise ValueError(
                f"'objectives' needs a list of two objectives or more in {name!r} (got {shown(objectives)})"
            )
        given = [1.0] * len(objectives) if weights is None else weights
        if not isinstance(given, list | tuple) or len(given) != len(objectives) or not all(map(is_number, given)):
            raise ValueError(
                f"'weights' needs a number for each of {len(objectives)} objectives, or null, in {name!r} (got "
                f"{shown(weights)})"
            )
        for one in given:
            check_numbers(name, above=0, weights=one)
        self.objectives = nn.ModuleList(objectives)
        self.weights = [float(one) for one in given]

    @property
    def _each(self) -> list[Objective]:
        return cast(list[Objective], list(self.objectives))

    @property
    def num_tokens(self) -> int | None:
        """The largest vocabulary that one of them puts tokens from; None: none does."""
        found = [getattr(one, "num_tokens", None) for one in self._each]
        return max((one for one in found if isinstance(one, int)), default=None)

    def check_encoder(self, encoder: Encoder) -> None:
        for one in self._each:
            one.check_encoder(encoder)

    def check_samples(self, samples: Samples) -> None:
        for one in self._each:
            one.check_samples(samples)

    def corrupt(
        self, inputs: Any, node: Tensor, num_seeds: int, generator: torch.Generator | None = None
    ) -> tuple[Any, tuple[Any, ...]]:
        left, changed, targets = inputs, "", []
        for one in self._each:
            found, target = one.corrupt(inputs, node, num_seeds, generator)
            if found is not inputs:
                if changed:
                    raise ValueError(
                        f"'objectives' of 'JointObjective' needs no more than one that changes samples (got {changed} "
                        f"and {type(one).__name__})"
                    )
                left, changed = found, type(one).__name__
            targets.append(target)
        return left, tuple(targets)

    def forward(self, encoding: Encoding, target: tuple[Any, ...]) -> Tensor:
        parts = [w * one(encoding, t) for w, one, t in zip(self.weights, self._each, target, strict=True)]
        return torch.stack(parts).sum()
