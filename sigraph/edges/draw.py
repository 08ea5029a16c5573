"""Uniform draws inside and outside sorted CSR rows, all rows at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def draw_ranks(count: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
    """For each row, ``k`` distinct uniform integers in [0, count).

    A row with fewer than ``k`` choices lists all of them, then repeats them in turn; a row without any gives -1.
    Robert Floyd's subset sampling (Bentley and Floyd, CACM 1987), one column at a time: O(k^2) compares a row, no
    rejection. 63-bit random words modulo ``count``: the bias is below count / 2^63.

    Args:
        count: Choices of each row, >= 0. Shape [A].
        k: Draws a row, >= 1.
        generator: Source of randomness; None: torch's global one.

    Returns:
        Shape [A, k] int64.
    """
    word = torch.randint(0, 2**63 - 1, (count.numel(), k), generator=generator)
    if k == 1:
        return torch.where(count[:, None] > 0, word % count[:, None].clamp(min=1), -1)
    rank = torch.empty_like(word)
    for column in range(k):
        bound = (count - (k - 1 - column)).clamp(min=1)  # this column draws from [0, bound)
        drawn = word[:, column] % bound
        taken = (rank[:, :column] == drawn[:, None]).any(dim=1)
        rank[:, column] = torch.where(taken, bound - 1, drawn)
    few = (count < k).nonzero().view(-1)
    if few.numel():
        rank[few] = torch.arange(k) % count[few, None].clamp(min=1)
        rank[count == 0] = -1
    return rank


def search_missing(col: Tensor, start: Tensor, end: Tensor, rank: Tensor) -> Tensor:
    """The ``rank``-th smallest id >= 0 that is absent from each sorted row.

    ``col[t] - t`` counts, for the t-th entry of a row, the absent ids below it; the answer is ``rank`` plus the number
    of entries with at most ``rank`` absent ids below, found by one bisection inside each row.

    Args:
        col: Sorted, distinct ids of all rows, one row after the other. Shape [E].
        start: First position of each row in ``col``. Shape [A].
        end: One past the last position. Shape [A].
        rank: Which absent id, counted from 0. Shape [A].

    Returns:
        Shape [A] int64.
    """
    if col.numel() == 0 or start.numel() == 0:
        return rank
    shifted = (rank - start).numpy()

    def passed(place: np.ndarray) -> np.ndarray:
        below = values.take(place, mode="clip") - place
        return below <= shifted

    values, first = col.numpy(), start.numpy()
    return rank + torch.from_numpy(_bisected(first, end.numpy(), passed) - first)


def search_present(col: Tensor, start: Tensor, end: Tensor, value: Tensor) -> Tensor:
    """Position in ``col`` of ``value`` inside each sorted row, -1 where the row does not hold it.

    Args:
        col: Sorted ids of all rows. Shape [E].
        start: First position of each row. Shape [A].
        end: One past the last position. Shape [A].
        value: The id looked for. Shape [A].

    Returns:
        Shape [A] int64.
    """
    if col.numel() == 0 or start.numel() == 0:
        return torch.full_like(start, -1)
    values, last, sought = col.numpy(), end.numpy(), value.numpy()
    place = _bisected(start.numpy(), last, lambda place: values.take(place, mode="clip") < sought)
    found = (place < last) & (values.take(place, mode="clip") == sought)
    return torch.from_numpy(np.where(found, place, -1))


def _bisected(start: np.ndarray, end: np.ndarray, passed: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """First position of each row in [start, end] that is not passed, in steps of falling powers of two. Shape [A].

    In numpy, whose calls cost less than torch's on a step's few thousand numbers.
    """
    place, ahead = start.copy(), np.empty_like(start)
    for bit in reversed(range(int((end - start).max()).bit_length())):
        np.add(place, (1 << bit) - 1, out=ahead)  # the last of so many entries: if it is passed, all are
        place += (passed(ahead) & (ahead < end)).astype(place.dtype) << bit
    return place


def expand(start: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Lay out one run of consecutive positions per row.

    Args:
        start: First position of each row's run. Shape [A].
        count: Length of each row's run, >= 0. Shape [A].

    Returns:
        The row of each laid-out position and the position itself, both of shape [sum(count)].
    """
    row = torch.repeat_interleave(count)  # [P]
    ends = count.cumsum(0)
    offset = torch.arange(row.numel(), device=count.device) - (ends - count)[row]
    return row, start[row] + offset
