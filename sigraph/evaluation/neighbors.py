"""Nearest neighbours in the latent space: exact, chunked, without a graph."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_BUDGET = 1 << 22  # similarities held at a time


def nearest_neighbors(z: Tensor, k: int, query: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The ``k`` embeddings most similar to each query by cosine.

    Args:
        z: Embeddings to search. Shape [N, D].
        k: 1 <= k <= N, or <= N - 1 without ``query``.
        query: Embeddings to search for, shape [Q, D]; None: each of ``z`` among the others, itself left out.

    Returns:
        Positions in ``z`` and cosines, most similar first; Shape [Q, k] each.
    """
    others = z.size(0) - (query is None)
    if not 1 <= k <= others:
        raise ValueError(f"'k' needs to be in [1, {others}] in 'nearest_neighbors' (got {k})")
    unit = F.normalize(z, dim=1)
    rows = unit if query is None else F.normalize(query, dim=1)
    indices, values = [], []
    for start, block in chunks(rows, z.size(0)):
        similarity = block @ unit.t()  # [q, N]
        if query is None:
            similarity[torch.arange(len(block)), torch.arange(start, start + len(block))] = -torch.inf
        value, index = similarity.topk(k, dim=1)
        indices.append(index)
        values.append(value)
    return torch.cat(indices), torch.cat(values)


def label_agreement(z: Tensor, y: Tensor) -> float:
    """Leave-one-out nearest-neighbour accuracy: share of samples whose nearest other one has the same class.

    Args:
        z: Embeddings. Shape [N, D], N >= 2.
        y: Classes, -1 missing; samples without a class neither ask nor answer. Shape [N].
    """
    known = y >= 0
    z, y = z[known], y[known]
    if len(z) < 2:
        raise ValueError(f"'y' needs at least two labelled samples in 'label_agreement' (got {len(z)})")
    index, _ = nearest_neighbors(z, 1)
    return float((y[index[:, 0]] == y).float().mean())


def chunks(rows: Tensor, num_columns: int):
    size = max(1, _BUDGET // max(num_columns, 1))
    for start in range(0, len(rows), size):
        yield start, rows[start : start + size]
