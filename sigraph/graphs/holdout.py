"""Edges held out of pre-training, to validate it."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.files.arguments import check_generator, check_kinds, check_rates
from sigraph.graphs.rewire import upper_edges


def hold_out_edges(
    graph: PretrainGraph, rate: float, generator: torch.Generator | None = None
) -> tuple[PretrainGraph, Tensor]:
    """Take a random share of the undirected edges out of a graph; a two-level one is written out if ``rate`` is > 0.

    Args:
        graph: The observed edges.
        rate: Share of the undirected edges to take out, in [0, 1); at least one edge stays.
        generator: Source of all randomness.

    Returns:
        The graph without them, over the same nodes; and the edges taken out, each once, shape [2, M].
    """
    check_kinds("hold_out_edges", graph=(graph, PretrainGraph))
    check_rates("hold_out_edges", rate=rate)
    check_generator("hold_out_edges", generator)
    if rate == 0:
        return graph, torch.empty(2, 0, dtype=torch.long)
    row, col, weight = upper_edges(graph)
    order = torch.randperm(row.numel(), generator=generator)
    num_out = min(round(rate * row.numel()), max(row.numel() - 1, 0))
    if num_out == 0:
        return graph, torch.empty(2, 0, dtype=torch.long)
    out, stay = order[:num_out], order[num_out:].sort().values
    kept = PretrainGraph(
        torch.stack([row[stay], col[stay]]), graph.num_nodes, None if weight is None else weight[stay], graph.group
    )
    return kept, torch.stack([row[out], col[out]])
