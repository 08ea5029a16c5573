"""The contract, for every encoder of the package."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from contracts import concrete_subclasses

import sigraph.encoders
from sigraph.encoders import Encoder, Encoding, MLPEncoder

# How to build a small, random one and samples for it; an encoder without an entry fails here and asks for one.
EXAMPLES: dict[str, Callable[[], tuple[Encoder, list[Any], Callable[[list[Any]], Any]]]] = {
    "MLPEncoder": lambda: (
        MLPEncoder(6, hidden_channels=8, out_channels=5, num_layers=3, dropout=0.5, input_dropout=0.2),
        list(torch.randn(7, 6, generator=torch.Generator().manual_seed(0))),
        torch.stack,
    ),
}


every_encoder = pytest.mark.parametrize("encoder_type", concrete_subclasses(Encoder, sigraph.encoders))


def example(encoder_type: type[Encoder]):
    torch.manual_seed(0)
    encoder, samples, batch = EXAMPLES[encoder_type.__name__]()
    assert type(encoder) is encoder_type
    return encoder, samples, batch


def test_finds_the_encoders():
    assert "MLPEncoder" in {encoder.__name__ for encoder in concrete_subclasses(Encoder, sigraph.encoders)}


@every_encoder
def test_is_exported_and_documented(encoder_type):
    assert encoder_type.__name__ in sigraph.encoders.__all__
    assert "Args:" in (encoder_type.__doc__ or "") and "Shapes:" in (encoder_type.__doc__ or "")


@every_encoder
def test_one_embedding_a_sample_of_the_stated_width(encoder_type):
    encoder, samples, batch = example(encoder_type)
    for count in (1, len(samples)):
        out = encoder(batch(samples[:count]))
        assert isinstance(out, Encoding)
        assert out.z.shape == (count, encoder.out_channels) and out.z.is_floating_point() and out.z.isfinite().all()
    assert not torch.allclose(out.z[0], out.z[1])


@every_encoder
def test_an_embedding_does_not_depend_on_the_rest_of_the_batch(encoder_type):
    encoder, samples, batch = example(encoder_type)
    encoder.eval()
    together = encoder(batch(samples)).z
    alone = torch.cat([encoder(batch([sample])).z for sample in samples])
    backwards = encoder(batch(samples[::-1])).z.flip(0)
    torch.testing.assert_close(alone, together)
    torch.testing.assert_close(backwards, together)


@every_encoder
def test_evaluation_is_deterministic_and_training_leaves_no_trace_of_the_batch(encoder_type):
    """No running statistics: what was seen in training mode changes no embedding."""
    encoder, samples, batch = example(encoder_type)
    encoder.eval()
    before = encoder(batch(samples)).z
    assert torch.equal(before, encoder(batch(samples)).z)
    encoder.train()
    encoder(batch(samples[:3]))
    encoder.eval()
    assert torch.equal(before, encoder(batch(samples)).z)


@every_encoder
def test_the_gradient_reaches_every_parameter(encoder_type):
    encoder, samples, batch = example(encoder_type)
    encoder.eval()
    weight = torch.randn(len(samples), encoder.out_channels, generator=torch.Generator().manual_seed(1))
    (encoder(batch(samples)).z * weight).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and (parameter.grad != 0).any(), name


@every_encoder
def test_its_state_makes_another_one_equal(encoder_type):
    encoder, samples, batch = example(encoder_type)
    other = EXAMPLES[encoder_type.__name__]()[0].eval()
    encoder.eval()
    assert not torch.equal(encoder(batch(samples)).z, other(batch(samples)).z)
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder(batch(samples)).z, other(batch(samples)).z)


@every_encoder
def test_is_not_changed_by_and_does_not_change_its_inputs(encoder_type):
    encoder, samples, batch = example(encoder_type)
    inputs = batch(samples)
    if not isinstance(inputs, torch.Tensor):
        pytest.skip("records")
    before = inputs.clone()
    encoder(inputs)
    assert torch.equal(inputs, before)
