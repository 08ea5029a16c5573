"""DatasetGraph: a graph that comes with the data set."""

from __future__ import annotations

import torch

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.arguments import check_rates, is_number, shown
from sigraph.graphs.base import GraphConstructor
from sigraph.graphs.hops import check_hops, hop_graph
from sigraph.graphs.noise import perturb_edges
from sigraph.graphs.rewire import rewire_edges


class DatasetGraph(GraphConstructor):
    """A graph of the data set's card, possibly rewired, then widened to several hops.

    Args:
        name: Name of the graph; None: the data set's first one.
        hops: Samples within this many edges are joined, in [1, 100].
        weight: None keeps the given weights (and none after widening); ``normalized`` weighs by the power of the
            normalised adjacency, see :func:`~sigraph.graphs.hop_graph`.
        rewire: Share of the edges whose ends are exchanged at random, keeping every degree, in [0, 1]: a control.
        drop: Share of the edges taken out at random, in [0, 1): a control of missing edges.
        add: Random edges put in, as a share of those there were, >= 0: a control of wrong edges.
        flip: Share of the edges exchanged for as many random ones between samples that were not joined, in [0, 1): a
            control of both; goes without ``drop`` and ``add``.
    """

    def __init__(
        self,
        name: str | None = None,
        hops: int = 1,
        weight: str | None = None,
        rewire: float = 0.0,
        drop: float = 0.0,
        add: float = 0.0,
        flip: float = 0.0,
    ) -> None:
        check_hops("DatasetGraph", hops, weight)
        if name is not None and not isinstance(name, str):
            raise ValueError(f"'name' needs to be the name of a graph, or null, in 'DatasetGraph' (got {shown(name)})")
        if not is_number(rewire) or not 0 <= rewire <= 1:
            raise ValueError(f"'rewire' needs to be in [0, 1] in 'DatasetGraph' (got {shown(rewire)})")
        if not is_number(add) or not 0 <= add < float("inf"):
            raise ValueError(f"'add' needs to be >= 0 in 'DatasetGraph' (got {shown(add)})")
        check_rates("DatasetGraph", drop=drop, flip=flip)
        if flip and (drop or add):
            raise ValueError(
                f"'flip' goes without 'drop' and 'add' in 'DatasetGraph': it is both (got {flip}, {drop} and {add})"
            )
        if flip:
            drop = add = flip
        self.name, self.hops, self.weight, self.rewire, self.drop, self.add = name, hops, weight, rewire, drop, add

    def base(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        graph = dataset.graph(self.name)
        if self.rewire:
            graph = rewire_edges(graph, self.rewire, generator)
        return perturb_edges(graph, self.drop, self.add, generator) if self.drop or self.add else graph

    def sources(self, dataset: SampleDataset) -> list[str]:
        return [self.name or next(iter(dataset.graphs))]

    def expand(self, graph: PretrainGraph) -> PretrainGraph:
        return hop_graph(graph, self.hops, self.weight)
