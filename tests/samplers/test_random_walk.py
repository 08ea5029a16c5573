"""RandomWalkSampler: walks along edges, uniform or by weight."""

import pytest
import torch
from scipy.stats import chisquare

from sigraph.data import PretrainGraph
from sigraph.samplers import RandomWalkSampler


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def path(n, weight=None):
    return PretrainGraph(torch.stack([torch.arange(n - 1), torch.arange(1, n)]), n + 1, weight)


def test_every_step_is_an_edge_and_isolated_nodes_stay():
    graph = path(20)
    walks = RandomWalkSampler(graph, walk_length=6).walk(torch.arange(21).repeat(5), seeded())
    assert walks.shape == (105, 7) and torch.equal(walks[:, 0], torch.arange(21).repeat(5))
    joined = walks[:, 0] < 20
    assert bool((walks[joined].diff(dim=1).abs() == 1).all())  # on a path neighbours differ by one
    assert bool((walks[~joined] == 20).all())


def test_two_steps_have_the_probabilities_of_a_walk():
    graph = PretrainGraph([[0, 0, 1], [1, 2, 3]], 5)
    walks = RandomWalkSampler(graph, walk_length=2).walk(torch.zeros(4000, dtype=torch.long), seeded())
    count = walks[:, 2].bincount(minlength=5)
    assert count[[1, 2, 4]].tolist() == [0, 0, 0]
    assert chisquare(count[[0, 3]], [3000, 1000]).pvalue > 1e-3  # back from 2 surely, back from 1 half the time
    heavy = PretrainGraph([[0, 0, 1], [1, 2, 3]], 5, [3.0, 1.0, 6.0])
    walks = RandomWalkSampler(heavy, walk_length=2, weighted=True).walk(torch.zeros(4000, dtype=torch.long), seeded())
    assert chisquare(walks[:, 2].bincount(minlength=4)[[0, 3]], [2000, 2000]).pvalue > 1e-3


def test_a_step_holds_walks_and_negatives():
    sampler = RandomWalkSampler(path(1000), walk_length=4, num_walks=3, num_negatives=2)
    node, pairs = sampler.sample(torch.tensor([500]), seeded())
    near = (node - 500).abs() <= 4
    assert int((~near).sum()) == 2 and node.numel() <= 1 + 3 * 4 + 2
    assert pairs.num_positives == 2 * (int(near.sum()) - 1)  # walks from one node visit an unbroken stretch
    assert RandomWalkSampler(path(5), 1, 1, 0).draw(torch.tensor([5]), seeded()).tolist() == [5]


@pytest.mark.parametrize(("name", "value"), [("walk_length", 0), ("num_walks", 0), ("num_negatives", -1)])
def test_wrong_numbers_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"'{name}' needs to be an integer >= \d in 'RandomWalkSampler'"):
        RandomWalkSampler(path(5), **{name: value})
