"""The contract, for every encoder of the package."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from contracts import concrete_subclasses
from token_cases import TINY_BERT
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GAT

import sigraph.encoders
from sigraph.data import SampleDataset
from sigraph.encoders import (
    BagOfWordsEncoder,
    Encoder,
    Encoding,
    GraphEncoder,
    GRUEncoder,
    HuggingFaceEncoder,
    MLPEncoder,
    ModuleEncoder,
    TransformerEncoder,
)
from sigraph.samples import Tokens, token_table


def _ring(size: int) -> torch.Tensor:
    i = torch.arange(size if size > 1 else 0)
    return torch.stack([torch.cat([i, (i + 1) % max(size, 1)]), torch.cat([(i + 1) % max(size, 1), i])])


# Of all lengths, one token alone twice; the first two differ in their tokens, not in their order only.
SEQUENCES = [[2, 3, 4, 5], [6, 7], [11], [3, 2, 3, 2, 9, 9, 9], [8, 8], [11, 2], [5, 6, 7, 8, 9, 10]]


def padded(sequences: list[list[int]]) -> Tokens:
    return SampleDataset(token_table(sequences, 12)).fetch(torch.arange(len(sequences)))


# Of several sizes, one without edges; the first two differ in their attributes alone.
GRAPHS = [
    Data(x=torch.rand(size, 3, generator=torch.Generator().manual_seed(i)), edge_index=_ring(size))
    for i, size in enumerate((4, 4, 2, 1, 6))
]


def joined(graphs: list[Data]) -> Batch:
    return SampleDataset(graphs).fetch(torch.arange(len(graphs)))


# How to build a small, random one and samples for it; an encoder without an entry fails here and asks for one.
EXAMPLES: dict[str, Callable[[], tuple[Encoder, list[Any], Callable[[list[Any]], Any]]]] = {
    "MLPEncoder": lambda: (
        MLPEncoder(6, hidden_channels=8, out_channels=5, num_layers=3, dropout=0.5, input_dropout=0.2),
        list(torch.randn(7, 6, generator=torch.Generator().manual_seed(0))),
        torch.stack,
    ),
    "BagOfWordsEncoder": lambda: (BagOfWordsEncoder(12, 8, 5, num_layers=3, dropout=0.5), SEQUENCES, padded),
    "GraphEncoder": lambda: (GraphEncoder(3, 8, 5, num_layers=2, dropout=0.5), GRAPHS, joined),
    "ModuleEncoder": lambda: (ModuleEncoder(GAT(3, 4, 2, dropout=0.5), 4, "attention"), GRAPHS, joined),
    "GRUEncoder": lambda: (GRUEncoder(12, 6, 4, num_layers=2, dropout=0.5), SEQUENCES, padded),
    "HuggingFaceEncoder": lambda: (
        HuggingFaceEncoder(12, config=TINY_BERT, pooling="attention", normalize=True),
        SEQUENCES,
        padded,
    ),
    "TransformerEncoder": lambda: (
        TransformerEncoder(12, 8, num_heads=2, dropout=0.5, max_length=7),
        SEQUENCES,
        padded,
    ),
}


def _num_parts(sample: Any) -> int:
    return sample.num_nodes if isinstance(sample, Data) else len(sample)


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
def test_parts_are_one_row_a_token_or_none(encoder_type):
    encoder, samples, batch = example(encoder_type)
    encoder.eval()
    together = encoder(batch(samples)).h
    if together is None:
        assert all(encoder(batch([sample])).h is None for sample in samples)
        return
    assert len(together) == sum(map(_num_parts, samples))
    torch.testing.assert_close(torch.cat([encoder(batch([sample])).h for sample in samples]), together)


@every_encoder
def test_an_empty_batch_has_no_embedding(encoder_type):
    encoder, samples, batch = example(encoder_type)
    full = batch(samples)
    if isinstance(full, Batch):
        none = SampleDataset(samples).fetch(torch.empty(0, dtype=torch.long))
    else:
        none = full.take(torch.arange(0)) if isinstance(full, Tokens) else full[:0]
    z, h, _ = encoder(none)
    assert z.shape == (0, encoder.out_channels) and (h is None or len(h) == 0)


@every_encoder
def test_evaluation_is_deterministic_and_leaves_no_trace(encoder_type):
    """Running statistics are allowed, and follow what is trained on alone."""
    encoder, samples, batch = example(encoder_type)
    encoder.eval()
    before, state = encoder(batch(samples)).z, copy.deepcopy(encoder.state_dict())
    encoder(batch(samples[:3]))
    assert torch.equal(before, encoder(batch(samples)).z)
    assert all(torch.equal(value, state[name]) for name, value in encoder.state_dict().items())


@every_encoder
def test_a_gradient_reaches_the_encoder(encoder_type):
    """Not every parameter, as z may be read before some of them."""
    encoder, samples, batch = example(encoder_type)
    encoder.eval()
    weight = torch.randn(len(samples), encoder.out_channels, generator=torch.Generator().manual_seed(1))
    (encoder(batch(samples)).z * weight).sum().backward()
    reached = [parameter.grad for parameter in encoder.parameters() if parameter.grad is not None]
    assert all(grad.isfinite().all() for grad in reached) and any((grad != 0).any() for grad in reached)


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
    before = copy.deepcopy(inputs)
    encoder(inputs)
    parts = zip(inputs, before, strict=True) if isinstance(inputs, tuple) else [(inputs, before)]
    if isinstance(inputs, Batch):
        parts = [(value, before[name]) for name, value in inputs]
    assert all(torch.equal(*pair) if isinstance(pair[0], torch.Tensor) else pair[0] == pair[1] for pair in parts)
