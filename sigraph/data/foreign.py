"""Graphs of other tools, told by their form, and the constructor that takes each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import scipy.sparse
import torch
from torch import Tensor

from sigraph.edges.store import EdgeStore
from sigraph.files.arguments import is_frame, is_of

_PYG = "torch_geometric.data"
_ENDS = "PretrainGraph(torch.tensor({ends}).t(), num_nodes=...)"


def way_from(value: Any) -> str:
    """How a :class:`~sigraph.data.PretrainGraph` is made from a value that holds a graph in another form; else empty.

    Nothing is imported for it: a value is told by its class, its module's name and what it can do.
    """
    tool = type(value).__module__.partition(".")[0]
    if is_of(value, _PYG, "HeteroData"):
        return (
            "choose one type of edges: PretrainGraph(data[EDGE_TYPE].edge_index, num_nodes=data[NODE_TYPE].num_nodes)"
        )
    if is_of(value, _PYG, "Data"):
        return "use PretrainGraph.from_data(data)"
    if is_of(value, f"{_PYG}.data", "BaseData"):
        return "make a torch_geometric Data of it, then PretrainGraph.from_data(data)"
    if isinstance(value, EdgeStore):
        return "use PretrainGraph.from_store(store)"
    if is_matrix(value):
        return "use PretrainGraph.from_adjacency(matrix)"
    if tool == "dgl":
        return "use PretrainGraph(torch.stack(g.edges()), num_nodes=g.num_nodes())"
    if tool == "igraph" or (hasattr(value, "get_edgelist") and hasattr(value, "vcount")):
        return "use PretrainGraph(torch.tensor(g.get_edgelist()).view(-1, 2).t(), num_nodes=g.vcount())"
    if is_networkx(value):
        return "use PretrainGraph.from_networkx(g)"
    if is_frame(value):
        return (
            "rows that are edges: PretrainGraph(frame[[SOURCE, TARGET]].to_numpy().T, num_nodes=...) if they hold "
            "sample numbers; ids of samples are matched by sigraph.data.from_tables"
        )
    if isinstance(value, str | Path):
        return (
            "a folder written by 'save' is opened by PretrainGraph.open(path); files of edges are read by "
            "sigraph.data.from_tables or `sigraph prepare`"
        )
    if isinstance(value, Mapping):
        ends = "[(i, j) for i in lists for j in lists[i]]"
        return f"lists of neighbours by sample number: {_ENDS.format(ends=ends)}"
    if isinstance(value, Set | Iterator):
        return f"pairs in a list: {_ENDS.format(ends='list(pairs)')}"
    return ""


def is_networkx(value: Any) -> bool:
    """Whether a value is a networkx graph, or behaves as one."""
    return not isinstance(value, type) and all(
        hasattr(value, name) for name in ("nodes", "edges", "adj", "number_of_nodes")
    )


def is_matrix(value: Any) -> bool:
    """Whether a value is a sparse matrix: of scipy, of torch, or a ``SparseTensor``."""
    if isinstance(value, Tensor):
        return value.layout != torch.strided
    return scipy.sparse.issparse(value) or (hasattr(value, "coo") and hasattr(value, "sparse_sizes"))
