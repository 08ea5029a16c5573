"""NeighborPairSampler: how many, whom, and what happens where there are too few."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from sigraph.data import PretrainGraph
from sigraph.samplers import NeighborPairSampler


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def ring(n):
    i = torch.arange(n)
    return PretrainGraph(torch.stack([i, (i + 1) % n]), n)


def complete(n):
    return PretrainGraph(torch.combinations(torch.arange(n)).t(), n)


@given(st.integers(0, 3), st.integers(0, 4), st.integers(0, 29), st.integers(0, 50))
def test_one_seed_gets_its_neighbors_and_non_neighbors(num_neighbors, num_negatives, seed, key):
    sampler = NeighborPairSampler(ring(30), num_neighbors, num_negatives)
    others = set(sampler.draw(torch.tensor([seed]), seeded(key)).tolist()) - {seed}
    around = {(seed - 1) % 30, (seed + 1) % 30}
    assert len(others & around) == min(num_neighbors, 2) and len(others - around) == num_negatives


def test_the_batch_is_bounded_and_defaults_are_one_and_one():
    sampler = NeighborPairSampler(ring(1000))
    assert (sampler.num_neighbors, sampler.num_negatives) == (1, 1)
    node = sampler.draw(torch.arange(0, 1000, 100), seeded())
    assert 20 < node.numel() <= 30
    assert NeighborPairSampler(ring(10), 0, 0).draw(torch.tensor([3, 1]), seeded()).tolist() == [3, 1]


def test_edges_that_were_not_drawn_are_positives_too():
    graph = complete(5)
    node, pairs = NeighborPairSampler(graph, num_neighbors=2, num_negatives=0).sample(torch.tensor([0]), seeded())
    assert node.numel() == 3 and pairs.num_positives == 6  # the two neighbours are neighbours of each other


def test_complete_graphs_and_hubs_add_what_there_is():
    assert NeighborPairSampler(complete(6), 1, 3).draw(torch.tensor([2]), seeded()).numel() == 2
    star = PretrainGraph([[0] * 9, list(range(1, 10))], 11)
    drawn = NeighborPairSampler(star, 0, 5).draw(torch.tensor([0]), seeded())
    assert drawn.tolist() == [0, 10]  # the only node the hub does not touch


def test_neighbors_and_negatives_are_uniform():
    graph = PretrainGraph([[0, 0, 0, 4], [1, 2, 3, 5]], 8)
    one = torch.tensor([0])
    for sampler, choices in (
        (NeighborPairSampler(graph, 1, 0), [1, 2, 3]),
        (NeighborPairSampler(graph, 0, 1), [4, 5, 6, 7]),
    ):
        generator = seeded()
        drawn = torch.stack([sampler.draw(one, generator)[1] for _ in range(1500)])
        count = drawn.bincount(minlength=8)
        assert count.nonzero().view(-1).tolist() == choices and chisquare(count[choices]).pvalue > 1e-3


@pytest.mark.parametrize("name", ["num_neighbors", "num_negatives"])
@pytest.mark.parametrize("value", [-1, 1.5, "2", True, None])
def test_numbers_that_are_none_are_refused(name, value):
    with pytest.raises(
        ValueError, match=rf"'{name}' needs to be an integer >= 0 in 'NeighborPairSampler' \(got {value!r}"
    ):
        NeighborPairSampler(ring(5), **{name: value})


def test_a_changed_graph_is_read_when_the_sampler_is_built():
    graph = ring(6)
    assert graph.store.degree(torch.tensor([0])).tolist() == [2]
    graph.edge_index = torch.tensor([[0], [3]])
    drawn = NeighborPairSampler(graph, 1, 0).draw(torch.tensor([0]), seeded())
    assert drawn.tolist() == [0, 3]
