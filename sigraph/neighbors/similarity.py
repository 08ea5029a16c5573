"""How close each embedding is to every other, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from sigraph.files.suggestions import did_you_mean

METRICS = ("cosine", "euclidean", "dot")
BUDGET = 1 << 22  # similarities held at a time: 16 MB in single precision
ENTRIES = 1 << 18  # listed pairs (positives, known edges) held at a time


class Similarity:
    r"""Closeness of queries to candidates; larger is closer for every metric, and comparable between rows.

    .. math:: s^{\cos}_{ij} = \frac{q_i \cdot z_j}{|q_i||z_j|} \qquad s^{\mathrm{dot}}_{ij} = q_i \cdot z_j \qquad
        s^{\mathrm{euc}}_{ij} = -\tfrac{1}{2}|q_i - z_j|^2

    Args:
        z: Candidates, finite; half precision is computed in single. Shape [N, D].
        metric: ``cosine`` (a zero vector is at 0 from all), ``euclidean`` or ``dot``.
        query: Embeddings that ask. Shape [Q, D]; None: ``z``, or those at ``own``.
        own: Position of each query itself among the candidates, -1 for none; it is never close (-inf). Shape [Q];
            None: without ``query`` each its own, else none.

    Raises:
        ValueError: The metric is unknown, the widths differ, or an embedding is not finite.
    """

    def __init__(
        self, z: Tensor, metric: str = "cosine", query: Tensor | None = None, own: Tensor | None = None
    ) -> None:
        if metric not in METRICS:
            raise ValueError(
                f"'metric' needs to be one of {', '.join(METRICS)} (got {metric!r}){did_you_mean(metric, METRICS)}"
            )
        z = _checked("z", z)
        if query is None:
            own = torch.arange(len(z)) if own is None else own
            query = z[own]
        else:
            query = _checked("query", query)
            if query.size(1) != z.size(1):
                raise ValueError(f"'query' needs the width of 'z', {z.size(1)} (got {query.size(1)})")
        if metric == "cosine":
            z, query = F.normalize(z, dim=1), F.normalize(query, dim=1)
        elif metric == "euclidean" and len(z):
            # The sample nearest to the middle moves to the origin: large offsets cancel, whole numbers stay exact.
            origin = z[(z - z.mean(dim=0)).square().sum(dim=1).argmin()]
            z, query = z - origin, query - origin
        self.z, self.query, self.own, self.metric = z, query, own, metric
        self.num_candidates = len(z)
        self._half = [v.square().sum(dim=1) / 2 for v in (query, z)] if metric == "euclidean" else None

    def blocks(self, entries: Tensor | None = None) -> Iterator[tuple[int, int, Tensor]]:
        """First and last (exclusive) query of each block, and its similarities, which the next block overwrites.

        Args:
            entries: What the caller lists for each query; a block holds at most ``ENTRIES`` of them, or one query.
                Shape [Q].
        """
        buffer = self.z.new_empty(0, self.num_candidates)
        for start, stop in _spans(len(self.query), self.num_candidates, entries):
            if stop - start > len(buffer):
                buffer = self.z.new_empty(stop - start, self.num_candidates)
            block = torch.mm(self.query[start:stop], self.z.t(), out=buffer[: stop - start])  # [q, N]
            if self._half is not None:
                mine, theirs = self._half
                block.sub_(theirs).sub_(mine[start:stop, None]).clamp_(max=0)
            if self.own is not None:
                row = (self.own[start:stop] >= 0).nonzero().view(-1)
                block[row, self.own[start:stop][row]] = -torch.inf
            yield start, stop, block

    def shown(self, value: Tensor) -> Tensor:
        """What the metric is called for: cosines, dot products, or distances."""
        return (-2 * value).sqrt() if self.metric == "euclidean" else value


def _checked(name: str, z: Tensor) -> Tensor:
    if z.dim() != 2:
        raise ValueError(f"{name!r} needs embeddings of shape [N, D] (got {list(z.shape)})")
    z = z.detach().cpu()
    if z.dtype not in (torch.float, torch.double):
        z = z.float()
    wrong = ~torch.isfinite(z).all(dim=1)
    if bool(wrong.any()):
        raise ValueError(f"{name!r} holds NaN or infinite values in {int(wrong.sum())} samples: training diverged")
    return z


def _spans(num_rows: int, num_columns: int, entries: Tensor | None) -> Iterator[tuple[int, int]]:
    size = max(1, BUDGET // max(num_columns, 1))
    ends = None if entries is None else entries.cumsum(0)
    start = 0
    while start < num_rows:
        stop = min(start + size, num_rows)
        if ends is not None:
            before = int(ends[start - 1]) if start else 0
            stop = max(start + 1, min(stop, int(torch.searchsorted(ends, before + ENTRIES, right=True))))
        yield start, stop
        start = stop
