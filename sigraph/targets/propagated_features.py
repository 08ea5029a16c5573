"""PropagatedFeatures: what a sample's neighbourhood says, as its features spread over the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.edges import CSRStore
from sigraph.edges.propagation import Propagation
from sigraph.files.arguments import check_flags, check_integers, check_numbers
from sigraph.files.random import keyed_generator, keyed_seed
from sigraph.graphs.knn import nearest_pairs, undirected
from sigraph.samples.vectors import Rows
from sigraph.targets.base import Target, rows_of
from sigraph.targets.reduced import propagated_features
from sigraph.targets.rows import centred_unit, principal, rotated

_RESTART, _STEPS = 0.15, 12  # of the spreading that neighbours are sought in
_RECALL = 0.95  # of neighbours, where there are too many samples to compare every pair


class PropagatedFeatures(Target):
    r"""Features spread over the graph, completed by nearest neighbours, reduced to few channels and turned at random.

    With unit rows :math:`\tilde X` (counts weighted by the root of the inverse document frequency), the graph's
    adjacency matrix A and :math:`P = D^{-1/2}(A+I)D^{-1/2}`,

    .. math::
        H_0 &= \sum_{k\le 12} 0.15\,(0.85)^k\,P^k\tilde X, \\
        S &= \text{normalised } (A + w B + I), \qquad B: \text{cosines of the } m \text{ nearest neighbours in } H_0, \\
        T &= \text{centred unit rows of } \sum_{k\le K} r\,(1-r)^k\,S^k\tilde X

    and the target is T's D principal channels times a random orthogonal matrix, which keeps all angles: a basis of
    singular vectors is hard to learn by optimisers that move every weight alike. A row is unit length, unless a sample
    has no features and no neighbours: zeros, no target.

    Args:
        out_channels: D, >= 1; where samples or features are fewer, the last channels are 0.
        restart: r, in (0, 1]: how much of a row is the sample's own. None: the last power :math:`S^K` alone.
        num_steps: K, >= 0.
        complete: ``{neighbors: m, weight: w}``: join each sample to its m nearest neighbours in :math:`H_0`, an edge's
            weight w times the cosine, so that samples with few edges are spread to as well. None: the graph as it is.
        degree_exponent: a of :math:`D^{-a}(\cdot)D^{a-1}` in S, in [0, 1]; 1/2 is symmetric.
        idf_power: Power of the inverse document frequency that counts are weighted by, >= 0; of counts only.
        rotate: Whether the channels are turned.

    Shapes:
        - **fit:** [N, D] float32

    Costs (K + 12) propagations of D + 10 channels, five times each, in the randomised decomposition: O(E K D) time and
    O(N D) memory; never N x N, nor N x F beyond the features themselves.

    Source: the spreading: Gasteiger et al., "Predict then Propagate", ICLR 2019; the completion and its use as a target
    of a network without a graph are sigraph's.
    """

    def __init__(
        self,
        out_channels: int = 256,
        restart: float | None = 0.05,
        num_steps: int = 25,
        complete: Mapping[str, float] | None = None,
        degree_exponent: float = 0.5,
        idf_power: float = 0.5,
        rotate: bool = True,
    ) -> None:
        check_integers("PropagatedFeatures", 1, out_channels=out_channels)
        check_integers("PropagatedFeatures", 0, num_steps=num_steps)
        check_numbers("PropagatedFeatures", above=0, most=1, restart=1.0 if restart is None else restart)
        check_numbers("PropagatedFeatures", least=0, most=1, degree_exponent=degree_exponent)
        check_numbers("PropagatedFeatures", least=0, idf_power=idf_power)
        check_flags("PropagatedFeatures", rotate=rotate)
        self.out_channels, self.restart, self.num_steps = out_channels, restart, num_steps
        self.complete = None if complete is None else _completion(complete)
        self.degree_exponent, self.idf_power, self.rotate = degree_exponent, idf_power, rotate

    def compute(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> Tensor:
        rows = rows_of(dataset, self.idf_power, "PropagatedFeatures")
        stores = [(graph.store, 1.0)]
        if self.complete is not None:
            nearest = self._nearest(graph, rows, int(self.complete["neighbors"]), seed)
            stores.append((nearest, float(self.complete["weight"])))
        spread = Propagation(stores, self.restart, self.num_steps, degree_exponent=self.degree_exponent)
        found = self._reduced(spread, rows, keyed_seed(seed, 1))
        return rotated(principal(found, self.out_channels), self.out_channels, seed if self.rotate else None)

    def _nearest(self, graph: PretrainGraph, rows: Rows, neighbors: int, seed: int) -> CSRStore:
        """The nearest neighbours in the smoothed features, both ways, by their cosines."""
        smooth = self._reduced(Propagation(graph.store, _RESTART, _STEPS), rows, keyed_seed(seed, 0))
        count, some = len(smooth), (smooth != 0).any(dim=1).nonzero().view(-1)  # rows of zeros are near nobody
        size, generator = min(neighbors, len(some) - 1), keyed_generator(seed, 2)
        if size < 1:
            return CSRStore.from_edges(torch.empty(2, 0, dtype=torch.long), count, torch.empty(0))
        row, col, _ = nearest_pairs(smooth[some], size, "euclidean", None, _RECALL, generator, "PropagatedFeatures")
        pair = some[undirected(row, col, len(some))]
        cosine = torch.cat([(smooth[a] * smooth[b]).sum(dim=1) for a, b in pair.split(1 << 20, dim=1)])
        return CSRStore.from_edges(torch.cat([pair, pair.flip(0)], dim=1), count, cosine.clamp(min=0).repeat(2))

    def _reduced(self, spread: Propagation, rows: Rows, seed: int) -> Tensor:
        return centred_unit(torch.from_numpy(propagated_features(spread, rows, self.out_channels, seed)))


def _completion(complete: Mapping[str, Any]) -> dict[str, float]:
    if not isinstance(complete, Mapping) or set(complete) != {"neighbors", "weight"}:
        raise ValueError(
            "'complete' needs {neighbors: number, weight: number}, or null, in 'PropagatedFeatures' "
            f"(got {complete!r:.80})"
        )
    check_integers("PropagatedFeatures", 1, neighbors=complete["neighbors"])
    check_numbers("PropagatedFeatures", above=0, weight=complete["weight"])
    return dict(complete)
