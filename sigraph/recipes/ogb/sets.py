"""An OGB data set as samples, pre-training graphs and tasks: nodes, graphs or links are what is predicted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from scipy.sparse import eye_array
from torch import Tensor

from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph
from sigraph.data.ogb_facts import OGBFacts
from sigraph.files.sums import HeldArray
from sigraph.recipes.ogb.arrays import read_text_table
from sigraph.recipes.ogb.edges import graph_of, shared_items
from sigraph.recipes.ogb.links import Links, held_out, read_links
from sigraph.recipes.ogb.raw import RawGraphs, RawTypes, read_graphs, read_labels, read_types
from sigraph.recipes.ogb.splits import read_split
from sigraph.samples.base import Samples
from sigraph.samples.features import Features
from sigraph.samples.graphs import Graphs
from sigraph.samples.sparse_features import SparseFeatures
from sigraph.tasks.links import LinkTask
from sigraph.tasks.task import Task, is_labelled, said_elsewhere

PIECE = 1 << 20  # edges, or rows, at a time

logger = logging.getLogger(__name__)


def read_official(folder: Path, facts: OGBFacts, scratch: Path) -> SampleDataset:
    """A data set from its official files; what is large is mapped from ``scratch``.

    - Nodes: a sample is a node's features, the edges are the pre-training graph. Of several types of nodes, samples are
      those that are predicted; relations among them are graphs, and other relations join samples that share an item
      (of at most 50 samples; the others join nearly everything).
    - Graphs: a sample is a graph; there is no pre-training graph over them. Molecules have their SMILES as ids.
    - Links: a sample is a node, the official training edges are the graph; the task ranks official links against
      official negatives. Nodes without features are told apart by their number alone, a column each.

    Raises:
        ValueError: The files are damaged or do not fit each other.
    """
    read = {"node": _nodes, "graph": _graphs, "link": _links}[facts.kind]
    return read(folder, facts, scratch)


def _nodes(folder: Path, facts: OGBFacts, scratch: Path) -> SampleDataset:
    y, kind = read_labels(folder / "raw", facts, scratch)
    split = read_split(folder / "split" / facts.split, kind)
    if kind is not None:
        types = read_types(folder / "raw", facts, scratch)
        samples, graphs = _of_type(types, kind, facts, scratch)
    else:
        raw = read_graphs(folder / "raw", facts, scratch)
        num_nodes = _only(raw, folder)
        graph = graph_of(raw.edge, num_nodes, scratch / "edges", str(folder))
        if (species := raw.node.get("node_species")) is not None:
            group = torch.from_numpy(np.unique(species, return_inverse=True)[1].reshape(-1))
            graph = PretrainGraph.from_store(graph.store, group)
        samples, graphs = _features(raw, num_nodes, scratch), {"edges": graph}
    if samples is None:
        raise ValueError(f"{folder} holds no features of nodes, and none of edges to make them of")
    return SampleDataset(samples, graphs, {facts.name: official_task(facts, y, split)})


def _of_type(
    types: RawTypes, kind: str, facts: OGBFacts, scratch: Path
) -> tuple[Samples | None, dict[str, PretrainGraph]]:
    graphs: dict[str, PretrainGraph] = {}
    num_samples = types.num_nodes[kind]
    for number, ((head, relation, tail), edge) in enumerate(types.edge.items()):
        if kind not in (head, tail):
            continue
        name = relation if relation not in graphs else f"{head}-{relation}-{tail}"
        place, what = scratch / f"graph-{number}", f"{facts.name}, relation {relation!r},"
        if head == tail:
            graphs[name] = graph_of(edge, num_samples, place, what)
        else:
            pairs = edge if head == kind else edge[:, ::-1]
            graphs[name] = shared_items(pairs, num_samples, place, what)
    first = sorted(graphs, key=lambda name: not any(r[0] == r[2] and r[1] == name for r in types.edge))
    rows = types.node.get("node_feat", {}).get(kind)
    return _rows(rows, scratch), {name: graphs[name] for name in first}


def _graphs(folder: Path, facts: OGBFacts, scratch: Path) -> SampleDataset:
    raw = read_graphs(folder / "raw", facts, scratch, both_ways=True)
    x, edge_attr = raw.node.get("node_feat"), raw.edge_attr.get("edge_feat")
    if x is None:  # nodes that are all alike
        x = np.zeros((int(raw.num_nodes.sum()), 1), np.float32)
    store = Graphs(
        HeldArray(_tensor(x)),
        HeldArray(_tensor(raw.edge)),
        _pointers(raw.num_nodes),
        _pointers(raw.num_edges),
        None if edge_attr is None else HeldArray(_tensor(edge_attr)),
    )
    ids = _smiles(folder, len(store)) if facts.is_molecules else None
    if facts.type is None:
        logger.warning("%s: there is no task for %r; its graphs are prepared without one", facts.name, facts.task_type)
        return SampleDataset(store, ids=ids)
    y, _ = read_labels(folder / "raw", facts, scratch)
    split = read_split(folder / "split" / facts.split)
    return SampleDataset(store, tasks={facts.name: official_task(facts, y, split)}, ids=ids)


def _links(folder: Path, facts: OGBFacts, scratch: Path) -> SampleDataset:
    samples: Samples | None
    if facts.is_hetero:
        types = read_types(folder / "raw", facts, scratch)
        first = dict(zip(types.num_nodes, np.cumsum([0, *types.num_nodes.values()]).tolist(), strict=False))
        num_nodes, samples = sum(types.num_nodes.values()), None
    else:
        raw = read_graphs(folder / "raw", facts, scratch)
        first, num_nodes = None, _only(raw, folder)
        samples = _features(raw, num_nodes, scratch)
    if samples is None:
        samples = SparseFeatures.of(eye_array(num_nodes, dtype=np.float32, format="csr"))
    links = read_links(folder / "split" / facts.split, num_nodes, first)
    logger.info("%s: %s pairs that are validated or tested and not trained on", facts.name, f"{len(held_out(links)):,}")
    graph = graph_of(links["train"].positive, num_nodes, scratch / "edges", f"{facts.name}, training edges,")
    return SampleDataset(samples, {"training-edges": graph}, {facts.name: _link_task(facts, links, num_nodes)})


def _link_task(facts: OGBFacts, links: Mapping[str, Links], num_nodes: int) -> LinkTask:
    """Official links of each part, ranked as OGB's evaluator ranks them."""

    def pairs(rows: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(rows.T))

    with said_elsewhere():
        return LinkTask(
            facts.name,
            {part: pairs(one.positive) for part, one in links.items()},
            num_nodes,
            facts.our_metric,
            negatives={part: pairs(one.negative) for part, one in links.items() if one.negative is not None} or None,
            candidates={
                part: {side: torch.from_numpy(ids) for side, ids in one.against.items()}
                for part, one in links.items()
                if one.against
            }
            or None,
            directed=not facts.add_inverse_edge and facts.our_metric == "mrr",
            about=f"OGB's {facts.task_type}, official split {facts.split!r}, release {facts.version}.",
        )


