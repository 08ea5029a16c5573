"""Checks of what a user gives as edges; errors say what is wrong and where."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor


def check_edge_index(edge_index: Any, num_nodes: int | None) -> tuple[Tensor, int]:
    """Edges as an int64 tensor whose ids exist, and the number of nodes.

    Args:
        edge_index: Anything that becomes an integer tensor of shape [2, E].
        num_nodes: N; None: the largest id + 1.
    """
    edge_index = torch.as_tensor(edge_index)
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(
            f"'edge_index' needs shape [2, num_edges] in 'PretrainGraph' (got {list(edge_index.shape)}); "
            "a list of pairs becomes one by torch.tensor(pairs).t()"
        )
    if edge_index.numel() == 0:
        edge_index = edge_index.long()  # an empty Python list arrives as float
    if edge_index.is_floating_point() or edge_index.is_complex() or edge_index.dtype == torch.bool:
        raise ValueError(f"'edge_index' needs integer node ids in 'PretrainGraph' (got {edge_index.dtype})")
    edge_index = edge_index.long()
    if num_nodes is None:
        num_nodes = max(int(edge_index.max()) + 1, 0) if edge_index.numel() else 0
    if isinstance(num_nodes, bool) or int(num_nodes) != num_nodes or num_nodes < 0:
        raise ValueError(f"'num_nodes' needs to be an integer >= 0 in 'PretrainGraph' (got {num_nodes!r})")
    num_nodes = int(num_nodes)
    if edge_index.numel():
        low, high = (int(v) for v in edge_index.aminmax())
        if low < 0 or high >= num_nodes:
            wrong = int(((edge_index < 0) | (edge_index >= num_nodes)).any(dim=0).nonzero()[0])
            raise ValueError(
                f"'edge_index' needs node ids in [0, {num_nodes}) in 'PretrainGraph' (got ids in [{low}, {high}]; "
                f"first wrong edge: number {wrong}, {edge_index[:, wrong].tolist()})"
            )
    return edge_index, num_nodes


def check_edge_weight(edge_weight: Any, num_edges: int) -> Tensor:
    """Weights as a float tensor [E], finite and >= 0."""
    edge_weight = torch.as_tensor(edge_weight)
    if edge_weight.dim() == 2 and edge_weight.size(1) == 1:
        edge_weight = edge_weight.view(-1)
    if edge_weight.shape != (num_edges,):
        raise ValueError(
            f"'edge_weight' needs shape [{num_edges}], one weight per column of 'edge_index', in 'PretrainGraph' "
            f"(got {list(edge_weight.shape)})"
        )
    edge_weight = edge_weight.float()
    wrong = (~(torch.isfinite(edge_weight) & (edge_weight >= 0))).nonzero().view(-1)
    if wrong.numel():
        first = int(wrong[0])
        raise ValueError(
            f"'edge_weight' needs finite values >= 0 in 'PretrainGraph' (got {wrong.numel()} others; "
            f"first: {float(edge_weight[first])} of edge number {first})"
        )
    return edge_weight


def check_group(group: Any, num_nodes: int) -> Tensor:
    """Group ids as an int64 tensor [N]."""
    group = torch.as_tensor(group)
    if group.shape != (num_nodes,) or group.is_floating_point():
        raise ValueError(
            f"'group' needs {num_nodes} integers, one per node, in 'PretrainGraph' "
            f"(got {group.dtype} of shape {list(group.shape)})"
        )
    return group.long()


def say_dropped(num_given: int, num_undirected: int, dropped: dict[str, int], stacklevel: int = 3) -> dict[str, int]:
    """Warn about the self-loops and repeats that were dropped from given edges; returns their numbers."""
    names = {"self_loops": "self-loops", "repeated_edges": "repeated edges"}
    parts = [f"{dropped[key]} {name}" for key, name in names.items() if dropped[key]]
    if parts:
        warnings.warn(
            f"'PretrainGraph' dropped {' and '.join(parts)} of {num_given} given edges "
            f"({num_undirected} undirected edges remain)",
            stacklevel=stacklevel,
        )
    return dropped
