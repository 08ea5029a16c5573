"""Rewired: any constructor's graph with its degrees and without its structure, made as the original is."""

import pytest
import torch

from sigraph.data import SampleDataset
from sigraph.graphs import HopClosure, KNNGraph, Rewired, hop_graph


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def dataset() -> SampleDataset:
    y = torch.arange(90) % 3
    return SampleDataset(torch.randn(90, 4, generator=seeded()) + 4 * torch.eye(4)[y], {})


def test_degrees_stay_and_structure_goes(dataset):
    y, original = torch.arange(90) % 3, KNNGraph(4)(dataset)
    found = Rewired(KNNGraph(4))(dataset, seeded(1))
    assert torch.equal(found.csr()[0], original.csr()[0])
    assert original.local_consistency(y) > 0.9 and found.local_consistency(y) < 0.5


def test_rate_zero_is_the_original_and_seeds_differ(dataset):
    original = KNNGraph(4)(dataset)
    assert torch.equal(Rewired(KNNGraph(4), rate=0)(dataset).edge_index, original.edge_index)
    one, two = (Rewired(KNNGraph(4))(dataset, seeded(seed)).edge_index for seed in (1, 2))
    assert not torch.equal(one, two)


def test_rewiring_comes_before_widening(dataset):
    constructor = Rewired(HopClosure(KNNGraph(2), hops=2))
    observed = constructor.base(dataset, seeded(1))
    assert torch.equal(observed.csr()[0], KNNGraph(2)(dataset).csr()[0])
    assert torch.equal(constructor(dataset, seeded(1)).edge_index, hop_graph(observed, 2).edge_index)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), True, "all"])
def test_bad_rates(rate):
    with pytest.raises(ValueError, match=r"'rate' needs to be in \[0, 1\] in 'Rewired'"):
        Rewired(KNNGraph(2), rate)


def test_needs_a_constructor(dataset):
    with pytest.raises(ValueError, match="'graph' needs to be a graph constructor in 'Rewired'"):
        Rewired(KNNGraph(2)(dataset))
