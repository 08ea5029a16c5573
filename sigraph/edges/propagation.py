"""Propagation: numbers of each node spread over the graph by personalised PageRank, never as an N x N matrix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sigraph.edges.neighborhood import neighbor_sums
from sigraph.edges.store import EdgeStore
from sigraph.files.arguments import check_integers, check_numbers

_BLOCK = 1 << 25  # numbers that are spread at a time


class Propagation:
    r"""The linear map :math:`M = \sum_{k=0}^{K} r (1-r)^k P^k` with :math:`P = D^{-a} (A + s I) D^{a-1}`.

    A is the graph's adjacency matrix with its weights, D holds the row sums of A + s I, and s is 1 with loops, else 0.
    With a = 1/2 M is symmetric. Memory is O(N k) and time O(E k) a step for k columns, a few of which are spread at a
    time.

    Args:
        store: The edges. Or several stores of the same nodes, each with a factor >= 0: A is their weighted sum.
        restart: r, in (0, 1]: 1 gives back what is put in. None: the last power alone, :math:`M = P^K`.
        num_steps: K, >= 0.
        loops: Whether every node is its own neighbour, with weight 1. Without, an isolated node keeps r of what it has.
        degree_exponent: a, in [0, 1]: 1/2 divides an edge by the roots of both ends' degrees, 1 takes the mean over a
            node's neighbours, 0 shares out what a node has among them.

    Source: Gasteiger et al., "Predict then Propagate: Graph Neural Networks meet Personalized PageRank", ICLR 2019; the
    last power alone: Wu et al., "Simplifying Graph Convolutional Networks", ICML 2019.
    """

    def __init__(
        self,
        store: EdgeStore | Sequence[tuple[EdgeStore, float]],
        restart: float | None = 0.15,
        num_steps: int = 12,
        loops: bool = True,
        degree_exponent: float = 0.5,
    ) -> None:
        check_numbers("Propagation", above=0, most=1, restart=1.0 if restart is None else restart)
        check_integers("Propagation", 0, num_steps=num_steps)
        check_numbers("Propagation", least=0, most=1, degree_exponent=degree_exponent)
        self.stores = [(store, 1.0)] if isinstance(store, EdgeStore) else list(store)
        self.restart, self.num_steps, self.loops = restart, num_steps, loops
        degree = self._sums(torch.ones(self.num_nodes, 1, dtype=torch.float64)) + float(loops)
        some, degree = degree > 0, degree.clamp(min=1e-300)
        self._left = torch.where(some, degree.rsqrt() if degree_exponent == 0.5 else degree**-degree_exponent, 0.0)
        self._right = self._left if degree_exponent == 0.5 else torch.where(some, degree ** (degree_exponent - 1), 0.0)
        self.is_symmetric = degree_exponent == 0.5

    @property
    def scale(self) -> Tensor:
        """:math:`D^{-a}`, 0 where a node has neither edges nor a loop. Shape [N, 1] float64."""
        return self._left

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.stores[0][0].num_nodes

    def step(self, value: Tensor) -> Tensor:
        """P times a value a node. Shape [N, k] -> [N, k]."""
        value = value * self._right.to(value.dtype)
        out = self._sums(value)
        return (out + value if self.loops else out) * self._left.to(value.dtype)

    def __call__(self, value: Tensor) -> Tensor:
        """M times a value a node.

        Args:
            value: Finite, float32 or float64. Shape [N, k].

        Returns:
            Shape [N, k], of the same type.
        """
        width = max(1, _BLOCK // max(1, value.size(0)))
        if value.size(1) <= width:
            return self._spread(value)
        out = torch.empty_like(value)
        for first in range(0, value.size(1), width):
            out[:, first : first + width] = self._spread(value[:, first : first + width].contiguous())
        return out

    def _spread(self, value: Tensor) -> Tensor:
        """By powers of P on R x, where R is the right scale: a step is one product and one scaling, then undone."""
        restart, right = self.restart, self._right.to(value.dtype)
        both, spread = (self._left * self._right).to(value.dtype), right * value
        out = torch.zeros_like(value)
        for number in range(1, self.num_steps + 1):
            sums = self._sums(spread)
            spread = (sums.add_(spread) if self.loops else sums).mul_(both)
            if restart is not None:
                out.add_(spread, alpha=restart * (1 - restart) ** number)
        if restart is None:
            return spread.div_(right.where(right > 0, 1)) if self.num_steps else value.clone()
        return out.div_(right.where(right > 0, 1)).add_(value, alpha=restart)

    def _sums(self, value: Tensor) -> Tensor:
        """A times a value a node."""
        (first, factor), *others = self.stores
        out = neighbor_sums(first, value, weighted=True)
        if factor != 1:
            out *= factor
        for store, factor in others:
            out += factor * neighbor_sums(store, value, weighted=True)
        return out
