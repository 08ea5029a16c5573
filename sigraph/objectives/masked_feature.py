"""MaskedFeature: predict hidden entries of feature rows."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sigraph.encoders import Encoding
from sigraph.files.arguments import check_choices, check_flags, check_integers, check_rates
from sigraph.files.memory import check_fits
from sigraph.objectives.base import Objective
from sigraph.objectives.rows import ROW_LOSSES, row_loss


class FeatureTarget(NamedTuple):
    """Which entries were hidden, [S, F] bool, and the rows as they were, [S, F]."""

    mask: Tensor
    value: Tensor


class MaskedFeature(Objective):
    r"""Set a random share of each row's entries to 0 and predict them from the embedding with a linear layer.

    .. math:: L_M = \frac{1}{|M|} \sum_{(i, f) \in M} \ell\big((W z_i + b)_f,\; x_{if}\big)

    Args:
        in_channels: F, features of a sample.
        encoder_channels: D, width of the embedding.
        mask_rate: Share of entries hidden, in (0, 1).
        loss: ``mse`` for real-valued features; ``bce`` (with logits) for features in [0, 1]; ``words`` for bags of
            words (counts or 0/1, >= 0): the cross-entropy of the hidden words under a softmax over the vocabulary, as
            in masked language modelling, averaged over hidden words. Only the last is on the scale of an InfoNCE.
        corrupt_all: Corrupt every sample of the step instead of the seed samples only.

    Shapes:
        - **inputs:** [B, F]  ->  corrupted [B, F] and the target of the S corrupted rows.  **returns:** scalar, >= 0.

    Source: attribute masking of Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, for feature
    rows; as L_M in McDermott et al. 2023.

    Guide:
        reads: feature rows
        predicts: hidden entries
    """

    def __init__(
        self,
        in_channels: int,
        encoder_channels: int,
        mask_rate: float = 0.15,
        loss: str = "mse",
        corrupt_all: bool = False,
    ) -> None:
        super().__init__()
        check_rates("MaskedFeature", above_zero=True, mask_rate=mask_rate)
        check_choices("MaskedFeature", ROW_LOSSES, loss=loss)
        if in_channels is None:
            raise ValueError("'in_channels' needs feature rows in 'MaskedFeature' (got a data set of records)")
        check_integers("MaskedFeature", 1, in_channels=in_channels, encoder_channels=encoder_channels)
        check_flags("MaskedFeature", corrupt_all=corrupt_all)
        self.mask_rate, self.loss, self.corrupt_all = mask_rate, loss, corrupt_all
        sizes = {"in_channels": in_channels, "encoder_channels": encoder_channels}
        check_fits("MaskedFeature", 4 * in_channels * encoder_channels, **sizes)
        self.decoder = nn.Linear(encoder_channels, in_channels)

    def corrupt(
        self, inputs: Tensor, node: Tensor, num_seeds: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, FeatureTarget]:
        if not isinstance(inputs, Tensor):
            raise ValueError(f"'inputs' needs feature rows, a tensor, in 'MaskedFeature' (got {type(inputs).__name__})")
        value = inputs if self.corrupt_all else inputs[:num_seeds]
        mask = torch.rand(value.shape, generator=generator) < self.mask_rate
        return torch.cat([value.masked_fill(mask, 0), inputs[len(value) :]]), FeatureTarget(mask, value)

    def forward(self, encoding: Encoding, target: FeatureTarget) -> Tensor:
        mask, value = target
        decoder, came = self.decoder, (encoding.z.size(1), value.size(1))  # D, F
        if came != (decoder.in_features, decoder.out_features):
            raise ValueError(
                f"'encoder_channels', 'in_channels' need to be the widths of z and samples in 'MaskedFeature', "
                f"{came[0]} and {came[1]} (got {decoder.in_features} and {decoder.out_features})"
            )
        predicted = self.decoder(encoding.z[: len(mask)])  # [S, F]
        return self.mean(*row_loss(predicted, value, self.loss, "MaskedFeature", mask))
