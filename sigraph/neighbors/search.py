"""Euclidean neighbours among vectors: faiss, exact or inverted lists of measured recall; chunked torch without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

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

LIST_COST = (
    2.0  # of comparing with a vector in a list, in comparisons with one of all vectors; 1.7 measured, one thread
)
_SLACK = 1e-5  # of the squared lengths: more than float32 errs in a squared distance
_BUDGET = 1 << 24  # numbers held at a time


class NeighborSearch:
    """Neighbours of vectors among themselves, by Euclidean distance in float32.

    Args:
        x: float32, finite. Shape [N, D].
        exact: Compare every pair; None: up to 10^5 vectors, and whatever their number where faiss is missing or where
            inverted lists of the recall asked for would not be faster: of vectors without clusters, most lists have to
            be probed.
        min_recall: Inverted lists are probed until this share of the true neighbours of a sample of vectors is found,
            in (0, 1].
        generator: Draws that sample.

    Attributes:
        recall: Share of true neighbours found, as last measured; 1.0 where every pair is compared.

    Raises:
        ImportError: ``exact`` is False and there is no faiss.
    """

    def __init__(
        self, x: Tensor, exact: bool | None, min_recall: float, generator: torch.Generator | None = None
    ) -> None:
        self.x, self.min_recall, self.generator, self.recall = x, min_recall, generator, 1.0
        self.num_found = 0.0  # neighbours of a vector in the last search, on average over the sample
        self._faiss = faiss_or_none()
        if self._faiss is None and exact is False:
            raise ImportError("'exact=False' needs faiss: pip install 'sigraph[ann]', or leave 'exact' out")
        self.exact = len(x) <= EXACT_LIMIT if exact is None else exact
        self._may_be_exact = exact is None
        if self._faiss is None:
            if not self.exact:
                logger.warning(
                    "comparing every pair of %s vectors, for there is no faiss: pip install 'sigraph[ann]'",
                    f"{len(x):,}",
                )
            self.exact = True
        self._square = (x * x).sum(dim=1)  # [N]

    def nearest(self, k: int) -> Tensor:
        """The ``k`` nearest others of each vector, nearest first; -1 where inverted lists held fewer. [N, k]."""

        def ask(index: Any, node: Tensor) -> tuple[Tensor, Tensor]:
            found = self._nearest(index, node, k)
            row = torch.arange(len(node)).repeat_interleave(k)
            return row[found.view(-1) >= 0], found.view(-1)[found.view(-1) >= 0]

        index = self._tuned(ask)
        return torch.cat([self._nearest(index, node, k) for node in self._blocks(k + 1)])

    def within(
        self, squared: float, near: Callable[[Tensor, Tensor], Tensor], sampled: Callable[[float], None]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """All (vector, other) at a squared distance up to ``squared`` that are near, block by block.

        Args:
            squared: Squared distance, as float32 finds it.
            near: Says of pairs found, and of some a little farther, which are to be kept. [P], [P] -> [P].
            sampled: Called before the search with the mean number of others found around a sample of vectors.
        """

        def kept(index: Any, node: Tensor, step: int) -> tuple[Tensor, Tensor]:
            rows, cols = [], []
            for start in range(0, len(node), step):
                row, col = self._within(index, node[start : start + step], squared)
                good = near(node[start + row], col)
                rows.append(start + row[good])
                cols.append(col[good])
            return torch.cat(rows), torch.cat(cols)

        def ask(index: Any, node: Tensor) -> tuple[Tensor, Tensor]:
            return kept(index, node, 50)

        index = self._tuned(ask, sampled)
        order = self._by_length(torch.arange(len(self.x)))  # what is far from zero needs more slack: block by block
        for block in self._blocks(round(self.num_found) * 4 + len(self.x) // 1_000 + 1):
            node = order[block]
            row, col = kept(index, node, len(node))
            yield node[row], col

    def _tuned(
        self, ask: Callable[[Any, Tensor], tuple[Tensor, Tensor]], sampled: Callable[[float], None] | None = None
    ) -> Any:
        """The index to ask: None is torch, all pairs; inverted lists are probed until the recall is reached."""
        if not self.exact or sampled is not None:
            node = self._by_length(torch.randperm(len(self.x), generator=self.generator)[:NUM_ASKED])
            true = self._key(ask(None, node))
            self.num_found = true.numel() / len(node)
        if sampled is not None:
            sampled(self.num_found)
        if self.exact:
            return self._every_pair()
        lists = inverted_lists(self._faiss, self.x, False, self.generator)

        def worth() -> bool:
            return not self._may_be_exact or self._cost(lists, node) <= 1

        recall = probe_until(lists, lambda: self._key(ask(lists, node)), true, self.min_recall, worth)
        if recall is None:
            logger.info(
                "comparing every pair of %s vectors: inverted lists of recall %.2f would take longer",
                *(f"{len(self.x):,}", self.min_recall),
            )
            self.exact, self.recall = True, 1.0
            return self._every_pair()
        self.recall = recall
        logger.info(
            "neighbours of %s vectors from %d of %d inverted lists: recall %.4f, measured on %s of them",
            *(f"{len(self.x):,}", lists.nprobe, lists.nlist, self.recall, f"{len(node):,}"),
        )
        return lists

    def _every_pair(self) -> Any:
        return None if self._faiss is None else flat_index(self._faiss, self.x)

    def _cost(self, lists: Any, node: Tensor) -> float:
        """Of a search in the lists, as measured on some vectors, in searches of all vectors."""
        size = np.array([lists.invlists.list_size(number) for number in range(lists.nlist)])
        with threads(self._faiss):
            probed = lists.quantizer.search(self.x[node].numpy(), lists.nprobe)[1]
        return (LIST_COST * size[probed].sum() / len(node) + lists.nlist) / len(self.x)

    def _key(self, pair: tuple[Tensor, Tensor]) -> Tensor:
        return pair[0] * len(self.x) + pair[1]

    def _blocks(self, num_each: int) -> Iterator[Tensor]:
        if self._faiss is None:
            num_each = max(num_each, len(self.x))  # a row of all distances is held
        yield from torch.arange(len(self.x)).split(max(1, _BUDGET // max(num_each, 1)))

    def _nearest(self, index: Any, node: Tensor, k: int) -> Tensor:
        """Nearest others of some vectors. Shape [Q] -> [Q, k]."""
        if index is None:
            return torch.cat([self._distances(part).topk(k, largest=False).indices for part in self._parts(node)])
        with threads(self._faiss):
            found = torch.from_numpy(index.search(self.x[node].numpy(), k + 1)[1])  # [Q, k + 1]
        own = found.eq(node[:, None])
        own[~own.any(dim=1), -1] = True  # rounding put k + 1 others before the vector itself: the last one goes
        return found[~own].view(len(node), k)

    def _within(self, index: Any, node: Tensor, squared: float) -> tuple[Tensor, Tensor]:
        """Positions in ``node`` and the vectors around them, themselves left out. Shape [P] each."""
        squared += _SLACK * (float(self._square[node].max()) ** 0.5 + squared**0.5) ** 2
        if index is None:
            parts = list(self._parts(node))
            hits = [(self._distances(part) <= squared).nonzero() for part in parts]
            start = torch.tensor([0, *(len(part) for part in parts)]).cumsum(0)
            row = torch.cat([hit[:, 0] + first for hit, first in zip(hits, start, strict=False)])
            return row, torch.cat([hit[:, 1] for hit in hits])
        with threads(self._faiss):
            end, _, found = index.range_search(self.x[node].numpy(), squared)
        row = torch.arange(len(node)).repeat_interleave(torch.from_numpy(np.diff(end.astype(np.int64))))
        col = torch.from_numpy(found)
        other = node[row] != col
        return row[other], col[other]

    def _by_length(self, node: Tensor) -> Tensor:
        return node[self._square[node].argsort(stable=True)]

    def _parts(self, node: Tensor) -> Iterator[Tensor]:
        yield from node.split(max(1, _BUDGET // len(self.x)))

    def _distances(self, node: Tensor) -> Tensor:
        """Squared distances of some vectors to all, infinite to themselves. Shape [Q] -> [Q, N]."""
        block = self.x[node]
        distance = torch.addmm(self._square, block, self.x.t(), alpha=-2) + self._square[node, None]
        distance[torch.arange(len(node)), node] = torch.inf
        return distance


class Nearest(Protocol):
    """What answers for distinct vectors, of whichever similarity: ``x`` holds them."""

    x: Any

    def nearest(self, k: int) -> Tensor:
        """As :meth:`NeighborSearch.nearest`."""


def nearest_samples(search: Nearest, k: int, distinct: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """The ``k`` nearest others of each sample, also where vectors occur several times.

    Among samples of equal vectors those come first that follow the asking one in number, cyclically: a thousand equal
    vectors get k neighbours each and none becomes a hub.

    Args:
        search: Over the distinct vectors.
        k: 1 <= k < N.
        distinct: What :func:`distinct_rows` says of the samples' vectors; None: each occurs once.

    Returns:
        Samples and their neighbours, nearest first. Shape [P] each, P = N k unless inverted lists held fewer.
    """
    num_vectors = len(search.x)
    near = search.nearest(min(k, num_vectors - 1)) if num_vectors > 1 else torch.empty(1, 0, dtype=torch.long)
    if distinct is None:
        row = torch.arange(num_vectors).repeat_interleave(k)
        found = near.view(-1) >= 0
        return row[found], near.view(-1)[found]
    kind = distinct[1]  # [N], which of the distinct vectors
    num_samples = len(kind)
    size = torch.bincount(kind, minlength=num_vectors)
    start = size.cumsum(0) - size
    member = kind.argsort(stable=True)  # by kind, then by number
    sample = torch.arange(num_samples)[:, None]
    kinds = torch.cat([kind[:, None], near[kind]], dim=1)  # [N, 1 + k'], its own first
    count = torch.where(kinds < 0, 0, size[kinds])
    count[:, 0] -= 1  # never the sample itself
    taken = torch.minimum(count, (k - (count.cumsum(dim=1) - count)).clamp(min=0))
    after = torch.searchsorted(kind[member] * num_samples + member, kinds * num_samples + sample, right=True)
    first = (after - start[kinds]).view(-1).repeat_interleave(taken.view(-1))
    row = sample.expand_as(taken).reshape(-1).repeat_interleave(taken.view(-1))
    kinds = kinds.view(-1).repeat_interleave(taken.view(-1))
    step = torch.arange(row.numel()) - (taken.view(-1).cumsum(0) - taken.view(-1)).repeat_interleave(taken.view(-1))
    return row, member[start[kinds] + (first + step) % size[kinds]]


def distinct_rows(x: Tensor) -> tuple[Tensor, Tensor] | None:
    """Which rows are equal: the first row of each kind [U] and the kind of each row [N]; None if all differ."""
    factor = torch.randint(-(2**62), 2**62, (x.size(1),), generator=torch.Generator().manual_seed(0)) * 2 + 1
    code = torch.cat([((rows + 0.0).view(torch.int32).long() * factor).sum(dim=1) for rows in row_blocks(x)])
    value, kind = code.unique(return_inverse=True)
    if value.numel() == len(x):
        return None
    first = _first(kind, value.numel())
    if not all(torch.equal(x[part], x[first[kind[part]]]) for part in torch.arange(len(x)).split(_rows_at_a_time(x))):
        value, kind = x.unique(dim=0, return_inverse=True)  # two vectors share a code
        first = _first(kind, len(value))
    return first, kind


def _first(kind: Tensor, num_kinds: int) -> Tensor:
    position = torch.arange(len(kind))
    return torch.full((num_kinds,), len(kind)).scatter_reduce(0, kind, position, "amin")


def _rows_at_a_time(x: Tensor) -> int:
    return max(1, _BUDGET // x.size(1))


def row_blocks(x: Tensor) -> tuple[Tensor, ...]:
    """Rows of a table, some at a time."""
    return x.split(_rows_at_a_time(x))
