"""The layer of entries that are not zero is the dense layer: values, gradients, weights, dropout in the mean."""

import pytest
import torch
from torch import nn

from sigraph.encoders import MLPEncoder
from sigraph.encoders.sparse_linear import SparseLinear


def rows(count=6, width=40, rate=0.2):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, width, generator=generator)
    x[torch.rand(x.shape, generator=generator) > rate] = 0
    x[2] = 0  # an empty text
    return x


def test_values_and_gradients_are_those_of_the_dense_layer():
    torch.manual_seed(0)
    dense = nn.Linear(40, 7)
    sparse, x = SparseLinear(dense), rows()
    for given in (x, x[2:3], x[:0]):  # all, one without an entry, none
        grads = []
        for layer in (dense, sparse):
            dense.zero_grad()
            out = layer(given)
            (out * torch.arange(7.0)).sum().backward()
            grads.append((out.detach(), dense.weight.grad.clone(), dense.bias.grad.clone()))
        assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(*grads, strict=True))


def test_an_encoder_is_the_same_with_either_and_reads_the_weights_of_the_other():
    made = []
    for sparse in (False, True):
        torch.manual_seed(3)
        made.append(MLPEncoder(40, 16, 8, num_layers=3, input_dropout=0.5, sparse_input=sparse).eval())
    dense, sparse = made
    assert list(dense.state_dict()) == list(sparse.state_dict())
    assert all(torch.equal(*pair) for pair in zip(dense.parameters(), sparse.parameters(), strict=True))
    assert torch.allclose(dense(rows()).z, sparse(rows()).z, atol=1e-6)
    torch.manual_seed(4)
    other = MLPEncoder(40, 16, 8, num_layers=3)
    sparse.load_state_dict(other.state_dict())
    assert torch.allclose(other(rows()).z, sparse(rows()).z, atol=1e-6)
    with pytest.raises(ValueError, match="'sparse_input' needs"):
        MLPEncoder(40, sparse_input="yes")


def test_dropout_of_entries_keeps_the_mean_and_ends_with_training():
    torch.manual_seed(0)
    linear = nn.Linear(40, 3)
    layer, x = SparseLinear(linear, 0.4), rows()
    mean = torch.stack([layer(x) for _ in range(3000)]).mean(dim=0)
    assert torch.allclose(mean, linear(x), atol=0.05) and not torch.allclose(layer(x), linear(x), atol=1e-3)
    assert torch.equal(layer(x[2:3])[0], linear.bias)
    assert torch.allclose(layer.eval()(x), linear(x), atol=1e-6)
