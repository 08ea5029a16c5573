"""Nearest embeddings by cosine among some samples, in blocks; by faiss where it is installed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

EXACT_LIMIT = 100_000  # samples up to which every pair is compared; beyond, faiss searches inverted lists
_BUDGET = 1 << 22  # similarities, or results, held at a time


def nearest_blocks(z: Tensor, depth: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The most similar embeddings of each one, as many as it asks for or a few more, itself among them.

    Exact, except with faiss beyond 10^5 embeddings: then about 4 sqrt(M) inverted lists, of which 32 are looked into.

    Args:
        z: Embeddings. Shape [M, D].
        depth: How many each asks for, >= 1; cut at M. Shape [M].

    Yields:
        Positions of some rows [q] and the rows most similar to each, nearest first, -1 where lists held fewer [q, k].
        Every row comes once.
    """
    unit = F.normalize(z.float(), dim=1)
    number, faiss = len(unit), _faiss()
    index = None if faiss is None else _index(faiss, unit)
    depth = depth.clamp(max=number)
    level = (depth - 1).clamp(min=0).double().log2().ceil()  # a hub alone is searched deep
    for one in level.unique():
        asking = (level == one).nonzero().view(-1)
        k = int(depth[asking].max())
        for rows in asking.split(max(1, _BUDGET // (number if index is None else k))):
            if index is None:
                found = (unit[rows] @ unit.t()).topk(k, dim=1).indices
            else:
                found = torch.from_numpy(index.search(unit[rows].numpy(), k)[1])
            yield rows, found


def _index(faiss: Any, unit: Tensor) -> Any:
    number, channels = unit.shape
    index = faiss.IndexFlatIP(channels)
    if number > EXACT_LIMIT:
        num_lists = round(4 * number**0.5)
        index = faiss.IndexIVFFlat(index, channels, num_lists, faiss.METRIC_INNER_PRODUCT)
        index.nprobe = 32
        some = torch.arange(min(number, 64 * num_lists)) * number // min(number, 64 * num_lists)
        index.train(unit[some].numpy())
    index.add(unit.numpy())
    return index


def _faiss() -> Any:
    """faiss, if it is installed."""
    try:
        return importlib.import_module("faiss")
    except ImportError:
        return None
