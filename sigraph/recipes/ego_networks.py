"""Ego-networks: from a big graph to one sample a node, the graph around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from sigraph.data.sample_graph import SampleGraph
from sigraph.edges.ego import ego_networks as blocks_of
from sigraph.edges.label_store import in_full
from sigraph.files.arguments import as_tensor, check_integers, checked_node, is_of, said
from sigraph.samples import Graphs

if TYPE_CHECKING:
    from torch_geometric.data import Data

NODE_KINDS = [12, 12]  # how many kinds each column of node_kinds has


def ego_networks(
    graph: SampleGraph | Data,
    hops: int = 2,
    max_nodes: int = 64,
    x: Any = None,
    centers: Any = None,
    seed: int = 0,
) -> Graphs:
    """The graph around each node as a sample: all nodes within some hops and the edges among them.

    They are made where a data set is prepared, by a recipe or in Python, and are its samples from then on, on disk and
    with a sum; no reader makes them, for a reader makes samples of records, which know nothing of a graph, and goes
    home with the encoder to read new ones. New nodes are encoded by calling this again, on the graph they are in.

    Args:
        graph: The big graph: of a data set, or PyG's.
        hops: From the centre, >= 1.
        max_nodes: Of a sample, its centre among them, >= 1. Nodes are taken hop by hop; of the hop that does not fit,
            as many as there is room for, drawn uniformly.
        x: Attributes of the nodes of the big graph, floats or integers that stand for categories. Shape [N, F]; None:
            those of the graph, ``graph.x``, if it has any.
        centers: Nodes to make samples of, in this order; None: all. Shape [C].
        seed: Of the draw: the same seed, centre and graph give the same sample, whatever else is asked for.

    Returns:
        C graphs. The first node of each is its centre. ``x`` has the attributes and a last column that is 1 for the
        centre, else 0; [V, F + 1]. ``edge_attr`` is the weight of each edge where the graph has weights; [E, 1].

    Raises:
        ValueError: An argument is nothing of the kind, out of range, or of another number of rows.

    Example:
        >>> ring = PretrainGraph([[0, 1, 2, 3, 4], [1, 2, 3, 4, 0]], num_nodes=5)
        >>> ego_networks(ring, hops=1).fetch(torch.tensor([3])).x
        tensor([[1.], [0.], [0.]])

    Source: as samples of pre-training, Hu et al., "Strategies for pre-training graph neural networks", ICLR 2020.
    """
    owner = "ego_networks"
    check_integers(owner, 1, hops=hops, max_nodes=max_nodes)
    check_integers(owner, 0, seed=seed)
    rows = getattr(graph, "x", None) if x is None else x
    whole = _as_graph(graph, owner)
    store = in_full(whole.store, owner)
    given = _attributes(rows, store.num_nodes, owner)
    node = torch.arange(store.num_nodes) if centers is None else checked_node(centers, store.num_nodes, "centers")
    if not len(node):
        raise ValueError(f"'centers' needs at least one node in {owner!r} (got none)")
    parts = list(blocks_of(store, node, hops, max_nodes, seed))
    taken = torch.from_numpy(np.concatenate([part.node for part in parts]))
    ends = torch.from_numpy(np.concatenate([part.ends for part in parts]))
    node_ptr, edge_ptr = (
        torch.cat([torch.zeros(1, dtype=torch.long), torch.from_numpy(np.concatenate(sizes)).cumsum(0)])
        for sizes in ([np.diff(part.ptr) for part in parts], [np.diff(part.edge_ptr) for part in parts])
    )
    mark = torch.zeros(len(taken), 1, dtype=given.dtype)
    mark[node_ptr[:-1]] = 1
    weight = None
    if store.is_weighted:
        weight = store.weight_of(torch.from_numpy(np.concatenate([part.edge for part in parts])))
    edge_attr = None if weight is None else weight[:, None].float()
    narrow = torch.int16 if max_nodes < 2**15 else torch.int32
    return Graphs(torch.cat([given[taken], mark], dim=1), ends.to(narrow), node_ptr, edge_ptr, edge_attr)


def node_kinds(graph: SampleGraph | Data) -> Tensor:
    """What a graph alone says of each node, in kinds: how many neighbours it has, and how many of these are joined.

    Attributes for :func:`ego_networks` of graphs whose nodes have none; an encoder reads them, and an objective masks
    them, as kinds of [12, 12] (:data:`NODE_KINDS`). Both are of the whole graph, which a capped sample does not show.

    Args:
        graph: The big graph: of a data set, or PyG's. Weights do not matter.

    Returns:
        Column 0: 0 without a neighbour, else 1 + the whole part of the binary logarithm of their number, 11 at most.
        Column 1, the clustering coefficient: 0 below two neighbours, else 1 + its whole tenths, 11 where all are
        joined. uint8 [N, 2].

    Source: Watts and Strogatz, "Collective dynamics of 'small-world' networks", Nature 393, 1998, for the coefficient.
    """
    whole = _as_graph(graph, "node_kinds")
    store = in_full(whole.store, "node_kinds")
    num_nodes, rowptr, col = store.num_nodes, store.rowptr, store.col
    joined = csr_array((np.ones(len(col), np.int64), col.numpy(), rowptr.numpy()), shape=(num_nodes, num_nodes))
    degree = rowptr.diff().numpy()
    paths = joined.multiply(joined @ joined).sum(axis=1)  # twice the triangles at each node
    pairs = degree * (degree - 1)
    size = np.minimum(np.frexp(degree)[1], NODE_KINDS[0] - 1)  # frexp(d)[1] is 1 + floor(log2 d), 0 for 0
    share = np.where(pairs > 0, 1 + 10 * paths // np.maximum(pairs, 1), 0)
    return torch.from_numpy(np.stack([size, share], axis=1).astype(np.uint8))


def _as_graph(graph: Any, owner: str) -> SampleGraph:
    if isinstance(graph, SampleGraph):
        return graph
    if not is_of(graph, "torch_geometric.data", "Data"):
        raise ValueError(f"'graph' needs to be a PretrainGraph or a PyG Data in {owner!r} (got {said(graph)})")
    from sigraph.data.graph import PretrainGraph  # a PyG Data is here, so PyG is

    return PretrainGraph.from_data(graph)


def _attributes(x: Any, num_nodes: int, owner: str) -> Tensor:
    """Attributes of all nodes, perhaps none. Shape [N, F]."""
    if x is None:
        return torch.empty(num_nodes, 0)
    try:
        rows = as_tensor(x).detach().cpu()
    except ValueError as error:
        raise ValueError(f"'x' needs numbers of shape [N, F] in {owner!r} (got {said(x)}: {error})") from error
    rows = rows[:, None] if rows.dim() == 1 else rows
    if rows.dim() != 2 or len(rows) != num_nodes or rows.is_complex() or rows.layout != torch.strided:
        raise ValueError(
            f"'x' needs a dense row of numbers for each of {num_nodes:,} nodes in {owner!r} (got {said(x)})"
        )
    return rows.float() if rows.is_floating_point() or rows.dtype == torch.bool else rows
