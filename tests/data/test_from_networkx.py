"""Graphs of networkx: node 7 is sample 7, whatever was mentioned first, and no weight is lost unsaid."""

import copy
import pickle
import random
import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch

from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph

KINDS = [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph]
NAMES = ["d", "a", "c", "alone", "b"]


def pairs(graph):
    return {(i, j) for i, j in graph.edge_index.t().tolist() if i < j}


def named(kind=nx.Graph):
    """a - b - c, of weights 2 and 4, and d alone."""
    g = kind()
    g.add_node("d")
    g.add_edge("a", "b", weight=2.0)
    g.add_edge("b", "c", weight=4.0)
    return g


@pytest.mark.parametrize("kind", KINDS)
def test_integer_nodes_are_sample_numbers_whatever_was_mentioned_first(kind):
    draw = random.Random(0)
    topic = [i % 3 for i in range(40)]
    edges = {(i, i + 1) for i in range(39)} | {(i, j) for i in range(40) for j in range(i) if topic[i] == topic[j]}
    edges = sorted({(min(edge), max(edge)) for edge in edges})
    draw.shuffle(edges)
    graph = PretrainGraph.from_networkx(kind(edges))
    assert pairs(graph) == set(edges) and graph.num_nodes == 40
    by_id = PretrainGraph(torch.tensor(edges).t(), num_nodes=40)
    y = torch.tensor(topic)
    assert graph.local_consistency(y) == by_id.local_consistency(y)


def test_a_sample_without_an_edge_shifts_nobody():
    g = nx.Graph([(0, 1), (1, 3)])
    graph = PretrainGraph.from_networkx(g, num_nodes=5)
    assert pairs(graph) == {(0, 1), (1, 3)} and graph.num_nodes == 5
    with pytest.raises(ValueError, match=r"1 of 3 nodes are no sample numbers in \[0, 3\) \(first: 3\).*'num_nodes'"):
        PretrainGraph.from_networkx(g)
    with pytest.raises(ValueError, match=r"in \[0, 2\)"):
        PretrainGraph.from_networkx(g, num_nodes=2)
    with pytest.raises(ValueError, match=r"in \[0, 2\) \(first: -1\)"):
        PretrainGraph.from_networkx(nx.Graph([(0, -1)]))
    numpy_nodes = nx.Graph([(np.int64(2), np.int64(0)), (np.int64(0), np.int64(1))])
    assert pairs(PretrainGraph.from_networkx(numpy_nodes)) == {(0, 1), (0, 2)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "nodes", [NAMES, tuple(NAMES), np.array(NAMES), pd.Index(NAMES), pd.Series(NAMES, [4, 3, 2, 1, 0])]
)
def test_a_list_says_which_node_is_which_sample(kind, nodes):
    graph = PretrainGraph.from_networkx(named(kind), nodes=nodes)
    assert graph.num_nodes == 5 and pairs(graph) == {(1, 4), (2, 4)}
    assert dict(zip(map(tuple, graph.edge_index.t().tolist()), graph.edge_weight.tolist(), strict=True)) == {
        (1, 4): 2, (4, 1): 2, (2, 4): 4, (4, 2): 4
    }  # fmt: skip


@pytest.mark.parametrize(
    ("g", "nodes", "message"),
    [
        (named(), None, r"its nodes are no sample numbers \(such as 'd'\).*give a list, sample i being nodes\[i\]$"),
        (nx.Graph([("0", "1")]), None, r"networkx.relabel_nodes\(g, int\)$"),
        (nx.Graph([(0.0, 1.0)]), None, r"no sample numbers \(such as 0.0\)"),
        (nx.Graph([(False, True)]), None, r"no sample numbers \(such as False\)"),
        (nx.Graph([((0, 1), (1, 0))]), None, r"no sample numbers \(such as \(0, 1\)\)"),
        (named(), ["a", "b", "c"], r"every node of the graph .*1 are missing, such as 'd'.*g.subgraph\(nodes\)"),
        (named(), [0, 1, 2, 3], r"4 are missing, such as 'd'\); those of the list are written otherwise, such as 0"),
        (named(), [*NAMES, "a"], r"each node once .*got 'a' again"),
        (named(), "abcd", r"'nodes' needs a list.*got a str"),
        (named(), set(NAMES), r"'nodes' needs a list.*got a set"),
        (named(), {name: i for i, name in enumerate(NAMES)}, r"'nodes' needs a list.*got a dict"),
        (named(), 4, r"'nodes' needs a list.*got a int"),
        (named(), [["a"]], r"'nodes' needs nodes of the graph .*got a list"),
    ],
)
def test_which_node_is_which_sample_is_asked_for(g, nodes, message):
    with pytest.raises(ValueError, match=message):
        PretrainGraph.from_networkx(g, nodes=nodes)


