"""Features spread over a graph and reduced to few channels: what a sample's neighbourhood says, as one row each."""

from __future__ import annotations

import numpy as np
import torch

from sigraph.edges.propagation import Propagation
from sigraph.samples.vectors import Rows

_MORE, _POWERS = 10, 4  # columns beyond those that are kept, and steps of subspace iteration


def propagated_features(
    spread: Propagation, rows: Rows, num_channels: int = 256, seed: int = 0, num_iterations: int = _POWERS
) -> np.ndarray:
    r"""The principal channels of :math:`H = M X`, rows X spread over a graph by M.

    :math:`H \approx U S V^\top` by a randomised singular value decomposition, of which U S is returned: the angles
    between rows are those between rows of H. Neither H nor anything else of the size N x F is made.

    Args:
        spread: M, symmetric; node i has row i.
        rows: X. Shape [N, F], dense or sparse.
        num_channels: D, singular values kept, >= 1; fewer where X has fewer rows or columns.
        seed: Of the random sketch.
        num_iterations: Of subspace iteration, >= 0; each spreads D + 10 channels twice.

    Returns:
        Float32 [N, min(D, N, F)].

    Source: the decomposition: Halko, Martinsson, Tropp, "Finding structure with randomness", SIAM Review 2011.
    """

    def apply(value: np.ndarray) -> np.ndarray:  # M X value
        return spread(torch.from_numpy(np.ascontiguousarray(rows @ value, np.float32))).numpy()

    def transposed(value: np.ndarray) -> np.ndarray:  # (M X)^T value
        return rows.T @ spread(torch.from_numpy(np.ascontiguousarray(value, np.float32))).numpy()

    num_channels = min(num_channels, *rows.shape)
    size = min(num_channels + _MORE, *rows.shape)
    found = np.random.default_rng(seed).standard_normal((rows.shape[1], size)).astype(np.float32)
    for _ in range(num_iterations):
        basis, _ = np.linalg.qr(apply(found))
        found, _ = np.linalg.qr(transposed(basis))
    left, value, _ = np.linalg.svd(apply(found), full_matrices=False)
    return (left * value)[:, :num_channels].astype(np.float32)
