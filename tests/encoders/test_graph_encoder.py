"""GraphEncoder: every setting alone and together, hidden attributes, kinds out of range, errors."""

import pyarrow as pa
import pytest
import torch
from torch_geometric.data import Data

from sigraph.data import SampleDataset
from sigraph.encoders import GraphEncoder, embed
from sigraph.readers import Molecules


def dataset(kinds: bool = False, with_edges: bool = True) -> SampleDataset:
    """Chains; one is a single node."""
    draw, graphs = torch.Generator().manual_seed(0), []
    for size in (4, 1, 3, 2):
        i = torch.arange(size - 1)
        ends = torch.cat([torch.stack([i, i + 1]), torch.stack([i + 1, i])], dim=1)
        x = torch.randint(2, (size, 9), generator=draw) if kinds else torch.rand(size, 9, generator=draw)
        many = (ends.size(1), 3)
        attributes = torch.randint(2, many, generator=draw) if kinds else torch.rand(many, generator=draw)
        graphs.append(Data(x=x, edge_index=ends, edge_attr=attributes if with_edges else None))
    return SampleDataset(graphs)


def made(**more) -> GraphEncoder:
    torch.manual_seed(0)
    return GraphEncoder(**{"node_channels": 9, "hidden_channels": 8, "out_channels": 5, "num_layers": 2, **more})


