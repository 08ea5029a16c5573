"""What numbers lose where they are kept in single precision."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

MOST_ROWS = 1 << 16  # looked at, evenly spaced
LARGEST = torch.finfo(torch.float32).max


def lost_in_float32(values: Tensor) -> str:
    """Columns whose distinct values become equal in float32, and how many; empty where nothing is lost.

    Values that are spread over their range meet by chance where there are very many: float32 tells some 2^24 apart. As
    much as 16 times that chance is no loss that anything could learn from and is not said.

    Args:
        values: Numbers in their own precision. Shape [N] or [N, F].
    """
    if values.dtype in (torch.float32, torch.float16, torch.bfloat16) or not values.numel():
        return ""
    rows = values.detach().view(len(values), -1)[:: -(-len(values) // MOST_ROWS)]
    rows = rows.cpu() if rows.is_floating_point() else rows.cpu().long()
    inexact = ((rows.float().to(rows.dtype) != rows) & (rows == rows)).any(dim=0).nonzero().view(-1)
    found = []
    for column in inexact.tolist():
        own = rows[:, column].unique()
        kept = own.float().unique().numel()
        zero = int(((own != 0) & (own.float() == 0)).sum())
        if own.numel() - kept > own.numel() ** 2 >> 21 or zero:
            found.append((column, own.numel(), kept, zero))
    if not found:
        return ""
    column, own_count, kept, zero = max(found, key=lambda one: one[1] - one[2])
    where = f"in {len(found):,} columns, most in column {column}, " if values.dim() == 2 else ""
    looked = f" among {len(rows):,} that were looked at" if len(rows) < len(values) else ""
    what = f"{where}{own_count:,} distinct values become {kept:,}{looked}"
    return what + (f" and {zero:,} become 0" if zero else "")


def say_lost(name: str, owner: str, values: Tensor, stacklevel: int = 3) -> None:
    """Warn if values that are about to be kept in float32 lose what tells them apart."""
    lost = lost_in_float32(values)
    if lost:
        way = "subtract what they have in common, or scale them, before"
        warnings.warn(f"{name!r} is kept in float32 in {owner!r}: {lost}; {way}", stacklevel=stacklevel)
