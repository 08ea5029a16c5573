"""Batches hold what fits, in order, none left out."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sigraph.data import SampleDataset
from sigraph.samples import Features, token_table
from sigraph.samples import batches as module
from sigraph.samples.batches import bounded_batches, bounded_number


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 20), st.integers(1, 100))
def test_each_batch_fits_and_none_could_be_longer(lengths, most, budget):
    samples = SampleDataset(token_table([[2] * length for length in lengths], 3)).store
    node = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(0))
    found = bounded_batches(samples, node, most, budget)
    assert torch.equal(torch.cat(found), node)
    cost = [[lengths[i] for i in batch.tolist()] for batch in found]

    def fits(parts: list[int]) -> bool:
        return len(parts) <= most and len(parts) * max(parts) <= budget

    assert all(len(parts) == 1 or fits(parts) for parts in cost)
    assert not any(fits([*parts, after[0]]) for parts, after in pairwise(cost))
    number = bounded_number(samples, node, budget)
    assert number == 1 or number * max(lengths) <= budget


def test_wide_rows_are_few_and_none_is_no_batch(monkeypatch):
    monkeypatch.setattr(module, "NUMBERS", 30)
    samples = Features(torch.zeros(10, 7))
    assert [len(batch) for batch in bounded_batches(samples, torch.arange(10), 100)] == [4, 4, 2]
    assert [len(batch) for batch in bounded_batches(samples, torch.arange(3), 2)] == [2, 1]
    assert bounded_number(samples, torch.arange(10)) == 4
    assert bounded_batches(SampleDataset(token_table([[2]], 3)).store, torch.arange(0), 5) == []


@pytest.mark.parametrize("budget", [1, 1 << 17])
def test_embeddings_do_not_depend_on_the_batches(monkeypatch, budget):
    from sigraph.encoders import TransformerEncoder, embed

    monkeypatch.setattr(module, "NODES_OR_TOKENS", budget)
    torch.manual_seed(0)
    dataset = SampleDataset(token_table([[2, 3], [4], [5, 2, 3, 4]], 6))
    encoder = TransformerEncoder(6, 8, num_heads=2)
    torch.testing.assert_close(embed(encoder, dataset), embed(encoder, dataset, batch_size=1))


def test_embedding_puts_alike_lengths_together_and_answers_in_the_order_asked_for():
    from sigraph.encoders import Encoding, TokenEncoder, embed

    class Length(TokenEncoder):
        out_channels, seen = 1, []

        def forward(self, inputs):
            self.seen.append(inputs.length.tolist())
            return Encoding(inputs.length[:, None].float())

    dataset = SampleDataset(token_table([[2] * length for length in (9, 1, 8, 2, 9, 1)], 3))
    node = torch.tensor([5, 4, 3, 2, 1, 0, 4])
    assert embed(Length(3), dataset, node, batch_size=3).view(-1).tolist() == [1, 9, 2, 8, 1, 9, 9]
    assert Length.seen == [[1, 1, 2], [8, 9, 9], [9]]
