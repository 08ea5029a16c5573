"""A graph in any other form is told the constructor that takes it, in one line, wherever a graph is asked for."""

import re

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Data, HeteroData, TemporalData

import sigraph as sg
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.data.foreign import way_from

IGraph = type("Graph", (), {"get_edgelist": None, "vcount": None, "__module__": "igraph"})
DGLGraph = type("DGLGraph", (), {"edges": None, "nodes": None, "__module__": "dgl.heterograph"})
WAYS = [
    (nx.path_graph(3), "use PretrainGraph.from_networkx(g)"),
    (Data(edge_index=torch.tensor([[0], [1]])), "use PretrainGraph.from_data(data)"),
    (HeteroData(), "choose one type of edges: PretrainGraph(data[EDGE_TYPE].edge_index"),
    (TemporalData(), "make a torch_geometric Data of it"),
    (sp.csr_array(np.eye(3)), "use PretrainGraph.from_adjacency(matrix)"),
    (torch.eye(3).to_sparse(), "use PretrainGraph.from_adjacency(matrix)"),
    (torch.eye(3).to_sparse_csr(), "use PretrainGraph.from_adjacency(matrix)"),
    (PretrainGraph(num_nodes=3).store, "use PretrainGraph.from_store(store)"),
    (IGraph(), "get_edgelist()"),
    (DGLGraph(), "torch.stack(g.edges())"),
    (pd.DataFrame({"u": [0], "v": [1]}), "frame[[SOURCE, TARGET]].to_numpy().T"),
    ("graphs/mine", "PretrainGraph.open(path)"),
    ({0: [1, 2]}, "for j in lists[i]"),
    ({(0, 1)}, "list(pairs)"),
    (iter([(0, 1)]), "list(pairs)"),
]


@pytest.mark.parametrize(("value", "way"), WAYS)
def test_the_constructor_that_takes_it_is_named(value, way):
    with pytest.raises(ValueError, match=re.escape(way)) as error:
        PretrainGraph(value)
    assert str(error.value).startswith("'edge_index' needs node ids") and "\n" not in str(error.value)
    with pytest.raises(ValueError, match=re.escape(way)):
        SampleDataset(torch.ones(3, 1), {"mine": value})
    with pytest.raises(ValueError, match="'graph' needs a PretrainGraph"):
        sg.audit(value, torch.tensor([0, 1, 0]))


@pytest.mark.parametrize("value", [None, 3, 2.5, [[0], [1]], torch.ones(2, 3), np.ones((2, 3)), (1, 2)])
def test_what_holds_no_graph_has_no_way(value):
    assert way_from(value) == ""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.eye(3), r"got \[3, 3\]\); a matrix .*is for PretrainGraph.from_adjacency\(matrix\)"),
        ([(0, 1), (1, 2), (2, 3)], r"torch.tensor\(pairs\).t\(\)"),
        ([(0, 1), (2, 3)], "two tuples of two, which can be read either way"),
        ([["a", "b"], ["b", "c"]], "ids that are text are matched .*from_tables"),
        ([[None, 1], [1, 2]], "no array of numbers"),
        ([[0, 1], [1]], "no array of numbers"),
        (object(), "no array of numbers"),
        (np.array([[0.0, 1.0], [1.0, 2.0]]), r"float64\); they are whole and exact: edge_index.long\(\)"),
        (np.array([[0, 2.0**53], [1, 2]]), r"beyond 9,007,199,254,740,992 .*read them as integers"),
        (torch.tensor([[0.0, 2.0**24], [1, 2]]), r"beyond 16,777,216 .*read them as integers"),
        (np.array([[0, np.nan], [1, 2]]), r"1 are no whole numbers \(first: nan\)"),
        ((np.arange(4), np.arange(3)), r"as many sources as targets .*\[4\] and \[3\].*csr_array"),
    ],
)
def test_edges_in_another_shape_or_type_are_told_the_way(value, message):
    with pytest.raises(ValueError, match=message) as error:
        PretrainGraph(value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("make", [torch.tensor, np.array, pd.Series, list])
def test_sources_and_targets_may_come_apart(make):
    assert PretrainGraph((make([0, 1]), make([1, 2]))).edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]


def test_two_rows_of_two_are_sources_and_targets():
    for rows in ([[0, 1], [2, 3]], torch.tensor([[0, 1], [2, 3]]), np.array([[0, 1], [2, 3]])):
        assert PretrainGraph(rows).edge_index.tolist() == [[0, 1, 2, 3], [2, 3, 0, 1]]


def test_edges_that_know_their_nodes_keep_them():
    assert PretrainGraph(EdgeIndex([[0, 1], [1, 0]], sparse_size=(5, 5))).num_nodes == 5
    assert PretrainGraph(EdgeIndex([[0, 1], [1, 0]])).num_nodes == 2


@pytest.mark.parametrize("name", ["edge_attr", "edge_type", "edge_time", "adj_t"])
def test_attributes_of_edges_are_refused_for_edges_are_merged(name):
    with pytest.raises(ValueError, match=f"'{name}' cannot be kept"):
        PretrainGraph([[0, 1, 2], [1, 2, 3]], 4, **{name: torch.ones(3)})
