"""The nearest neighbours among embeddings: every pair compared, a block of rows at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.neighbors.similarity import Similarity


def nearest_neighbors(
    z: Tensor, k: int, query: Tensor | None = None, metric: str = "cosine", own: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The ``k`` embeddings closest to each query; of equally close ones those listed first.

    Args:
        z: Embeddings to search. Shape [N, D].
        k: 1 <= k <= N, or <= N - 1 where a query is one of them.
        query: Embeddings to search for, shape [Q, D]; None: each of ``z`` among the others, itself left out.
        metric: ``cosine``, ``euclidean`` or ``dot``.
        own: Where in ``z`` each query itself is, which is left out; -1: nowhere. Shape [Q].

    Returns:
        Positions in ``z``, closest first, and their cosines, distances or dot products; Shape [Q, k] each.
    """
    others = z.size(0) - int(query is None or (own is not None and bool((own >= 0).any())))
    if not 1 <= k <= others:
        raise ValueError(f"'k' needs to be in [1, {others}] in 'nearest_neighbors' (got {k})")
    closeness = Similarity(z, metric, query, own)
    found = [closest(block, k) for _, _, block in closeness.blocks()]
    if not found:
        return torch.empty(0, k, dtype=torch.long), closeness.z.new_empty(0, k)
    index, value = (torch.cat(part) for part in zip(*found, strict=True))
    return index, closeness.shown(value)


def closest(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Columns and values of the ``k`` largest of each row, the first of equal ones first. Shape [q, n] -> [q, k]."""
    value, index = similarity.topk(min(k + 1, similarity.size(1)), dim=1)  # one more tells whether the cut is in a tie
    tied = (value[:, k - 1] == value[:, -1]).nonzero().view(-1) if value.size(1) > k else index.new_empty(0)
    value, index = value[:, :k], index[:, :k]
    if tied.numel():
        rows, cut = similarity[tied], value[tied, k - 1 :]  # [t, n], [t, 1]
        equal = rows == cut
        taken = (rows > cut).sum(dim=1, keepdim=True)
        chosen = (rows > cut) | (equal & (equal.cumsum(dim=1) <= k - taken))
        index[tied] = chosen.nonzero()[:, 1].view(-1, k)
        value[tied] = rows.gather(1, index[tied])
    if k == 1:
        return index, value
    index, order = index.sort(dim=1)
    value, order = value.gather(1, order).sort(dim=1, descending=True, stable=True)
    return index.gather(1, order), value
