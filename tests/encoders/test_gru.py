"""GRUEncoder: torch's GRU on each sequence alone, its poolings, its errors."""

import pytest
import torch

from sigraph.data import SampleDataset
from sigraph.encoders import GRUEncoder
from sigraph.samples import Tokens, token_table

SEQUENCES = [[2, 3, 4, 5], [6, 7], [11], [3, 2, 3, 2, 9, 9, 9]]


@pytest.fixture
def tokens() -> Tokens:
    return SampleDataset(token_table(SEQUENCES, 12)).fetch(torch.arange(4))


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_is_a_gru_over_each_sequence(tokens, bidirectional, num_layers, pooling):
    torch.manual_seed(0)
    encoder = GRUEncoder(12, 5, 6, num_layers, bidirectional=bidirectional, pooling=pooling).eval()
    z, h, _ = encoder(tokens)
    rows = h.split([len(sequence) for sequence in SEQUENCES])
    for i, sequence in enumerate(SEQUENCES):
        state, _ = encoder.gru(encoder.embedding(torch.tensor([sequence])))
        torch.testing.assert_close(rows[i], state[0])
        if pooling == "mean":
            expected = state[0].mean(dim=0)
        else:  # the backward direction ends at the first token
            expected = torch.cat([state[0, -1, :3], state[0, 0, 3:]]) if bidirectional else state[0, -1]
        torch.testing.assert_close(z[i], expected)


def test_order_matters():
    torch.manual_seed(0)
    one, other = GRUEncoder(12)(SampleDataset(token_table([[2, 3, 4], [4, 3, 2]], 12)).fetch(torch.arange(2))).z
    assert not torch.allclose(one, other)


def test_one_layer_with_dropout_warns_of_nothing(recwarn):
    GRUEncoder(12, dropout=0.5)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"out_channels": 7}, r"'out_channels' needs to be even in 'GRUEncoder' \(got 7\)"),
        ({"out_channels": 0}, "'out_channels' needs to be an integer >= 1"),
        ({"embedding_channels": None}, "'embedding_channels' needs to be an integer >= 1"),
        ({"num_layers": 1.5}, "'num_layers' needs to be an integer >= 1"),
        ({"dropout": 1.0}, r"'dropout' needs to be in \[0, 1\)"),
        ({"bidirectional": "yes"}, "'bidirectional' needs to be true or false"),
        ({"pooling": "max"}, r"'pooling' needs to be one of mean, last in 'GRUEncoder' \(got 'max'\)"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GRUEncoder(12, **arguments)


def test_one_direction_may_be_odd():
    assert GRUEncoder(12, out_channels=7, bidirectional=False).out_channels == 7
