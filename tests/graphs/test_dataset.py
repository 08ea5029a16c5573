"""DatasetGraph: a graph of the data set by name, rewired and widened as asked."""

import pytest
import torch

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.graphs import DatasetGraph, hop_graph


def ring(n: int = 20) -> PretrainGraph:
    i = torch.arange(n)
    return PretrainGraph(torch.stack([i, (i + 1) % n]), num_nodes=n)


@pytest.fixture
def dataset() -> SampleDataset:
    line = PretrainGraph([[0, 1], [1, 2]], num_nodes=20, edge_weight=[2.0, 3.0])
    return SampleDataset(torch.randn(20, 2), {"ring": ring(), "line": line}, name="toy")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_without_a_name_the_first_and_untouched(dataset):
    assert torch.equal(DatasetGraph()(dataset).edge_index, dataset.graph("ring").edge_index)
    assert DatasetGraph("line")(dataset).edge_weight.tolist() == [2, 2, 3, 3]


def test_hops_and_weight_are_those_of_hop_graph(dataset):
    graph, expected = (
        DatasetGraph("line", hops=2, weight="normalized")(dataset),
        hop_graph(dataset.graph("line"), 2, "normalized"),
    )
    assert torch.equal(graph.edge_index, expected.edge_index) and torch.equal(graph.edge_weight, expected.edge_weight)
    assert graph.num_edges == 6


def test_rewiring_comes_before_widening(dataset):
    constructor = DatasetGraph("ring", hops=2, rewire=1.0)
    observed = constructor.base(dataset, seeded())
    assert not torch.equal(observed.edge_index, dataset.graph("ring").edge_index)
    assert (observed.csr()[0].diff() == 2).all()
    assert torch.equal(constructor(dataset, seeded()).edge_index, hop_graph(observed, 2).edge_index)


def test_another_seed_another_rewiring_and_the_data_set_stays(dataset):
    before = dataset.graph("ring").edge_index.clone()
    one, two = (DatasetGraph(rewire=1.0)(dataset, seeded(seed)).edge_index for seed in (0, 1))
    assert not torch.equal(one, two)
    assert torch.equal(dataset.graph("ring").edge_index, before)


def test_an_unknown_name_lists_the_known(dataset):
    with pytest.raises(ValueError, match=r"ring.*line"):
        DatasetGraph("rings")(dataset)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hops": 0}, "'hops' needs to be an integer >= 1 .*got 0"),
        ({"hops": True}, "'hops'"),
        ({"hops": 2.0}, "'hops'"),
        ({"weight": "normalised"}, "'weight' .*got 'normalised'"),
        ({"rewire": 1.5}, r"'rewire' needs to be in \[0, 1\] .*got 1.5"),
        ({"rewire": float("nan")}, "'rewire'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        DatasetGraph(**arguments)
