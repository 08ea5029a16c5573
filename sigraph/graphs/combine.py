"""UnionGraph and IntersectionGraph: several graphs made into one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.arguments import shown
from sigraph.graphs.base import GraphConstructor
from sigraph.graphs.rewire import upper_edges


class CombinedGraph(GraphConstructor):
    """What the union and the intersection share: parts, and which of their edges were held out.

    The observed edges are those of the parts' observed graphs, combined. An edge held out of these is taken out of
    *every* part before the parts are expanded, so that none comes back through another part; then the expanded parts
    are combined. As ever, an expansion may join a held-out pair anew if other observed edges lead from one end to the
    other.
    """

    graphs: list[GraphConstructor]
    _observed: tuple[Tensor, list[PretrainGraph]] | None = None  # keys combined, and the parts, of the last base()

    def base(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        parts = [graph.base(dataset, generator) for graph in self.graphs]
        combined = self._combined(parts)
        self._observed = edge_keys(combined)[0], parts
        return combined

    def sources(self, dataset: SampleDataset) -> list[str]:
        return list(dict.fromkeys(name for graph in self.graphs for name in graph.sources(dataset)))

    def expand(self, graph: PretrainGraph) -> PretrainGraph:
        if self._observed is None:
            raise ValueError(f"{type(self).__name__!r} needs 'base' to be called before 'expand': it knows the parts")
        observed, parts = self._observed
        kept = edge_keys(graph)[0]
        held_out = observed[~torch.isin(observed, kept)]
        rest = [_without(part, held_out) for part in parts]
        expanded = [constructor.expand(part) for constructor, part in zip(self.graphs, rest, strict=True)]
        if all(one is other for one, other in zip(expanded, rest, strict=True)):
            return graph  # no part derives anything: what is left of the combination is what is trained on
        if not bool(torch.isin(kept, observed).all()):
            name = type(self).__name__
            raise ValueError(
                f"{name!r} got edges to expand that none of its parts observed, and does not know which part's they "
                f"are; put what changes them around each of 'graphs' (graphs: [Rewired(...), ...]), not around {name!r}"
            )
        return self._combined(expanded)

    @abstractmethod
    def _combined(self, parts: Sequence[PretrainGraph]) -> PretrainGraph:
        """One graph out of the parts'."""

    def _adopt(self, graphs: Any) -> None:
        """Check and keep the parts."""
        name = type(self).__name__
        if not isinstance(graphs, list | tuple) or not graphs:
            raise ValueError(
                f"'graphs' needs a list of graph constructors, at least one, in {name!r} (got {shown(graphs)})"
            )
        for graph in graphs:
            if not isinstance(graph, GraphConstructor):
                raise ValueError(
                    f"'graphs' needs graph constructors in {name!r} (got {shown(graph)}); a graph of the data set is "
                    "{_target_: sigraph.graphs.DatasetGraph, name: ...}"
                )
        self.graphs = list(graphs)