SETTINGS = [
    {"layer": "gine", "edge_channels": 3, "pooling": "attention"},
    {"layer": "gine", "node_encoder": "ogb", "edge_encoder": "ogb", "virtual_node": True, "norm": "batch"},
    {"layer": "gin", "edge_channels": 3, "edge_encoder": "linear", "jump": "cat", "pooling": "set2set"},
    {"layer": "gcn", "edge_encoder": "ogb", "node_encoder": "ogb", "jump": "sum", "residual": True, "last_norm": True},
    {"layer": "gat", "num_heads": 2, "edge_channels": 3, "edge_encoder": "linear", "jump": "max"},
    {"layer": "pna", "pooling": "sum", "norm": None},
    {"layer": "sage", "virtual_node": True, "residual": True},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_sample_by_itself_and_every_parameter_is_used(settings):
    encoder, samples = made(**settings), dataset(kinds="ogb" in settings.values())
    encoder.check_samples(samples)
    z, h, ptr = encoder.train()(samples.fetch(torch.arange(4)))  # also a batch of one node
    assert h.shape == (10, encoder.part_channels) and ptr.tolist() == [0, 4, 5, 8, 10]
    weight = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
    (z * weight).sum().backward()
    for name, parameter in encoder.named_parameters():
        if not parameter.requires_grad:
            continue
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any() or name.endswith("hidden"), name
    assert encoder(samples.fetch(torch.tensor([1]))).z.isfinite().all()
    together = embed(encoder, samples)
    torch.testing.assert_close(together, embed(encoder, samples, batch_size=1))
    torch.testing.assert_close(embed(encoder, samples, torch.tensor([3, 0])), together[[3, 0]])


def test_edges_are_read_only_where_that_is_said():
    samples = dataset()
    batch = samples.fetch(torch.arange(4))
    plain = made(edge_channels=3).eval()  # as the data fill it
    before = plain(batch).z
    batch.edge_attr = batch.edge_attr + 1
    assert torch.equal(plain(batch).z, before)
    plain.check_samples(dataset(with_edges=False))


@pytest.mark.parametrize("settings", SETTINGS[:2])
def test_what_is_hidden_is_not_read(settings):
    encoder, samples = made(**settings).eval(), dataset(kinds="ogb" in settings.values())
    batch = samples.fetch(torch.arange(4))
    shown = encoder(batch).z
    batch.node_mask, batch.edge_mask = torch.arange(10) == 2, (batch.edge_index == 2).any(dim=0)
    hidden = encoder(batch).z
    batch.x[2], batch.edge_attr[batch.edge_mask] = 1 - batch.x[2], 1 - batch.edge_attr[batch.edge_mask]
    assert torch.equal(encoder(batch).z, hidden)
    assert torch.equal(hidden[1:], shown[1:]) and not torch.equal(hidden[0], shown[0])


@pytest.mark.parametrize(
    ("settings", "samples", "message"),
    [
        ({"layer": "gine", "edge_channels": 3}, dataset(with_edges=False), "3 attributes of edges, but .* give all"),
        ({"layer": "gine", "edge_channels": 4}, dataset(), "4 attributes of edges, .* choose 'edge_channels' so"),
        ({"node_channels": 3}, dataset(), "3 attributes of nodes, .* choose 'node_channels' so"),
        ({}, SampleDataset(torch.ones(3, 9)), "9 attributes of nodes, .* make graphs of them"),
        ({"node_encoder": "ogb"}, dataset(), "'node_encoder' reads kinds .* are real numbers; make them integers"),
        ({"node_encoder": [2] * 8 + [1]}, dataset(kinds=True), None),  # the kind of what is hidden is a kind
        ({"node_encoder": [2] * 9}, SampleDataset([Data(x=torch.full((2, 9), 3), edge_index=torch.zeros(2, 0).long())]),
         "'node_encoder' knows kinds 0 to 1 of attribute 0 .* but x of the samples go from 3 to 3"),
    ],
)  # fmt: skip
def test_samples_that_it_cannot_read_are_said(settings, samples, message):
    encoder = made(**settings)
    if message is None:
        encoder.check_samples(samples)
        return
    with pytest.raises(ValueError, match=message):
        encoder.check_samples(samples)


def test_batches_that_it_cannot_read_are_said():
    batch = dataset(with_edges=False).fetch(torch.arange(2))
    with pytest.raises(ValueError, match=r"'inputs' needs edge_attr \[E, 3\] in 'GraphEncoder' \(got none\)"):
        made(layer="gine", edge_channels=3)(batch)
    with pytest.raises(ValueError, match=r"'inputs' needs x \[V, 4\] in 'GraphEncoder' \(got \[5, 9\]\)"):
        made(node_channels=4)(batch)
    with pytest.raises(ValueError, match="'inputs' needs a PyG batch in 'GraphEncoder'"):
        made()(torch.ones(2, 9))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": "gru"}, "'layer' needs to be one of gin, gine, gcn, sage, gat, pna in 'GraphEncoder' .got 'gru'"),
        ({"pooling": "min"}, "'pooling' needs to be one of mean, sum, max, attention, set2set"),
        ({"jump": "lstm"}, "'jump' needs to be one of last, cat, max, sum"),
        ({"norm": "none"}, "'norm' needs to be one of layer, batch or null"),
        ({"layer": "gat", "num_heads": 3}, "'num_heads' needs to divide 'hidden_channels', 8, in .* .got 3"),
        ({"layer": "sage", "edge_encoder": "linear"}, "'edge_encoder' needs a layer that reads .*gine, gcn, gat, pna"),
        ({"layer": "gine"}, "'edge_channels' needs graphs with attributes of edges"),
        ({"virtual_node": 1}, "'virtual_node' needs to be true or false"),
        ({"edge_channels": 0}, "'edge_channels' needs to be an integer >= 1"),
        ({"hidden_channels": 0}, "'hidden_channels' needs to be an integer >= 1"),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        made(**arguments)


@pytest.mark.parametrize("attributes", ["ogb", "hu2020"])
def test_molecules_are_read_by_the_name_of_their_attributes(attributes):
    """What the reader of molecules calls its attributes, the encoder does too."""
    pytest.importorskip("rdkit")
    smiles = ["CC(=O)Oc1ccccc1C(=O)O", "C", "[Na+].[Cl-]", "C/C=C/[C@H](N)C"]
    samples = SampleDataset(pa.table({"smiles": smiles})).read(Molecules(attributes=attributes))
    sizes = samples.sizes
    encoder = GraphEncoder(
        sizes["node_channels"],
        8,
        5,
        layer="gine",
        node_encoder=attributes,
        edge_encoder=attributes,
        edge_channels=sizes["edge_channels"],
    )
    encoder.check_samples(samples)
    assert embed(encoder, samples).isfinite().all()
