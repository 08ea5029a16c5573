"""The nearest neighbours among rows of bits by Tanimoto similarity: every pair compared, exactly."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from sigraph.neighbors.exact import closest

_CELLS = 1 << 23  # similarities held at a time: 32 MB, several times
_COMMON = 0.08  # share of rows that set a bit from which on a dense product counts it faster than a sparse one


class TanimotoSearch:
    r"""Nearest rows of bits by :math:`|A \cap B| / |A \cup B|`, called Tanimoto among fingerprints, Jaccard elsewhere.

    Shared bits are counted by matrix products: common bits, which most rows have, by a dense one, the many rare ones by
    a sparse one. Counts are whole numbers below 2^24, exact in single precision, so that similarities are rounded
    once. Memory is O(N (common bits) + block).

    Args:
        bits: Ones where a row sets a bit. Shape [N, num_bits], float32.
    """

    def __init__(self, bits: csr_matrix) -> None:
        self.x = np.arange(bits.shape[0])  # rows are told by number
        self.size = torch.from_numpy(np.diff(bits.indptr).astype(np.float32))  # [N]
        share = np.bincount(bits.indices, minlength=bits.shape[1]) / max(bits.shape[0], 1)
        common = np.flatnonzero(share >= _COMMON)
        self.common = torch.from_numpy(np.ascontiguousarray(bits[:, common].toarray()))  # [N, number of them]
        self.rare = csr_matrix(bits[:, np.flatnonzero((share > 0) & (share < _COMMON))])
        self._turned = csr_matrix(self.rare.T)

    def nearest(self, k: int) -> Tensor:
        """The ``k`` nearest others of each row, nearest first; of equal ones those listed first.

        Args:
            k: 1 <= k < N.

        Returns:
            Shape [N, k].
        """
        found = []
        for start in range(0, len(self.x), step := max(1, _CELLS // max(len(self.x), 1))):
            similarity = self.similarities(start, min(start + step, len(self.x)))
            own = torch.arange(len(similarity))
            similarity[own, start + own] = -1
            found.append(closest(similarity, k)[0])
        return torch.cat(found) if found else torch.empty(0, k, dtype=torch.long)

    def similarities(self, start: int, end: int) -> Tensor:
        """Of some rows to all; two rows without a bit are not similar. Shape [end - start, N] float32."""
        shared = self.common[start:end] @ self.common.t()
        rare = (self.rare[start:end] @ self._turned).tocoo()
        shared.numpy()[rare.row, rare.col] += rare.data  # each place once
        either = (self.size[start:end, None] + self.size).sub_(shared).clamp_(min=1)
        return shared.div_(either)
