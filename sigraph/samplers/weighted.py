"""Neighbours drawn in proportion to the weights of the edges."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.edges.store import CSRStore, EdgeStore


class WeightedDraws:
    """Independent draws of neighbours, each in proportion to the weight of its edge.

    A running sum of shares, 8 bytes an edge, is made once in each process; a draw is one bisection, whatever the
    degree.

    Args:
        store: A CSRStore with weights.
        owner: Class that draws, for messages.

    Raises:
        ValueError: The store has no weights, or keeps its edges in another way.
    """

    def __init__(self, store: EdgeStore, owner: str) -> None:
        if not isinstance(store, CSRStore):
            got = type(store).__name__
            raise ValueError(f"'weighted' needs a graph with a CSRStore in {owner!r} (got {got}); give weighted=False")
        if (weight := store.weight) is None:
            raise ValueError(f"'weighted' needs a graph with edge weights in {owner!r} (got none); give weighted=False")
        self.store, self.owner = store, owner
        self._running = _running_share(store.rowptr, weight)

    def draw(self, nodes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
        """``k`` neighbours of each node, repeats allowed; -1 where no edge weighs more than 0. Shape [A] -> [A, k]."""
        running = self._running
        start, end = self.store.rowptr[nodes], self.store.rowptr[nodes + 1]
        low = torch.where(start > 0, running[(start - 1).clamp(min=0)], 0.0)  # [A]
        high = torch.where(end > 0, running[(end - 1).clamp(min=0)], 0.0)
        share = torch.rand(nodes.numel(), k, dtype=torch.float64, generator=generator)
        aim = low[:, None] + share * (high - low)[:, None]
        aim = torch.minimum(aim, torch.nextafter(high, low)[:, None])  # rounding may reach the row's end
        edge = torch.searchsorted(running, aim, right=True)  # the first edge whose sum exceeds the aim; never weight 0
        neighbor = self.store.col[edge.clamp(max=running.numel() - 1)].long()
        return torch.where((high > low)[:, None], neighbor, -1)

    def __reduce__(self):
        return WeightedDraws, (self.store, self.owner)  # the sum is made anew: a mapped store travels as its path


def _running_share(rowptr: Tensor, weight: Tensor) -> Tensor:
    """Running sum over all edges of weight / total weight of the row. Shape [N + 1], [E] -> [E] float64, rising."""
    degree, share = rowptr.diff(), weight.double()
    share /= torch.segment_reduce(share, "sum", lengths=degree).repeat_interleave(degree)
    return share.nan_to_num_(0.0).cumsum(0)  # a row whose weights are all 0 has no share
