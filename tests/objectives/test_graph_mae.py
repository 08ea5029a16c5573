"""GraphMAE: the scaled cosine error by hand, hidden rows are re-masked, nothing of them reaches the encoder."""

import pytest
import torch
from torch_geometric.data import Batch, Data

from sigraph.data import SampleDataset
from sigraph.encoders import Encoding, GraphEncoder
from sigraph.objectives import GraphMAE
from sigraph.objectives.graph_mae import ReconstructionTarget

NONE = torch.zeros(2, 0, dtype=torch.long)


def batch(sizes: tuple[int, ...] = (4, 1, 6)) -> Batch:
    draw, graphs = torch.Generator().manual_seed(0), []
    for size in sizes:
        i = torch.arange(size - 1)
        ends = torch.cat([torch.stack([i, i + 1]), torch.stack([i + 1, i])], dim=1)
        graphs.append(Data(x=torch.randn(size, 3, generator=draw), edge_index=ends))
    return SampleDataset(graphs).fetch(torch.arange(len(sizes)))


def corrupted(objective: GraphMAE, inputs: Batch, num_seeds: int = 3):
    return objective.corrupt(inputs, torch.arange(3), num_seeds, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("gamma", [1.0, 2.0, 3.0])
def test_scaled_cosine_error_by_hand(gamma):
    objective = GraphMAE(2, 2, gamma=gamma, decoder="linear")
    objective.to_decoder.weight.data = objective.decoder.weight.data = torch.eye(2)
    objective.decoder.bias.data.zero_()
    h = torch.tensor([[1.0, 0], [3, 3], [0, 2]])
    target = ReconstructionTarget(torch.tensor([0, 1]), torch.tensor([[0.0, 5], [2, 0]]), NONE, 3)
    value = objective(Encoding(torch.zeros(1, 1), h), target).item()  # angles of 90 and 45 degrees
    assert value == pytest.approx((1 + (1 - 0.5**0.5) ** gamma) / 2)


@pytest.mark.parametrize("decoder", ["gin", "gcn", "gat"])
def test_a_decoder_does_not_see_embeddings_of_hidden_nodes(decoder):
    torch.manual_seed(0)
    objective = GraphMAE(3, 5, decoder=decoder)
    inputs = batch((4,))
    target = ReconstructionTarget(torch.tensor([1]), inputs.x[[1]], inputs.edge_index, 4)
    h = torch.randn(4, 5)

    def loss(row: int) -> float:
        other = h.clone()
        other[row] += 1
        return objective(Encoding(h[:1], other), target).item()

    before = objective(Encoding(h[:1], h), target).item()
    assert loss(1) == before and loss(3) == before  # hidden; two steps away
    assert loss(0) != before and loss(2) != before


def test_another_row_behind_the_mask_changes_nothing_the_encoder_reads():
    torch.manual_seed(0)
    encoder, objective = GraphEncoder(3, 8, 4, 2, node_encoder="linear").eval(), GraphMAE(3, 8)
    out, target = corrupted(objective, batch())
    planted = batch()
    planted.x[target.node] += 7
    other, found = corrupted(objective, planted)
    assert torch.equal(encoder(out).h, encoder(other).h) and torch.equal(out.x, other.x)
    torch.testing.assert_close(found.value, target.value + 7)
    assert [int(out.node_mask[out.batch == i].sum()) for i in range(3)] == [3, 1, 4]


def test_some_get_the_attributes_of_another_node():
    inputs = batch((400, 400, 3))
    out, target = corrupted(GraphMAE(3, 8, mask_rate=0.5, replace_rate=0.3), inputs, 2)
    swapped = target.node[~out.node_mask[target.node]]
    assert len(target.node) == 402 and len(swapped) / 402 == pytest.approx(0.3, abs=0.1)
    rows = {tuple(row) for row in inputs.x.tolist()}
    assert all(tuple(row) in rows for row in out.x[swapped].tolist())
    assert not (out.x[swapped] == inputs.x[swapped]).all(dim=1).any()  # never its own


def test_kinds_are_reconstructed_as_indicators():
    objective = GraphMAE(2, 4, [3, 2], attributes=[0, 1], decoder="linear")
    objective.to_decoder.weight.data, objective.decoder.weight.data = torch.eye(4), torch.zeros(5, 4)
    objective.decoder.bias.data = torch.tensor([0.0, 1, 0, 1, 0])
    target = ReconstructionTarget(torch.tensor([0, 1]), torch.tensor([[1, 0], [2, 1]]), NONE, 2)
    assert objective(Encoding(torch.zeros(1, 4), torch.ones(2, 4)), target).item() == pytest.approx(0.5)


def test_single_nodes_and_no_targets_are_connected():
    encoder, objective = GraphEncoder(3, 8, 4, 1, node_encoder="linear"), GraphMAE(3, 8, replace_rate=0.5)
    for sizes, num_seeds in (((1,), 1), ((1, 1), 2), ((3, 2), 0)):
        out, target = corrupted(objective, batch(sizes), num_seeds)
        loss = objective(encoder(out), target)
        loss.backward()
        assert loss.isfinite() and (num_seeds > 0 or loss == 0)
    assert all(parameter.grad is not None for parameter in [*encoder.parameters(), *objective.parameters()])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"node_channels": None}, "'node_channels' needs graphs in 'GraphMAE'"),
        ({"gamma": 0.5}, "'gamma' needs to be >= 1"),
        ({"decoder": "mlp"}, "'decoder' needs to be one of gin, gcn, gat, linear in 'GraphMAE'"),
        ({"attributes": [0]}, "'attributes' needs 'node_categories'"),
        ({"replace_rate": 1.0}, r"'replace_rate' needs to be in \[0, 1\)"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GraphMAE(**{"node_channels": 3, "part_channels": 8, **arguments})


def test_another_width_is_named():
    with pytest.raises(ValueError, match=r"'node_channels' needs to be the number .* of nodes, 3, in .* \(got 4\)"):
        corrupted(GraphMAE(4, 8), batch())
    with pytest.raises(ValueError, match="'part_channels' needs to be the width of a node's embedding, 5"):
        GraphMAE(3, 8).check_encoder(GraphEncoder(3, 5, 8))
