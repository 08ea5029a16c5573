"""The contract of an objective: L_M, within a sample."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from sigraph.encoders import Encoder, Encoding
from sigraph.machines.distributed import denominator
from sigraph.samples.base import Samples


class Objective(nn.Module, ABC):
    """A self-supervised loss within each sample: corrupt what the encoder reads, predict what was lost.

    Implement :meth:`corrupt` (runs in the DataLoader's workers, on the CPU) and :meth:`forward`. Constructor arguments
    named ``in_channels``, ``num_tokens``, ``node_channels``, ``edge_channels`` (of the samples), ``encoder_channels``
    (of the embedding) and ``part_channels`` (of those of parts) are filled from data and encoder when the objective
    comes from a YAML; ``labels`` with the labels of training, which the record then says.
    """

    @abstractmethod
    def corrupt(
        self, inputs: Any, node: Tensor, num_seeds: int, generator: torch.Generator | None = None
    ) -> tuple[Any, Any]:
        """Corrupt a batch of samples.

        Args:
            inputs: The samples as the data set gives them, one entry per node; not to be changed in place.
            node: Their ids. Shape [B].
            num_seeds: How many of the first are seed samples; as in the paper only these are corrupted by default.
            generator: Source of all randomness.

        Returns:
            The corrupted inputs and a target for :meth:`forward` (tensors, in any nesting).
        """

    @abstractmethod
    def forward(self, encoding: Encoding, target: Any) -> Tensor:
        """The loss, a scalar: the :meth:`mean` over what was lost; if nothing was, a zero connected to ``encoding``."""

    def check_encoder(self, encoder: Encoder) -> None:
        """Refuse an encoder whose embeddings this objective cannot read, before anything trains; by default none is.

        Raises:
            ValueError: What the objective needs, and what the encoder gives.
        """

    def check_samples(self, samples: Samples) -> None:
        """Refuse samples that this objective cannot corrupt, before anything trains; by default none are.

        Raises:
            ValueError: What it needs of them, and the way out.
        """

    def mean(self, total: Tensor, count: Tensor) -> Tensor:
        """A sum over the number of its terms, 0 where there are none.

        Where several processes train together, the number is that of all of them over the number of processes, so that
        the mean of their losses is the loss of one process that has all samples.

        Args:
            total: The sum, a scalar.
            count: Of how many terms, or of what weight, >= 0. A scalar.
        """
        return total / denominator(count)
