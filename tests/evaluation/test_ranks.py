"""count_ranks against loops, with rows counted and rows sorted; sort_in_rows; pooled counts against a comparison."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.evaluation import ranks
from sigraph.evaluation.ranks import PooledCounts, count_ranks, sort_in_rows


@pytest.mark.parametrize("sort_from", [1, 3, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_against_loops(sort_from, dtype, monkeypatch):
    monkeypatch.setattr(ranks, "_SORT_FROM", sort_from)

    @settings(max_examples=40, deadline=None)
    @given(st.integers(0, 2**31), st.integers(1, 5), st.integers(1, 8))
    def check(seed, rows, columns):
        generator = np.random.default_rng(seed)
        values = generator.integers(0, 4, (rows, columns)).astype(dtype) / 3
        values[generator.random(values.shape) < 0.2] = -np.inf
        row = np.sort(generator.integers(0, rows, generator.integers(0, 12)))
        score = generator.integers(0, 4, len(row)).astype(dtype) / 3
        expected = [
            (sum(v > s for v in values[r]), sum(v >= s for v in values[r])) for r, s in zip(row, score, strict=True)
        ]
        above, at_least = count_ranks(values.copy(), row, score)
        assert list(zip(above, at_least, strict=True)) == expected

    check()


def test_scores_are_sorted_in_their_rows_and_the_input_stays():
    row, score = np.array([0, 0, 0, 3, 5, 5]), np.array([3.0, 1.0, 2.0, 9.0, 4.0, 0.0])
    before = score.copy()
    assert sort_in_rows(row, score).tolist() == [1, 2, 3, 9, 0, 4]
    assert np.array_equal(score, before)
    assert sort_in_rows(row[:0], score[:0]).shape == (0,)


@pytest.mark.parametrize("most_cells", [1, 8, 1 << 22])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40), st.sampled_from([0.0, 1e-30, 1.0, 1e20]))
def test_pooled_counts_against_a_comparison(dtype, most_cells, seed, size, spread):
    generator = np.random.default_rng(seed)
    value = np.unique((0.25 + spread * generator.standard_normal(size)).astype(dtype))
    near = np.concatenate([value, np.nextafter(value, dtype(-np.inf)), np.nextafter(value, dtype(np.inf))])
    far = (0.25 + 2 * spread * generator.standard_normal(30)).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "_MOST_CELLS", most_cells)
        counts = PooledCounts(value)
    entries = [near, far, np.array([-np.inf, 0, 1e30], dtype), np.empty(0, dtype)]
    for entry in entries:
        counts.add(entry)
    assert counts.at_least().tolist() == [int(sum((entry >= v).sum() for entry in entries)) for v in value]
