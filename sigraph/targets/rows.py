"""Rows of targets: centred, of unit length, reduced, and turned at random."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.files.random import keyed_generator

_TURN = 3  # of a seed's streams
_LEAST = 1e-12


def unit(x: Tensor) -> Tensor:
    """Rows of length one; what is zero stays so. Shape [N, D]."""
    length = x.norm(dim=1, keepdim=True)
    return torch.where(length > _LEAST, x / length.clamp(min=_LEAST), 0.0)


def centred_unit(x: Tensor) -> Tensor:
    """Rows without their mean, then of length one; a row of zeros stays one, and is no part of the mean. [N, D]"""
    some = x.abs().amax(dim=1, keepdim=True) > 0
    mean = x.sum(dim=0, dtype=torch.float64) / some.sum().clamp(min=1)
    return unit(torch.where(some, x - mean.to(x.dtype), 0.0))


def principal(x: Tensor, num_channels: int) -> Tensor:
    """Rows in the basis of their principal channels, the largest first; no mean is taken off. [N, D] -> [N, <= D]."""
    _, basis = torch.linalg.eigh((x.T @ x).double())  # ascending
    return x @ basis.flip(1)[:, :num_channels].float()


def rotated(x: Tensor, out_channels: int, seed: int | None) -> Tensor:
    """Rows with channels of zeros up to ``out_channels``, times a random orthogonal matrix; None: not turned."""
    x = torch.nn.functional.pad(x, (0, out_channels - x.size(1)))
    if seed is None:
        return x
    drawn = torch.randn(out_channels, out_channels, generator=keyed_generator(seed, _TURN), dtype=torch.float64)
    basis, upper = torch.linalg.qr(drawn)
    return x @ (basis * upper.diagonal().sign()).to(x.dtype)  # of uniform distribution
