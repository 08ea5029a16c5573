"""ContextPrediction: rings by networkx, the loss by hand, encoders that would see the context, odd graphs."""

import math

import networkx as nx
import pytest
import torch
from torch import nn
from torch_geometric.data import Batch, Data

from sigraph.data import SampleDataset
from sigraph.encoders import Encoding, GraphEncoder, ModuleEncoder
from sigraph.losses import InfoNCELoss
from sigraph.objectives import ContextPrediction
from sigraph.objectives.context_prediction import ContextTarget
from sigraph.pretrain import PretrainModule

NONE = torch.zeros(2, 0, dtype=torch.long)


def batch(count: int = 12) -> Batch:
    """Trees of many sizes, the first a single node, the third two nodes apart; x is a node's number in the batch."""
    graphs, start = [], 0
    for i in range(count):
        size = 1 if i == 0 else 3 * i
        ends = torch.tensor(list(nx.random_labeled_tree(size, seed=i).edges), dtype=torch.long).reshape(-1, 2).t()
        ends = NONE if i == 2 else torch.cat([ends, ends.flip(0)], dim=1)
        x, start = torch.arange(start, start + size).float()[:, None], start + size
        graphs.append(Data(x=x, edge_index=ends, edge_attr=x[ends[0]]))
    return SampleDataset(graphs).fetch(torch.arange(count))


def made(**more) -> ContextPrediction:
    torch.manual_seed(0)
    return ContextPrediction(4, GraphEncoder(1, 4, 4, 2), **more)


@pytest.mark.parametrize(
    "settings", [{"num_hops": 2}, {"num_hops": 3, "inner": 1, "outer": 4}, {"num_hops": 1, "outer": 1}]
)
def test_rings_are_those_of_shortest_paths(settings):
    inputs, objective = batch(), made(**settings)
    out, target = objective.corrupt(inputs, torch.arange(12), 12, torch.Generator().manual_seed(0))
    assert out is inputs and len(target.centre) == target.context.num_graphs > 4
    graph = nx.Graph(list(zip(*inputs.edge_index.tolist(), strict=True)))
    graph.add_nodes_from(range(len(inputs.x)))
    anchors = torch.zeros(len(target.context.x)).index_fill(0, target.anchor, 1).bool()
    for i, centre in enumerate(target.centre.tolist()):
        away = nx.single_source_shortest_path_length(graph, centre)
        own = target.context.batch == i
        ring = {v for v, hops in away.items() if objective.inner < hops <= objective.outer}
        assert set(target.context.x[own].view(-1).long().tolist()) == ring
        both = {v for v, hops in away.items() if objective.inner < hops <= objective.num_hops}
        assert set(target.context.x[own & anchors].view(-1).long().tolist()) == both != set()
    ends = target.context.x[target.context.edge_index].view(2, -1).long()
    kept = set(target.context.x.view(-1).long().tolist())
    edges = {edge for edge in zip(*inputs.edge_index.tolist(), strict=True) if kept >= set(edge)}
    assert set(zip(*ends.tolist(), strict=True)) == edges
    assert torch.equal(target.context.edge_attr.view(-1).long(), ends[0])
    assert torch.equal(target.context.ptr.diff(), target.context.batch.bincount())
    chosen = set(inputs.batch[target.centre].tolist())
    assert not {0, 2} & chosen  # one node; no edges


class Given(nn.Module):
    def forward(self, x):
        return x


def test_by_hand():
    """Contexts log 2 and log 3, the mean of two nodes; centres 1 and 1."""
    objective = ContextPrediction(1, ModuleEncoder(Given(), 1, "mean"), num_negatives=5)
    x = torch.tensor([[2.0], [4.0], [9.0], [3.0]]).log() * torch.tensor([[2.0], [0.0], [0.0], [1.0]])
    ptr, whose = torch.tensor([0, 3, 4]), torch.tensor([0, 0, 0, 1])
    context = Batch(x=x, edge_index=NONE, batch=whose, ptr=ptr)
    context._num_graphs = 2
    target = ContextTarget(torch.tensor([1, 3]), context, torch.tensor([0, 1, 3]), 4)
    value = objective(Encoding(torch.zeros(2, 1), torch.ones(4, 1)), target)
    positive = (math.log(3 / 2) + math.log(4 / 3)) / 2
    negative = (math.log(3) + math.log(4)) / 2  # each once: of two samples there is one other
    assert value.item() == pytest.approx(positive + negative)


@pytest.mark.parametrize("seeds", [0, 1, 3])
def test_nothing_to_tell_is_a_connected_zero(seeds):
    objective, encoder = made(num_hops=2), GraphEncoder(1, 4, 4, 2)
    out, target = objective.corrupt(batch(3), torch.arange(3), seeds, torch.Generator().manual_seed(1))
    loss = objective(encoder(out), target)
    loss.backward()
    assert loss == 0 and len(target.centre) == 0
    assert all(parameter.grad is not None for parameter in [*encoder.parameters(), *objective.parameters()])


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (lambda: GraphEncoder(1, 4, 4, 3), r"'num_hops' needs to be the number of the encoder's layers, 3, in .*got 2"),
        (lambda: GraphEncoder(1, 4, 4, 2, virtual_node=True), "'virtual_node' of the encoder shows each node"),
        (lambda: GraphEncoder(1, 8, 4, 2), "'part_channels' needs to be the width of a node's embedding, 8 of GraphEn"),
    ],
)  # fmt: skip
def test_encoders_that_do_not_fit_are_named(encoder, message):
    with pytest.raises(ValueError, match=message):
        PretrainModule(encoder(), InfoNCELoss(), made(num_hops=2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_hops": 0}, "'num_hops' needs to be an integer >= 1"),
        ({"inner": 3}, r"'inner' needs to be an integer in \[0, 2\]"),
        ({"outer": 2}, "'outer' needs to be an integer >= 3"),
        ({"num_negatives": 0}, "'num_negatives' needs to be an integer >= 1"),
        ({"context_encoder": None}, "'context_encoder' needs to be a Encoder"),
        ({"part_channels": 5}, "'part_channels' needs to be the width of a node's embedding, 4 of GraphEncoder"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ContextPrediction(**{"part_channels": 4, "context_encoder": GraphEncoder(1, 4, 4, 2), **arguments})
