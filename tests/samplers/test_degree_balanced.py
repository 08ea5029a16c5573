"""DegreeBalancedSampler: neighbours against their degree."""

import networkx as nx
import pytest
import torch
from scipy.stats import chisquare

from sigraph.data import PretrainGraph
from sigraph.samplers import DegreeBalancedSampler, NeighborPairSampler


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def fan():
    """Node 0 has the neighbours 1, 2, 3 of degrees 1, 2, 4."""
    return PretrainGraph([[0, 0, 0, 2, 3, 3, 3], [1, 2, 3, 4, 5, 6, 7]], 9)


@pytest.mark.parametrize(("power", "share"), [(0.0, [1, 1, 1]), (1.0, [4, 2, 1]), (2.0, [16, 4, 1])])
def test_one_neighbor_comes_with_the_stated_probability(power, share):
    drawn = DegreeBalancedSampler(fan(), power=power).neighbors(torch.zeros(5000, dtype=torch.long), 1, seeded())
    expected = 5000 * torch.tensor(share, dtype=torch.double) / sum(share)
    assert chisquare(drawn.view(-1).bincount()[1:], expected).pvalue > 1e-3


def test_two_neighbors_are_distinct_and_picked_one_after_the_other():
    sampler = DegreeBalancedSampler(fan())
    drawn = sampler.neighbors(torch.zeros(6000, dtype=torch.long), 2, seeded()).sort(dim=1).values
    assert bool((drawn[:, 0] < drawn[:, 1]).all())
    a, b, c = 4 / 7, 2 / 7, 1 / 7
    share = torch.tensor([a * b / (1 - a) + b * a / (1 - b), a * c / (1 - a) + c * a / (1 - c)], dtype=torch.double)
    count = (drawn[:, 0] * 4 + drawn[:, 1]).bincount(minlength=12)[[6, 7, 11]]
    assert chisquare(count, 6000 * torch.cat([share, 1 - share.sum()[None]])).pvalue > 1e-3
    assert sampler.neighbors(torch.tensor([1, 8]), 2, seeded()).tolist() == [[0, -1], [-1, -1]]


def test_hubs_are_drawn_less_often_and_others_more_evenly():
    grown = nx.barabasi_albert_graph(2000, 4, seed=1)
    graph = PretrainGraph(torch.tensor(list(grown.edges)).t(), 2000)
    seeds = torch.arange(2000).repeat(5)
    balanced, uniform = (
        sampler(graph).neighbors(seeds, 1, seeded()).view(-1).bincount(minlength=2000).double() / 5
        for sampler in (DegreeBalancedSampler, NeighborPairSampler)
    )
    hubs = graph.store.degree(torch.arange(2000)).topk(20).indices
    assert float(uniform[hubs].sum()) > 2.5 * float(balanced[hubs].sum())
    assert float(uniform.std()) > 2 * float(balanced.std())


@pytest.mark.parametrize("value", [-1, "1", True, float("nan"), float("inf")])
def test_powers_that_are_none_are_refused(value):
    with pytest.raises(ValueError, match=r"'power' needs to be a number >= 0 in 'DegreeBalancedSampler'"):
        DegreeBalancedSampler(fan(), power=value)
