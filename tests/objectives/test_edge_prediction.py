"""EdgePrediction: hidden edges are gone in both directions, negatives are none, values by hand, odd graphs."""

import math

import pytest
import torch
from torch_geometric.data import Batch, Data

from sigraph.data import SampleDataset
from sigraph.encoders import Encoding, GraphEncoder
from sigraph.objectives import EdgePrediction
from sigraph.objectives.edge_prediction import EdgeTarget


def both(*pairs: tuple[int, int]) -> torch.Tensor:
    ends = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).t()
    return torch.cat([ends, ends.flip(0)], dim=1)


COMPLETE = both((0, 1), (0, 2), (1, 2))
LOOP = torch.tensor([[0, 0, 1], [0, 1, 0]])
CHAIN = both(*((i, i + 1) for i in range(9)))


def batch() -> Batch:
    """A complete graph, a single node, no edges, a loop beside an edge, a chain, one edge twice."""
    shapes = ((3, COMPLETE), (1, both()), (3, both()), (3, LOOP), (10, CHAIN), (3, torch.cat([both((0, 1))] * 2, 1)))
    graphs = [
        Data(x=torch.ones(size, 1), edge_index=ends, edge_attr=torch.arange(ends.size(1))[:, None])
        for size, ends in shapes
    ]
    return SampleDataset(graphs).fetch(torch.arange(6))


def pairs(ends: torch.Tensor) -> set[tuple[int, int]]:
    return {(min(pair), max(pair)) for pair in ends.t().tolist()}


@pytest.mark.parametrize("seed", range(5))
def test_hidden_edges_are_gone_and_negatives_are_none(seed):
    inputs, generator = batch(), torch.Generator().manual_seed(seed)
    out, target = EdgePrediction(0.3, num_negatives=3).corrupt(inputs, torch.arange(6), 6, generator)
    hidden, known = pairs(target.positive), pairs(inputs.edge_index)
    whose = inputs.batch[target.positive[0]]
    assert whose.bincount(minlength=6).tolist() == [1, 0, 0, 1, 3, 1]
    assert hidden <= known and not hidden & pairs(out.edge_index) and hidden | pairs(out.edge_index) == known
    left = [pair for pair in zip(*inputs.edge_index.tolist(), strict=True) if (min(pair), max(pair)) not in hidden]
    assert left == list(zip(*out.edge_index.tolist(), strict=True)) and len(out.edge_attr) == len(left)
    negatives = pairs(target.negative)
    assert not negatives & known and all(a != b for a, b in negatives)
    assert torch.equal(inputs.batch[target.negative[0]], inputs.batch[target.negative[1]])
    assert set(inputs.batch[target.negative[0]].tolist()) == {3, 4, 5}  # there are none in a complete graph
    assert target.negative.size(1) <= 3 * len(whose)


def test_only_seed_samples_unless_all_are_asked_for():
    inputs = batch()
    for objective, expected in ((EdgePrediction(), {0}), (EdgePrediction(corrupt_all=True), {0, 3, 4, 5})):
        _, target = objective.corrupt(inputs, torch.arange(6), 2, torch.Generator().manual_seed(0))
        assert set(inputs.batch[target.positive[0]].tolist()) == expected


def test_by_hand():
    h = torch.tensor([[1.0, 0], [math.log(3), 1], [0, math.log(2)]])
    target = EdgeTarget(torch.tensor([[0], [1]]), torch.tensor([[0, 1], [2, 2]]), 3)
    value = EdgePrediction()(Encoding(torch.zeros(1, 1), h), target)  # scores log 3; 0 and log 2
    assert value.item() == pytest.approx(math.log(4 / 3) + (math.log(2) + math.log(3)) / 2)


def test_graphs_without_edges_are_a_connected_zero():
    encoder = GraphEncoder(1, 4, 4, 1)
    bare = SampleDataset([Data(x=torch.ones(2, 1), edge_index=both())]).fetch(torch.arange(1))
    out, target = EdgePrediction().corrupt(bare, torch.arange(1), 1)
    loss = EdgePrediction()(encoder(out), target)
    loss.backward()
    assert loss == 0 and all((p.grad == 0).all() for p in encoder.parameters() if p.grad is not None)
    assert encoder.linear.weight.grad is not None and encoder.layers.convs[0].nn.lins[0].weight.grad is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask_rate": 1.0}, r"'mask_rate' needs to be in \(0, 1\) in 'EdgePrediction'"),
        ({"num_negatives": 0}, "'num_negatives' needs to be an integer >= 1"),
        ({"corrupt_all": 1}, "'corrupt_all' needs to be true or false"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        EdgePrediction(**arguments)
