"""Edges are of the rows they name: those of other rows are left out by name, and refused by number."""

import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp

from sigraph import PretrainGraph
from sigraph.export.row_edges import graph_of_rows, row_names

NAMES = ["e", "c", "a", "d", "b"]  # of rows 0 ... 4
NUMBERS = np.array([[0, 3, 4, 1, 0, 2], [3, 4, 0, 4, 1, 1]])
NAMED = [(NAMES[i], NAMES[j]) for i, j in NUMBERS.T]
KEPT = [2, 0, 3]  # a fold: rows "a", "e", "d", of which "e" - "d" are joined
MATRIX = sp.coo_array((np.ones(6), NUMBERS), shape=(5, 5)).tocsr()
FRAME = pd.DataFrame(MATRIX.toarray(), index=NAMES, columns=NAMES)


def edges_of(graph):
    return sorted((i, j) for i, j in graph.edge_index.T.tolist() if i < j)


WHOLE = sorted((min(i, j), max(i, j)) for i, j in NUMBERS.T.tolist())
TABLE = pd.DataFrame(NUMBERS.T, columns=["source", "target"])


@pytest.mark.parametrize(
    "edges",
    [
        NUMBERS,
        NUMBERS.T,
        NUMBERS.T.tolist(),
        list(map(tuple, NUMBERS.T.tolist())),
        np.concatenate([NUMBERS, NUMBERS[::-1]], axis=1),
        TABLE,
        MATRIX,
        MATRIX.toarray(),
        nx.Graph(list(map(tuple, NUMBERS.T.tolist()))),
        PretrainGraph(NUMBERS, 5),
    ],
    ids=lambda edges: type(edges).__name__,
)
def test_numbers_and_matrices_of_just_these_rows(edges):
    graph = graph_of_rows(edges, 5, None)
    assert edges_of(graph) == WHOLE and graph.num_nodes == 5
    for count in (4, 7):  # of a fold, or of more
        with pytest.raises(ValueError, match=r"'edges' needs .*SIPTEncoder\(graph='knn'\)"):
            graph_of_rows(edges, count, None)


@pytest.mark.parametrize(
    "edges",
    [
        NAMED,
        np.array(NAMED),
        np.array(NAMED, object).T,
        pd.DataFrame(NAMED),
        nx.Graph(NAMED),
        FRAME,
        FRAME.iloc[KEPT],  # as a cross-validation slices it: rows, not columns
    ],
    ids=lambda edges: type(edges).__name__,
)
def test_names_are_restricted_to_the_rows_that_are_there_and_it_is_said(edges):
    fold = row_names(pd.DataFrame({"x": [0.0] * 3}, index=[NAMES[i] for i in KEPT]), None, 3)
    with pytest.warns(UserWarning, match="names rows that 'X' does not have"):
        assert edges_of(graph_of_rows(edges, 3, fold)) == [(1, 2)]
    if len(edges) != 3:
        assert edges_of(graph_of_rows(edges, 5, row_names(None, NAMES, 5))) == WHOLE


def test_integer_names_are_no_row_numbers():
    fold = pd.DataFrame({"x": [0.0] * 3}, index=KEPT)  # rows 2, 0, 3 of a frame that was never named
    assert edges_of(graph_of_rows(NUMBERS, 3, row_names(fold, None, 3))) == [(1, 2)]
    assert edges_of(graph_of_rows(NUMBERS, 3, row_names(fold.to_numpy(), KEPT, 3))) == [(1, 2)]
    assert row_names(fold.reset_index(drop=True), None, 3) is None  # counted: a fold would be misread
    assert row_names(np.zeros((3, 1)), None, 3) is None
    assert edges_of(graph_of_rows([(0, 1), (1, 2)], 5, row_names(None, range(5), 5))) == [(0, 1), (1, 2)]


def test_weights_come_with_their_edges():
    table = pd.DataFrame(NAMED, columns=["u", "v"]).assign(weight=[1.0, 2, 3, 4, 5, 6])
    fold = row_names(None, [NAMES[i] for i in KEPT], 3)
    assert graph_of_rows(table, 3, fold).edge_weight.tolist() == [1, 1]
    g = nx.Graph()
    g.add_weighted_edges_from(table.itertuples(index=False))
    assert graph_of_rows(g, 5, row_names(None, NAMES, 5)).edge_weight.max() == 6


@pytest.mark.parametrize(
    ("edges", "count", "names", "message"),
    [
        ([(0, 1), (1, 2)], 5, None, r"last row number is 2, the last row of 'X' 4, .*ids=range\(5\)"),
        ([(0, 1), (-1, 4)], 5, None, r"row numbers in \[0, 5\) .*got \[-1, 4\]"),
        (NAMED, 5, None, "the rows of 'X' have no names"),
        (NUMBERS, 5, NAMES, r"needs the names of rows in .*'e' \(got such as (np.int64\()?0"),
        ([("x", "y")], 5, NAMES, "of 1 edge none names two"),
        (np.zeros((2, 0), int), 5, None, "an edge between two rows .*got none"),
        (NUMBERS.T, 6, list("abcdef"), r"as many as rows of 'X', 6, .*numpy.asarray\(edges\).T"),
        (TABLE, 6, None, "as many as rows of 'X', 6"),
        (MATRIX[:3], 3, None, r"3 x 5\) \(rows were taken from it as from X, and not columns\)"),
        (FRAME.to_numpy()[:3], 3, None, "rows were taken from it"),
        (np.array([[0, 1], [1, 2]]), 3, None, r"\[2, 2\] can be read either way"),
        (TABLE.assign(kind=1), 5, None, "columns of two ends, and perhaps 'weight'"),
        (np.ones((2, 3)) / 2, 5, None, "integers or text, of one kind"),
        ("cites.csv", 5, None, "needs ends of edges or a matrix"),
        (None, 5, None, "needs ends of edges or a matrix"),
        ([(0, 1), (1, 2, 3)], 5, None, "needs two ends an edge"),
        (PretrainGraph.from_networkx(nx.Graph(NAMED), nodes=NAMES), 5, NAMES[::-1], "in another order"),
    ],
)
def test_what_is_not_surely_of_these_rows_is_refused(edges, count, names, message):
    with pytest.raises(ValueError, match=message):
        graph_of_rows(edges, count, None if names is None else pa.array(names))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "b"], "a name for each of 3 rows .*got 2"),
        (["a", "b", "b"], "each name once"),
        ([0.5, 1.5, 2.5], "integers or text, of one kind"),
        (["a", 1, None], "integers or text, of one kind"),
        ("abc", "integers or text, one a row"),
    ],
)
def test_names_by_which_a_row_is_not_found_are_refused(ids, message):
    with pytest.raises(ValueError, match="'ids' needs " + message):
        row_names(None, ids, 3)
    if isinstance(ids, list) and len(ids) == 3:
        with pytest.raises(ValueError, match="the index of 'X' needs " + message):
            row_names(pd.DataFrame({"x": [0.0] * 3}, index=ids), None, 3)