class UnionGraph(CombinedGraph):
    """Two samples are joined if any of several graphs joins them; weights add up.

    As a pre-training graph: pairs of many sources in one contrastive training, as of E5 (Wang et al., "Text Embeddings
    by Weakly-Supervised Contrastive Pre-training", 2022), whose pairs come from posts and comments, titles and
    passages, citations and more.

    Args:
        graphs: Graph constructors.
        weights: One factor a graph, finite and > 0: an edge weighs the sum over the graphs that have it of factor times
            the edge's weight there (1 where unweighted). None: all 1, and unweighted if no graph has weights.

    Each graph is expanded (e.g. to several hops) by itself and the results are united. An edge held out for validation
    is taken out of every graph before; see :class:`CombinedGraph`. Two-level label graphs are written out as edges.

    Example:
        >>> graph = UnionGraph([DatasetGraph("citation"), KNNGraph(k=10)], weights=[1.0, 0.5])(dataset)
    """

    def __init__(self, graphs: list[GraphConstructor], weights: list[float] | None = None) -> None:
        self._adopt(graphs)
        if weights is not None:
            right = isinstance(weights, list | tuple) and len(weights) == len(self.graphs)
            if not right or not all(_is_number(value) and 0 < value < float("inf") for value in weights):
                raise ValueError(
                    f"'weights' needs one number > 0 a graph, {len(self.graphs)}, in 'UnionGraph' "
                    f"(got {shown(weights)})"
                )
        self.weights = None if weights is None else [float(value) for value in weights]

    def _combined(self, parts: Sequence[PretrainGraph]) -> PretrainGraph:
        keys, weights = zip(*map(edge_keys, parts), strict=True)
        key, inverse = torch.cat(keys).unique(return_inverse=True)
        weight = None
        if self.weights is not None or any(part is not None for part in weights):
            factors = self.weights or [1.0] * len(parts)
            values = [
                f * (torch.ones(len(k)) if w is None else w) for f, k, w in zip(factors, keys, weights, strict=True)
            ]
            weight = torch.zeros(len(key)).index_add_(0, inverse, torch.cat(values))
        return _graph(key, parts, weight)


class IntersectionGraph(CombinedGraph):
    """Two samples are joined if every one of several graphs joins them; weights multiply.

    As a pre-training graph: pairs that are kept only where a second source agrees, as the consistency filter of E5
    does (Wang et al., "Text Embeddings by Weakly-Supervised Contrastive Pre-training", 2022): a pair stays if one end
    is among the other's nearest; here ``[DatasetGraph(), KNNGraph(k)]``.

    Args:
        graphs: Graph constructors. An edge weighs the product of its weights in them (1 where unweighted);
            unweighted if no graph has weights.

    Each graph is expanded (e.g. to several hops) by itself and the results are intersected. Edges are held out for
    validation among those that all graphs observed, and taken out of every graph; see :class:`CombinedGraph`.

    Example:
        >>> graph = IntersectionGraph([DatasetGraph("citation"), KNNGraph(k=50)])(dataset)
    """

    def __init__(self, graphs: list[GraphConstructor]) -> None:
        self._adopt(graphs)

    def _combined(self, parts: Sequence[PretrainGraph]) -> PretrainGraph:
        keys, weights = zip(*map(edge_keys, parts), strict=True)
        key, count = torch.cat(keys).unique(return_counts=True)
        key = key[count == len(parts)]
        weight = None
        if any(part is not None for part in weights):
            weight = torch.ones(len(key))
            for mine, value in zip(keys, weights, strict=True):
                if value is not None:
                    weight *= value[torch.searchsorted(mine, key)]
        return _graph(key, parts, weight)


def edge_keys(graph: PretrainGraph) -> tuple[Tensor, Tensor | None]:
    """Each undirected edge (i, j), i < j, as i * N + j, ascending, and its weight. Shape [E / 2] each."""
    row, col, weight = upper_edges(graph)
    return row * int(graph.num_nodes or 0) + col, weight


def _without(graph: PretrainGraph, held_out: Tensor) -> PretrainGraph:
    key, weight = edge_keys(graph)
    out = torch.isin(key, held_out)
    if not bool(out.any()):
        return graph
    return _graph(key[~out], [graph], None if weight is None else weight[~out])


def _graph(key: Tensor, parts: Sequence[PretrainGraph], weight: Tensor | None) -> PretrainGraph:
    num_nodes = int(parts[0].num_nodes or 0)
    groups = [part.group for part in parts if part.group is not None]
    if any(not torch.equal(groups[0], group) for group in groups[1:]):
        raise ValueError("'graphs' need the same groups of samples, or none, to be combined (got different ones)")
    return PretrainGraph(
        torch.stack([key // num_nodes, key % num_nodes]), num_nodes, weight, groups[0] if groups else None
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
