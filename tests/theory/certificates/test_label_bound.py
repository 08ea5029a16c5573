"""Promised and reached: nearest labelled neighbours beside a loop, for every type of labels."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from sigraph.data import PretrainGraph
from sigraph.losses import NPairLoss, SmoothnessLoss
from sigraph.theory.certificates import certify


def case(n):
    generator = torch.Generator().manual_seed(7)
    pairs = torch.combinations(torch.arange(n)).t()
    edges = pairs[:, torch.rand(pairs.size(1), generator=generator) < 0.3]
    return torch.randn(n, 3, generator=generator), PretrainGraph(edges, n)


@pytest.mark.parametrize("kind", ["classes", "multilabel", "regression"])
def test_labels_are_reached_by_a_loop_over_neighbours(kind):
    z, graph = case(50)
    generator = torch.Generator().manual_seed(1)
    y = torch.randint(0, 3, (50,), generator=generator)
    y[:5] = -1
    if kind == "multilabel":
        y = (torch.rand(50, 4, generator=generator) < 0.4).float()
        y[torch.rand(50, 4, generator=generator) < 0.2] = torch.nan
        y[3] = torch.nan
    elif kind == "regression":
        y = torch.randn(50, generator=generator)
        y[:5] = torch.nan
    found = certify(z, graph, SmoothnessLoss(), y)
    assert found.local_consistency == pytest.approx(graph.local_consistency(y))
    known = [i for i in range(50) if (y[i] >= 0 if kind == "classes" else not bool(y[i].isnan().all()))]
    d = torch.cdist(z.double(), z.double())
    for k, got in ((1, found.accuracy), (3, found.vote_accuracy)):
        near = {i: sorted((j for j in known if j != i), key=lambda j, i=i: d[i, j])[:k] for i in known}
        if kind == "classes":
            votes = {i: [int(y[j]) for j in near[i]] for i in known}
            expected = np.mean([max(votes[i], key=votes[i].count) == int(y[i]) for i in known])
        elif kind == "regression":
            means = torch.tensor([float(y[near[i]].mean()) for i in known])
            expected = np.corrcoef([rankdata(means), rankdata(y[known])])[0, 1]
        else:
            shares = []
            for column in range(4):
                votes = [[float(y[j, column]) for j in near[i]] for i in known if y[i, column] == 1]
                votes = [[v for v in vote if not math.isnan(v)] for vote in votes]
                shares.append(np.mean([sum(vote) > len(vote) / 2 for vote in votes if vote]))
            expected = np.mean(shares)
        assert got == pytest.approx(expected, abs=1e-9)


def test_labels_without_an_answer_are_none():
    z, graph = case(12)
    found = certify(z, graph, y=torch.full((12,), -1))
    assert found.local_consistency is found.accuracy is found.vote_accuracy is None
    found = certify(z, graph, y=torch.ones(12))
    assert found.local_consistency is found.accuracy is None


@pytest.mark.parametrize("loss", [None, NPairLoss(), SmoothnessLoss()])
def test_copies_never_answer_for_themselves(loss):
    """Every sample has as many copies as are asked for and more; none is its own neighbour."""
    z, y = torch.ones(12, 2), torch.arange(12) % 6
    found = certify(z, PretrainGraph(torch.tensor([[0], [6]]), 12), loss, y)
    assert found.accuracy == pytest.approx(1 / 12)  # the first copy answers all, the second the first
    apart = certify(
        torch.arange(3.0)[:, None] + 1, PretrainGraph(torch.tensor([[0], [1]]), 3), loss, torch.zeros(3).long()
    )
    assert apart.accuracy == 1 and apart.vote_accuracy is None  # two others are too few for a vote


def test_some_labelled_samples_ask_all():
    z, graph = case(400)
    y = torch.arange(400) % 2
    z[:, 0] += 2 * y
    whole = certify(z, graph, y=y)
    some = [certify(z, graph, y=y, max_anchors=50, seed=seed).accuracy for seed in range(20)]
    assert np.mean(some) == pytest.approx(whole.accuracy, abs=0.03) and len(set(some)) > 1
