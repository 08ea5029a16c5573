"""Features as a graph network reads them: dense, where there are not too many numbers."""

from __future__ import annotations

from collections.abc import Callable

from sklearn.decomposition import TruncatedSVD
from torch import Tensor

from sigraph.samples.vectors import Rows, as_tensor

MOST_NUMBERS = 1 << 28  # of a dense matrix of features: 1 GB
_REDUCED = 256  # channels of features that are too many


def dense_rows(rows: Rows, learnt_from: Callable[[], Rows] | None = None, channels: int | None = None) -> Tensor:
    """Dense rows; very many features are reduced to fewer channels by a truncated singular value decomposition.

    Args:
        rows: Shape [N, F], dense or sparse.
        learnt_from: Makes the rows that the channels are learnt from, asked only where they are; None: ``rows``.
        channels: To which wider rows are reduced, >= 1; None: to 256 where dense ones would take more than 1 GB.

    Returns:
        Float32 [N, F], or [N, min(F, channels)].
    """
    num_rows, width = rows.shape
    if width > channels if channels is not None else num_rows * width > MOST_NUMBERS:
        seen = rows if learnt_from is None else learnt_from()
        reduced = TruncatedSVD(min(channels or _REDUCED, width), random_state=0).fit(seen)
        rows = reduced.transform(rows).astype("float32")
    return as_tensor(rows)
