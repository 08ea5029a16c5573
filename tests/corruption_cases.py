"""Batches of random tokens, and the drawn settings under which objectives that corrupt tokens are tried."""

from collections.abc import Callable

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import SampleDataset
from sigraph.samples import FIRST_TOKEN, Tokens, token_table


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(lengths: list[int], num_tokens: int = 50, special: tuple[int, ...] = ()) -> Tokens:
    """Sequences of these lengths, the same ones each time."""
    draw = torch.randint(FIRST_TOKEN, num_tokens, (sum(lengths),), generator=seeded()).split(lengths)
    table = token_table(list(draw), num_tokens, special_tokens=special)
    return SampleDataset(table).fetch(torch.arange(len(lengths)))


def corruptions(*rates: float) -> Callable:
    """Draws for a test: lengths of sequences, number of seed samples, rate, whether all are corrupted, a seed."""
    lengths = st.lists(st.integers(1, 9), min_size=1, max_size=6)
    drawn = given(lengths, st.integers(0, 6), st.sampled_from(rates), st.booleans(), st.integers(0, 99))
    return lambda test: settings(max_examples=80, deadline=None)(drawn(test))