def test_number_and_list_agree():
    with pytest.raises(ValueError, match=r"'num_nodes' needs to be the length of 'nodes', 5.*got 6"):
        PretrainGraph.from_networkx(named(), nodes=NAMES, num_nodes=6)
    with pytest.raises(ValueError, match="'num_nodes' needs to be an integer >= 0"):
        PretrainGraph.from_networkx(nx.empty_graph(3), num_nodes="3")
    assert PretrainGraph.from_networkx(nx.empty_graph(3)).num_nodes == 3
    assert PretrainGraph.from_networkx(nx.Graph()).num_nodes == 0


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_some_edges_are_refused_with_the_way_out(kind):
    g = named(kind)
    g.add_edge("a", "c")
    with pytest.raises(ValueError, match=r"1 of 3 edges have no 'weight' .*first: 'a' to 'c'.*weight=None"):
        PretrainGraph.from_networkx(g, nodes=NAMES)
    graph = PretrainGraph.from_networkx(g, nodes=NAMES, weight=None)
    assert graph.edge_weight is None and len(pairs(graph)) == 3


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "3", [1.0], 1j])
def test_weights_that_are_none_name_their_edge(value):
    g = named()
    g.edges["b", "c"]["weight"] = value
    with pytest.raises(ValueError, match=r"'weight' needs finite numbers >= 0 .*got 1 others.*from 'b' to 'c'"):
        PretrainGraph.from_networkx(g, nodes=NAMES)
    g.edges["b", "c"]["weight"] = 0
    assert sorted(PretrainGraph.from_networkx(g, nodes=NAMES).edge_weight.tolist()) == [0, 0, 2, 2]


def test_another_attribute_may_be_the_weight():
    g = nx.Graph()
    g.add_edge(0, 1, score=np.float32(0.5), weight=9)
    with pytest.warns(UserWarning, match="keeps no edge attributes 'weight'$"):
        assert PretrainGraph.from_networkx(g, weight="score").edge_weight.tolist() == [0.5, 0.5]
    with pytest.raises(
        ValueError, match=r"'weight' needs an attribute of the edges .*got 'scores', there are: 'score'"
    ):
        PretrainGraph.from_networkx(g, weight="scores")
    with pytest.raises(ValueError, match="'weight' needs the name of an attribute"):
        PretrainGraph.from_networkx(g, weight=[1.0])


def test_parallel_edges_and_directions_of_different_weight_are_said():
    multi = nx.MultiGraph()
    multi.add_weighted_edges_from([(0, 1, 1.0), (0, 1, 3.0), (1, 2, 5.0), (1, 2, 5.0)])
    with pytest.warns(UserWarning, match="2 repeated edges .*differences in weight of 1 edges, which have their mean"):
        graph = PretrainGraph.from_networkx(multi)
    assert graph.edge_weight.tolist() == [2, 2, 5, 5]
    both = nx.DiGraph()
    both.add_weighted_edges_from([(0, 1, 1.0), (1, 0, 3.0), (1, 2, 5.0), (2, 1, 5.0)])
    with pytest.warns(UserWarning, match=r"^'PretrainGraph' dropped differences in weight of 1 edges"):
        assert PretrainGraph.from_networkx(both).edge_weight.tolist() == [2, 2, 5, 5]


def test_what_is_not_kept_is_said():
    g = named()
    g.edges["a", "b"]["kind"] = "cites"
    g.nodes["d"]["label"] = 3
    with pytest.warns(UserWarning, match="keeps no edge attributes 'kind' and no node attributes 'label'$"):
        PretrainGraph.from_networkx(g, nodes=NAMES)
    unweighted = nx.Graph()
    unweighted.add_edge(0, 1, score=2.0)
    with pytest.warns(UserWarning, match="keeps no edge attributes 'score'; weight=NAME makes one the weights"):
        assert PretrainGraph.from_networkx(unweighted).edge_weight is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PretrainGraph.from_networkx(unweighted, weight=None)  # asked for
        PretrainGraph.from_networkx(named(), nodes=NAMES)


def test_groups_are_those_of_every_sample():
    g = nx.path_graph(3)
    nx.set_node_attributes(g, {2: "human", 0: "yeast", 1: "yeast"}, "species")
    group = PretrainGraph.from_networkx(g, group="species").group.tolist()
    assert group[0] == group[1] != group[2]
    with pytest.raises(ValueError, match=r"1 of 4 have no 'species', first: a sample without a node.*are: 'species'"):
        PretrainGraph.from_networkx(g, num_nodes=4, group="species")
    del g.nodes[1]["species"]
    with pytest.raises(ValueError, match=r"'group' needs an attribute of every sample's node .*1 of 3 .*first: 1"):
        PretrainGraph.from_networkx(g, group="species")


def test_ids_of_a_data_set_are_compared_with_the_nodes():
    x, names = torch.eye(3), ["a", "b", "c"]
    graph = PretrainGraph.from_networkx(nx.path_graph(names), nodes=names)
    for same in (graph, copy.copy(graph), copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        assert SampleDataset(x, {"g": same}, ids=names).graph().names_of_nodes == names
        with pytest.raises(
            ValueError, match=r"'ids' needs node i of graph 'g'.*in another order: sample 0 is 'c', node"
        ):
            SampleDataset(x, {"g": same}, ids=["c", "b", "a"])
    plain = PretrainGraph(graph.edge_index, 3)
    assert SampleDataset(x, {"g": graph}).fingerprint == SampleDataset(x, {"g": plain}).fingerprint
    with pytest.raises(ValueError, match="called otherwise"):
        SampleDataset(x, {"g": plain}, ids=["x", "y", "z"]).replace(graphs={"g": graph})
    graph.names_of_nodes = None
    SampleDataset(x, {"g": graph}, ids=["x", "y", "z"])


def test_ids_that_are_sample_numbers_in_another_order_do_not_fit_nodes_that_are():
    x, graph = torch.eye(3), PretrainGraph.from_networkx(nx.path_graph(3))
    with pytest.raises(ValueError, match=r"sample 0 is 2, node 0 0\)"):
        SampleDataset(x, {"g": graph}, ids=[2, 1, 0])
    for ids in ([0, 1, 2], [7, 1, 0], ["2", "1", "0"]):  # what samples are called, whatever their number is
        assert len(SampleDataset(x, {"g": graph}, ids=ids)) == 3
