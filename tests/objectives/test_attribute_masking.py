"""AttributeMasking: nothing of what is hidden reaches the encoder, values by hand, odd graphs, errors."""

import math

import pytest
import torch
from torch_geometric.data import Batch, Data

from sigraph.data import SampleDataset
from sigraph.encoders import Encoding, GraphEncoder
from sigraph.objectives import AttributeMasking
from sigraph.objectives.attribute_masking import AttributeTarget

NONE = torch.zeros(2, 0, dtype=torch.long)
CHAIN = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])


def batch(kind: int = 0, bond: int = 0) -> Batch:
    """A chain, a single node, a node that is alone beside an edge, two nodes without edges."""
    shapes = ((3, CHAIN), (1, NONE), (3, CHAIN[:, :2]), (2, NONE))
    return SampleDataset(
        [
            Data(
                x=torch.full((size, 2), kind),
                edge_index=ends,
                edge_attr=torch.full((ends.size(1), 1), bond),
            )
            for size, ends in shapes
        ]
    ).fetch(torch.arange(4))


def corrupted(objective: AttributeMasking, inputs: Batch, num_seeds: int = 4):
    return objective.corrupt(inputs, torch.arange(4), num_seeds, torch.Generator().manual_seed(0))


def made(**more) -> AttributeMasking:
    return AttributeMasking(8, [5, 5], edge_categories=[4], mask_rate=0.4, **more)


def test_another_attribute_behind_the_mask_changes_nothing_the_encoder_reads():
    torch.manual_seed(0)
    encoder = GraphEncoder(2, 8, 4, 2, layer="gine", node_encoder=[5, 5], edge_encoder=[4]).eval()
    out, target = corrupted(made(), batch())
    planted = batch()
    planted.x[target.node] = torch.tensor([4, 3])
    planted.edge_attr[(planted.edge_index[:, :, None] == target.node).any(dim=2).any(dim=0)] = 3
    other, found = corrupted(made(), planted)
    for name in ("x", "edge_index", "edge_attr", "node_mask", "edge_mask"):
        assert torch.equal(out[name], other[name])
    assert all(torch.equal(a, b) for a, b in zip(encoder(out)[:2], encoder(other)[:2], strict=True))
    assert (target.kind == 0).all() and (found.kind == 4).all() and (found.edge_kind == 3).all()
    assert len(target.edge_kind) > 0


def test_what_is_hidden_and_what_is_remembered():
    inputs = batch(2, 1)
    out, target = corrupted(made(attributes=[1, 0]), inputs)
    assert target.node.bincount(minlength=9).tolist() == out.node_mask.tolist()
    assert [int(out.node_mask[inputs.batch == i].sum()) for i in range(4)] == [2, 1, 2, 1]
    assert torch.equal(out.edge_mask, out.node_mask[inputs.edge_index].any(dim=0))
    assert (out.x[out.node_mask] == 0).all() and (out.x[~out.node_mask] == 2).all()
    assert target.kind.shape == (6, 2) and torch.equal(target.ends, inputs.edge_index[:, out.edge_mask])
    nodes_only, target = corrupted(AttributeMasking(8, [5, 5]), inputs)
    assert "edge_mask" not in nodes_only and torch.equal(nodes_only.edge_attr, inputs.edge_attr)


def test_by_hand():
    """Logits of nodes 0, h and of edges 0, h + h'."""
    objective = AttributeMasking(1, [2], edge_categories=[2])
    for decoder in (objective.decoder, objective.edge_decoder):
        decoder.weight.data, decoder.bias.data = torch.tensor([[0.0], [1.0]]), torch.zeros(2)
    h = torch.tensor([[math.log(3)], [0.0], [math.log(2)]])
    target = AttributeTarget(
        torch.tensor([0, 1]), torch.tensor([[1], [0]]), torch.tensor([[0], [2]]), torch.tensor([[0]]), 3
    )
    value = objective(Encoding(torch.zeros(1, 4), h), target)
    assert value.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2 + math.log(7))


def test_graphs_without_edges_and_no_targets_are_connected():
    objective, encoder = made(), GraphEncoder(2, 8, 4, 2, "gine", node_encoder=[5, 5], edge_encoder=[4])
    bare = SampleDataset([Data(x=torch.zeros(1, 2).long(), edge_index=NONE, edge_attr=torch.zeros(0, 1).long())] * 2)
    for num_seeds in (2, 0):
        inputs, target = objective.corrupt(bare.fetch(torch.arange(2)), torch.arange(2), num_seeds)
        loss = objective(encoder(inputs), target)
        loss.backward()
        assert loss.isfinite() and (num_seeds > 0) == bool(loss > 0)
        assert all(parameter.grad is not None for parameter in [*encoder.parameters(), *objective.parameters()])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"node_categories": "atoms"}, "'node_categories' needs to be one of ogb, hu2020 or a list"),
        ({"attributes": [9]}, r"'attributes' needs a list of attributes, numbers in \[0, 9\), in 'AttributeMasking'"),
        ({"attributes": []}, "'attributes' needs a list"),
        ({"edge_attributes": [0]}, "'edge_attributes' needs 'edge_categories'"),
        ({"mask_rate": 0}, r"'mask_rate' needs to be in \(0, 1\)"),
        ({"part_channels": None}, "'part_channels' needs to be an integer >= 1"),
        ({"corrupt_all": "no"}, "'corrupt_all' needs to be true or false"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        AttributeMasking(**{"part_channels": 8, **arguments})


def test_samples_and_encoders_that_do_not_fit_are_named():
    plain = SampleDataset([Data(x=torch.zeros(2, 2).long(), edge_index=NONE)]).fetch(torch.arange(1))
    for inputs, message in (
        (torch.ones(2, 2), r"'inputs' needs graphs, a PyG batch, in 'AttributeMasking' \(got Tensor\)"),
        (plain, "'edge_categories' needs graphs with attributes of edges"),
        (
            SampleDataset([Data(x=torch.ones(2, 2), edge_index=NONE)]).fetch(torch.arange(1)),
            "2 attributes of nodes",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            made().corrupt(inputs, torch.arange(1), 1)
    with pytest.raises(ValueError, match="'part_channels' needs to be the width of a node's embedding, 4 of GraphEnc"):
        made().check_encoder(GraphEncoder(2, 4, 8))
