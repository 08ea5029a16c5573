"""Checks of what a user gives as edges; errors say what is wrong and where."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sigraph.data.foreign import way_from
from sigraph.files.arguments import as_tensor, said
from sigraph.files.memory import check_fits
from sigraph.files.precision import LARGEST, say_lost
from sigraph.files.row_index import check_index, check_same_index


class GivenEdges(NamedTuple):
    """What a reader of another tool's graph found."""

    edge_index: Tensor  # [2, E]
    num_nodes: int
    weight: Tensor | None = None  # [E]
    group: Tensor | None = None  # [N]
    names: Sequence[Any] | None = None  # [N], what the other tool calls node i


def check_edge_index(edge_index: Any, num_nodes: Any) -> tuple[Tensor, int]:
    """Edges as an int64 tensor whose ids exist, and the number of nodes.

    Args:
        edge_index: Anything that becomes an integer tensor of shape [2, E]; also two lists, arrays or tensors of ends.
        num_nodes: N; None: the largest id + 1.
    """
    edge_index = _as_ends(edge_index)
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(
            f"'edge_index' needs shape [2, num_edges] in 'PretrainGraph' (got {list(edge_index.shape)}); "
            f"{_way_of_shape(edge_index)}"
        )
    if edge_index.numel() == 0:
        edge_index = edge_index.long()  # an empty Python list arrives as float
    if edge_index.is_floating_point() or edge_index.is_complex() or edge_index.dtype == torch.bool:
        way = _way_of_floats(edge_index) if edge_index.is_floating_point() else ""
        raise ValueError(f"'edge_index' needs integer node ids in 'PretrainGraph' (got {edge_index.dtype}){way}")
    if num_nodes is None and hasattr(edge_index, "sparse_size"):  # PyG's EdgeIndex, which may know it
        num_nodes = max((size for size in edge_index.sparse_size() if size is not None), default=None)
    if num_nodes is None:
        num_nodes = max(int(edge_index.max()) + 1, 0) if edge_index.numel() else 0
    num_nodes, edge_index = checked_count(num_nodes), edge_index.long()
    if edge_index.numel():
        low, high = (int(v) for v in edge_index.aminmax())
        if low < 0 or high >= num_nodes:
            wrong = int(((edge_index < 0) | (edge_index >= num_nodes)).any(dim=0).nonzero()[0])
            raise ValueError(
                f"'edge_index' needs node ids in [0, {num_nodes}) in 'PretrainGraph' (got ids in [{low}, {high}]; "
                f"first wrong edge: number {wrong}, {edge_index[:, wrong].tolist()})"
            )
    return edge_index, num_nodes


def checked_count(num_nodes: Any) -> int:
    """A number of nodes."""
    try:
        count = -1 if isinstance(num_nodes, bool | str) else int(num_nodes)
        whole = count == num_nodes
    except (TypeError, ValueError, OverflowError, RuntimeError):
        whole = False
    if not whole or count < 0:
        raise ValueError(f"'num_nodes' needs to be an integer >= 0 in 'PretrainGraph' (got {num_nodes!r:.60})")
    check_fits("PretrainGraph", 8 * count, num_nodes=count)
    return count


def _as_ends(edge_index: Any) -> Tensor:
    """What was given as a tensor; graphs of other tools are named with the constructor that takes them."""
    if way := way_from(edge_index):
        raise ValueError(
            f"'edge_index' needs node ids, [2, num_edges], in 'PretrainGraph' (got {said(edge_index)}): {way}"
        )
    if isinstance(edge_index, list | tuple):
        pairs = [one for one in edge_index if isinstance(one, tuple) and all(isinstance(end, int) for end in one)]
        if len(edge_index) == len(pairs) == 2 and len(pairs[0]) == len(pairs[1]) == 2:
            (a, b), (c, d) = pairs
            if {frozenset((a, c)), frozenset((b, d))} != {frozenset((a, b)), frozenset((c, d))}:
                raise ValueError(
                    "'edge_index' needs a row of sources and one of targets in 'PretrainGraph' (got two tuples of two, "
                    "which can be read either way): torch.tensor(pairs).t() if they are two edges, else lists"
                )
        if len(edge_index) == 2:
            check_same_index({"'edge_index[0]'": edge_index[0], "'edge_index[1]'": edge_index[1]})
        if len(edge_index) == 2 and any(hasattr(one, "__array__") for one in edge_index):
            ends = [_tensor(one) for one in edge_index]
            if any(end.dim() != 1 for end in ends) or ends[0].shape != ends[1].shape:
                shapes = " and ".join(str(list(end.shape)) for end in ends)
                raise ValueError(
                    f"'edge_index' needs as many sources as targets in 'PretrainGraph' (got shapes {shapes}); rows of "
                    "a compressed matrix: PretrainGraph.from_adjacency(scipy.sparse.csr_array((values, col, rowptr)))"
                )
            return torch.stack(ends)
    return _tensor(edge_index)


def _tensor(ends: Any) -> Tensor:
    try:
        return as_tensor(ends)
    except ValueError as error:
        raise ValueError(
            f"'edge_index' needs integer node ids, [2, num_edges], in 'PretrainGraph' (got {said(ends)} that "
            "is no array of numbers); ids that are text are matched with the samples' by sigraph.data.from_tables"
        ) from error


