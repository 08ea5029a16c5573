"""Samples with features and edges, as the batches that a graph network trains on and predicts with."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sigraph.data import PretrainGraph
from sigraph.edges import EdgeStore
from sigraph.files.random import keyed_generator
from sigraph.graph_networks.layered import LayeredInference

WHOLE = 4_000_000  # nodes and directed edges together up to which a step takes the whole graph
_BATCH = 1024


class NodeBatch(NamedTuple):
    """Nodes of a step, the edges among them, and which of them are asked about."""

    x: Tensor  # [M, F]
    edge_index: Tensor  # [2, E]
    edge_weight: Tensor | None  # [E]
    asked: Tensor  # [B] places among the M
    within: tuple[int, ...] = ()  # of each layer, how many of the nodes, the first ones, it is needed of; none: all


class Everything(NamedTuple):
    """All nodes, evaluated a layer at a time, and which of them are asked about."""

    x: Tensor  # [N, F]
    over: LayeredInference
    asked: Tensor  # [B]


class NodeBatches:
    """The whole graph each time where it is not large; else what is reached from some nodes, a few neighbours of each.

    Args:
        graph: The edges.
        rows: Features, node i has row i. Shape [N, F].
        num_layers: Steps from the nodes that are asked about.
        batch_size: Nodes asked about in a step of training on parts; None: the whole graph up to :data:`WHOLE` nodes
            and edges, else 1,024.
        num_neighbors: Drawn of each node, on parts.
        seed: Of what is drawn.
    """

    def __init__(
        self, graph: PretrainGraph, rows: Tensor, num_layers: int, batch_size: int | None, num_neighbors: int, seed: int
    ) -> None:
        self.store: EdgeStore = graph.store
        self.rows, self.seed, self.num_layers, self.num_neighbors = rows, seed, num_layers, num_neighbors
        self.size = batch_size
        if self.size is None and self.store.num_nodes + graph.num_edges > WHOLE:
            self.size = _BATCH
        self._all: NodeBatch | None = None
        self._layered: LayeredInference | None = None
        if self.size is None:
            self._all = self._among(torch.arange(self.store.num_nodes))

    def loader(self, node: Tensor, y: Tensor, train: bool = False) -> DataLoader:
        """Batches of (inputs, labels); what is not trained on is one."""
        pairs: Any = list(range(len(node)))
        size = self.size if train and self.size is not None else len(node)
        generator = keyed_generator(self.seed, 0)

        def collate(place: list[int]) -> tuple[NodeBatch | Everything, Tensor]:
            at = torch.tensor(place)
            return (self._drawn(node[at], generator) if train else self.exact(node[at])), y[at]

        shuffle = train and self.size is not None
        return DataLoader(pairs, size, shuffle, generator=keyed_generator(self.seed, 0, 1), collate_fn=collate)

    def exact(self, node: Tensor) -> NodeBatch | Everything:
        """What some nodes are predicted with: all their neighbours."""
        if self._all is not None:
            return self._all._replace(asked=node)
        if self._layered is None:
            self._layered = LayeredInference(self.store)
        return Everything(self.rows, self._layered, node)

    def _drawn(self, node: Tensor, generator: torch.Generator) -> NodeBatch:
        """What some nodes are trained with."""
        if self._all is not None:
            return self._all._replace(asked=node)
        asked = node.unique()
        hops = [asked]
        for _ in range(self.num_layers):
            drawn = self.store.draw_neighbors(hops[-1], self.num_neighbors, generator).unique()
            hops.append(drawn[(drawn >= 0) & ~torch.isin(drawn, torch.cat(hops))])
        batch, sizes = self._among(torch.cat(hops)), torch.tensor([len(hop) for hop in hops])
        hop = torch.arange(len(hops)).repeat_interleave(sizes)
        near = hop[batch.edge_index].diff(dim=0)[0].abs() <= 1  # what a layer reads, the one before it has made
        weight = None if batch.edge_weight is None else batch.edge_weight[near]
        within = tuple(sizes.cumsum(0).tolist()[-2::-1])
        return NodeBatch(batch.x, batch.edge_index[:, near], weight, torch.searchsorted(asked, node), within)

    def _among(self, node: Tensor) -> NodeBatch:
        index, edge = self.store.edges_between(node, node)
        return NodeBatch(self.rows[node], index, self.store.weight_of(edge), node)
