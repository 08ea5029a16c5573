"""Encoding: what an encoder makes of a batch of samples, and what a task reads."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Encoding(NamedTuple):
    """What an encoder gives.

    Args:
        z: One embedding per sample. Shape [B, D].
        h: One embedding per part (token, atom) of the samples, all parts in a row, special tokens among them, padding
            not; None for encoders without parts. Shape [M, D'].
        ptr: Where each sample's parts stand: those of sample i are ``h[ptr[i] : ptr[i + 1]]``. int64 [B + 1]; None
            where ``h`` is.
    """

    z: Tensor
    h: Tensor | None = None
    ptr: Tensor | None = None
