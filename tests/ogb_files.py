"""Small data sets in OGB's official formats: as ``ogb.io.DatasetSaver`` writes them, and as text."""

import gzip
import shutil
import sys
from pathlib import Path

import numpy as np

NODES, GRAPHS = 60, 24
RINGS = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "c1ccsc1", "C1CCNCC1", "c1ccoc1"]


def saver(name, is_hetero, version, root):
    """OGB's own writer, whose import asks no network."""
    sys.modules.setdefault("outdated", None)
    from ogb.io import DatasetSaver

    return DatasetSaver(name, is_hetero, version, root=str(root / "submission"))


def write_nodes(source, name="ogbn-arxiv", classes=5):
    """A citation network with features, five classes and the split ``time``."""
    rng = np.random.default_rng(0)
    graph = {
        "edge_index": rng.integers(0, NODES, (2, 200)),
        "num_nodes": NODES,
        "node_feat": rng.normal(size=(NODES, 7)).astype(np.float32),
        "node_year": rng.integers(2000, 2020, (NODES, 1)),
    }
    y = np.arange(NODES)[:, None] % classes
    parts = np.split(rng.permutation(NODES), [30, 45])
    split = dict(zip(("train", "valid", "test"), parts, strict=True))
    return _saved(source, name, [graph], y, split, "time", 1, ("classification", "acc", classes)), graph, y, split


def write_types(source, name="ogbn-mag"):
    """Papers that cite each other, written by authors, with features of papers alone."""
    rng = np.random.default_rng(1)
    edges = {
        ("author", "writes", "paper"): np.stack([rng.integers(0, 30, 90), rng.integers(0, NODES, 90)]),
        ("paper", "cites", "paper"): rng.integers(0, NODES, (2, 150)),
        ("author", "affiliated_with", "institution"): np.stack([rng.integers(0, 30, 40), rng.integers(0, 4, 40)]),
    }
    graph = {
        "edge_index_dict": edges,
        "num_nodes_dict": {"author": 30, "institution": 4, "paper": NODES},
        "node_feat_dict": {"paper": rng.normal(size=(NODES, 6)).astype(np.float32)},
    }
    y = {"paper": np.arange(NODES)[:, None] % 4}
    parts = np.split(rng.permutation(NODES), [30, 45])
    split = {part: {"paper": ids} for part, ids in zip(("train", "valid", "test"), parts, strict=True)}
    return _saved(source, name, [graph], y, split, "time", 2, ("classification", "acc", 4), True), graph, y, split


def write_texts(source, folder, ending=".tsv.gz"):
    """Titles and abstracts of the papers of :func:`write_types`, by the numbers that OGB's mapping gives them.

    Of 60 papers every tenth has a title alone, every fifteenth (from the first on) nothing, and two others are of none.
    """
    name = 7 * np.random.default_rng(5).permutation(NODES) + 1000
    text(folder / "mapping" / "paper_entidx2name.csv.gz", np.stack([np.arange(NODES), name], 1), ["ent idx,ent name"])
    rows = [(name[i], f"Title {i}", "" if i % 10 == 1 else f"We, {i} in all, say so") for i in range(NODES) if i % 15]
    rows = [*rows[::-1], (1, "Another", "of no paper"), (2, "", "")]
    mark = "\t" if "tsv" in ending else ","
    cells = [mark.join(f'"{cell}"' if mark in str(cell) else str(cell) for cell in row) for row in rows]
    path = source / "ogbn_mag_text" / f"abstracts{ending}"
    path.parent.mkdir(exist_ok=True)
    content = "\n".join([mark.join(("mag_id", "title", "abstract")), *cells, ""]).encode()
    path.write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)
    return name


def write_graphs(source, name="ogbg-molhiv"):
    """Graphs with OGB's kinds of atoms and bonds, one of them without edges, SMILES that tell none of it, a column."""
    rng = np.random.default_rng(2)
    graphs = []
    for i in range(GRAPHS):
        size = 1 if i == 3 else int(rng.integers(2, 9))
        edge = np.empty((2, 0), np.int64) if i == 3 else rng.integers(0, size, (2, int(rng.integers(1, 12))))
        graphs.append(
            {
                "edge_index": edge,
                "num_nodes": size,
                "node_feat": rng.integers(0, [5] * 7 + [2] * 2, (size, 9)),
                "edge_feat": rng.integers(0, [4, 4, 2], (edge.shape[1], 3)),
            }
        )
    y = (np.arange(GRAPHS) % 2)[:, None].astype(np.float64)
    split = dict(zip(("train", "valid", "test"), np.split(rng.permutation(GRAPHS), [12, 18]), strict=True))
    folder = _saved(source, name, graphs, y, split, "scaffold", 1, ("classification", "rocauc", 2))
    smiles = [f"{'C' * (i // 6 + 1)}{RINGS[i % 6]}" for i in range(GRAPHS)]
    text(folder / "mapping" / "mol.csv.gz", [*zip(smiles, smiles, strict=True)], ["smiles,mol_id"])
    return folder, graphs, y, split


