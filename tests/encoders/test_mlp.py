"""MLPEncoder: its layers by hand, its options, its errors."""

import pyarrow as pa
import pytest
import torch
import torch.nn.functional as F
from torch_geometric.nn import Linear

from sigraph.data import SampleDataset
from sigraph.encoders import MLPEncoder


def rows(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_layers_are_linear_norm_gelu_and_a_last_linear():
    encoder = MLPEncoder(4, hidden_channels=6, out_channels=3, num_layers=2).eval()
    first, last = (layer for layer in encoder.modules() if isinstance(layer, Linear))
    x = rows(5, 4)
    hidden = F.layer_norm(x @ first.weight.t() + first.bias, (6,))
    expected = F.gelu(hidden) @ last.weight.t() + last.bias
    torch.testing.assert_close(encoder(x).z, expected)
    assert encoder(x).h is None and encoder.out_channels == 3


def test_one_layer_is_linear():
    encoder = MLPEncoder(4, out_channels=3, num_layers=1).eval()
    x, y = rows(2, 5, 4)
    zero = encoder(torch.zeros(5, 4)).z
    torch.testing.assert_close(encoder(x + 2 * y).z - zero, encoder(x).z - zero + 2 * (encoder(y).z - zero))
    assert sum(p.numel() for p in encoder.parameters()) == 4 * 3 + 3


@pytest.mark.parametrize("option", ["dropout", "input_dropout"])
def test_dropout_acts_in_training_only(option):
    encoder = MLPEncoder(20, **{option: 0.5})
    x = rows(3, 20)
    assert not torch.equal(encoder(x).z, encoder(x).z)
    encoder.eval()
    assert torch.equal(encoder(x).z, encoder(x).z)


def test_rates_may_be_whole_numbers():
    assert MLPEncoder(3, dropout=0, input_dropout=0).mlp.dropout == [0.0, 0.0]


def test_normalised_input_ignores_the_length_of_a_bag():
    torch.manual_seed(0)
    encoder = MLPEncoder(4, normalize_input=True).eval()
    x = torch.tensor([[1.0, 2, 0, 1], [0, 0, 3, 1]])
    torch.testing.assert_close(encoder(x).z, encoder(x * torch.tensor([[3.0], [0.5]])).z)
    zero = encoder(torch.zeros(1, 4)).z
    assert zero.isfinite().all()
    plain = MLPEncoder(4).eval()
    plain.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(encoder(x).z, plain(x / x.sum(1, keepdim=True) * 2).z)  # L1 norm 1, times 4 ** 0.5
    torch.testing.assert_close(zero, plain(torch.zeros(1, 4)).z)


def test_an_empty_batch_has_no_embedding():
    assert MLPEncoder(4, out_channels=3)(torch.empty(0, 4)).z.shape == (0, 3)


@pytest.mark.parametrize("shape", [(5, 3), (5, 5), (4,), (2, 5, 4)])
def test_wrong_widths_raise(shape):
    with pytest.raises(ValueError, match=r"'inputs' needs shape \[B, 4\] in 'MLPEncoder'"):
        MLPEncoder(4)(torch.zeros(shape))


@pytest.mark.parametrize("name", ["in_channels", "hidden_channels", "out_channels", "num_layers"])
@pytest.mark.parametrize("value", [0, -1, None, "hello", 2.5, True])
def test_bad_sizes_are_named(name, value):
    with pytest.raises(ValueError, match=f"'{name}' needs to be an integer >= 1 in 'MLPEncoder' .got {value!r}"):
        MLPEncoder(**{"in_channels": 4, name: value})


@pytest.mark.parametrize("name", ["dropout", "input_dropout"])
@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan"), "much", None])
def test_bad_rates_are_named(name, value):
    with pytest.raises(ValueError, match=f"'{name}' needs to be in .0, 1. in 'MLPEncoder'"):
        MLPEncoder(4, **{name: value})


def test_a_text_is_no_flag():
    with pytest.raises(ValueError, match=r"'normalize_input' needs to be true or false in 'MLPEncoder' .got 'no'"):
        MLPEncoder(4, normalize_input="no")


def test_samples_that_it_cannot_read_are_said_with_their_data_set():
    encoder = MLPEncoder(4)
    encoder.check_samples(SampleDataset(torch.ones(3, 4)))
    with pytest.raises(ValueError, match=r"needs rows of 4 features, .*'toy' are rows of 5 features; choose 'in_cha"):
        encoder.check_samples(SampleDataset(torch.ones(3, 5), name="toy"))
    with pytest.raises(ValueError, match=r"but the samples are rows of 5 features"):
        encoder.check_samples(SampleDataset(torch.ones(3, 5)))
    records = SampleDataset(pa.table({"id": [1, 2], "text": ["a", "b"]}), name="notes")
    with pytest.raises(ValueError, match=r"data set 'notes' are records with the columns 'id', 'text'; make features"):
        encoder.check_samples(records)
    with pytest.raises(ValueError, match=r"'inputs' needs feature rows, a tensor, in 'MLPEncoder' \(got list\)"):
        encoder(records.fetch(torch.arange(2)))
