"""What float32 cannot tell apart is said, and what it rounds is not."""

import warnings

import pytest
import torch

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.precision import MOST_ROWS, lost_in_float32

PATH = torch.stack([torch.arange(60), torch.arange(60) + 1])


@pytest.mark.parametrize(
    ("values", "lost"),
    [
        (1.7e9 + torch.arange(60.0).double(), "60 distinct values become 1"),
        (torch.tensor([1.0, 1.0 + 1e-12, 3.0]).double(), ""),  # the same already: made in float32
        (torch.tensor([1.0, 1.0 + 1e-12, 3.0], dtype=torch.double), "3 distinct values become 2"),
        (torch.tensor([2**24, 2**24 + 1]), "2 distinct values become 1"),
        (torch.tensor([1.0, 1e-60], dtype=torch.double), "2 distinct values become 2 and 1 become 0"),
        (torch.tensor([0.1, 0.2, 0.2], dtype=torch.double), ""),
        (torch.tensor([float("nan"), 0.1], dtype=torch.double), ""),
        (torch.rand(50_000, dtype=torch.double), ""),  # a few of so many are equal in float32 by chance
        (torch.rand(10).half(), ""),
        (torch.arange(10), ""),
        (torch.empty(0, dtype=torch.double), ""),
    ],
)
def test_values_that_become_equal_are_counted(values, lost):
    assert lost_in_float32(values) == lost


def test_columns_are_counted_by_themselves():
    values = torch.rand(500, 4, dtype=torch.double)
    values[:, 2] = 1e12 + torch.arange(500).double()
    assert lost_in_float32(values) == "in 1 columns, most in column 2, 500 distinct values become 1"


def test_of_very_many_rows_some_are_looked_at():
    assert f"among {MOST_ROWS:,} that were looked at" in lost_in_float32(1e12 + torch.arange(2 * MOST_ROWS).double())


def test_weights_and_features_say_it():
    with pytest.warns(
        UserWarning, match="'edge_weight' is kept in float32 in 'PretrainGraph': 60 distinct .* become 1"
    ):
        PretrainGraph(PATH, 61, edge_weight=1e12 + torch.arange(60).double())
    with pytest.warns(UserWarning, match="'edge_weight' is kept in float32 .*: 2 distinct values become 1"):
        PretrainGraph([[0, 1], [1, 2]], edge_weight=[1e12, 1e12 + 1])  # a list is read in full precision
    with pytest.warns(UserWarning, match="'samples' is kept in float32 in 'SampleDataset': .*column 0, 60 distinct"):
        SampleDataset(1e12 + torch.arange(60).double()[:, None])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PretrainGraph(PATH, 61, edge_weight=torch.rand(60, dtype=torch.double))
        SampleDataset(torch.rand(60, 3, dtype=torch.double))
        SampleDataset(torch.rand(60, 3).half())


def test_numbers_beyond_float32_are_named():
    with pytest.raises(ValueError, match=r"'edge_weight' needs values of at most 3.403e\+38, float32, .*got 1e\+60"):
        PretrainGraph([[0], [1]], edge_weight=[1e60])
    with pytest.raises(ValueError, match=r"'samples' needs features of at most 3.403e\+38, float32, .*got 1e\+60"):
        SampleDataset(torch.tensor([[1e60]], dtype=torch.double))
    with pytest.raises(ValueError, match=r"int64\); use samples.double\(\)"):
        SampleDataset(torch.tensor([[2**24], [2**24 + 1]]))
    with pytest.raises(ValueError, match=r"int64\); use samples.float\(\)"):
        SampleDataset(torch.tensor([[1], [2]]))
