"""GraphEmbedding: where a sample lies in the graph, whatever it is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.edges.propagation import Propagation
from sigraph.files.arguments import check_choices, check_integers, check_numbers
from sigraph.files.random import keyed_seed
from sigraph.targets.base import Target
from sigraph.targets.rows import rotated, unit

_MORE, _ROUNDS = 16, 6
KINDS = ("spectral", "random-walk")


class GraphEmbedding(Target):
    r"""A factorisation of the graph alone: a control of what the samples' own features give a target.

    With the leading eigenvalues :math:`\lambda` and eigenvectors U of :math:`P = D^{-1/2}(A+I)D^{-1/2}`,
    ``spectral`` is the unit rows of :math:`D^{-1/2}U`, and ``random-walk`` those of :math:`U f(\Lambda)` with
    :math:`f(\lambda)=\sum_{k\le K} r(1-r)^k\lambda^k`: the best factors of personalised PageRank. Turned at random as
    :class:`~sigraph.targets.PropagatedFeatures` are.

    Args:
        out_channels: D, >= 1; where samples are fewer, the last channels are 0.
        method: ``spectral`` or ``random-walk``.
        restart: r of ``random-walk``, in (0, 1].
        num_steps: K of ``random-walk``, >= 0.

    Shapes:
        - **fit:** [N, D] float32; zeros for a sample without an edge.

    Costs O(E D) time for each of about a hundred propagations, and O(N D) memory.

    Source: ``spectral``: Belkin & Niyogi, "Laplacian Eigenmaps", Neural Computation 15, 2003; ``random-walk``: factors
    of a polynomial of the adjacency matrix from its eigenvalues: Zhang et al., "Arbitrary-Order Proximity Preserved
    Network Embedding", KDD 2018. By subspace iteration with Rayleigh-Ritz.
    """

    def __init__(
        self, out_channels: int = 256, method: str = "random-walk", restart: float = 0.05, num_steps: int = 25
    ) -> None:
        check_integers("GraphEmbedding", 1, out_channels=out_channels)
        check_choices("GraphEmbedding", KINDS, method=method)
        check_numbers("GraphEmbedding", above=0, most=1, restart=restart)
        check_integers("GraphEmbedding", 0, num_steps=num_steps)
        self.out_channels, self.method, self.restart, self.num_steps = out_channels, method, restart, num_steps

    def compute(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> Tensor:
        store = graph.store
        degree = store.degree(torch.arange(store.num_nodes)).float()
        step = Propagation(store, None, 1)
        value, vector = leading_eigenvectors(step, self.out_channels, keyed_seed(seed, 0))
        if self.method == "spectral":
            found = vector * step.scale
        else:
            power = torch.arange(self.num_steps + 1)
            factor = self.restart * (1 - self.restart) ** power * value[:, None] ** power  # [D, K + 1]
            found = vector * factor.sum(dim=1)
        found = torch.where(degree[:, None] > 0, found.float(), 0.0)
        return rotated(unit(found), self.out_channels, seed)


def leading_eigenvectors(step: Propagation, num_channels: int, seed: int) -> tuple[Tensor, Tensor]:
    """The largest eigenvalues of P, by size, and their eigenvectors.

    Args:
        step: P, symmetric, with eigenvalues in [-1, 1].
        num_channels: D, at most N of them.
        seed: Of where the iteration starts.

    Returns:
        [D] descending, and [N, D]; float64 and float32.
    """
    count = step.num_nodes
    num_channels, size = min(num_channels, count), min(num_channels + _MORE, count)
    found = np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)
    for _ in range(_ROUNDS):
        spread = torch.from_numpy(found)
        for _ in range(8):
            spread = (spread + step.step(spread)) / 2  # (1 + P) / 2 >= 0: the largest stay the largest
        found, _ = np.linalg.qr(spread.numpy())
    basis = torch.from_numpy(found)
    small = (basis.T @ step.step(basis)).double()
    value, turn = torch.linalg.eigh((small + small.T) / 2)
    value, turn = value.flip(0)[:num_channels], turn.flip(1)[:, :num_channels]
    return value, basis @ turn.float()