def write_links(source, name="ogbl-ddi"):
    """Drugs that interact, with the official negatives, and no features."""
    rng = np.random.default_rng(3)
    pairs = np.unique(np.sort(rng.integers(0, 40, (300, 2)), axis=1), axis=0)
    pairs = rng.permutation(pairs[pairs[:, 0] < pairs[:, 1]])
    train, valid, test = np.split(pairs, [120, 150])
    graph = {"edge_index": train.T.copy(), "num_nodes": 40}
    negative = rng.integers(0, 40, (2, 50, 2))
    split = {
        "train": {"edge": train},
        "valid": {"edge": valid, "edge_neg": negative[0]},
        "test": {"edge": test, "edge_neg": negative[1]},
    }
    return _saved(source, name, [graph], None, split, "target", 1, ("link prediction", "hits@20")), graph, None, split


def _saved(source, name, graphs, y, split, split_name, version, task, is_hetero=False):
    writer = saver(name, is_hetero, version, source)
    writer.save_graph_list(graphs)
    if y is not None:
        writer.save_target_labels(y)
    writer.save_split(split, split_name)
    mapping = source / "mapping-of-it"
    mapping.mkdir()
    (mapping / "README.md").write_text("none")
    writer.copy_mapping_dir(str(mapping))
    shutil.rmtree(mapping)
    writer.save_task_info(*task)
    writer.get_meta_dict()
    folder = source / name.replace("-", "_")
    shutil.move(writer.dataset_dir, folder)
    return folder


def text(path, rows, head=None):
    """A table as OGB's text files hold it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join('""' if value != value else str(value) for value in np.atleast_1d(row)) for row in rows]
    with gzip.open(path, "wt") as file:
        file.write("\n".join([*(head or ()), *lines]) + "\n")


def graphs_as_text(folder: Path, graphs, y, split, split_name, version=1, kind="graph"):
    """Graphs of one type as OGB's text files, each undirected edge once; ``node_*`` are further files."""
    raw = folder / "raw"
    text(raw / "num-node-list.csv.gz", [graph["num_nodes"] for graph in graphs])
    text(raw / "num-edge-list.csv.gz", [graph["edge_index"].shape[1] for graph in graphs])
    text(raw / "edge.csv.gz", np.concatenate([graph["edge_index"].T for graph in graphs]))
    for key in graphs[0]:
        if key not in ("edge_index", "num_nodes"):
            called = key.replace("_", "-") if key.endswith("_feat") else key
            text(raw / f"{called}.csv.gz", np.concatenate([graph[key] for graph in graphs]))
    text(raw / f"{kind}-label.csv.gz", y)
    for part, ids in split.items():
        text(folder / "split" / split_name / f"{part}.csv.gz", ids)
    (folder / f"RELEASE_v{version}.txt").write_text("")


def types_as_text(folder: Path, graph, y, split, split_name, version):
    """A graph with several types of nodes as OGB's text files."""
    raw = folder / "raw"
    kinds = list(graph["num_nodes_dict"])
    text(raw / "num-node-dict.csv.gz", [[graph["num_nodes_dict"][kind] for kind in kinds]], [",".join(kinds)])
    text(raw / "triplet-type-list.csv.gz", [], [",".join(triple) for triple in graph["edge_index_dict"]])
    for triple, edge in graph["edge_index_dict"].items():
        text(raw / "relations" / "___".join(triple) / "edge.csv.gz", edge.T)
        text(raw / "relations" / "___".join(triple) / "num-edge-list.csv.gz", [edge.shape[1]])
    for kind, rows in graph["node_feat_dict"].items():
        text(raw / "node-feat" / kind / "node-feat.csv.gz", rows)
    has = [["True" if kind in y else "False" for kind in kinds]]
    text(raw / "nodetype-has-label.csv.gz", has, [",".join(kinds)])
    for kind, rows in y.items():
        text(raw / "node-label" / kind / "node-label.csv.gz", rows)
    for part, ids in split.items():
        for kind, rows in ids.items():
            text(folder / "split" / split_name / kind / f"{part}.csv.gz", rows)
    (folder / f"RELEASE_v{version}.txt").write_text("")


WRITERS = {"ogbn-arxiv": write_nodes, "ogbn-mag": write_types, "ogbl-ddi": write_links}


def write(source, name):
    """A small data set of any name that is known here, and what is in it."""
    return write_graphs(source, name) if name.startswith("ogbg-") else WRITERS[name](source, name)
