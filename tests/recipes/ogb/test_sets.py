"""OGB's sets come out of their official files as OGB itself reads them."""

import gzip
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ogb_files import graphs_as_text, types_as_text, write, write_graphs, write_links, write_nodes, write_types
from torch_geometric.utils import coalesce, to_undirected

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.recipes import open_dataset, prepare
from sigraph.recipes.ogb.edges import MOST, shared_items
from sigraph.samples.features import Features
from sigraph.tasks.links import LinkTask
from sigraph.theory.leakage.leakage import leakage

NAMES = ["ogbn-arxiv", "ogbn-mag", "ogbg-molhiv", "ogbl-ddi"]
OFFICIAL = Path(os.environ.get("SIGRAPH_DATA_SOURCE", "")) / "ogbg_official"


def undirected(edge_index, num_nodes):
    edge = to_undirected(torch.from_numpy(edge_index).long(), num_nodes=num_nodes)
    return coalesce(edge[:, edge[0] != edge[1]])


def assert_split(task, split):
    for part, ids in split.items():
        assert torch.equal(task.split[part].sort().values, torch.from_numpy(ids).sort().values), part


@pytest.mark.parametrize("as_text", [False, True])
def test_nodes(source, as_text):
    folder, graph, y, split = write_nodes(source)
    if as_text:
        folder.rename(source / "binary")
        graphs_as_text(folder, [graph], y, split, "time", kind="node")
    for _ in range(2):  # prepared, then opened
        dataset = open_dataset("ogbn-arxiv")
        assert torch.equal(dataset.samples, torch.from_numpy(graph["node_feat"]))
        task = dataset.task()
        assert (task.name, task.type, task.metric) == ("ogbn-arxiv", "classification", "accuracy")
        assert torch.equal(task.labels, torch.from_numpy(y[:, 0]))
        assert_split(task, split)
        found = dataset.graph("edges").edge_index
        assert torch.equal(found, undirected(graph["edge_index"], 60))
    assert isinstance(dataset.store, Features) and hasattr(dataset.store.rows, "file")  # mapped


@pytest.mark.parametrize("as_text", [False, True])
def test_nodes_of_several_types(source, as_text):
    folder, graph, y, split = write_types(source)
    if as_text:
        folder.rename(source / "binary")
        types_as_text(folder, graph, y, split, "time", 2)
    dataset = open_dataset("ogbn-mag")
    assert torch.equal(dataset.samples, torch.from_numpy(graph["node_feat_dict"]["paper"]))
    assert list(dataset.graphs) == ["cites", "writes"]
    cites, writes = (
        graph["edge_index_dict"][key] for key in (("paper", "cites", "paper"), ("author", "writes", "paper"))
    )
    assert torch.equal(dataset.graph("cites").edge_index, undirected(cites, 60))
    authors = torch.zeros(60, 30)
    authors[writes[1], writes[0]] = 1
    together = (authors @ authors.T > 0) & ~torch.eye(60, dtype=torch.bool)
    assert torch.equal(dataset.graph("writes").edge_index, together.nonzero().t())
    assert torch.equal(dataset.task().labels, torch.from_numpy(y["paper"][:, 0]))
    assert_split(dataset.task(), {part: ids["paper"] for part, ids in split.items()})


def test_items_of_too_many_samples_join_nobody(tmp_path):
    common = np.stack([np.arange(MOST + 1), np.zeros(MOST + 1, int)], axis=1)
    pairs = np.concatenate([common, [[0, 1], [5, 1], [7, 1]]])
    graph = shared_items(pairs, MOST + 1, tmp_path / "graph", "pairs")
    assert graph.edge_index.tolist() == [[0, 0, 5, 5, 7, 7], [5, 7, 0, 7, 0, 5]]


def assert_graphs(dataset, graphs):
    batch = dataset.fetch(torch.arange(len(graphs)))
    for i, (got, graph) in enumerate(zip(batch.ptr.diff().tolist(), graphs, strict=True)):
        assert got == graph["num_nodes"], i
    ends = np.concatenate(
        [g["edge_index"] + start for g, start in zip(graphs, batch.ptr.tolist(), strict=False)], axis=1
    )
    assert torch.equal(batch.edge_index, torch.from_numpy(ends))
    assert torch.equal(batch.x, torch.from_numpy(np.concatenate([graph["node_feat"] for graph in graphs])))
    assert torch.equal(batch.edge_attr, torch.from_numpy(np.concatenate([graph["edge_feat"] for graph in graphs])))


def test_graphs_as_they_were_saved(source):
    _, graphs, y, split = write_graphs(source)
    for _ in range(2):
        dataset = open_dataset("ogbg-molhiv")
        assert_graphs(dataset, graphs)
        task = dataset.task()
        assert (task.type, task.metric) == ("multilabel", "rocauc")
        assert torch.equal(task.labels, torch.from_numpy(y).float())
        assert_split(task, split)


def test_graphs_as_text_get_both_directions_as_ogb_gives_them(source, monkeypatch, capsys):
    folder, graphs, y, split = write_graphs(source)
    folder.rename(source / "binary")
    y[4] = np.nan
    graphs_as_text(folder, graphs, y, split, "scaffold")
    dataset = open_dataset("ogbg-molhiv")
    assert_graphs(dataset, _as_ogb_reads(folder, monkeypatch))
    assert dataset.task().labels[4].isnan().all()
    assert all(4 not in ids for ids in dataset.task().split.values())  # as OGB's evaluators pass over it


