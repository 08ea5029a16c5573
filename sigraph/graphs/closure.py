"""HopClosure: any graph, widened to several hops."""

from __future__ import annotations

import torch

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.graphs.base import GraphConstructor, check_constructor
from sigraph.graphs.hops import check_hops, hop_graph


class HopClosure(GraphConstructor):
    """Samples within a few edges of any graph are joined.

    As a pre-training graph: that of Graph-MLP (Hu et al., "Graph-MLP: Node Classification without Message Passing in
    Graph", 2021), whose neighbouring contrastive loss draws nodes within r hops together, weighted by the power of the
    normalised adjacency.

    Args:
        graph: Constructor of the graph to widen.
        hops: Samples within this many edges are joined, in [1, 100].
        weight: None: unweighted (for one hop: as it is); ``normalized``: by the power of the normalised adjacency, see
            :func:`~sigraph.graphs.hop_graph`.

    Edges are held out for validation before the graph is widened, so that no path runs over them.

    Example:
        >>> graph = HopClosure(BipartiteGraph(column="authors"), hops=2)(dataset)
    """

    def __init__(self, graph: GraphConstructor, hops: int = 2, weight: str | None = None) -> None:
        check_constructor(graph, "HopClosure")
        check_hops("HopClosure", hops, weight)
        self.graph, self.hops, self.weight = graph, hops, weight

    def base(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        return self.graph.base(dataset, generator)

    def sources(self, dataset: SampleDataset) -> list[str]:
        return self.graph.sources(dataset)

    def expand(self, graph: PretrainGraph) -> PretrainGraph:
        return hop_graph(self.graph.expand(graph), self.hops, self.weight)
