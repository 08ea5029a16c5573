"""From embeddings of parts to that of their sample."""

from __future__ import annotations

from torch import Tensor, nn
from torch_geometric.nn.aggr import AttentionalAggregation, Set2Set
from torch_geometric.nn.pool import global_add_pool, global_max_pool, global_mean_pool

_PLAIN = {"mean": global_mean_pool, "sum": global_add_pool, "max": global_max_pool}
POOLINGS = ("mean", "sum", "max", "attention", "set2set")
_ROUNDS = 3  # of Set2Set


class Pooling(nn.Module):
    """Pools the rows of each sample; PyG's.

    Args:
        pooling: ``mean``, ``sum``, ``max``; ``attention``: a mean with learnt weights; ``set2set``: a recurrent network
            that looks at all rows three times, twice as wide.
        channels: D, width of the rows.

    Shapes:
        - **h:** [M, D], **batch:** whose each row is, ascending [M]  ->  [B, out_channels]

    Source: Li et al., "Gated Graph Sequence Neural Networks", ICLR 2016 (``attention``); Vinyals et al., "Order
    Matters", ICLR 2016 (``set2set``).
    """

    def __init__(self, pooling: str, channels: int) -> None:
        super().__init__()
        self.plain = _PLAIN.get(pooling)
        self.aggregate: nn.Module | None = None
        if pooling == "attention":
            self.aggregate = AttentionalAggregation(nn.Linear(channels, 1))
        elif pooling == "set2set":
            self.aggregate = Set2Set(channels, _ROUNDS)
        self.out_channels = 2 * channels if pooling == "set2set" else channels

    def forward(self, h: Tensor, batch: Tensor, num_samples: int) -> Tensor:
        if self.plain is not None:
            return self.plain(h, batch, num_samples)
        if not num_samples:
            return h.new_zeros(0, self.out_channels)
        return self.aggregate(h, batch, dim_size=num_samples)  # type: ignore[misc]
