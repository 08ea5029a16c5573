"""KNNGraph: samples joined to their nearest neighbours."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.arguments import check_flags, shown
from sigraph.graphs.base import GraphConstructor
from sigraph.graphs.vectors import sample_vectors, take_vectors
from sigraph.neighbors.search import NeighborSearch, distinct_rows, nearest_samples
from sigraph.neighbors.space import check_metric, check_search, search_space


class KNNGraph(GraphConstructor):
    """Each sample is joined to its k nearest others, by the data set's feature rows or by vectors of one's own.

    As a pre-training graph: DrLIM, whose positives are the nearest neighbours in input space (Hadsell, Chopra and
    LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006), there with the contrastive loss.
    In McDermott et al. 2023 the graph for data that lie on a manifold.

    Args:
        k: Neighbours of each sample, 1 <= k < N. As edges have no direction, a sample that many find near has more.
        metric: ``euclidean`` or ``cosine``.
        mutual: Join two samples only if each is among the other's nearest; otherwise one of the two is enough.
        vectors: One row per sample, to be used instead of the feature rows; given in Python. Shape [N, D].
        exact: Compare every pair of samples. None: up to 10^5 samples, above by inverted lists of faiss (extra
            ``ann``) unless they would take longer, as among vectors without clusters; without faiss always every pair,
            by torch.
        min_recall: Inverted lists are probed until they find this share of the true nearest neighbours of 1,000
            samples, in (0, 1].

    Attributes:
        recall: That share as it was measured, also in the log; 1.0 where every pair was compared.

    Distances are float32's, of centred or normalised vectors; which of several different vectors at one distance
    comes first is not said. Equal vectors are each other's nearest: those that follow a sample in number come first,
    cyclically. A sample is never its own neighbour.

    Raises:
        ValueError: By :meth:`base`: k >= N, NaN or infinity, zero vectors with ``cosine``, records without ``vectors``.

    Example:
        >>> graph = KNNGraph(k=10, metric="cosine")(dataset)
    """

    def __init__(
        self,
        k: int,
        metric: str = "euclidean",
        mutual: bool = False,
        vectors: Tensor | None = None,
        exact: bool | None = None,
        min_recall: float = 0.95,
    ) -> None:
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(f"'k' needs to be an integer >= 1 in 'KNNGraph' (got {shown(k)})")
        check_search(exact, min_recall, "KNNGraph")
        check_flags("KNNGraph", mutual=mutual)
        self.k, self.metric, self.mutual = k, check_metric(metric, "KNNGraph"), mutual
        self.vectors, self.exact, self.min_recall = vectors, exact, min_recall
        self.recall: float | None = None

    def sources(self, dataset: SampleDataset) -> list[str]:
        return []

    def among(self, ids: Tensor, num_samples: int) -> GraphConstructor:
        out = copy.copy(self)
        if self.vectors is not None:
            out.vectors = take_vectors(self.vectors, ids, num_samples, "KNNGraph")
        return out

    def base(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        if self.k >= len(dataset):
            raise ValueError(
                f"'k' needs to be below the number of samples, {len(dataset)}, in 'KNNGraph' (got {self.k})"
            )
        x = sample_vectors(dataset, self.vectors, "KNNGraph")
        row, col, self.recall = nearest_pairs(
            x, self.k, self.metric, self.exact, self.min_recall, generator, "KNNGraph"
        )
        return PretrainGraph(undirected(row, col, len(dataset), self.mutual), len(dataset))


def nearest_pairs(
    x: Tensor,
    k: int,
    metric: str,
    exact: bool | None,
    min_recall: float,
    generator: torch.Generator | None,
    owner: str,
) -> tuple[Tensor, Tensor, float]:
    """Samples, their nearest neighbours, shape [P] each, and the recall; arguments as in :class:`KNNGraph`."""
    space, _ = search_space(x, metric, owner)
    distinct = distinct_rows(space)
    search = NeighborSearch(space if distinct is None else space[distinct[0]], exact, min_recall, generator)
    row, col = nearest_samples(search, k, distinct)
    return row, col, search.recall


def undirected(row: Any, col: Any, num_nodes: int, mutual: bool = False) -> Tensor:
    """Each pair once; with ``mutual`` only those that came in both directions. Shape [P], [P] -> [2, E / 2]."""
    key = torch.minimum(row, col) * num_nodes + torch.maximum(row, col)
    key, count = key.unique(return_counts=True)
    key = key[count == 2] if mutual else key
    return torch.stack([key // num_nodes, key % num_nodes])
