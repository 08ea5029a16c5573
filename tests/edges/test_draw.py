"""Draws inside and outside sorted rows: valid, distinct, uniform, and right where float32 would not be."""

import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from sigraph.edges.draw import draw_ranks, search_missing, search_present


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@st.composite
def rows(draw, num_ids=12):
    """A few sorted rows of distinct ids below ``num_ids``, one after the other."""
    lists = draw(st.lists(st.sets(st.integers(0, num_ids - 1)).map(sorted), min_size=1, max_size=5))
    ends = list(itertools.accumulate(map(len, lists)))
    dtype = draw(st.sampled_from([torch.int32, torch.long]))
    col = torch.tensor([value for row in lists for value in row], dtype=dtype)
    return lists, col, torch.tensor([0, *ends[:-1]]), torch.tensor(ends)


@given(st.lists(st.integers(0, 7), max_size=8), st.integers(1, 6), st.integers(0, 1000))
def test_ranks_are_in_range_and_distinct_while_there_are_enough(counts, k, seed):
    rank = draw_ranks(torch.tensor(counts, dtype=torch.long), k, seeded(seed))
    assert rank.shape == (len(counts), k) and rank.dtype == torch.long
    for count, drawn in zip(counts, rank.tolist(), strict=True):
        if count == 0:
            assert drawn == [-1] * k
        elif count < k:  # all of them, then repeats in turn
            assert set(drawn) == set(range(count)) and max(Counter(drawn).values()) == -(-k // count)
        else:
            assert len(set(drawn)) == k and min(drawn) >= 0 and max(drawn) < count


def test_same_generator_same_ranks_and_another_one_others():
    count = torch.full((50,), 1000)
    assert torch.equal(draw_ranks(count, 3, seeded()), draw_ranks(count, 3, seeded()))
    assert not torch.equal(draw_ranks(count, 3, seeded()), draw_ranks(count, 3, seeded(1)))
    torch.manual_seed(5)
    first = draw_ranks(count, 3)
    torch.manual_seed(5)
    assert torch.equal(first, draw_ranks(count, 3))


@pytest.mark.parametrize(("count", "k"), [(6, 1), (5, 2), (6, 3), (4, 4), (5, 4)])
def test_every_subset_is_equally_likely(count, k):
    subsets = list(itertools.combinations(range(count), k))
    drawn = draw_ranks(torch.full((20_000,), count), k, seeded()).sort(dim=1).values
    found = Counter(map(tuple, drawn.tolist()))
    assert set(found) == set(subsets)
    assert len(subsets) == 1 or chisquare([found[subset] for subset in subsets]).pvalue > 1e-3


@pytest.mark.parametrize("count", [10_000_000, 50_000_000, 2**31 + 11, 2**40])
def test_large_ranks_are_uniform_in_their_low_and_high_bits(count):
    drawn = draw_ranks(torch.full((40_000,), count), 1, seeded()).view(-1)
    assert chisquare((drawn % 8).bincount(minlength=8)).pvalue > 1e-3
    assert chisquare((drawn * 8 // count).bincount(minlength=8)).pvalue > 1e-3
    assert int(drawn.max()) < count and int(drawn.max()) > 0.999 * count


@given(rows(), st.integers(0, 8))
def test_missing_ids_equal_brute_force(case, rank):
    lists, col, start, end = case
    found = search_missing(col, start, end, torch.full_like(start, rank))
    for row, value in zip(lists, found.tolist(), strict=True):
        assert value == [i for i in range(rank + len(row) + 1) if i not in row][rank]


@given(rows(), st.integers(-1, 13))
def test_present_ids_equal_brute_force(case, value):
    lists, col, start, end = case
    found = search_present(col, start, end, torch.full_like(start, value))
    for row, first, position in zip(lists, start.tolist(), found.tolist(), strict=True):
        assert position == (first + row.index(value) if value in row else -1)


def test_nothing_to_search():
    none = torch.empty(0, dtype=torch.long)
    zero = torch.zeros(3, dtype=torch.long)
    assert search_missing(none, zero, zero, torch.tensor([4, 0, 2])).tolist() == [4, 0, 2]
    assert search_present(none, zero, zero, zero).tolist() == [-1, -1, -1]
    for search in (search_missing, search_present):
        assert search(torch.tensor([1, 2]), none, none, none).shape == (0,)
    assert draw_ranks(none, 2).shape == (0, 2)