def _as_ogb_reads(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "outdated", None)
    from ogb.io.read_graph_raw import read_csv_graph_raw

    return read_csv_graph_raw(str(folder / "raw"), add_inverse_edge=True)


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="the official files are not in SIGRAPH_DATA_SOURCE")
@pytest.mark.parametrize(("name", "parts"), [("molbace", (1210, 151, 152)), ("molbbbp", (1631, 204, 204))])
def test_official_molecules(name, parts, monkeypatch, tmp_path):
    monkeypatch.setenv("SIGRAPH_DATA", str(tmp_path))
    dataset = open_dataset(f"ogbg-{name}")
    assert_graphs(dataset, _as_ogb_reads(OFFICIAL / f"ogbg_{name}", monkeypatch))
    assert tuple(dataset.task().split[part].numel() for part in ("train", "valid", "test")) == parts
    assert len(dataset.ids) == sum(parts) and dataset.sizes == {"node_channels": 9, "edge_channels": 3}


def test_links(source):
    *_, split = write_links(source)
    for _ in range(2):
        dataset = open_dataset("ogbl-ddi")
        assert torch.equal(dataset.graph().edge_index, undirected(split["train"]["edge"].T, 40))
        task = dataset.task()
        assert isinstance(task, LinkTask) and (task.name, task.metric) == ("ogbl-ddi", "hits@20")
        for part in ("train", "valid", "test"):
            assert torch.equal(task.links[part].t(), torch.from_numpy(split[part]["edge"]))
        assert torch.equal(task.negatives["test"].t(), torch.from_numpy(split["test"]["edge_neg"]))
    assert torch.equal(dataset.fetch(torch.tensor([3, 0])), torch.eye(40)[[3, 0]])


def test_a_graph_with_a_link_that_is_tested_or_validated_is_suspicious(source):
    *_, split = write_links(source)
    dataset = open_dataset("ogbl-ddi")
    assert not leakage(dataset, dataset.graph(), dataset.task()).suspicious
    for part in ("valid", "test"):
        edges = np.concatenate([split["train"]["edge"], split[part]["edge"][:1]])
        report = leakage(dataset, PretrainGraph(torch.from_numpy(edges.T), 40), dataset.task())
        assert report.suspicious and report.pairs_in_graph == 1


def test_without_features_of_nodes_those_of_edges_are_averaged(source):
    folder, graph, _, split = write_nodes(source, "ogbn-proteins")
    folder.rename(source / "binary")
    rng = np.random.default_rng(5)
    graph = {
        "edge_index": graph["edge_index"],
        "num_nodes": 60,
        "edge_feat": rng.random((200, 8)).round(3),
        "node_species": rng.choice([3702, 9606], (60, 1)),
    }
    y = rng.integers(0, 2, (60, 112))
    graphs_as_text(folder, [graph], y, split, "species", kind="node")
    dataset = open_dataset("ogbn-proteins")
    ends = graph["edge_index"]
    for node in (0, 17, 59):
        own = np.concatenate([graph["edge_feat"][ends[0] == node], graph["edge_feat"][ends[1] == node]])
        mean = own.mean(axis=0) if len(own) else np.zeros(8)
        np.testing.assert_allclose(dataset.samples[node], mean, atol=1e-6)
    same = dataset.graph().group[:, None] == dataset.graph().group
    assert torch.equal(same, torch.from_numpy(graph["node_species"] == graph["node_species"].T))
    assert dataset.task().type == "multilabel" and dataset.task().metric == "rocauc"


def test_a_set_without_a_task_of_ours_is_prepared_without_one(source):
    folder, graphs, *_ = write_graphs(source, "ogbg-code2")
    (folder / "split" / "scaffold").rename(folder / "split" / "project")
    dataset = open_dataset("ogbg-code2")
    assert isinstance(dataset, SampleDataset) and len(dataset) == len(graphs) and not dataset.tasks


class Planted:
    """A pickle of this makes a file when it is executed."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def text_of(name, folder, graph, y, split):
    if name == "ogbn-arxiv":
        graphs_as_text(folder, [graph], y, split, "time", kind="node")
    elif name == "ogbn-mag":
        types_as_text(folder, graph, y, split, "time", 2)
    elif name == "ogbg-molhiv":
        graphs_as_text(folder, graph, y, split, "scaffold")


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    ("name", "as_text"), [(n, t) for n in NAMES for t in (False, True) if (n, t) != ("ogbl-ddi", True)]
)
def test_a_planted_pickle_in_any_file_is_not_executed(source, tmp_path, name, as_text):
    folder, *content = write(source, name)
    if as_text:
        folder.rename(source / "binary")
        text_of(name, folder, *content)
    (folder / "processed").mkdir(exist_ok=True)
    for made in ("data_processed", "geometric_data_processed.pt", "pre_filter.pt"):  # what ogb makes
        (folder / "processed" / made).write_bytes(b"")
    planted = pickle.dumps(Planted(tmp_path / "executed"))
    pickle.loads(planted)
    (tmp_path / "executed").unlink()  # it does what it says
    refused = 0
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        whole = file.read_bytes()
        file.write_bytes(gzip.compress(planted) if file.name.endswith(".gz") else planted)
        try:
            prepare(name, force=True)
        except (ValueError, FileNotFoundError):
            refused += 1
        file.write_bytes(whole)
        assert not (tmp_path / "executed").exists(), file
    assert refused >= (2 if name == "ogbl-ddi" else 3)
    prepare(name, force=True)
