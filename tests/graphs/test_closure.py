"""HopClosure: hop_graph around any constructor, after edges were held out."""

import pytest
import torch

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.graphs import DatasetGraph, HopClosure, KNNGraph, hop_graph


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def dataset() -> SampleDataset:
    path = PretrainGraph([[0, 1, 2, 3], [1, 2, 3, 4]], num_nodes=20)
    return SampleDataset(torch.randn(20, 2, generator=seeded()), {"path": path})


@pytest.mark.parametrize(("hops", "weight"), [(1, None), (2, None), (3, "normalized")])
def test_is_hop_graph_of_what_it_holds(dataset, hops, weight):
    for inner in (DatasetGraph(), KNNGraph(2)):
        found, expected = HopClosure(inner, hops, weight)(dataset), hop_graph(inner(dataset), hops, weight)
        assert torch.equal(found.edge_index, expected.edge_index)
        assert (found.edge_weight is None) == (weight is None)
        assert weight is None or torch.equal(found.edge_weight, expected.edge_weight)


def test_no_path_runs_over_a_held_out_edge(dataset):
    constructor = HopClosure(DatasetGraph(), hops=4)
    assert constructor.base(dataset).num_edges == 8
    rest = PretrainGraph([[0, 2, 3], [1, 3, 4]], num_nodes=20)  # without (1, 2)
    assert constructor.expand(rest).edge_index.t().tolist() == [
        *([0, 1], [1, 0], [2, 3], [2, 4]),
        *([3, 2], [3, 4], [4, 2], [4, 3]),
    ]


def test_what_it_holds_is_expanded_first(dataset):
    found = HopClosure(DatasetGraph(hops=2), hops=2)(dataset)
    assert torch.equal(found.edge_index, hop_graph(dataset.graph("path"), 4).edge_index)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"graph": "path"}, r"'graph' needs to be a graph constructor in 'HopClosure' \(got 'path'\).*DatasetGraph"),
        ({"graph": DatasetGraph(), "hops": 0}, "'hops' needs to be an integer >= 1 .*got 0"),
        ({"graph": DatasetGraph(), "hops": True}, "'hops'"),
        ({"graph": DatasetGraph(), "weight": "mean"}, "'weight' .*got 'mean'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        HopClosure(**arguments)
