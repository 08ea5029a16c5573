"""Rewired: the control arm of any graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sigraph.data.dataset import SampleDataset
from sigraph.files.arguments import shown
from sigraph.graphs.base import GraphConstructor, check_constructor
from sigraph.graphs.rewire import rewire_edges

if TYPE_CHECKING:
    from sigraph.data.graph import PretrainGraph


class Rewired(GraphConstructor):
    """Any graph with the ends of its edges exchanged at random; every sample keeps its degree.

    No pre-training method but the control of all: what is gained with the graph and not with its rewired twin is gained
    by whom its edges join. Write the experiment's graph with ``rate: 0`` and let an arm set ``pretrain.graph.rate: 1``.

    Args:
        graph: Constructor of the graph to rewire.
        rate: Share of the observed edges that take part, in [0, 1]; see :func:`~sigraph.graphs.rewire_edges`.

    The observed edges are rewired, then edges are held out for validation, then the graph is widened if it is a
    :class:`HopClosure` or the like: the twin is made as its original.

    In a two-level label graph samples exchange their label sets instead, and with them their degrees.

    Example:
        >>> graph = Rewired(KNNGraph(k=10))(dataset, torch.Generator().manual_seed(0))
    """

    def __init__(self, graph: GraphConstructor, rate: float = 1.0) -> None:
        check_constructor(graph, "Rewired")
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise ValueError(f"'rate' needs to be in [0, 1] in 'Rewired' (got {shown(rate)})")
        self.graph, self.rate = graph, float(rate)

    def base(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        graph = self.graph.base(dataset, generator)
        return rewire_edges(graph, self.rate, generator) if self.rate else graph

    def sources(self, dataset: SampleDataset) -> list[str]:
        return self.graph.sources(dataset)

    def expand(self, graph: PretrainGraph) -> PretrainGraph:
        return self.graph.expand(graph)
