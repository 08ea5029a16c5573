"""Graphs of matrices: row i is sample i, in whatever form the matrix is."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from sigraph.data.graph import PretrainGraph

WEIGHT = np.array([[0, 2, 0, 0], [2, 0, 0.5, 0], [0, 0.5, 0, 0], [0, 0, 0, 0]])  # sample 3 has no edge


class Duck:
    """As torch_sparse's matrix, which is not there."""

    def __init__(self, valued):
        self.valued = valued

    def coo(self):
        row, col = torch.from_numpy(WEIGHT).nonzero().t()
        return row, col, torch.from_numpy(WEIGHT[row, col]) if self.valued else None

    def sparse_sizes(self):
        return WEIGHT.shape


FORMS = {
    **{
        f"scipy-{form}": sp.coo_array(WEIGHT).asformat(form)
        for form in ("csr", "csc", "coo", "lil", "dok", "dia", "bsr")
    },
    "scipy-matrix": sp.csr_matrix(WEIGHT),
    "torch-coo": torch.from_numpy(WEIGHT).to_sparse(),
    "torch-csr": torch.from_numpy(WEIGHT).to_sparse_csr(),
    "torch-csc": torch.from_numpy(WEIGHT).to_sparse_csc(),
    "torch-dense": torch.from_numpy(WEIGHT).requires_grad_(),
    "torch-bfloat16": torch.from_numpy(WEIGHT).bfloat16().to_sparse(),
    "numpy": WEIGHT,
    "lists": WEIGHT.tolist(),
    "SparseTensor": Duck(valued=True),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_any_form_of_a_matrix_is_the_same_graph(form):
    graph = PretrainGraph.from_adjacency(form)
    assert graph.num_nodes == 4 and graph.edge_index.tolist() == [[0, 1, 1, 2], [1, 0, 2, 1]]
    assert graph.edge_weight.tolist() == [2, 2, 0.5, 0.5]


@pytest.mark.parametrize(
    "form",
    [
        WEIGHT > 0,
        (WEIGHT > 0).astype(int),
        sp.csr_array(WEIGHT > 0),
        torch.from_numpy(WEIGHT > 0).to_sparse(),
        Duck(False),
    ],
)
def test_ones_are_no_weights(form):
    graph = PretrainGraph.from_adjacency(form)
    assert graph.edge_weight is None and graph.num_edges == 4 and graph.num_nodes == 4


def test_entries_that_are_no_edges_are_counted_and_said():
    zeros = sp.coo_array(([0.0, 3.0, 3.0], ([0, 1, 2], [1, 2, 1])), shape=(3, 3))
    with pytest.warns(UserWarning, match="left out 1 stored zeros"):
        assert PretrainGraph.from_adjacency(zeros).edge_index.tolist() == [[1, 2], [2, 1]]
    with pytest.warns(UserWarning, match="dropped 3 self-loops"):
        assert PretrainGraph.from_adjacency(np.eye(3)).num_edges == 0


def test_a_matrix_that_is_not_symmetric_is_said_and_meets_in_the_mean():
    with pytest.warns(UserWarning, match="differences in weight of 1 edges, which have their mean"):
        graph = PretrainGraph.from_adjacency([[0, 1, 0], [3, 0, 7], [0, 0, 0]])
    assert graph.edge_weight.tolist() == [2, 2, 7, 7]


def test_an_entry_stored_twice_is_the_sum():
    matrix = sp.coo_array(([1.0, 1.0], ([0, 0], [1, 1])), shape=(2, 2))
    assert PretrainGraph.from_adjacency(matrix).edge_weight.tolist() == [2, 2] and matrix.nnz == 2


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((3, 4)), r"a row and a column a sample, \[N, N\].*got \[3, 4\].*BipartiteGraph\(pairs=...\)"),
        (np.ones((2, 5)), r"got \[2, 5\]\); edges \[2, num_edges\] go to PretrainGraph itself"),
        (sp.csr_array(np.ones((3, 4))), r"got \[3, 4\]"),
        (np.ones(3), r"\[N, N\].*got \[3\]"),
        (-WEIGHT, r"'matrix' needs finite entries >= 0 .*got 4 others; first: -2.0 in row 0, column 1"),
        (WEIGHT * np.nan, r"finite entries >= 0 .*first: nan in row 0, column 0"),
        (sp.csr_array(WEIGHT * 1j), "real numbers .*complex128"),
        ([["a"]], "real numbers"),
        (np.array([[None]]), "real numbers .*object"),
        ([[1, 2], [3]], "rows of one length"),
        (torch.ones(3, 3, 2).to_sparse(2), "one number an entry"),
        (pd.DataFrame(WEIGHT), r"frame.loc\[ids, ids\].to_numpy\(\)"),
        (nx.path_graph(3), "use PretrainGraph.from_networkx"),
        ("matrix.npz", "got a str"),
    ],
)
def test_what_is_no_matrix_over_samples_is_named(matrix, message):
    with pytest.raises(ValueError, match=message):
        PretrainGraph.from_adjacency(matrix)
