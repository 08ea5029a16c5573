"""SampleGraph and StoredGraph: the same answers as a PretrainGraph's, and no PyG until somebody asks for it."""

import pickle

import pytest
import torch

import sigraph as sg
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.data.sample_graph import SampleGraph, StoredGraph
from sigraph.edges import LabelSetStore
from sigraph.graphs import rewire_edges
from sigraph.theory import certify, leakage

EDGES, WEIGHT, GROUP = [[0, 1, 2, 2, 0], [1, 2, 3, 2, 1]], [1.0, 2.0, 0.5, 9.0, 3.0], [0, 0, 1, 1, 0]
Y = torch.tensor([0, 0, 1, 1, 0])


@pytest.fixture
def pair():
    with pytest.warns(UserWarning, match="dropped 1 self-loops and 1 repeated"):
        graph = PretrainGraph(EDGES, 5, WEIGHT, GROUP)
    return StoredGraph.from_edges(EDGES, 5, WEIGHT, GROUP), graph


def same(one, other):
    assert all(torch.equal(a, b) for a, b in zip(one.csr(), other.csr(), strict=True))
    assert torch.equal(one.store.weight, other.store.weight) and torch.equal(one.group, other.group)
    assert (one.num_nodes, one.num_edges) == (other.num_nodes, other.num_edges)


def test_a_stored_graph_answers_as_a_pretrain_graph_does(pair, tmp_path):
    stored, graph = pair
    same(stored, graph)
    assert stored.dropped == graph.dropped == {"self_loops": 1, "repeated_edges": 1}
    assert stored.local_consistency(Y) == graph.local_consistency(Y)
    assert torch.equal(stored.edges_between([2, 0], [3, 1, 1]), graph.edges_between([2, 0], [3, 1, 1]))
    stored.save(tmp_path / "one"), graph.save(tmp_path / "two")
    for kind in (StoredGraph, PretrainGraph):
        same(kind.open(tmp_path / "one"), kind.open(tmp_path / "two"))
    assert type(PretrainGraph.from_stored(stored)) is PretrainGraph and isinstance(graph, SampleGraph)
    same(PretrainGraph.from_stored(stored), graph)


def test_what_only_reads_edges_takes_either(pair):
    task = sg.Task("t", Y, {"train": [0, 2], "valid": [1], "test": [3, 4]})
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    reports = [(sg.audit(g, task).to_dict(), certify(z, g).to_dict(), leakage(None, g, task).to_dict()) for g in pair]
    assert reports[0] == reports[1]
    turned = [rewire_edges(graph, 1.0, torch.Generator().manual_seed(3)) for graph in pair]
    same(*turned)
    assert [type(graph) for graph in turned] == [StoredGraph, PretrainGraph]


def test_a_data_set_gives_what_it_holds_as_a_pretrain_graph(pair, tmp_path):
    stored, graph = pair
    held, plain = (SampleDataset(torch.eye(5), {"g": one, "h": one}, name="n") for one in pair)
    assert held.fingerprint == plain.fingerprint and held.measure() == plain.measure()
    assert held.held_graphs["g"] is stored and plain.held_graphs["g"] is graph is plain.graph()
    assert isinstance(held.graph("h"), PretrainGraph) and held.held_graphs["g"] is stored  # only what was asked for
    assert held.graphs["h"] is held.graph("h") is held.held_graphs["h"]
    same(held.graph(), graph)
    assert [*held.graphs] == [*(held.graphs | {"h": graph})] == ["g", "h"] and (held.graphs | {"h": graph})[
        "h"
    ] is graph
    with pytest.raises(TypeError):
        held.graphs["g"] = graph
    plain.save(tmp_path / "d")
    opened = SampleDataset.open(tmp_path / "d")
    assert {type(one) for one in opened.held_graphs.values()} == {StoredGraph}
    same(opened.subset(torch.tensor([2, 1, 3])).graph(), plain.subset(torch.tensor([2, 1, 3])).graph())
    assert type(opened.replace(graphs=dict(opened.graphs)).graph()) is PretrainGraph


def test_a_mapped_graph_travels_as_its_path_with_its_groups(pair, tmp_path):
    line = torch.arange(20_000)
    StoredGraph.from_edges([line[1:], line[:-1]], 20_000, torch.ones(19_999), line % 3).save(tmp_path / "g")
    opened = StoredGraph.open(tmp_path / "g")
    for graph in (opened, PretrainGraph.from_stored(opened)):
        sent = pickle.dumps(graph)
        assert len(sent) < 5_000
        same(pickle.loads(sent), opened)
    same(pickle.loads(pickle.dumps(pair[0])), pair[0])  # of memory: the arrays themselves


def test_a_two_level_graph_stays_one(tmp_path):
    stored = StoredGraph(LabelSetStore.from_sets(torch.tensor([0, 0, 1, 1, 1])))
    stored.save(tmp_path / "g")
    opened = StoredGraph.open(tmp_path / "g")
    assert isinstance(opened.store, LabelSetStore) and opened.num_edges == stored.num_edges == 8
    assert isinstance(PretrainGraph.from_stored(opened).store, LabelSetStore)


def test_what_is_no_graph_is_said_with_the_name_users_know(pair):
    with pytest.raises(ValueError, match="needs to be a PretrainGraph in 'SampleDataset'"):
        SampleDataset(torch.eye(2), {"g": 5})
    with pytest.raises(ValueError, match="'graph' needs to be a PretrainGraph in 'rewire_edges'"):
        rewire_edges(torch.eye(2))
    with pytest.raises(ValueError, match="node ids in"):
        StoredGraph.from_edges([[0], [5]], 5)
