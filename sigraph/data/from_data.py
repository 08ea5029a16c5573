"""Edges of a PyG ``Data``: whose nodes they are between, and what of it is not kept."""

from __future__ import annotations

from typing import Any

from torch_geometric.data import Batch, Data

from sigraph.data.edges import GivenEdges, checked_count
from sigraph.data.foreign import way_from
from sigraph.data.from_adjacency import read_adjacency
from sigraph.files.arguments import said
from sigraph.files.row_index import warn_caller

_OWNER = "'PretrainGraph.from_data'"
_EDGES = ("edge_index", "edge_weight", "num_nodes", "adj", "adj_t")
_OFTEN_OF_NODES = ("y", "z", "t", "labels", "label")
_OF_NODES = ("x", "feat", "pos", "batch", "node_type", "n_id")  # by which PyG tells the number of nodes


def read_data(data: Any, num_nodes: int | None = None) -> tuple[GivenEdges, dict[str, Any]]:
    """Edges, and the attributes that are kept; as :meth:`~sigraph.data.PretrainGraph.from_data`."""
    if not isinstance(data, Data):
        way = way_from(data)
        raise ValueError(
            f"'data' needs to be a PyG Data with an 'edge_index' in {_OWNER} (got {said(data)}){way and ': ' + way}"
        )
    if isinstance(data, Batch):
        raise ValueError(
            f"'data' needs to be one graph whose nodes are the samples in {_OWNER} (got a Batch of {data.num_graphs} "
            "graphs); if its nodes are the samples: PretrainGraph(data.edge_index, data.num_nodes, data.edge_weight)"
        )
    matrix = next((data[name] for name in ("adj_t", "adj") if name in data and data[name] is not None), None)
    if data.edge_index is None and matrix is None:
        raise ValueError(
            f"'data' needs to be a PyG Data with an 'edge_index' in {_OWNER} (it has "
            f"{', '.join(map(repr, data.keys())) or 'nothing'}); without edges: PretrainGraph(num_nodes=...)"
        )
    count = _count(data, num_nodes)
    if data.edge_index is None:
        edges = read_adjacency(matrix)
        if count is not None and count != edges.num_nodes:
            raise ValueError(f"'data' needs {edges.num_nodes} nodes, as its matrix has, in {_OWNER} (it has {count})")
    else:
        edges = GivenEdges(data.edge_index, count, data.edge_weight)  # type: ignore[arg-type]
    kept = {k: v for k, v in data.to_dict().items() if k not in _EDGES and not _is_of_edges(data, k)}
    _say_left_out(data, edges)
    return edges._replace(group=kept.pop("group", None)), kept


def _count(data: Data, num_nodes: int | None) -> int | None:
    """N as stated, or as what is there by node says; None: only the edges tell."""
    stated = num_nodes if num_nodes is not None else data.to_dict().get("num_nodes")
    count = None if stated is None else checked_count(stated)
    sizes = {key: _num_rows(data[key]) for key in data.to_dict() if _num_rows(data[key]) is not None}
    rows = {key: size for key, size in sizes.items() if key in _OF_NODES or key.endswith("_mask")}
    if count is None and rows:
        count = next(iter(rows.values()))
    if count is None and data.edge_index is not None:
        count = int(data.edge_index.max()) + 1 if data.edge_index.numel() else 0
        warn_caller(
            f"{_OWNER} takes the largest node of an edge for the last sample, {count} samples; samples behind it are "
            "kept by num_nodes=..."
        )
    for key, found in sizes.items():  # labels and the like may also be of the graph, in one row, or of the edges
        is_of_nodes = key in _OFTEN_OF_NODES or key.startswith("node_")
        if is_of_nodes and key not in rows and found != 1 and not _is_of_edges(data, key):
            rows[key] = found
    for key, found in rows.items():
        if found != count and count is not None:
            raise ValueError(
                f"{key!r} needs a row a node, {count}, in the 'data' of {_OWNER} (got {found}); is 'num_nodes' right?"
            )
    return count


def _num_rows(value: Any) -> int | None:
    """Rows of an attribute; None of what has none, such as a number."""
    return len(value) if hasattr(value, "__len__") and getattr(value, "shape", (1,)) != () else None


def _is_of_edges(data: Data, key: str) -> bool:
    return key not in _OF_NODES and not key.endswith("_mask") and data.is_edge_attr(key)


def _say_left_out(data: Data, edges: GivenEdges) -> None:
    dropped = [key for key in data.to_dict() if key not in _EDGES and _is_of_edges(data, key)]
    if not dropped:
        return
    way = ""
    for key in dropped:
        shape = tuple(getattr(data[key], "shape", ()))
        if edges.weight is None and len(shape) in (1, 2) and shape[1:] in ((), (1,)):
            way = f"; to have weights: data.edge_weight = data.{key}.view(-1)"
            break
    warn_caller(f"{_OWNER} keeps no edge attributes {', '.join(map(repr, dropped))}{way}")