def official_task(facts: OGBFacts, y: np.ndarray, split: dict[str, np.ndarray], name: str = "") -> Task:
    """The official task. Samples without any label, which OGB's evaluators pass over too, leave the split.

    Args:
        facts: What OGB says.
        y: Labels, NaN where unknown. [N, num_tasks]
        split: Ids by part.
        name: What it is called, where it is no longer OGB's own.
    """
    kind = facts.type
    if facts.num_tasks is not None and y.shape[1] != facts.num_tasks:
        raise ValueError(f"{facts.name} needs {facts.num_tasks} label columns (got {y.shape[1]})")
    labels: Tensor
    if kind == "classification":
        known = ~np.isnan(y[:, 0])
        labels = torch.full((len(y),), -1, dtype=torch.long)
        labels[known] = torch.from_numpy(y[known, 0].astype(np.int64))
    else:
        labels = torch.from_numpy(y if kind == "multilabel" else y[:, 0])
        labels = labels.float() if kind == "multilabel" else labels
    parts, labelled = {}, is_labelled(labels)
    for part, ids in split.items():
        rows = torch.from_numpy(ids)
        if rows.numel() and not 0 <= int(rows.min()) <= int(rows.max()) < len(y):
            raise ValueError(f"{facts.name}: split {part!r} lists a sample that is none of {len(y):,}")
        parts[part] = rows[labelled[rows]]
        if dropped := rows.numel() - parts[part].numel():
            logger.info("%s: %d samples of %r have no label and are left out of it", facts.name, dropped, part)
    about = f"OGB's {facts.task_type}, official split {facts.split!r}, release {facts.version}."
    with said_elsewhere():
        return Task(name or facts.name, labels, parts, facts.our_metric, str(kind), about)


def _features(raw: RawGraphs, num_nodes: int, scratch: Path) -> Samples | None:
    """Features of nodes; where there are none, the mean of their edges', as OGB's own examples have it."""
    if (rows := raw.node.get("node_feat")) is not None:
        return _rows(rows, scratch)
    if (of_edges := raw.edge_attr.get("edge_feat")) is None:
        return None
    width = of_edges.shape[1]
    total, count = np.zeros((num_nodes, width)), np.zeros(num_nodes, np.int64)
    for start in range(0, len(of_edges), PIECE):
        values = of_edges[start : start + PIECE]
        for end in (0, 1):
            ends = raw.edge[start : start + PIECE, end]
            count += np.bincount(ends, minlength=num_nodes)
            for column in range(width):
                total[:, column] += np.bincount(ends, values[:, column], num_nodes)
    return Features(torch.from_numpy(total / np.maximum(count, 1)[:, None]).float())


def _rows(rows: np.ndarray | None, scratch: Path) -> Samples | None:
    """Feature rows, mapped; integers become floats."""
    if rows is None:
        return None
    if rows.dtype != np.float32:
        out = np.lib.format.open_memmap(scratch / "rows.npy", mode="w+", dtype=np.float32, shape=rows.shape)
        for start in range(0, len(rows), PIECE):
            out[start : start + PIECE] = rows[start : start + PIECE]
        rows = out
    return Features(_tensor(rows))


def _smiles(folder: Path, count: int) -> pa.Array | None:
    """The official SMILES of each molecule, each once; None: the files do not say them so."""
    file = folder / "mapping" / "mol.csv.gz"
    if not file.is_file():
        return None
    head, *rows = read_text_table(file) or [[]]
    if "smiles" not in head or len(rows) != count:
        raise ValueError(f"{file} needs a column 'smiles' and {count} rows (got {len(rows)}: {', '.join(head)})")
    smiles = [row[head.index("smiles")] for row in rows]
    if len(set(smiles)) < count:
        logger.info("%s: some SMILES stand there twice, so that they are no ids", file)
        return None
    return pa.array(smiles)


def _only(raw: RawGraphs, folder: Path) -> int:
    if len(raw.num_nodes) != 1:
        raise ValueError(f"{folder} needs one graph (got {len(raw.num_nodes)})")
    return int(raw.num_nodes[0])


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(array))


def _pointers(count: np.ndarray) -> Tensor:
    return torch.from_numpy(np.concatenate([[0], np.cumsum(count)]).astype(np.int64))
