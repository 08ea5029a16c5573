"""The shape of a graph in a few numbers: degrees and components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from sigraph.edges import CSRStore, EdgeStore, LabelSetStore
from sigraph.edges.label_store import in_full
from sigraph.edges.neighborhood import edge_blocks


@dataclass(frozen=True)
class GraphShape:
    """Degrees and components of a graph.

    Args:
        num_nodes: N.
        num_edges: Undirected edges.
        mean_degree, median_degree, max_degree: Over all nodes, isolated ones too.
        num_isolated: Nodes without a neighbour.
        num_components: Components with an edge.
        largest_component: Nodes of the largest one.
    """

    num_nodes: int
    num_edges: int
    mean_degree: float
    median_degree: float
    max_degree: int
    num_isolated: int
    num_components: int
    largest_component: int


def graph_shape(store: EdgeStore) -> GraphShape:
    """Count degrees and components, a block of edges at a time; a two-level store is not written out."""
    num_nodes = store.num_nodes
    degree = store.degree(torch.arange(num_nodes))
    sizes = components(store).bincount()
    joined = sizes[sizes > 1]
    return GraphShape(
        num_nodes,
        int(degree.sum()) // 2,
        float(degree.double().mean()) if num_nodes else 0.0,
        float(np.median(degree.numpy())) if num_nodes else 0.0,
        int(degree.max()) if num_nodes else 0,
        int((degree == 0).sum()),
        joined.numel(),
        int(joined.max()) if joined.numel() else 0,
    )


def components(store: EdgeStore) -> Tensor:
    """Number of each node's component. Shape [N] int64."""
    if isinstance(store, LabelSetStore):
        filled = store.set_of.long().bincount(minlength=store.num_sets) > 0  # an empty set joins nothing
        return _merge(store.sets, filled)[store.set_of.long()]
    return _merge(in_full(store, "components"), torch.ones(store.num_nodes, dtype=torch.bool))


def _merge(store: CSRStore, counts: Tensor) -> Tensor:
    """Components over the nodes that count; each block of edges merges those found before."""
    label = np.arange(store.num_nodes)
    total = store.num_nodes
    for first, _, rowptr, col in edge_blocks(store, max(1 << 22, store.num_nodes)):
        row = first + torch.repeat_interleave(rowptr.diff())
        keep = (row < col) & counts[row] & counts[col]
        ends = label[row[keep].numpy()], label[col[keep].numpy()]
        found = coo_matrix((np.ones(ends[0].size, np.int8), ends), (total, total))
        total, merged = connected_components(found, directed=False)
        label = merged[label]
    return torch.from_numpy(label.astype(np.int64))
