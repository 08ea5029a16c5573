"""hop_graph: against powers of the dense matrix."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import PretrainGraph
from sigraph.graphs import hop_graph


@st.composite
def graphs(draw, weighted: bool = False) -> PretrainGraph:
    n = draw(st.integers(1, 9))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    weight = [draw(st.floats(0.125, 8, width=32)) for _ in edges] if weighted else None
    index = torch.tensor(edges, dtype=torch.long).view(-1, 2).t()
    return PretrainGraph(index, num_nodes=n, edge_weight=weight)


def dense(graph: PretrainGraph) -> torch.Tensor:
    out = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.double)
    out[tuple(graph.edge_index)] = 1.0 if graph.edge_weight is None else graph.edge_weight.double()
    return out


def normalized_power(adjacency: torch.Tensor, hops: int) -> torch.Tensor:
    """By loops over walks' steps, from the formula."""
    n = len(adjacency)
    degree = [1 + sum(adjacency[i]).item() for i in range(n)]
    step = torch.tensor(
        [[((i == j) + adjacency[i, j].item()) / (degree[i] * degree[j]) ** 0.5 for j in range(n)] for i in range(n)],
        dtype=torch.double,
    ).view(n, n)
    return torch.linalg.matrix_power(step, hops).fill_diagonal_(0)


@settings(max_examples=40, deadline=None)
@given(st.one_of(graphs(), graphs(weighted=True)), st.integers(1, 4))
def test_weights_are_powers_of_the_normalised_adjacency(graph, hops):
    expected = normalized_power(dense(graph), hops)
    out = hop_graph(graph, hops, "normalized")
    assert out.num_nodes == graph.num_nodes
    torch.testing.assert_close(dense(out), expected, rtol=1e-5, atol=1e-7)
    assert out.num_edges == int((expected > 0).sum())


@settings(max_examples=40, deadline=None)
@given(st.one_of(graphs(), graphs(weighted=True)), st.integers(2, 4))
def test_joins_exactly_what_is_at_most_hops_edges_apart(graph, hops):
    adjacency = dense(graph) > 0
    near = adjacency.clone()
    for _ in range(hops - 1):
        near = near | ((near.double() @ adjacency.double()) > 0)
    near.fill_diagonal_(False)
    out = hop_graph(graph, hops)
    assert out.edge_weight is None
    assert torch.equal(dense(out) > 0, near)


def test_by_hand_on_a_line_of_three():
    graph = PretrainGraph([[0, 1], [1, 2]], num_nodes=3)
    one = dense(hop_graph(graph, 1, "normalized"))
    assert one[0, 1].item() == pytest.approx(1 / 6**0.5) and one[0, 2] == 0  # degrees with loops: 2, 3, 2
    two = dense(hop_graph(graph, 2, "normalized"))
    assert two[0, 2].item() == pytest.approx(1 / 6)  # over the middle: 1/sqrt(6) twice
    assert two[0, 1].item() == pytest.approx((1 / 2 + 1 / 3) / 6**0.5)


def test_one_hop_without_weight_is_the_graph_as_it_is():
    graph = PretrainGraph([[0, 1], [1, 2]], num_nodes=3, edge_weight=[2.0, 5.0])
    assert hop_graph(graph, 1) is graph


def test_an_edge_of_weight_zero_still_joins():
    graph = PretrainGraph([[0, 1], [1, 2]], num_nodes=3, edge_weight=[0.0, 5.0])
    assert hop_graph(graph, 2).num_edges == 6


def test_groups_and_isolated_nodes_stay():
    graph = PretrainGraph([[0, 1], [1, 2]], num_nodes=5, group=[0, 0, 0, 1, 1])
    out = hop_graph(graph, 2, "normalized")
    assert out.num_nodes == 5 and out.group.tolist() == [0, 0, 0, 1, 1]
    assert out.csr()[0].diff().tolist() == [2, 2, 2, 0, 0]


def test_without_edges_without_edges():
    assert hop_graph(PretrainGraph(torch.empty(2, 0, dtype=torch.long), num_nodes=4), 3, "normalized").num_edges == 0


def test_bad_arguments_are_named():
    graph = PretrainGraph([[0], [1]], num_nodes=2)
    with pytest.raises(ValueError, match=r"'hops' needs to be an integer >= 1 .*got 0"):
        hop_graph(graph, 0)
    with pytest.raises(ValueError, match=r"'weight' needs .*got 'mean'"):
        hop_graph(graph, 2, "mean")
