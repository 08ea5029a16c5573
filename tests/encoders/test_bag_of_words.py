"""BagOfWordsEncoder: an MLPEncoder on rows of counts, without the rows."""

import pytest
import torch
from token_cases import tokens_of

from sigraph.data import SampleDataset
from sigraph.encoders import BagOfWordsEncoder, MLPEncoder
from sigraph.samples import MASK, Tokens, token_table

SEQUENCES = [[2, 3, 3, 5], [6, 7, MASK, MASK], [MASK], [3, 2, 3, 2, 9, 9, 9]]


def tokens() -> Tokens:
    return tokens_of(SEQUENCES)


def counts() -> torch.Tensor:
    rows = torch.zeros(4, 12)
    for row, sequence in zip(rows, SEQUENCES, strict=True):
        for token in sequence:
            row[token] += token != MASK
    return rows


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("normalize_input", [False, True])
def test_is_an_mlp_on_counts(num_layers, normalize_input):
    torch.manual_seed(0)
    bag = BagOfWordsEncoder(12, 8, 5, num_layers, normalize_input=normalize_input).eval()
    dense = MLPEncoder(12, 8, 5, num_layers, normalize_input=normalize_input).eval()
    linear = [module for module in bag.modules() if type(module).__name__ == "Linear"]
    theirs = [module for module in dense.modules() if type(module).__name__ == "Linear"]
    theirs[0].weight.data, theirs[0].bias.data = bag.weight.data.t(), bag.bias.data
    for one, other in zip(linear, theirs[1:], strict=True):
        other.load_state_dict(one.state_dict())
    torch.testing.assert_close(bag(tokens()).z, dense(counts()).z)


def test_hidden_tokens_and_order_are_not_seen():
    torch.manual_seed(0)
    bag = BagOfWordsEncoder(12).eval()
    table = SampleDataset(token_table([[2, 3, 3], [3, 2, 3]], 12)).fetch(torch.arange(2))
    one, other = bag(table).z
    torch.testing.assert_close(one, other)
    hidden = bag(tokens_of([[2, 3, 3, MASK], [MASK, MASK, 3, 2, 3]])).z
    torch.testing.assert_close(hidden, torch.stack([one, one]))


def test_a_large_vocabulary_makes_no_row_of_its_size():
    """A batch of 1,000 samples over 10^6 tokens would be a 4 GB matrix."""
    bag = BagOfWordsEncoder(1_000_000, 4, 4)
    token = torch.randint(2, 1_000_000, (3_000,), generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), torch.profiler.profile(profile_memory=True) as profile:
        bag(Tokens(token, torch.arange(0, 3_001, 3)))
    assert max(event.cpu_memory_usage for event in profile.events()) < 1_000_000


def test_starts_as_a_linear_layer_on_counts_does():
    torch.manual_seed(0)
    weight = BagOfWordsEncoder(400, 300).weight
    assert weight.abs().max() <= 400**-0.5
    assert weight.std().item() == pytest.approx((400**-0.5) / 3**0.5, rel=0.02)


@pytest.mark.parametrize("name", ["hidden_channels", "out_channels", "num_layers"])
@pytest.mark.parametrize("value", [0, None, "hello", 2.5])
def test_bad_sizes_are_named(name, value):
    with pytest.raises(ValueError, match=f"'{name}' needs to be an integer >= 1 in 'BagOfWordsEncoder'"):
        BagOfWordsEncoder(12, **{name: value})


def test_bad_options_are_named():
    with pytest.raises(ValueError, match=r"'dropout' needs to be in \[0, 1\) in 'BagOfWordsEncoder'"):
        BagOfWordsEncoder(12, dropout=1.0)
    with pytest.raises(ValueError, match="'normalize_input' needs to be true or false in 'BagOfWordsEncoder'"):
        BagOfWordsEncoder(12, normalize_input="no")
