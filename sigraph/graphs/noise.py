"""Missing and wrong edges: controls of how much noise in the graph a method bears."""

from __future__ import annotations

import torch

from sigraph.data import PretrainGraph
from sigraph.files.arguments import check_generator, check_kinds, is_number, shown
from sigraph.graphs.rewire import upper_edges


def perturb_edges(
    graph: PretrainGraph, drop: float = 0.0, add: float = 0.0, generator: torch.Generator | None = None
) -> PretrainGraph:
    """Take random edges out and put random ones in.

    The edges of a two-level graph are written out for it; where they are too many, let samples exchange their sets
    (:func:`~sigraph.graphs.rewire_edges`), which is wrong labels rather than wrong edges.

    Args:
        graph: It is not changed. New edges of a weighted graph have the mean weight.
        drop: Share of the undirected edges taken out, in [0, 1).
        add: Edges put in as a share of those the graph had, >= 0; uniform among pairs that were no edge before, as many
            as there are.
        generator: Source of all randomness.

    Returns:
        A graph over the same nodes, with the same groups.

    Source: the noise of the semi-synthetic experiments in McDermott et al. 2023.
    """
    check_kinds("perturb_edges", graph=(graph, PretrainGraph))
    check_generator("perturb_edges", generator)
    if not is_number(drop) or not is_number(add) or not 0 <= drop < 1 or not 0 <= add < float("inf"):
        got = f"{shown(drop)} and {shown(add)}"
        raise ValueError(f"'drop' needs to be in [0, 1) and 'add' >= 0 in 'perturb_edges' (got {got})")
    num_nodes = int(graph.num_nodes or 0)
    row, col, weight = upper_edges(graph)
    num_edges = row.numel()
    stay = torch.randperm(num_edges, generator=generator)[: num_edges - round(drop * num_edges)].sort().values
    new = _absent_pairs(row * num_nodes + col, num_nodes, round(add * num_edges), generator)
    edge_index = torch.cat([torch.stack([row[stay], col[stay]]), torch.stack([new // num_nodes, new % num_nodes])], 1)
    if weight is not None:
        weight = torch.cat([weight[stay], weight.mean().expand(new.numel())])
    return PretrainGraph(edge_index, num_nodes, weight, graph.group)


def _absent_pairs(taken: torch.Tensor, num_nodes: int, count: int, generator: torch.Generator | None) -> torch.Tensor:
    """Keys ``i * N + j``, i < j, of ``count`` distinct uniform pairs not in ``taken``, or of all there are."""
    num_pairs = num_nodes * (num_nodes - 1) // 2
    count = min(count, num_pairs - taken.numel())
    if 2 * (taken.numel() + count) > num_pairs:  # drawing would rarely meet what is left
        low, high = torch.triu_indices(num_nodes, num_nodes, offset=1)
        key = low * num_nodes + high
        left = key[~torch.isin(key, taken)]
        return left[torch.randperm(left.numel(), generator=generator)[:count]]
    found = taken.new_empty(0)
    while found.numel() < count:
        pair = torch.randint(0, num_nodes, (2, 2 * (count - found.numel()) + 16), generator=generator)
        low, high = pair.amin(dim=0), pair.amax(dim=0)
        key = (low * num_nodes + high)[low != high]
        fresh = key[~torch.isin(key, torch.cat([taken, found]))]
        value, first = fresh.sort(stable=True)
        new = torch.ones_like(value, dtype=torch.bool)
        new[1:] = value[1:] != value[:-1]
        found = torch.cat([found, fresh[first[new].sort().values]])  # in the order drawn: cutting stays uniform
    return found[:count]
