"""What rows lose: sums and counts of each loss, of all entries and of some."""

import pytest
import torch
import torch.nn.functional as F

from sigraph.objectives.rows import ROW_LOSSES, row_loss


@pytest.mark.parametrize("loss", ROW_LOSSES)
def test_a_mask_of_everything_is_no_mask(loss):
    draw = torch.Generator().manual_seed(0)
    predicted, value = torch.randn(4, 3, generator=draw), torch.rand(4, 3, generator=draw)
    whole, masked = (row_loss(predicted, value, loss, "x", mask) for mask in (None, torch.ones(4, 3).bool()))
    torch.testing.assert_close(whole[0] / whole[1], masked[0] / masked[1])
    some = torch.rand(4, 3, generator=draw) < 0.5
    total, count = row_loss(predicted, value, loss, "x", some)
    expected = {
        "mse": (predicted - value).square() * some,
        "bce": F.binary_cross_entropy(predicted.sigmoid(), value, reduction="none") * some,
        "words": -predicted.softmax(dim=1).log() * value * some,
    }[loss]
    torch.testing.assert_close(total, expected.sum())
    torch.testing.assert_close(count.float(), ((value if loss == "words" else 1) * some).sum().float())
