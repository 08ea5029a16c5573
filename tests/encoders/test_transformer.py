"""TransformerEncoder: torch's layers on each sequence alone, places, poolings, lengths, errors."""

import math

import pytest
import torch

from sigraph.data import SampleDataset
from sigraph.encoders import TransformerEncoder
from sigraph.encoders.base import run_encoder
from sigraph.samples import Tokens, token_table

SEQUENCES = [[2, 3, 4, 5], [6, 7], [11], [3, 2, 3, 2, 9, 9, 9]]


def batch(sequences: list[list[int]]) -> Tokens:
    return SampleDataset(token_table(sequences, 12)).fetch(torch.arange(len(sequences)))


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
@pytest.mark.parametrize("pooling", ["mean", "first"])
@pytest.mark.parametrize("grad", [True, False])  # torch takes another way where no gradient is asked for
def test_is_a_transformer_over_each_sequence(positions, pooling, grad):
    torch.manual_seed(0)
    encoder = TransformerEncoder(12, 6, 2, 3, positions=positions, pooling=pooling).eval()
    with torch.set_grad_enabled(grad):
        z, h, _ = encoder(batch(SEQUENCES))
    rows = h.split([len(sequence) for sequence in SEQUENCES])
    for i, sequence in enumerate(SEQUENCES):
        x = (encoder.embedding(torch.tensor(sequence)) + encoder.position[: len(sequence)]) * 6**0.5
        for layer in encoder.layers.layers:  # norm, attention, add; norm, two linear maps, add
            y = layer.norm1(x)
            x = x + layer.self_attn(y, y, y)[0]
            y = layer.norm2(x)
            x = x + layer.linear2(torch.nn.functional.gelu(layer.linear1(y)))
        x = encoder.layers.norm(x)
        torch.testing.assert_close(rows[i], x)
        torch.testing.assert_close(z[i], x.mean(dim=0) if pooling == "mean" else x[0])


@pytest.mark.parametrize("recompute", [False, True])
def test_bf16_trains_by_plain_attention_where_sequences_are_short(recompute, monkeypatch):
    kernels = []
    attention = torch.nn.functional.scaled_dot_product_attention

    def watched(*args, **settings):
        kernels.append(torch.backends.cuda.flash_sdp_enabled())
        return attention(*args, **settings)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
    found = {}
    for precision in (None, torch.bfloat16):
        torch.manual_seed(0)
        encoder = TransformerEncoder(12, 8, 1, 2, dropout=0.0, max_length=300, recompute=recompute)
        encoder.autocast_dtype = precision
        for sequence, fused in (([2, 3, 4, 5], precision is None), ([2, 3, 4, 5] * 70, True)):
            kernels.clear()
            z = run_encoder(encoder, batch([sequence])).z
            z.square().sum().backward()
            assert set(kernels) == {fused} and len(kernels) == (2 if recompute else 1)
            found[precision, len(sequence)] = z.detach()
    for length in (4, 280):
        torch.testing.assert_close(found[None, length], found[torch.bfloat16, length], rtol=0.05, atol=0.03)


def test_waves_by_hand():
    encoder = TransformerEncoder(12, 4, num_heads=1, positions="sinusoidal", max_length=9)
    expected = [f(place / 10_000 ** (2 * k / 4)) for place in range(9) for k in (0, 1) for f in (math.sin, math.cos)]
    torch.testing.assert_close(encoder.position * 2, torch.tensor(expected).view(9, 4))
    assert "position" not in encoder.state_dict() and not any(n == "position" for n, _ in encoder.named_parameters())
    assert TransformerEncoder(12, 5, num_heads=1, positions="sinusoidal").position.shape == (512, 5)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_order_matters(positions):
    torch.manual_seed(0)
    one, other = TransformerEncoder(12, positions=positions).eval()(batch([[2, 3, 4], [4, 3, 2]])).z
    assert not torch.allclose(one, other, atol=1e-3)


def test_layers_start_apart_and_inputs_at_the_same_scale():
    torch.manual_seed(0)
    for width in (16, 256):
        encoder = TransformerEncoder(200, width, positions="learned", max_length=100)
        first, second = (layer.linear1.weight for layer in encoder.layers.layers)
        assert not torch.allclose(first, second)
        for table in (encoder.embedding.weight, encoder.position):
            assert (table * width**0.5).std().item() == pytest.approx(1, abs=0.1)


def test_longer_sequences_are_refused_never_cut():
    encoder = TransformerEncoder(12, max_length=6)
    needed = r"'max_length' needs to be >= 7 in 'TransformerEncoder', the tokens of .* 'toy' \(got 6\)"
    with pytest.raises(ValueError, match=needed):
        encoder.check_samples(SampleDataset(token_table(SEQUENCES, 12), name="toy"))
    with pytest.raises(ValueError, match=r"at most 'max_length' 6 tokens in 'TransformerEncoder' \(got 7\)"):
        encoder(batch(SEQUENCES))
    encoder.check_samples(SampleDataset(token_table(SEQUENCES[:3], 12)))
    assert encoder(batch([[2] * 6])).z.shape == (1, 128)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"out_channels": 0}, "'out_channels' needs to be an integer >= 1 in 'TransformerEncoder'"),
        ({"out_channels": None}, "'out_channels' needs to be an integer >= 1"),
        ({"num_layers": 0}, "'num_layers' needs to be an integer >= 1"),
        ({"num_heads": 0}, "'num_heads' needs to be an integer >= 1"),
        ({"num_heads": 3}, r"'num_heads' needs to divide 128, 'out_channels', in 'TransformerEncoder' \(got 3\)"),
        ({"feedforward_channels": 0}, "'feedforward_channels' needs to be an integer >= 1"),
        ({"max_length": 0}, "'max_length' needs to be an integer >= 1"),
        ({"max_length": None}, "'max_length' needs to be an integer >= 1"),
        ({"dropout": -0.1}, r"'dropout' needs to be in \[0, 1\)"),
        ({"positions": "none"}, r"'positions' needs to be one of learned, sinusoidal .*got 'none'"),
        ({"pooling": "max"}, r"'pooling' needs to be one of mean, first .*got 'max'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        TransformerEncoder(12, **arguments)
