"""RadiusGraph: samples joined to all others that are near enough."""

from __future__ import annotations

import copy
import logging
from typing import Any

import torch
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.arguments import shown
from sigraph.graphs.base import GraphConstructor
from sigraph.graphs.knn import nearest_pairs, undirected
from sigraph.graphs.vectors import sample_vectors, take_vectors
from sigraph.neighbors.search import NeighborSearch
from sigraph.neighbors.space import check_metric, check_search, exact_distance, search_space

logger = logging.getLogger(__name__)

NEARLY_COMPLETE = 0.5  # share of all pairs from which on a warning is logged
_BYTES = 80  # an undirected edge takes at the peak of building: pairs, keys, their sort, both directions


class RadiusGraph(GraphConstructor):
    """Samples within a distance are joined, by the data set's feature rows or by vectors of one's own.

    As a pre-training graph: the neighbourhoods that Laplacian eigenmaps keep (Belkin and Niyogi, "Laplacian Eigenmaps
    for Dimensionality Reduction and Data Representation", Neural Computation 2003, step 1, epsilon-neighbourhoods),
    learnt by an encoder, so that new samples are embedded too.

    Args:
        radius: Largest distance, itself included, > 0, in the units of the vectors; with ``cosine`` the largest
            1 - cosine, in (0, 2).
        metric: ``euclidean`` or ``cosine``.
        max_neighbors: Each sample is joined to this many of the nearest at most, >= 1; None: to all within the radius.
            As edges have no direction, a sample that many find near may have more.
        vectors: One row per sample, to be used instead of the feature rows; given in Python. Shape [N, D].
        exact: Compare every pair of samples. None: up to 10^5 samples, above by inverted lists of faiss (extra
            ``ann``) unless they would take longer, as among vectors without clusters; without faiss always every pair,
            by torch.
        min_recall: Inverted lists are probed until they find this share of the true neighbours of 1,000 samples, in
            (0, 1].
        max_edges: More undirected edges than this are refused, by an estimate before they are built.

    Attributes:
        recall: The share of neighbours found as it was measured, also in the log; 1.0 where every pair was compared.

    The distances of what the search finds are computed anew in float64. Equal vectors are at distance 0 and joined;
    with ``max_neighbors`` as in :class:`KNNGraph`. A graph that joins half of all pairs is warned of in the log.

    Raises:
        ValueError: By :meth:`base`: no pair is within the radius, or too many are; and as :class:`KNNGraph`.

    Example:
        >>> graph = RadiusGraph(radius=0.2, metric="cosine", max_neighbors=50)(dataset)
    """

    def __init__(
        self,
        radius: float,
        metric: str = "euclidean",
        max_neighbors: int | None = None,
        vectors: Tensor | None = None,
        exact: bool | None = None,
        min_recall: float = 0.95,
        max_edges: int = 100_000_000,
    ) -> None:
        self.metric = check_metric(metric, "RadiusGraph")
        largest = 2.0 if metric == "cosine" else float("inf")
        if isinstance(radius, bool) or not isinstance(radius, int | float) or not 0 < radius < largest:
            raise ValueError(
                f"'radius' needs to be in (0, {largest}) with {metric!r} in 'RadiusGraph' (got {shown(radius)})"
            )
        for name, value in {"max_neighbors": max_neighbors, "max_edges": max_edges}.items():
            missing = value is None and name == "max_neighbors"
            if not missing and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ValueError(f"{name!r} needs to be an integer >= 1 in 'RadiusGraph' (got {shown(value)})")
        check_search(exact, min_recall, "RadiusGraph")
        self.radius, self.max_neighbors, self.vectors, self.exact = float(radius), max_neighbors, vectors, exact
        self.min_recall, self.max_edges = min_recall, max_edges
        self.recall: float | None = None

    def sources(self, dataset: SampleDataset) -> list[str]:
        return []

    def among(self, ids: Tensor, num_samples: int) -> GraphConstructor:
        out = copy.copy(self)
        if self.vectors is not None:
            out.vectors = take_vectors(self.vectors, ids, num_samples, "RadiusGraph")
        return out

    def base(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        x = sample_vectors(dataset, self.vectors, "RadiusGraph")
        num_samples = len(x)
        if num_samples < 2:
            raise ValueError("'RadiusGraph' needs at least two samples (got 1)")
        if self.max_neighbors is None:
            pairs = self._all_within(x, generator)
        else:
            k = min(self.max_neighbors, num_samples - 1)
            row, col, self.recall = nearest_pairs(
                x, k, self.metric, self.exact, self.min_recall, generator, "RadiusGraph"
            )
            near = exact_distance(x, row, col, self.metric) <= self.radius
            pairs = undirected(row[near], col[near], num_samples)
        self._check_density(pairs.size(1), num_samples)
        return PretrainGraph(pairs, num_samples)

    def _all_within(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        space, factor = search_space(x, self.metric, "RadiusGraph")
        squared = (self.radius if self.metric == "cosine" else min(self.radius, 1e150) ** 2) / factor
        squared = min(squared, 1e30)  # float32, with room; no two points of the space are as far apart

        def near(row: Tensor, col: Tensor) -> Tensor:
            return exact_distance(x, row, col, self.metric) <= self.radius

        search = NeighborSearch(space, self.exact, self.min_recall, generator)
        keys: list[Tensor] = []
        for row, col in search.within(squared, near, lambda mean: self._check_size(mean * len(x) / 2)):
            if search.exact:  # every pair comes from both sides
                row, col = row[row < col], col[row < col]
            keys.append(torch.minimum(row, col) * len(x) + torch.maximum(row, col))
        self.recall = search.recall
        key = torch.cat(keys)
        key = key if search.exact else key.unique()
        return torch.stack([key // len(x), key % len(x)])

    def _check_size(self, num_edges: float) -> None:
        if num_edges > self.max_edges:
            raise ValueError(
                f"'radius' {self.radius:g} would join about {num_edges:.2g} pairs in 'RadiusGraph', about "
                f"{num_edges * _BYTES / 2**30:.1f} GiB to build ('max_edges' is {self.max_edges:,}); take a smaller "
                "radius or 'max_neighbors', or raise 'max_edges'"
            )

    def _check_density(self, num_edges: Any, num_samples: int) -> None:
        if num_edges == 0:
            raise ValueError(
                f"'radius' {self.radius:g} joins no two samples in 'RadiusGraph'; take a larger one, or KNNGraph, "
                "which joins every sample"
            )
        share = num_edges / (num_samples * (num_samples - 1) / 2)
        if share >= NEARLY_COMPLETE and num_samples > 2:
            logger.warning(
                "radius %g joins %.0f %% of all pairs of samples: a nearly complete graph says little of any of them",
                self.radius,
                100 * share,
            )