def _way_of_shape(edge_index: Tensor) -> str:
    if edge_index.dim() == 2 and edge_index.size(0) == edge_index.size(1) != 2:
        return "a matrix with a row and a column a sample is for PretrainGraph.from_adjacency(matrix)"
    return "a list of pairs becomes one by torch.tensor(pairs).t()"


def _way_of_floats(edge_index: Tensor) -> str:
    """Why ids may not be cast from floats, or that they may."""
    most = 2 ** {torch.float64: 53, torch.float32: 24, torch.float16: 11}.get(edge_index.dtype, 8)
    wrong = (edge_index != edge_index.round()) | ~edge_index.isfinite()
    if bool(wrong.any()):
        return f"; {int(wrong.sum())} are no whole numbers (first: {float(edge_index[wrong][0])})"
    if bool((edge_index.abs() >= most).any()):
        return f"; beyond {most:,} they are not exact in it, so that ids may be lost already: read them as integers"
    return "; they are whole and exact: edge_index.long(), or read them as integers"


def check_edge_weight(edge_weight: Any, num_edges: int) -> Tensor:
    """Weights as a float tensor [E], finite and >= 0; a warning says what is lost in float32."""
    check_index(edge_weight, "'edge_weight' in 'PretrainGraph'", "edge")
    try:
        given = as_tensor(np.asarray(edge_weight) if isinstance(edge_weight, list | tuple) else edge_weight).detach()
    except ValueError as error:
        raise ValueError(
            f"'edge_weight' needs numbers, one per column of 'edge_index', in 'PretrainGraph' (got {said(edge_weight)} "
            "of something else)"
        ) from error
    if given.layout != torch.strided or given.is_complex():
        raise ValueError(f"'edge_weight' needs real numbers in 'PretrainGraph' (got {given.dtype}, {given.layout})")
    if given.dim() == 2 and given.size(1) == 1:
        given = given.view(-1)
    if given.shape != (num_edges,):
        raise ValueError(
            f"'edge_weight' needs shape [{num_edges}], one weight per column of 'edge_index', in 'PretrainGraph' "
            f"(got {list(given.shape)})"
        )
    wrong = (~(torch.isfinite(given) & (given >= 0))).nonzero().view(-1)
    if wrong.numel():
        first = int(wrong[0])
        raise ValueError(
            f"'edge_weight' needs finite values >= 0 in 'PretrainGraph' (got {wrong.numel()} others; "
            f"first: {float(given[first])} of edge number {first})"
        )
    weight = given.float()
    if num_edges and float(weight.max()) > LARGEST:
        raise ValueError(
            f"'edge_weight' needs values of at most {LARGEST:.4g}, float32, in 'PretrainGraph' "
            f"(got {float(given.max())})"
        )
    say_lost("edge_weight", "PretrainGraph", given, stacklevel=4)
    return weight


def say_no_weights(weight: Tensor | None, stacklevel: int = 3) -> None:
    """Warn where every weight is 0, as a table's report does."""
    if weight is not None and weight.numel() and not bool(weight.any()):
        warnings.warn(
            "'edge_weight' is 0 for every edge in 'PretrainGraph', so that no edge pulls where edges count by their "
            "weight; without weights: edge_weight=None",
            stacklevel=stacklevel,
        )


def check_group(group: Any, num_nodes: int) -> Tensor:
    """Group ids as an int64 tensor [N]."""
    check_index(group, "'group' in 'PretrainGraph'")
    try:
        group = as_tensor(group)
    except ValueError as error:
        raise ValueError(
            f"'group' needs {num_nodes} integers, one per node, in 'PretrainGraph' (got {said(group)} of something "
            "else); names become numbers by numpy.unique(names, return_inverse=True)[1]"
        ) from error
    if group.shape != (num_nodes,) or group.is_floating_point() or group.is_complex():
        raise ValueError(
            f"'group' needs {num_nodes} integers, one per node, in 'PretrainGraph' "
            f"(got {group.dtype} of shape {list(group.shape)})"
        )
    return group.long()


def check_attributes(attributes: Mapping[str, Any], num_edges: int) -> None:
    """Refuse attributes of edges, which would not be those of the edges that are kept."""
    for name, value in attributes.items():
        shape = getattr(value, "shape", ())
        if name in ("edge_attr", "edge_type", "adj", "adj_t") or ("edge" in name and shape and shape[0] == num_edges):
            raise ValueError(
                f"{name!r} cannot be kept in 'PretrainGraph': its edges are sorted and merged, and have 'edge_weight' "
                "alone; give weights by it, and leave others out"
            )


def say_dropped(
    num_given: int, num_undirected: int, dropped: dict[str, int], averaged: int = 0, stacklevel: int = 3
) -> dict[str, int]:
    """Warn about given edges that are not as they were given; returns the numbers of those that were dropped.

    Args:
        num_given: Edges that were given.
        num_undirected: Edges that remain.
        dropped: Self-loops and repeats.
        averaged: Edges that were given with different weights, as repeats or in the two directions.
        stacklevel: As in :func:`warnings.warn`.
    """
    names = {"self_loops": "self-loops", "repeated_edges": "repeated edges"}
    parts = [f"{dropped[key]} {name}" for key, name in names.items() if dropped[key]]
    told = [f"dropped {' and '.join(parts)} of {num_given} given edges"] if parts else []
    told += [f"dropped differences in weight of {averaged} edges, which have their mean"] if averaged else []
    if told:
        warnings.warn(
            f"'PretrainGraph' {' and '.join(told)} ({num_undirected} undirected edges remain)", stacklevel=stacklevel
        )
    return dropped
