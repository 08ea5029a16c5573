"""Torch's sparse matrices, made without its remarks that they are in beta."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor


def csr_tensor(rowptr: Tensor, col: Tensor, value: Tensor, shape: Sequence[int]) -> Tensor:
    """A sparse matrix in compressed rows; indices are taken as they are.

    Args:
        rowptr: Where each row begins, and where the last one ends. Shape [R + 1], integers.
        col: Columns, sorted within a row. Shape [E], of the same type.
        value: Shape [E].
        shape: R and the number of columns.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse (invariant|CSR)")
        return torch.sparse_csr_tensor(rowptr, col, value, tuple(shape), check_invariants=False)
