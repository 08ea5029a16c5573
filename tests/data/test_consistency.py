"""Local consistency equals a slow loop over nodes and neighbours, for every type of labels."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from sigraph.data.consistency import local_consistency
from sigraph.data.graph import PretrainGraph

NAN = math.nan
pytestmark = pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")


@st.composite
def neighborhoods(draw):
    n = draw(st.integers(2, 9))
    node = st.integers(0, n - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=20))
    around = [set() for _ in range(n)]
    for i, j in edges:
        if i != j:
            around[i].add(j)
            around[j].add(i)
    index = torch.tensor(edges, dtype=torch.long).view(-1, 2).t()
    return around, PretrainGraph(index, n)


def line(n):
    return PretrainGraph([list(range(n - 1)), list(range(1, n))], n)


def mean(values):
    return sum(values) / len(values)


def check(graph, y, expected):
    rowptr, col = graph.csr()
    if expected is None:
        with pytest.raises(ValueError, match=r"not defined"):
            local_consistency(rowptr, col, y)
    else:
        assert local_consistency(rowptr, col, y) == pytest.approx(expected, abs=1e-5)
        assert graph.local_consistency(y) == pytest.approx(expected, abs=1e-5)


@given(neighborhoods(), st.data())
def test_classes_equal_brute_force(case, data):
    around, graph = case
    y = data.draw(st.lists(st.integers(-1, 2), min_size=len(around), max_size=len(around)))
    shares = []
    for i, neighbors in enumerate(around):
        known = [y[j] for j in neighbors if y[j] >= 0]
        if y[i] >= 0 and known:
            shares.append(mean([label == y[i] for label in known]))
    check(graph, torch.tensor(y), mean(shares) if shares else None)


@given(neighborhoods(), st.integers(1, 3), st.data())
def test_multilabel_equals_brute_force(case, num_columns, data):
    around, graph = case
    value = st.sampled_from([0.0, 1.0, NAN])
    rows = st.lists(value, min_size=num_columns, max_size=num_columns)
    y = data.draw(st.lists(rows, min_size=len(around), max_size=len(around)))
    columns = []
    for column in range(num_columns):
        shares = []
        for i, neighbors in enumerate(around):
            known = [y[j][column] for j in neighbors if not math.isnan(y[j][column])]
            if y[i][column] == 1 and known:
                shares.append(mean(known))
        if shares:
            columns.append(mean(shares))
    check(graph, torch.tensor(y), mean(columns) if columns else None)
    if not any(math.isnan(entry) for row in y for entry in row):
        check(graph, torch.tensor(y).long(), mean(columns) if columns else None)


@given(neighborhoods(), st.data())
def test_regression_equals_brute_force(case, data):
    around, graph = case
    value = st.sampled_from([NAN, -2.0, -1.0, 0.0, 0.5, 3.0, 100.0])
    y = data.draw(st.lists(value, min_size=len(around), max_size=len(around)))
    own, averages = [], []
    for i, neighbors in enumerate(around):
        known = [y[j] for j in sorted(neighbors) if not math.isnan(y[j])]
        if not math.isnan(y[i]) and known:
            own.append(y[i])
            averages.append(sum(known) / len(known))
    defined = len(set(own)) > 1 and len(set(averages)) > 1
    check(graph, torch.tensor(y), float(spearmanr(own, averages).statistic) if defined else None)


def test_by_hand():
    assert line(4).local_consistency(torch.tensor([0, 0, 1, 1])) == pytest.approx((1 + 0.5 + 0.5 + 1) / 4)
    assert line(3).local_consistency(torch.tensor([5, 5, 5])) == 1
    assert line(3).local_consistency(torch.tensor([0, 1, 2])) == 0
    assert line(4).local_consistency(torch.tensor([1.0, 2.0, 3.0, 4.0])) == pytest.approx(0.8**0.5)  # means 2 2 3 3
    y = torch.tensor([[1.0, 0], [1, 1], [0, 0], [0, NAN]])  # columns: (1 + 1/2) / 2 and 0
    assert line(4).local_consistency(y) == pytest.approx(0.375)


def test_isolated_and_unlabelled_nodes_do_not_count():
    graph = PretrainGraph([[0, 1], [1, 2]], 6)
    assert graph.local_consistency(torch.tensor([0, 0, -1, 3, 3, 4])) == 1


def test_label_cliques_are_perfectly_consistent():
    graph = PretrainGraph([[0, 0, 1, 3], [1, 2, 2, 4]], 5)
    assert graph.local_consistency(torch.tensor([0, 0, 0, 1, 1])) == 1


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (torch.tensor([0, 1]), r"'y' needs one label per node, 3, .*got 2"),
        (torch.zeros(4), "'y' needs one label per node"),
        (torch.tensor([0, -2, 1]), "'y' needs classes as integers >= 0, -1 where missing .*got -2"),
        (torch.tensor([[0, 0.5]] * 3), "'y' needs 0, 1 or missing"),
        (torch.tensor([0.5, math.inf, 1]), "'y' needs finite numbers"),
        (torch.zeros(2, 3), "'y' needs one label per node"),
        (torch.tensor(1), "'y' needs to be 1-D .* or 2-D"),
        (torch.zeros(3, 1, 1), "'y' needs to be 1-D .* or 2-D"),
        (torch.tensor([-1, -1, 2]), "no labelled node has a labelled neighbour"),
        (torch.full((3,), NAN), "no labelled node has a labelled neighbour"),
        (torch.full((3, 2), NAN), "no carrier of a label has a labelled neighbour"),
        (torch.zeros(3, 2), "no carrier of a label has a labelled neighbour"),
        (torch.ones(3), "constant: Spearman's correlation is not defined"),
        (torch.tensor([1.0, NAN, 2.0]), "no labelled node has a labelled neighbour"),
    ],
)
def test_what_is_not_defined_is_said(y, message):
    with pytest.raises(ValueError, match=message):
        line(3).local_consistency(y)


def test_a_graph_without_edges_has_none():
    with pytest.raises(ValueError, match="not defined on this graph"):
        PretrainGraph(num_nodes=3).local_consistency(torch.tensor([0, 1, 1]))


def test_labels_come_in_any_holder_and_numbers_keep_their_digits():
    assert line(4).local_consistency(["a", "a", "b", "b"]) == line(4).local_consistency(torch.tensor([0, 0, 1, 1]))
    rowptr, col = line(4).csr()
    assert local_consistency(rowptr, col, [0, 0, None, 1]) == 1
    when = [1.7e9 + i for i in range(4)]  # one number in float32
    assert line(4).local_consistency(when) == pytest.approx(0.8**0.5)
