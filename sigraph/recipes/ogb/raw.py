"""OGB's raw graphs: one, many, or one of several types of nodes and edges; as text or ``.npz``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sigraph.data.ogb_facts import OGBFacts
from sigraph.recipes.ogb.arrays import map_table, read_column, read_header, read_table, read_text_table, unpack

Relation = tuple[str, str, str]  # head, relation, tail
_BINARY, _BINARY_OF_TYPES = "data.npz", "edge_index_dict.npz"
_JOINED = "___"


@dataclass
class RawGraphs:
    """Graphs in a row, as :mod:`ogb.io` writes them.

    Args:
        num_nodes: Of each graph. [G]
        num_edges: Of each graph. [G]
        edge: Ends of all edges, numbered within their graph. [E, 2]
        node: Attributes of all nodes by name, ``node_feat`` first of all. [V, ...] each
        edge_attr: Of all edges, ``edge_feat`` first of all. [E, ...] each
    """

    num_nodes: np.ndarray
    num_edges: np.ndarray
    edge: np.ndarray
    node: dict[str, np.ndarray] = field(default_factory=dict)
    edge_attr: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass
class RawTypes:
    """One graph with nodes of several types: their numbers, edges by relation, attributes by name and type."""

    num_nodes: dict[str, int]
    edge: dict[Relation, np.ndarray]  # [E, 2] each
    node: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)


def read_graphs(raw: Path, facts: OGBFacts, scratch: Path, both_ways: bool = False) -> RawGraphs:
    """The graphs of a data set of one type, mapped.

    Args:
        raw: The official folder of that name.
        facts: What OGB says of the data set.
        scratch: Where unpacked arrays are written.
        both_ways: Give text files, which list an edge once, in both directions where OGB says so; ``.npz`` files are
            complete as they are.

    Raises:
        ValueError: The files do not fit each other, or are damaged.
    """
    if (raw / _BINARY).is_file():
        held = unpack(raw / _BINARY, scratch)
        if lacking := {"edge_index", "num_nodes_list", "num_edges_list"} - held.keys():
            raise ValueError(f"{raw / _BINARY} lacks {', '.join(sorted(lacking))}")
        out = RawGraphs(held["num_nodes_list"], held["num_edges_list"], held["edge_index"].T)
        out.node = {name: value for name, value in held.items() if name.startswith("node_")}
        out.edge_attr = {n: v for n, v in held.items() if n.startswith("edge_") and n != "edge_index"}
        return _fitting(out, raw, facts)
    num_nodes, num_edges = read_column(raw / "num-node-list.csv.gz"), read_column(raw / "num-edge-list.csv.gz")
    all_nodes, all_edges = int(num_nodes.sum()), int(num_edges.sum())
    twice = both_ways and facts.add_inverse_edge
    edge = map_table(raw / "edge.csv.gz", "ids", all_edges, scratch / "edge.npy", twice, flip=True)
    out = RawGraphs(num_nodes, num_edges * (2 if twice else 1), edge)
    for name in ("node_feat", *facts.node_files):
        if (file := _there(raw, name, {"node_species": "species"})) is not None:
            out.node[name] = map_table(file, "numbers", all_nodes, scratch / f"{name}.npy")
    for name in ("edge_feat", *facts.edge_files):
        if (file := _there(raw, name)) is not None:
            out.edge_attr[name] = map_table(file, "numbers", all_edges, scratch / f"{name}.npy", twice)
    return _fitting(out, raw, facts)


def read_types(raw: Path, facts: OGBFacts, scratch: Path) -> RawTypes:
    """The graph of a data set with several types of nodes, mapped; see :func:`read_graphs`."""
    if (raw / _BINARY_OF_TYPES).is_file():
        counts = unpack(raw / "num_nodes_dict.npz", scratch)
        edges = unpack(raw / _BINARY_OF_TYPES, scratch)
        out = RawTypes({name: int(value.sum()) for name, value in counts.items()}, {})
        for name, value in edges.items():
            out.edge[_relation(name, raw)] = value.T
        for file in sorted(raw.glob("node_*.npz")):
            out.node[file.stem.removesuffix("_dict")] = unpack(file, scratch)
        return out
    number_of = read_header(raw / "num-node-dict.csv.gz")
    out = RawTypes({name: int(value) for name, value in number_of.items()}, {})
    for triple in read_text_table(raw / "triplet-type-list.csv.gz"):
        relation = _relation(_JOINED.join(triple), raw)
        folder = raw / "relations" / _JOINED.join(relation)
        count = int(read_column(folder / "num-edge-list.csv.gz").sum())
        place = scratch / f"edge-{len(out.edge)}.npy"
        out.edge[relation] = map_table(folder / "edge.csv.gz", "ids", count, place)
    for name in ("node_feat", *facts.node_files):
        for i, (kind, count) in enumerate(out.num_nodes.items()):
            if (given := _there(raw / "node-feat" / kind, name)) is not None:
                place = scratch / f"{name}-{i}.npy"
                out.node.setdefault(name, {})[kind] = map_table(given, "numbers", count, place)
    return out


def read_labels(raw: Path, facts: OGBFacts, scratch: Path) -> tuple[np.ndarray, str | None]:
    """Labels, NaN where unknown, and of which type of nodes they are. [N, num_tasks] float64"""
    name = f"{facts.kind}-label"
    if (raw / f"{name}.npz").is_file():
        held = unpack(raw / f"{name}.npz", scratch)
        if len(held) != 1:
            raise ValueError(f"{raw / name}.npz needs one array of labels (got {', '.join(held) or 'none'})")
        ((kind, y),) = held.items()
        return _columns(y, raw / f"{name}.npz"), kind if facts.is_hetero else None
    if facts.is_hetero:
        labelled = read_header(raw / "nodetype-has-label.csv.gz")
        kinds = [kind for kind, value in labelled.items() if str(value).lower() in ("true", "1")]
        if len(kinds) != 1:
            raise ValueError(f"{raw}: labels of one type of nodes are read (got {', '.join(kinds) or 'none'})")
        return read_table(raw / "node-label" / kinds[0] / "node-label.csv.gz", "labels"), kinds[0]
    return read_table(raw / f"{name}.csv.gz", "labels"), None


def _columns(y: np.ndarray, file: Path) -> np.ndarray:
    if y.dtype.kind not in "biuf" or y.ndim not in (1, 2):
        raise ValueError(f"{file} needs numbers [N, num_tasks] (got {y.dtype} {list(y.shape)})")
    return y.reshape(len(y), -1).astype(np.float64)


def _there(folder: Path, name: str, others: dict[str, str] | None = None) -> Path | None:
    """A file of attributes, ``node_feat`` being called ``node-feat.csv.gz`` and others by their names."""
    called = name.replace("_", "-") if name.endswith("_feat") else name
    for one in (called, (others or {}).get(name)):
        if one is not None and (file := folder / f"{one}.csv.gz").is_file():
            return file
    return None


def _relation(name: str, raw: Path) -> Relation:
    parts = name.split(_JOINED)
    if len(parts) != 3 or not all(parts) or any("/" in part or "\\" in part or part == ".." for part in parts):
        raise ValueError(f"{raw} names a relation {name!r}, which is no head{_JOINED}relation{_JOINED}tail")
    return parts[0], parts[1], parts[2]


def _fitting(out: RawGraphs, raw: Path, facts: OGBFacts) -> RawGraphs:
    nodes, edges = int(out.num_nodes.sum()), int(out.num_edges.sum())
    wrong = [f"edges {len(out.edge)}"] if len(out.edge) != edges else []
    wrong += [f"{name} {len(value)}" for name, value in out.node.items() if len(value) != nodes]
    wrong += [f"{name} {len(value)}" for name, value in out.edge_attr.items() if len(value) != edges]
    if len(out.num_nodes) != len(out.num_edges) or wrong or out.edge.ndim != 2 or out.edge.shape[1] != 2:
        said = f"{len(out.num_nodes)} graphs of {nodes} nodes, {len(out.num_edges)} of {edges} edges"
        raise ValueError(f"{raw}: lists of counts say {said}, and there are {', '.join(wrong) or out.edge.shape}")
    there = {"node_feat": (facts.has_node_feat, out.node), "edge_feat": (facts.has_edge_feat, out.edge_attr)}
    for name, (needed, held) in there.items():
        if needed and name not in held:
            raise FileNotFoundError(f"{raw} holds no {name.replace('_', '-')}, which {facts.name} has")
    return out
