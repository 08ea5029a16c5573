"""Nearest embeddings by cosine, each as deep as it asks, in blocks; by faiss where it is installed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sigraph.files.random import keyed_generator
from sigraph.neighbors.inverted_lists import (
    EXACT_LIMIT,
    NUM_ASKED,
    faiss_or_none,
    flat_index,
    inverted_lists,
    probe_until,
    threads,
)

logger = logging.getLogger(__name__)

MIN_RECALL = 0.9  # of inverted lists, on some vectors
_BUDGET = 1 << 22  # similarities, or results, held at a time


def nearest_blocks(z: Tensor, depth: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The most similar embeddings of each one, as many as it asks for or a few more, itself among them.

    Exact, except with faiss beyond 10^5 embeddings: then inverted lists of a recall of at least 0.9, measured.

    Args:
        z: Embeddings. Shape [M, D].
        depth: How many each asks for, >= 1; cut at M. Shape [M].

    Yields:
        Positions of some rows [q] and the rows most similar to each, nearest first, -1 where lists held fewer [q, k].
        Every row comes once.
    """
    unit = F.normalize(z.float(), dim=1)
    number, faiss = len(unit), faiss_or_none()
    depth = depth.clamp(max=number)
    index = None if faiss is None else _index(faiss, unit, int(depth.double().median()))
    level = (depth - 1).clamp(min=0).double().log2().ceil()  # a hub alone is searched deep
    for one in level.unique():
        asking = (level == one).nonzero().view(-1)
        k = int(depth[asking].max())
        for rows in asking.split(max(1, _BUDGET // (number if index is None else k))):
            if index is None:
                found = (unit[rows] @ unit.t()).topk(k, dim=1).indices
            else:
                with threads(faiss):
                    found = torch.from_numpy(index.search(unit[rows].numpy(), k)[1])
            yield rows, found


def _index(faiss: Any, unit: Tensor, k: int) -> Any:
    flat = flat_index(faiss, unit, inner_product=True)
    if len(unit) <= EXACT_LIMIT:
        return flat
    some = torch.randperm(len(unit), generator=keyed_generator(0))[:NUM_ASKED]

    def found(index: Any) -> Tensor:
        """What is found for some rows, as one number each pair."""
        with threads(faiss):
            near = torch.from_numpy(index.search(unit[some].numpy(), k)[1])
        return (near + torch.arange(len(some))[:, None] * len(unit))[near >= 0]

    lists = inverted_lists(faiss, unit, True, keyed_generator(1))
    recall = probe_until(lists, lambda: found(lists), found(flat), MIN_RECALL)
    logger.info(
        "neighbours of %s embeddings from %d of %d inverted lists: recall %.3f, measured on %d of them",
        *(f"{len(unit):,}", lists.nprobe, lists.nlist, recall, len(some)),
    )
    return lists
