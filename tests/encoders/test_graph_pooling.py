"""Poolings: mean, sum and largest by hand, weights that sum to one, no sample at all."""

import pytest
import torch

from sigraph.encoders.graph_pooling import POOLINGS, Pooling

H = torch.tensor([[1.0, -2.0], [3.0, 0.0], [5.0, 7.0]])
BATCH = torch.tensor([0, 0, 1])


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("mean", [[2.0, -1], [5, 7]]), ("sum", [[4.0, -2], [5, 7]]), ("max", [[3.0, 0], [5, 7]])],
)
def test_by_hand(pooling, expected):
    assert Pooling(pooling, 2)(H, BATCH, 2).tolist() == expected


def test_attention_is_a_mean_with_learnt_weights():
    pool = Pooling("attention", 2)
    weight = pool.aggregate.gate_nn(H[:2]).softmax(dim=0)
    torch.testing.assert_close(pool(H, BATCH, 2), torch.stack([(weight * H[:2]).sum(0), H[2]]))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_rows_are_as_wide_as_stated_and_no_order_matters(pooling):
    pool = Pooling(pooling, 2)
    out = pool(H, BATCH, 2)
    assert out.shape == (2, pool.out_channels)
    torch.testing.assert_close(pool(H[[1, 0, 2]], BATCH, 2), out)
    assert pool(H[:0], BATCH[:0], 0).shape == (0, pool.out_channels)
