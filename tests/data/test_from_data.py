"""Graphs of PyG: how many nodes there are is known or said, and so is what is not kept."""

import warnings

import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.utils import to_undirected

from sigraph.data.graph import PretrainGraph

EDGES = torch.tensor([[0, 1], [1, 2]])


def test_the_number_of_nodes_is_stated_or_told_by_rows_or_guessed_and_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert PretrainGraph.from_data(Data(edge_index=EDGES, num_nodes=7)).num_nodes == 7
        assert PretrainGraph.from_data(Data(edge_index=EDGES, x=torch.ones(5, 2))).num_nodes == 5
        assert PretrainGraph.from_data(Data(edge_index=EDGES, train_mask=torch.ones(4).bool())).num_nodes == 4
        assert PretrainGraph.from_data(Data(edge_index=EDGES), num_nodes=6).num_nodes == 6
    with pytest.warns(UserWarning, match=r"for the last sample, 3 samples; .*kept by num_nodes="):
        assert PretrainGraph.from_data(Data(edge_index=EDGES)).num_nodes == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Data(edge_index=EDGES, x=torch.ones(5, 2), num_nodes=3), r"'x' needs a row a node, 3.*got 5"),
        (Data(edge_index=EDGES, x=torch.ones(5, 2), pos=torch.ones(4, 2)), r"needs a row a node, (5.*got 4|4.*got 5)"),
        (Data(edge_index=EDGES, x=torch.ones(5, 2), test_mask=torch.ones(3).bool()), r"'test_mask' needs .*got 3"),
        (Data(edge_index=EDGES, x=torch.ones(2, 2)), r"'edge_index' needs node ids in \[0, 2\)"),
        (Data(edge_index=EDGES, num_nodes=3, edge_weight=torch.ones(3)), r"'edge_weight' needs shape \[2\]"),
        (Batch.from_data_list([Data(edge_index=EDGES, num_nodes=3)] * 2), r"got a Batch of 2 graphs.*data.num_nodes"),
        (HeteroData(), r"HeteroData\): choose one type of edges: PretrainGraph\(data\[EDGE_TYPE\].edge_index"),
        (Data(x=torch.ones(3, 1)), r"it has 'x'\); without edges: PretrainGraph\(num_nodes="),
        (Data(x=torch.ones(4, 1), adj_t=torch.eye(3).to_sparse_csr()), "needs 3 nodes, as its matrix has.*it has 4"),
        (torch.ones(2, 3), r"got a tensor \[2, 3\]"),
    ],
)
def test_what_is_no_graph_over_samples_is_named(data, message):
    with pytest.raises(ValueError, match=message):
        PretrainGraph.from_data(data)


def test_edge_attributes_are_said_and_one_of_width_one_is_offered_as_weights():
    data = Data(edge_index=EDGES, num_nodes=3, edge_attr=torch.tensor([[0.5], [2.0]]))
    with pytest.warns(UserWarning, match=r"keeps no edge attributes 'edge_attr'; .*data.edge_weight = data.edge_attr"):
        assert PretrainGraph.from_data(data).edge_weight is None
    data.edge_weight = data.edge_attr.view(-1)
    data.edge_attr = None
    assert PretrainGraph.from_data(data).edge_weight.tolist() == [0.5, 0.5, 2, 2]
    data = Data(edge_index=EDGES, num_nodes=3, edge_attr=torch.ones(2, 7))
    with pytest.warns(UserWarning, match="keeps no edge attributes 'edge_attr'$"):
        PretrainGraph.from_data(data)


def test_a_matrix_instead_of_edges_is_read():
    weight = torch.tensor([[0.0, 2, 0], [2, 0, 1], [0, 1, 0]])
    graph = PretrainGraph.from_data(Data(x=torch.ones(3, 1), adj_t=weight.to_sparse_csr()))
    assert torch.equal(graph.edge_index, weight.nonzero().t()) and graph.edge_weight.tolist() == [2, 2, 1, 1]
    assert graph.x.shape == (3, 1) and "adj_t" not in graph


def test_what_pyg_made_undirected_is_taken_as_it_is():
    index, weight = to_undirected(EDGES, torch.tensor([2.0, 3.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = PretrainGraph.from_data(Data(edge_index=index, edge_weight=weight, num_nodes=3, y=torch.arange(3)))
    assert graph.edge_weight.tolist() == [2, 2, 3, 3] and graph.y.tolist() == [0, 1, 2]


def test_labels_and_what_is_called_after_nodes_have_a_row_a_node():
    for key in ("y", "z", "node_age"):
        with pytest.raises(ValueError, match=rf"'{key}' needs a row a node, 3, .*got 6"):
            PretrainGraph.from_data(Data(edge_index=EDGES, num_nodes=3, **{key: torch.arange(6)}))
        assert PretrainGraph.from_data(Data(edge_index=EDGES, num_nodes=3, **{key: torch.arange(3)}))[key].size(0) == 3
    graph = PretrainGraph.from_data(Data(edge_index=EDGES, num_nodes=3, y=torch.ones(1, 6), z=torch.tensor(1.0)))
    assert graph.y.shape == (1, 6)  # of the graph
