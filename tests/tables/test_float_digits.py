"""Numbers that become one in float32 or float64 are counted; rounding that tells all apart is no loss."""

import numpy as np
import pyarrow as pa
import pytest

from sigraph.tables.float_digits import as_float32, lost_digits

G = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("numbers", "dtype", "said"),
    [
        (2**24 + np.arange(4), np.float32, "4 different numbers become 3"),
        ([2**53, 2**53 + 1], np.float64, "2 different numbers become 1"),
        ([2**53, 2**53 + 2], np.float64, ""),
        ([-(2**24) - 1, -(2**24)], np.float32, "2 different numbers become 1"),
        (np.arange(100), np.float32, ""),
        (1.7e9 + np.arange(60.0), np.float32, "60 different numbers become 1"),
        (1 + 1e-9 * np.arange(1000), np.float32, "1,000 different numbers become"),
        ([1e-50, 1.0, 2e-50, 3e-50], np.float32, "4 different numbers become 2"),
        (np.array([0.1, 0.2, 0.3]), np.float32, ""),
        (G.normal(size=50_000), np.float32, ""),  # a few meet, as they do
        (np.arange(5, dtype=np.float32) / 3, np.float32, ""),
        ([np.nan, np.inf, 1.5], np.float32, ""),
        ([True, False], np.float32, ""),
        ([], np.float32, ""),
    ],
)
def test_what_is_lost(numbers, dtype, said):
    found = lost_digits(np.asarray(numbers), dtype)
    assert found.startswith(said) and bool(found) == bool(said)
    column = pa.chunked_array([pa.array(np.asarray(numbers))])
    assert lost_digits(column, dtype) == found


def test_what_many_floats_hide_is_counted():
    numbers = np.concatenate([G.normal(size=70_000), 1000 + 1e-7 * np.arange(70_000)])
    assert "140,000 different numbers become" in lost_digits(G.permutation(numbers))


def test_beyond_float32_is_infinite_without_a_warning():
    assert np.isinf(as_float32(np.array([1e39, -1e39]))).all()
