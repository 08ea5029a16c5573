"""HardNegativeSampler: negatives from among the nearest non-neighbours of the embeddings as they are."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from sigraph.data import PretrainGraph
from sigraph.edges.draw import draw_ranks
from sigraph.files.arguments import check_integers, check_rates
from sigraph.files.memory import check_fits
from sigraph.neighbors.by_depth import nearest_blocks
from sigraph.samplers.base import PairSampler, joined
from sigraph.samplers.reach import is_within


class HardNegativeSampler(PairSampler):
    r"""Each seed sample with a few neighbours and a few non-neighbours that the encoder takes for neighbours.

    :meth:`refresh` ranks the non-neighbours of every sample by the cosine of the current embeddings. The nearest
    ``guard_rank`` of them are left alone, for they may be related though no edge says so; the next ``pool_size`` are
    the pool that negatives are drawn from, uniformly. Until the first refresh, and for samples whose pool is empty,
    negatives are uniform. All other pairs of a step are decided as ever: edges are positives, the rest negatives.

    A :class:`~sigraph.RefreshNegatives` among the trainer's callbacks refreshes before the first epoch and every
    ``refresh_every`` epochs, and keeps the pools in the checkpoint, so that a resumed run draws the same; experiments
    have it. The pools are in memory that DataLoader workers share, also persistent ones, if these were started after
    the first refresh.

    With :math:`E` edges and :math:`Q` non-edges at the ranks of the pools, and a share :math:`m` of all relations
    missing from the graph at random, :math:`E\,m/(1-m)` of the Q are relations; the log shows

    .. math:: \text{false\_negative\_rate} = \frac{E}{Q}\,\frac{m}{1 - m}.

    Args:
        graph: The pre-training graph.
        num_neighbors: Neighbours drawn for each seed sample, >= 0; distinct while its degree allows.
        num_negatives: Hard negatives drawn for each seed sample, >= 1; distinct while its pool allows.
        guard_rank: Nearest non-neighbours that are left alone, >= 0.
        pool_size: Non-neighbours after these that are drawn from, >= 1; 4 bytes each for every sample.
        refresh_every: Epochs between two refreshes, >= 1; each embeds all samples once.
        missing_rate: m, share of relations that the graph is taken to lack, in [0, 1); only for the log.
        weighted: Draw neighbours in proportion to the weights of their edges, independently; false: uniformly.
        exclude_hops: Pairs at most so many edges apart that are no edges are neither positive nor negative, nor in a
            pool, >= 1; 1: every pair without an edge is a negative.

    Shapes:
        - **seeds:** [S]  ->  **node:** [B], S <= B <= S * (1 + num_neighbors + num_negatives)

    On a graph with groups pools are of the sample's own group. Every process of several refreshes for itself.

    Source: the hard negatives of Ostendorff et al., "Neighborhood Contrastive Learning for Scientific Document
    Representations with Citation Embeddings" (SciNCL), EMNLP 2022. Differs in the embeddings (the encoder's own, not
    those of a graph) and in positives (edges).
    """

    def __init__(
        self,
        graph: PretrainGraph,
        num_neighbors: int = 1,
        num_negatives: int = 1,
        guard_rank: int = 10,
        pool_size: int = 32,
        refresh_every: int = 1,
        missing_rate: float = 0.1,
        weighted: bool = False,
        exclude_hops: int = 1,
    ) -> None:
        super().__init__(graph, weighted, exclude_hops)
        name = "HardNegativeSampler"
        check_integers(name, 0, num_neighbors=num_neighbors, guard_rank=guard_rank)
        check_integers(name, 1, num_negatives=num_negatives, pool_size=pool_size, refresh_every=refresh_every)
        check_rates(name, missing_rate=missing_rate)
        check_fits(name, 4 * self.num_nodes * pool_size, pool_size=pool_size)
        self.num_neighbors, self.num_negatives = num_neighbors, num_negatives
        self.guard_rank, self.pool_size, self.missing_rate = guard_rank, pool_size, missing_rate
        self.refresh_every = refresh_every
        self.pool: Tensor | None = None  # [N, pool_size] int32, -1 at the end of a row that is not full

    def draw(self, seeds: Tensor, generator: torch.Generator | None = None) -> Tensor:
        parts = [seeds]
        if self.num_neighbors:
            parts.append(self.neighbors(seeds, self.num_neighbors, generator))
        if self.pool is None and get_worker_info() is not None:
            raise ValueError(
                "'HardNegativeSampler' needs to be refreshed before DataLoader workers start (got a worker without "
                "pools); give the trainer callbacks=[RefreshNegatives(dataset, sampler)], or the loader num_workers=0"
            )
        if self.pool is None:
            parts.append(self.negatives(seeds, self.num_negatives, generator))
        else:
            pool = self.pool[seeds].long()  # [S, pool_size]
            rank = draw_ranks((pool >= 0).sum(dim=1), self.num_negatives, generator)
            parts.append(torch.where(rank < 0, -1, pool.gather(1, rank.clamp(min=0))))
            empty = seeds[rank[:, 0] < 0]
            if empty.numel():
                parts.append(self._negatives.draw(empty, self.num_negatives, generator))
        return joined(parts)

    def refresh(self, z: Tensor) -> dict[str, float]:
        """Fill the pools anew.

        Args:
            z: Current embeddings of all samples, finite. Shape [N, D].

        Returns:
            ``false_negative_rate`` as above; ``pool_share``, pool entries found as a share of those asked for.

        Raises:
            ValueError: The shape or a value of ``z`` is wrong; no sample has a non-neighbour, or more than the guarded.
        """
        if z.dim() != 2 or len(z) != self.num_nodes or not z.is_floating_point():
            got = f"{z.dtype} {list(z.shape)}"
            raise ValueError(f"'z' needs shape [{self.num_nodes}, D] in 'HardNegativeSampler.refresh' (got {got})")
        if not bool(torch.isfinite(z).all()):
            raise ValueError("'z' needs finite values in 'HardNegativeSampler.refresh' (got NaN or infinity)")
        z, pool = z.detach().cpu(), torch.full((self.num_nodes, self.pool_size), -1, dtype=torch.int32)
        edges = others = 0
        for members in self._groups():
            depth = self.store.degree(members) + 1 + self.guard_rank + self.pool_size
            for rows, found in nearest_blocks(z[members], depth):
                node = torch.where(found < 0, -1, members[found.clamp(min=0)])  # [q, k]
                taken, num_edges = self._pools(members[rows], node)
                pool[members[rows]] = taken.int()
                edges, others = edges + num_edges, others + int((taken >= 0).sum())
        if not others:
            self._negatives.check("HardNegativeSampler")
            raise ValueError(
                f"'guard_rank' leaves no sample a hard negative in 'HardNegativeSampler' (got {self.guard_rank}, of "
                f"{self.num_nodes} samples); lower it"
            )
        self.load(pool)
        rate = edges / others * self.missing_rate / (1 - self.missing_rate)
        return {"false_negative_rate": min(rate, 1.0), "pool_share": others / pool.numel()}

    def load(self, pool: Tensor) -> None:
        """Take pools over, e.g. from a checkpoint, into the memory that workers look at. Shape [N, pool_size]."""
        if pool.shape != (self.num_nodes, self.pool_size):
            needed = [self.num_nodes, self.pool_size]
            raise ValueError(f"'pool' needs shape {needed} in 'HardNegativeSampler.load' (got {list(pool.shape)})")
        if self.pool is None:
            self.pool = torch.empty(pool.shape, dtype=torch.int32).share_memory_()
        self.pool.copy_(pool)

    def _groups(self) -> Iterator[Tensor]:
        """The nodes of each group that has more than one."""
        if self.group is None:
            yield torch.arange(self.num_nodes)
            return
        _, kind, size = self.group.unique(return_inverse=True, return_counts=True)
        for members in kind.argsort(stable=True).split(size.tolist()):
            if members.numel() > 1:
                yield members

    def _pools(self, anchors: Tensor, node: Tensor) -> tuple[Tensor, int]:
        """Pools of some anchors from all that is near them, and the edges at the same ranks.

        Args:
            anchors: Node ids. Shape [q].
            node: Node ids, nearest first, -1 for nothing. Shape [q, k].

        Returns:
            Shape [q, pool_size], and a count.
        """
        row, column = (node >= 0).nonzero(as_tuple=True)
        listed, edge, allowed = node[row, column], node < -1, node < -1  # none yet
        near = is_within(self.store, anchors, row, listed, 1)
        edge[row, column] = near & (listed != anchors[row])
        if self.exclude_hops > 1:
            near = is_within(self.store, anchors, row, listed, self.exclude_hops)
        allowed[row, column] = ~near
        rank = allowed.cumsum(dim=1) - 1  # of an allowed one, among the allowed ones
        chosen = allowed & (rank >= self.guard_rank) & (rank < self.guard_rank + self.pool_size)
        row, column = chosen.nonzero(as_tuple=True)
        taken = torch.full((anchors.numel(), self.pool_size), -1)
        taken[row, rank[row, column] - self.guard_rank] = node[row, column]
        inside = (chosen.cumsum(dim=1) > 0) & (chosen.flip(1).cumsum(dim=1).flip(1) > 0)  # from first to last chosen
        return taken, int((edge & inside).sum())
