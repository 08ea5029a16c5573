"""The contract of an encoder: sample -> z."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from torch import Tensor, nn


class Encoding(NamedTuple):
    """What an encoder gives.

    Args:
        z: One embedding per sample. Shape [B, D].
        h: One embedding per part (token, atom) of the samples, all parts in a row; None for encoders without parts.
            Shape [M, D'].
    """

    z: Tensor
    h: Tensor | None = None


class Encoder(nn.Module, ABC):
    """Maps samples, one by one, to embeddings; it never sees the graph.

    Implement :meth:`forward` and set :attr:`out_channels`. A constructor argument named ``in_channels`` is filled
    from the data when the encoder comes from a YAML.
    """

    out_channels: int  # D

    @abstractmethod
    def forward(self, inputs: Any) -> Encoding:
        """Encode a batch of samples, each independently of the others."""
