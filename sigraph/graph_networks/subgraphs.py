"""Graphs with features as what a self-supervised graph network trains on: whole, or parts that random walks reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix, issparse
from torch import Tensor
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import coalesce
from torch_geometric.utils.sparse import index2ptr

from sigraph.edges import EdgeStore
from sigraph.edges.sparse import csr_tensor
from sigraph.files.random import keyed_generator
from sigraph.samples.vectors import Rows

MOST_NUMBERS = 1 << 28  # nodes and directed edges, times a layer's width, up to which a step takes the whole graph
_WALKS = 2048


class Subgraph(NamedTuple):
    """Some nodes with their features, and all edges among them."""

    x: Tensor  # [M, F], dense or torch's sparse CSR
    edge_index: Tensor  # [2, E], both directions
    edge_weight: Tensor | None  # [E]


class Subgraphs:
    """The whole graph where it is not large; else, in an epoch, walks from every node, a few nodes a step.

    Args:
        store: The edges.
        rows: Features, node i has row i; dense or sparse. Shape [N, F].
        width: Channels of a layer.
        num_steps: Of a walk.
        batch_size: Walks of a step, >= 1; None: the whole graph, up to 2^28 numbers (1 GB) of messages, else 2,048.
        seed: Of what is drawn.

    Source: the walks: Zeng et al., "GraphSAINT", ICLR 2020; without its normalisation.
    """

    def __init__(
        self, store: EdgeStore, rows: Rows, width: int, num_steps: int, batch_size: int | None, seed: int
    ) -> None:
        self.store, self.rows, self.num_steps, self.seed, self.size = store, rows, num_steps, seed, batch_size
        if self.size is None:
            size = store.num_nodes + int(store.degree(torch.arange(store.num_nodes)).sum())
            self.size = _WALKS if size * width > MOST_NUMBERS else None
        self._whole: Subgraph | None = None
        if self.size is None or self.size >= store.num_nodes:
            self.size, self._whole = None, self._among(None)

    @property
    def are_parts(self) -> bool:
        """Whether a step has a part of the graph."""
        return self._whole is None

    def epoch(self, number: int) -> Iterator[Subgraph]:
        """What an epoch trains on, the same for a seed and a number."""
        if self._whole is not None:
            yield self._whole
            return
        generator = keyed_generator(self.seed, 5, number)
        for root in torch.randperm(self.store.num_nodes, generator=generator).split(self.size or 1):
            at, walked = root, [root]
            for _ in range(self.num_steps):
                step = self.store.draw_neighbors(at, 1, generator).view(-1)
                at = torch.where(step < 0, at, step)
                walked.append(at)
            yield self._among(torch.cat(walked).unique())

    def _among(self, node: Tensor | None) -> Subgraph:
        everything = torch.arange(self.store.num_nodes) if node is None else node
        index, edge = self.store.edges_between(everything, everything)
        rows = self.rows if node is None else self.rows[node.numpy()]
        return Subgraph(as_input(rows), index, self.store.weight_of(edge))


def as_input(rows: Rows) -> Tensor:
    """Rows as a tensor, dense or torch's sparse CSR, as they are. Shape [N, F] float32."""
    if not issparse(rows):
        return torch.from_numpy(np.ascontiguousarray(rows))
    rows = csr_matrix(rows)
    rowptr, col = (torch.from_numpy(part.astype(np.int64)) for part in (rows.indptr, rows.indices))
    return csr_tensor(rowptr, col, torch.from_numpy(rows.data.astype(np.float32)), rows.shape)


def gcn_adjacency(edge_index: Tensor, edge_weight: Tensor | None, num_nodes: int) -> Tensor:
    r"""The matrix :math:`D^{-1/2}(A+I)D^{-1/2}` that a GCN layer with ``normalize=False`` reads, torch's sparse CSR.

    A layer multiplies by it, so that no message of an edge is kept. Shape [2, E], [E] -> [N, N].
    """
    index, weight = gcn_norm(edge_index, edge_weight, num_nodes)
    index, weight = coalesce(index.flip(0), weight, num_nodes)
    return csr_tensor(index2ptr(index[0], num_nodes), index[1], weight, (num_nodes, num_nodes))
