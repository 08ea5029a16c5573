"""How a structure loss measures: its own distance or similarity, as one number a pair that is smaller the closer."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from sigraph.losses import CrossBatchMemory, LinkPredictionLoss, PairwiseLoss, SmoothnessLoss

_SAME = 2.0**-46  # of the largest squared norm: less is the rounding of a product in double precision


class Geometry:
    r"""Embeddings as a loss sees them. A pair is measured by :math:`v_{ij} \ge 0`, smaller for closer pairs:

    .. math:: v^{\cos} = 1 - \frac{z_i \cdot z_j}{|z_i||z_j|} \qquad
        v^{\mathrm{euc}} = \tfrac{1}{2}|z_i - z_j|^2 \qquad v^{\mathrm{dot}} = M - z_i \cdot z_j

    with M the product of the largest norms. Computed in double precision and rounded to single: pairs that differ by
    less are equally close, and below :math:`2^{-46}` of the largest squared norm they are at one place.

    Args:
        z: Embeddings, finite, N >= 1. Shape [N, D].
        loss: Whose measure. None, and losses that state none: the cosine. A memory measures as the loss in it.

    Attributes:
        measure: ``cosine``, ``euclidean`` or ``dot``.
        normalize: Whether embeddings are scaled to unit length first; a zero vector stays zero.
    """

    def __init__(self, z: Tensor, loss: Any = None) -> None:
        loss = inner(loss)
        self.measure, self.normalize = "cosine", True
        if isinstance(loss, PairwiseLoss):
            self.measure, self.normalize = loss.measure, loss.normalize or loss.measure == "cosine"
        elif isinstance(loss, SmoothnessLoss):
            self.measure, self.normalize = "euclidean", False
        z = z.double()
        if self.normalize:
            norm = z.norm(dim=1, keepdim=True)
            z = z / norm.masked_fill(norm == 0, 1)
        if self.measure == "euclidean":
            z = z - z.mean(dim=0)
        left = z
        if isinstance(loss, LinkPredictionLoss) and loss.weight is not None:
            weight = loss.weight.detach().cpu().double()
            if len(weight) != z.size(1):
                raise ValueError(
                    f"'encoder_channels' of 'loss' needs to be the width of the embeddings, {z.size(1)}, in 'certify' "
                    f"(got {len(weight)}); give the loss that was trained with them"
                )
            left = z @ ((weight + weight.t()) / 2)
        longest = [float(x.norm(dim=1).max()) for x in (left, z)]
        self.unit = 1.0 if self.measure == "cosine" else _power_of_two(max(longest))  # changes no digit
        same = left is z
        z, left = z / self.unit, left / self.unit  # single precision is far from its ends
        self.top = 1.0 if self.measure == "cosine" else longest[0] * longest[1] / self.unit**2
        if self.measure == "euclidean":
            own = z.square().sum(dim=1, keepdim=True) / 2  # [N, 1]
        else:
            own = z.new_full((len(z), 1), self.top / 2)
        self.tiny = _SAME * 2 * float(own.max())
        one = torch.ones_like(own)
        self._right = torch.cat([z, one, own], dim=1)  # [N, D + 2]
        self._left = torch.cat([-left, own, one], dim=1) if not same else None

    def left(self, index: Any) -> Tensor:
        """Some rows, to be multiplied with :meth:`right`: the product is v. Shape [a, D + 2] float64."""
        if self._left is not None:
            return self._left[index]
        rows = self._right[index]
        return torch.cat([-rows[:, :-2], rows[:, -1:], rows[:, -2:-1]], dim=1)

    def right(self, index: Any) -> Tensor:
        """Some columns. Shape [c, D + 2] float64."""
        return self._right[index]

    def ends(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Vectors of some rows and columns that ``measure`` compares as the loss does. Shape [a, D] float32 each."""
        return self.left(index)[:, :-2].neg().float(), self._right[index, :-2].float()

    def distance(self, v: Tensor) -> Tensor:
        """Euclidean distances of v. Any shape, float32 or float64."""
        return (2 * v).sqrt_().mul_(self.unit)

    def of_distance(self, radius: Tensor) -> Tensor:
        """The v of Euclidean distances."""
        return (radius / self.unit).square() / 2

    def shown(self, v: float) -> float:
        """v as the measure is read: a distance, a cosine, a dot product."""
        if self.measure == "euclidean":
            return math.sqrt(2 * v) * self.unit
        return (self.top - v) * self.unit**2


def inner(loss: Any) -> Any:
    """The loss itself, out of a memory if it is in one."""
    return loss.loss if isinstance(loss, CrossBatchMemory) else loss


def _power_of_two(value: float) -> float:
    return 2.0 ** math.frexp(value)[1] if 0 < value < math.inf else 1.0
