"""Propagation: numbers of each node spread over the graph by personalised PageRank, never as an N x N matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.edges.neighborhood import neighbor_sums
from sigraph.edges.store import EdgeStore
from sigraph.files.arguments import check_integers, check_numbers


class Propagation:
    r"""The linear map :math:`M = \sum_{k=0}^{K} r (1-r)^k P^k` with :math:`P = D^{-1/2} (A + s I) D^{-1/2}`.

    A is the graph's adjacency matrix with its weights, D holds the row sums of A + s I, and s is 1 with loops, else 0.
    M is symmetric; memory is O(N k), time O(E k) a step for k columns.

    Args:
        store: The edges.
        restart: r, in (0, 1]: 1 gives back what is put in.
        num_steps: K, >= 0.
        loops: Whether every node is its own neighbour, with weight 1. Without, an isolated node keeps r of what it has.

    Source: Gasteiger et al., "Predict then Propagate: Graph Neural Networks meet Personalized PageRank", ICLR 2019.
    """

    def __init__(self, store: EdgeStore, restart: float = 0.15, num_steps: int = 12, loops: bool = True) -> None:
        check_numbers("Propagation", above=0, most=1, restart=restart)
        check_integers("Propagation", 0, num_steps=num_steps)
        self.store, self.restart, self.num_steps, self.loops = store, restart, num_steps, loops
        degree = neighbor_sums(store, torch.ones(store.num_nodes, 1, dtype=torch.float64), weighted=True) + float(loops)
        self._scale = torch.where(degree > 0, degree.clamp(min=1e-300).rsqrt(), 0.0)  # [N, 1]

    def step(self, value: Tensor) -> Tensor:
        """P times a value a node. Shape [N, k] -> [N, k]."""
        scale = self._scale.to(value.dtype)
        value = value * scale
        out = neighbor_sums(self.store, value, weighted=True)
        return (out + value if self.loops else out) * scale

    def __call__(self, value: Tensor) -> Tensor:
        """M times a value a node.

        Args:
            value: Finite, float32 or float64. Shape [N, k].

        Returns:
            Shape [N, k], of the same type.
        """
        spread, out = value, self.restart * value
        for number in range(1, self.num_steps + 1):
            spread = self.step(spread)
            out += self.restart * (1 - self.restart) ** number * spread
        return out
