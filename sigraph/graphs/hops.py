"""k-hop graphs, weighted by powers of the normalised adjacency."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix, diags_array, eye_array

from sigraph.data import PretrainGraph
from sigraph.files.arguments import check_kinds, is_one_of, shown

WEIGHTS = (None, "normalized")
MOST_HOPS = 100  # from there on a graph is one clique, or waits for a product each


def hop_graph(graph: PretrainGraph, hops: int = 2, weight: str | None = None) -> PretrainGraph:
    r"""Join samples that are at most ``hops`` edges apart.

    With ``weight="normalized"`` an edge weighs :math:`(\hat A^{hops})_{ij}` with
    :math:`\hat A = D^{-1/2} (A + I) D^{-1/2}`, where D are the degrees with self-loops: walks that arrive often, over
    nodes of low degree, weigh more. The graph is as dense as the walks make it: watch hubs.

    Args:
        graph: The observed edges; their weights enter A of ``normalized``.
        hops: In [1, 100].
        weight: None: an unweighted graph (for one hop: the graph as it is); ``normalized``: as above.

    Returns:
        A graph over the same nodes, with the same groups.

    Source: the weights of Hu et al., "Graph-MLP: Node Classification without Message Passing in Graph", 2021, Eq. 4;
    the normalised adjacency of Kipf and Welling, ICLR 2017.
    """
    check_kinds("hop_graph", graph=(graph, PretrainGraph))
    check_hops("hop_graph", hops, weight)
    if hops == 1 and weight is None:
        return graph
    rowptr, col = graph.csr()
    num_nodes = rowptr.numel() - 1
    given = graph.store.weight if weight == "normalized" else None  # only who is joined matters without weights
    value = np.ones(col.numel()) if given is None else given.double().numpy()
    adjacency = csr_matrix((value, col.numpy(), rowptr.numpy()), shape=(num_nodes, num_nodes))
    step = adjacency + eye_array(num_nodes, format="csr")
    if weight == "normalized":
        scale = diags_array(np.asarray(step.sum(axis=1)).reshape(-1) ** -0.5)
        step = (scale @ step @ scale).tocsr()
    power = step
    for _ in range(hops - 1):
        power = power @ step
    power = power.tocoo()
    upper = power.row < power.col
    edge_index = torch.from_numpy(np.stack([power.row[upper], power.col[upper]]).astype(np.int64))
    edge_weight = torch.from_numpy(power.data[upper]).float() if weight == "normalized" else None
    return PretrainGraph(edge_index, num_nodes, edge_weight, graph.group)


def check_hops(owner: str, hops: Any, weight: Any) -> None:
    """Refuse what :func:`hop_graph` cannot widen by."""
    if isinstance(hops, bool) or not isinstance(hops, int) or hops < 1:
        raise ValueError(f"'hops' needs to be an integer >= 1 in {owner!r} (got {shown(hops)})")
    if hops > MOST_HOPS:
        raise ValueError(f"'hops' needs to be at most {MOST_HOPS} in {owner!r} (got {hops})")
    if not is_one_of(weight, WEIGHTS):
        raise ValueError(f"'weight' needs to be null or 'normalized' in {owner!r} (got {shown(weight)})")
