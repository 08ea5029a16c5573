"""Distinct label sets of a label table, and how many labels any two of them share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from sigraph.tasks.label_values import labels_said

_BLOCK_CELLS = 1_000_000  # numbers of a block of overlaps, 4 MB: what follows finds them in the cache
_FEW = 2e-4  # mean squared share of ones in a column: below, sparse products are faster (1.4 % of ones, evenly)


def read_label_sets(labels: Any, owner: str) -> tuple[Tensor, Tensor]:
    """Which labels each sample carries, and which of them are known.

    Args:
        labels: 0, 1, or missing: NaN, or -1 in integers. Shape [N, L].
        owner: Whose argument it is, for messages.

    Returns:
        Two tables of shape [N, L] bool.
    """
    kind = "multilabel" if getattr(labels, "ndim", 0) == 2 else ""
    found = labels_said(labels, f"'labels' of {owner!r}", kind)
    if found.type != "multilabel":
        raise ValueError(
            f"'labels' needs rows of labels, shape [N, num_labels], in {owner!r} (got {list(found.y.shape)}); "
            "one class a sample is for 'LabelCliques'"
        )
    known = ~torch.isnan(found.y) if found.y.is_floating_point() else torch.ones_like(found.y, dtype=torch.bool)
    return found.y == 1, known


def distinct_rows(table: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The distinct rows of a table of bits.

    Args:
        table: Shape [M, W] bool.
        width: By the number of ones in so many columns, the first ones, the distinct rows are sorted.

    Returns:
        The distinct rows, fewest ones first, [S, W]; and the number in [0, S) of each row's, [M].
    """
    packed = np.packbits(table.numpy(), axis=1)  # [M, W / 8]
    packed = np.ascontiguousarray(packed if packed.shape[1] else np.zeros((len(packed), 1), np.uint8))
    rows = packed.view(np.dtype((np.void, packed.shape[1]))).reshape(-1)
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    rows_of = table[torch.from_numpy(first)]
    order = rows_of[:, :width].sum(dim=1).argsort(stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(order.numel())
    return rows_of[order], rank[torch.from_numpy(inverse.reshape(-1))]


def overlaps(table: Tensor, stop: Tensor) -> Iterator[tuple[int, Tensor]]:
    """How many ones every row of a table shares with itself and each later row, some rows at a time.

    By sparse products where the ones are few, by dense ones otherwise; never more than a block at once.

    Args:
        table: Shape [S, W] bool.
        stop: Row from which on row i needs no answer; rising. Shape [S].

    Yields:
        ``first`` and a block: ``block[a, b]`` is of the rows ``first + a`` and ``first + b``. Shape [A, B] float32.
    """
    num_rows, width = table.shape
    shares = table.sum(dim=0).double() / max(num_rows, 1)
    few = float(shares.square().sum()) < _FEW * width
    rows: Any = csr_matrix(table.numpy().astype(np.float32)) if few else table.float()
    turned = rows.T.tocsr() if few else rows.t()
    first = 0
    while first < num_rows:
        step = max(1, min(512, _BLOCK_CELLS // (num_rows - first)))
        last = min(first + step, num_rows)
        end = max(int(stop[last - 1]), last)
        if few:
            shared = torch.from_numpy((rows[first:last] @ turned).toarray()[:, first:end])  # [A, S] before it is cut
        else:
            shared = rows[first:last] @ turned[:, first:end]
        yield first, shared
        first = last
