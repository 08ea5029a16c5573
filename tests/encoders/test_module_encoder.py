"""ModuleEncoder: rows, graphs and tokens by modules of torch and PyG, from a YAML too, and what does not fit."""

import pytest
import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import GIN, global_mean_pool

from sigraph.config import ConfigError
from sigraph.config.build import build
from sigraph.data import SampleDataset
from sigraph.encoders import Encoder, ModuleEncoder, embed
from sigraph.samples import token_table

EVERY = torch.arange(3)


@pytest.fixture
def graphs() -> SampleDataset:
    draw = torch.Generator().manual_seed(0)
    ends = torch.tensor([[0, 1], [1, 0]])
    return SampleDataset([Data(x=torch.rand(size, 3, generator=draw), edge_index=ends) for size in (2, 3, 5)])


@pytest.fixture
def tokens() -> SampleDataset:
    return SampleDataset(token_table([[2, 3, 4], [5], [3, 3]], 6))


def test_feature_rows_by_layers_of_torch():
    module, x = nn.Sequential(nn.Linear(4, 3), nn.ReLU()), torch.rand(3, 4)
    encoder = ModuleEncoder(module, 3)
    encoder.check_samples(SampleDataset(x))
    assert torch.equal(encoder(x).z, module(x)) and encoder(x).h is None and encoder.out_channels == 3


def test_graphs_by_a_model_of_pyg(graphs):
    module = GIN(3, 4, 2)
    encoder, batch = ModuleEncoder(module, 4, "mean"), graphs.fetch(EVERY)
    z, h, ptr = encoder(batch)
    torch.testing.assert_close(h, module(batch.x, batch.edge_index))
    torch.testing.assert_close(z, global_mean_pool(h, batch.batch))
    assert ptr.tolist() == [0, 2, 5, 10] and encoder.part_channels == 4
    assert ModuleEncoder(module, 4, "set2set").out_channels == 8


def test_tokens_are_pooled_without_padding(tokens):
    module = nn.Embedding(6, 4)
    z, h, ptr = ModuleEncoder(module, 4, "max", ["token"])(tokens.fetch(EVERY))
    torch.testing.assert_close(h, module(torch.tensor([2, 3, 4, 5, 3, 3])))
    torch.testing.assert_close(z[1], module.weight[5])
    assert ptr.tolist() == [0, 3, 4, 6]


def test_parameters_of_forward_say_what_it_is_given(graphs):
    class Own(nn.Module):
        def forward(self, batch, x, batch_size, unknown=None):
            assert unknown is None
            return global_mean_pool(x, batch, batch_size)

    torch.testing.assert_close(ModuleEncoder(Own(), 3)(graphs.fetch(EVERY)).z[2], graphs.fetch(EVERY).x[5:].mean(0))

    class Whole(nn.Module):
        def forward(self, data):
            return global_mean_pool(data.x, data.batch, data.num_graphs)

    assert embed(ModuleEncoder(Whole(), 3), graphs).shape == (3, 3)


def test_a_yaml_names_the_module(graphs):
    inner = {"_target_": "torch_geometric.nn.GIN", "in_channels": 3, "hidden_channels": 4, "num_layers": 2}
    component = {"_target_": "sigraph.encoders.ModuleEncoder", "module": inner, "out_channels": 4, "pooling": "mean"}
    encoder = build(component, Encoder, "pretrain.encoder")
    assert isinstance(encoder.module, GIN) and embed(encoder, graphs).shape == (3, 4)
    without = {name: value for name, value in inner.items() if name != "in_channels"}
    with pytest.raises(ConfigError, match=r"pretrain.encoder.module: 'GIN' needs 'in_channels'"):
        build(component | {"module": without}, Encoder, "pretrain.encoder", in_channels=None)
    with pytest.raises(ConfigError, match=r"pretrain.encoder.module: 'subprocess.Popen' is of the standard library"):
        build(component | {"module": {"_target_": "subprocess.Popen"}}, Encoder, "pretrain.encoder")
    with pytest.raises(ConfigError, match=r"pretrain.encoder.module: .* needs to be a subclass of"):
        build(component | {"module": {"_target_": "torch_geometric.data.Data"}}, Encoder, "pretrain.encoder")


def test_looking_at_samples_leaves_no_trace(graphs):
    encoder = ModuleEncoder(GIN(3, 4, 2, norm="batch_norm", dropout=0.5), 4, "mean").train()
    encoder.module.norms[0].eval()
    state, before = {k: v.clone() for k, v in encoder.state_dict().items()}, torch.get_rng_state()
    encoder.check_samples(graphs)
    assert encoder.training and not encoder.module.norms[0].training and torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, state[name]) for name, value in encoder.state_dict().items())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModuleEncoder(GIN(4, 4, 2), 4, "mean"), "by 'GIN': .*'arguments' says what of a batch"),
        (lambda: ModuleEncoder(GIN(3, 4, 2), 5, "mean"), r"'out_channels' needs to be the width .* \(got \[5, 4\]\)"),
        (lambda: ModuleEncoder(GIN(3, 4, 2), 4), r"a row for each of 2 samples .*choose a 'pooling'"),
        (lambda: ModuleEncoder(GIN(3, 4, 2), 4, "mean", ["x", "edges"]), "names 'edges' .*it has batch, batch_size,"),
        (lambda: ModuleEncoder(nn.LSTM(3, 4), 4, "mean", ["x"]), r"a tensor \[..., 4\] \(got tuple\)"),
    ],
)  # fmt: skip
def test_samples_that_it_cannot_read_are_said_before_anything_trains(make, message, graphs):
    with pytest.raises(ValueError, match=rf"'ModuleEncoder' cannot read the samples, graphs with 3 .*{message}"):
        make().check_samples(graphs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"module": "GIN"}, "'module' needs to be a"),
        ({"out_channels": 0}, "'out_channels' needs to be an integer >= 1"),
        ({"pooling": "min"}, "'pooling' needs to be one of mean, .* or null in 'ModuleEncoder' .got 'min'"),
        ({"arguments": "x"}, "'arguments' needs a list of names, or null, in 'ModuleEncoder' .got 'x'"),
        ({"arguments": []}, "'arguments' needs a list of names"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ModuleEncoder(**{"module": nn.Identity(), "out_channels": 3, **arguments})
