"""Propagation against dense linear algebra on 50 nodes."""

import pytest
import torch

from sigraph.data import PretrainGraph
from sigraph.edges import LabelSetStore
from sigraph.edges.neighborhood import neighbor_sums
from sigraph.edges.propagation import Propagation


def dense(graph):
    adjacency = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.float64)
    weight = 1.0 if graph.edge_weight is None else graph.edge_weight.double()
    adjacency[graph.edge_index[0], graph.edge_index[1]] = weight
    return adjacency


def series(adjacency, restart, num_steps, loops):
    adjacency = adjacency + loops * torch.eye(len(adjacency), dtype=torch.float64)
    degree = adjacency.sum(dim=1)
    scale = torch.where(degree > 0, degree.rsqrt(), 0.0)
    step = scale[:, None] * adjacency * scale
    return sum(restart * (1 - restart) ** k * torch.linalg.matrix_power(step, k) for k in range(num_steps + 1))


@pytest.fixture(params=["plain", "weighted"])
def graph(request):
    """Nodes 48 and 49 are isolated."""
    draw = torch.Generator().manual_seed(0)
    pairs = torch.combinations(torch.arange(48)).t()
    pairs = pairs[:, torch.rand(pairs.size(1), generator=draw) < 0.1]
    weight = 0.1 + 3 * torch.rand(pairs.size(1), generator=draw) if request.param == "weighted" else None
    return PretrainGraph(pairs, 50, weight)


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize(("restart", "num_steps"), [(0.15, 12), (0.5, 1), (1.0, 3), (0.3, 0)])
def test_equals_the_series_of_dense_powers(graph, restart, num_steps, loops):
    value = torch.randn(50, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = Propagation(graph.store, restart, num_steps, loops)(value)
    torch.testing.assert_close(found, series(dense(graph), restart, num_steps, loops) @ value, atol=1e-12, rtol=0)


def test_long_walks_approach_the_inverse(graph):
    """With loops, sum r (1 - r)^k P^k is r (I - (1 - r) P)^-1 in the limit."""
    step = series(dense(graph), 0.5, 1, True) * 4 - 2 * torch.eye(50, dtype=torch.float64)  # P, of .5 I + .25 P
    wanted = 0.15 * torch.linalg.inv(torch.eye(50, dtype=torch.float64) - 0.85 * step)
    value = torch.eye(50, dtype=torch.float64)
    torch.testing.assert_close(Propagation(graph.store, 0.15, 200)(value), wanted, atol=1e-10, rtol=0)


@pytest.mark.parametrize("loops", [True, False])
def test_isolated_nodes_keep_what_is_theirs(graph, loops):
    value = torch.ones(50, 1)
    kept = Propagation(graph.store, 0.2, 5, loops)(value)[48:]
    wanted = 1 - 0.8**6 if loops else 0.2
    torch.testing.assert_close(kept, torch.full((2, 1), wanted))


@pytest.mark.parametrize("weight", [None, torch.tensor([0.5])])
def test_two_level_stores_are_summed_set_by_set(weight):
    store = LabelSetStore.from_sets(torch.tensor([0, 0, 1, 1, 2, -1]), torch.tensor([[0], [1]]), weight)
    value = torch.arange(12.0, dtype=torch.float64).view(6, 2)
    for weighted in (False, True):
        across = 1.0 if weight is None or not weighted else 0.5
        adjacency = torch.zeros(6, 6, dtype=torch.float64)
        adjacency[:2, 2:4] = adjacency[2:4, :2] = across
        adjacency[0, 1] = adjacency[1, 0] = adjacency[2, 3] = adjacency[3, 2] = 1.0
        torch.testing.assert_close(neighbor_sums(store, value, weighted), adjacency @ value)
    torch.testing.assert_close(Propagation(store, 0.3, 4)(value), series(adjacency, 0.3, 4, True) @ value)


@pytest.mark.parametrize("wrong", [{"restart": 0.0}, {"restart": 1.1}, {"num_steps": -1}, {"num_steps": 1.5}])
def test_refuses(graph, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Propagation(graph.store, **wrong)
