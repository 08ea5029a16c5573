"""SparseLinear: a linear layer that multiplies the entries of a row which are not zero, and no others."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SparseLinear(nn.Module):
    """A linear layer over rows of which few entries are not zero: the same map, up to rounding.

    Time and memory of a step grow with the entries, not with B times F. It has the weights of the layer that it stands
    for, under the same names.

    Args:
        linear: A layer with ``weight`` [H, F] and ``bias`` [H], such as ``nn.Linear``.
        dropout: Share of the entries that are dropped in training, in [0, 1); the others are scaled up, as
            ``nn.Dropout`` does with all of a row's features, of which the zeros stay zero.

    Shapes:
        - **x:** [B, F], dense  ->  [B, H]
    """

    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, linear: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        for name in ("weight", "bias"):
            self.register_parameter(name, linear.get_parameter(name))
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        row, col = x.nonzero(as_tuple=True)
        value = F.dropout(x[row, col].to(self.weight.dtype), self.dropout, self.training)
        start = torch.searchsorted(row, torch.arange(len(x), device=x.device))
        out = F.embedding_bag(col, self.weight.t().contiguous(), start, mode="sum", per_sample_weights=value)
        return out + self.bias
