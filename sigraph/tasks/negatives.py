"""Pairs of samples by number, and negatives: pairs that are not known to be related."""

from __future__ import annotations

import torch
from torch import Tensor

_ALL_PAIRS = 1 << 20  # pairs of a pool up to which all are listed, so that a dense relation has its negatives found
_MOST_ROUNDS = 1000


def pair_keys(pairs: Tensor, num_samples: int, directed: bool) -> Tensor:
    """A number for each pair of samples; undirected, both orders have the same.

    Args:
        pairs: Sample ids. Shape [2, P].
        num_samples: N.
        directed: Whether the order of the two counts.

    Returns:
        int64 [P], in [0, N * N).
    """
    first, second = pairs if directed else pairs.sort(dim=0).values
    return first * num_samples + second


class Negatives:
    """Draws pairs among some samples, of which none is known to be related and none is of a sample with itself.

    Args:
        pool: Samples. Shape [M], each once.
        known: Numbers of related pairs, as :func:`pair_keys` has them. Shape [P].
        num_samples: N.
        directed: Whether the order of two samples counts.
        owner: Whose, for messages.
        way: What helps where there is none.

    Raises:
        ValueError: Every pair of the pool is related.
    """

    def __init__(
        self, pool: Tensor, known: Tensor, num_samples: int, directed: bool, owner: str, way: str = "give negatives"
    ) -> None:
        self.owner, self.way = owner, way
        self.pool, self.known = pool, known.unique()
        self.num_samples, self.directed = num_samples, directed
        self.all: Tensor | None = None  # [2, Q]
        if pool.numel() ** 2 <= _ALL_PAIRS:
            pairs = torch.cartesian_prod(pool, pool).T
            pairs = pairs[:, pairs[0] != pairs[1] if directed else pairs[0] < pairs[1]]
            self.all = pairs[:, ~self._is_known(pairs)]
            if not self.all.numel():
                raise ValueError(
                    f"{owner}: all pairs of the {pool.numel():,} samples are related, so that there is no negative to "
                    f"draw; {way}"
                )

    def _is_known(self, pairs: Tensor) -> Tensor:
        return torch.isin(pair_keys(pairs, self.num_samples, self.directed), self.known)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Pairs, each drawn from all that there are. Shape [2, count]."""
        if self.all is not None:
            return self.all[:, torch.randint(self.all.size(1), (count,), generator=generator)]
        out = self._candidates(count, generator)
        for _ in range(_MOST_ROUNDS):
            wrong = ((out[0] == out[1]) | self._is_known(out)).nonzero().view(-1)
            if not wrong.numel():
                return out
            out[:, wrong] = self._candidates(wrong.numel(), generator)
        raise ValueError(
            f"{self.owner}: nearly all pairs of the {self.pool.numel():,} samples are related: no negatives were "
            f"found; {self.way}"
        )

    def draw_different(self, count: int, generator: torch.Generator) -> Tensor:
        """Pairs, each once; all that there are if these are fewer. Shape [2, <= count]."""
        if self.all is not None:
            return self.all[:, torch.randperm(self.all.size(1), generator=generator)[:count]]
        out = self.draw(count, generator)
        while True:  # a pool of more than 1,024 samples has room
            keys = pair_keys(out, self.num_samples, self.directed)
            order = keys.argsort(stable=True)
            again = order[1:][keys[order][1:] == keys[order][:-1]]
            if not again.numel():
                return out
            out[:, again] = self.draw(again.numel(), generator)

    def _candidates(self, count: int, generator: torch.Generator) -> Tensor:
        return self.pool[torch.randint(self.pool.numel(), (2, count), generator=generator)]
