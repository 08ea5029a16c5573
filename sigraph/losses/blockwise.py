"""The engine of losses that are a function of an anchor's whole row of similarities: block by block of anchors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from sigraph.data.pairs import Pairs
from sigraph.losses.base import PairSets, StructureLoss

# Similarities a block holds.
_CACHE_ELEMENTS, _MOST_ELEMENTS, _DEVICE_ELEMENTS = 2**19, 2**22, 2**26


@dataclass
class Block:
    """A block of a anchors: their similarities to all C candidates, their p positives, and who is a negative."""

    similarity: Tensor  # [a, C]; Euclidean distances where the loss measures those
    is_negative: Tensor  # [a, C] bool
    positive_similarity: Tensor  # [p] similarity of each positive
    positive_row: Tensor  # [p] its anchor in [0, a), ascending
    positive_column: Tensor  # [p] its candidate in [0, C)
    weight: Tensor  # [p] its weight, > 0; 1 where the pairs have none
    start: int  # position of its first anchor in [0, A)

    @property
    def distance(self) -> Tensor:
        """[a, C] Euclidean distances, of losses with ``measure = "euclidean"``."""
        return self.similarity

    @property
    def positive_distance(self) -> Tensor:
        """[p] distance of each positive, of losses with ``measure = "euclidean"``."""
        return self.positive_similarity

    def sum_per_row(self, x: Tensor) -> Tensor:
        """Sum of one value per positive over each anchor's positives. Shape [p] -> [a]; 0 without positives."""
        return x.new_zeros(self.similarity.size(0)).index_add(0, self.positive_row, x)

    def max_per_row(self, x: Tensor) -> Tensor:
        """Largest value per positive of each anchor, detached. Shape [p] -> [a]; -inf without positives."""
        low = x.new_full((self.similarity.size(0),), -torch.inf)
        return low.scatter_reduce(0, self.positive_row, x.detach(), "amax")

    def log_sum_exp_per_row(self, x: Tensor) -> Tensor:
        """Stable log of the sum of e^x over each anchor's positives. Shape [p] -> [a]; -inf without positives."""
        top = self.max_per_row(x)
        top = top.masked_fill(top == -torch.inf, 0)
        total = self.sum_per_row((x - top[self.positive_row]).exp())
        empty = total == 0  # no positive, or all of them at -inf: keep 0 / 0 out of the gradient
        return total.masked_fill(empty, 1).log().masked_fill(empty, -torch.inf) + top


class PairwiseLoss(StructureLoss):
    r"""A structure loss whose terms are sums over anchors of a function of the anchor's row of similarities.

    A subclass states its formula for one :class:`Block` in :meth:`rows`, with any PyTorch operations, and gets
    rectangles, weights, ignored pairs and mixed precision for nothing. Blocks of anchors see their whole rows, so the
    gradient is computed together with the loss and kept as [A, D] and [C, D]; the peak memory is that of one block,
    O((A + C) D), never A x C. Values do not depend on the block size. A gradient of the gradient is refused.
    Losses with parameters of their own use plain autograd in :meth:`~sigraph.losses.StructureLoss.terms` instead.

    Attributes:
        measure: What a row holds: ``"cosine"``, ``"dot"`` or ``"euclidean"`` (distances; 0 below the resolution of the
            matrix product, with gradient 0).
        normalize: Whether embeddings are scaled to unit length first; a zero vector stays zero.
        block_size: Anchors in a block, >= 1. None: as many as the cache likes.
    """

    measure: Literal["cosine", "dot", "euclidean"] = "cosine"
    normalize: bool = False
    block_size: int | None = None

    @abstractmethod
    def rows(self, block: Block) -> tuple[Tensor, Tensor | None]:
        """The formula: sums [K] over the block's anchors, and counts [K] (None where :meth:`counts` states them)."""

    def counts(self, sets: PairSets) -> Tensor | None:
        """Counts [K] known before any similarity; needed if K > 1. None: K = 1, counted by :meth:`rows`."""
        return None

    def terms(self, z: Tensor, pairs: Pairs, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """As in the base class. Sums of several means share one gradient: only the sum of the means has it."""
        square = candidates is z
        if self.normalize or self.measure == "cosine":
            z = _unit(z)
            candidates = z if square else _unit(candidates)
        if self.measure == "euclidean" and candidates.size(0):
            center = candidates.detach().mean(dim=0)  # distances stay; their rounding shrinks with the norms
            z = z - center
            candidates = z if square else candidates - center
        sets = PairSets.of(pairs)
        counts = self.counts(sets)
        counts = None if counts is None else counts.to(z)
        scale = z.new_ones(1) if counts is None else 1 / self.denominators(counts)
        keep = tuple(torch.is_grad_enabled() and x.requires_grad for x in (z, candidates))
        sums, counted = _RowBlocks.apply(z, candidates, self, sets, scale, keep)
        return sums, counted if counts is None else counts


def log_sum_exp(x: Tensor, mask: Tensor, scale: float = 1.0, top: Tensor | None = None) -> Tensor:
    """Stable log of the sum of e^(scale * x) over each row's masked entries; -inf, with gradient 0, if there are none.

    Args:
        x: Values. Shape [a, C].
        mask: Which of them count. Shape [a, C], bool.
        scale: Factor on every value, > 0.
        top: Largest of each row's masked entries, where it is known already; only entries far above it overflow, and a
            row without entries may have any. Shape [a].

    Returns:
        Shape [a].
    """
    return _LogSumExp.apply(x, mask, scale, top)


def _unit(x: Tensor) -> Tensor:
    norm = x.norm(dim=1, keepdim=True)  # [B, 1]
    return x / norm.masked_fill(norm == 0, 1)


class _LogSumExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor, scale: float, top: Tensor | None) -> Tensor:
        e = torch.where(mask, x, -torch.inf)  # [a, C]
        top = e.amax(dim=1, keepdim=True) if top is None else top.view(-1, 1)  # [a, 1]
        top = top.masked_fill(top == -torch.inf, 0)
        total = e.sub_(top).mul_(scale).exp_().sum(dim=1)  # [a]
        ctx.save_for_backward(e, total)
        ctx.scale = scale
        return total.log() + scale * top.view(-1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        e, total = ctx.saved_tensors
        factor = torch.where(total > 0, grad * ctx.scale / total, 0)
        return e * factor.view(-1, 1), None, None, None


class _RowBlocks(torch.autograd.Function):
    """Sums [K], counts [K]; the gradient of ``(scale * sums).sum()`` comes out of the same pass over the blocks."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, c: Tensor, loss: PairwiseLoss, sets: PairSets, scale: Tensor, keep: tuple[bool, bool]
    ) -> tuple[Tensor, Tensor]:
        sums, counts = torch.zeros_like(scale), torch.zeros_like(scale)
        dz = torch.zeros_like(z) if keep[0] else None
        dc = torch.zeros_like(c) if keep[1] else None
        own = [weight for weight in loss.parameters() if weight.requires_grad]
        for start, block in _blocks(z, c, loss, sets):
            leaves = [block.similarity, block.positive_similarity]
            with torch.set_grad_enabled(any(keep)):
                for leaf in leaves:
                    leaf.requires_grad_(any(keep))
                part, found = loss.rows(block)
                sums += part.detach()
                if found is not None:
                    counts += found
                if not part.requires_grad:
                    continue
                dense, sparse, *lost = torch.autograd.grad((part * scale).sum(), [*leaves, *own], allow_unused=True)
            if any(gradient is not None for gradient in lost):
                raise RuntimeError(
                    f"'rows' of '{type(loss).__name__}' uses a parameter, which the engine gives no gradient; use it "
                    "in 'terms', or write the loss with plain autograd there"
                )
            rows = slice(start, start + block.similarity.size(0))
            g = _gradient(block, dense, sparse, loss.measure)  # [a, C]
            if dz is not None:
                torch.mm(g, c, out=dz[rows])
            if dc is not None:
                dc.addmm_(g.t(), z[rows])
            if loss.measure == "euclidean":  # g holds -dL/dd / d, and dd/dx = (x - y) / d
                if dz is not None:
                    dz[rows].addcmul_(z[rows], g.sum(dim=1, keepdim=True), value=-1)
                if dc is not None:
                    dc.addcmul_(c, g.sum(dim=0).view(-1, 1), value=-1)
        ctx.save_for_backward(z, c, dz, dc, scale)
        ctx.mark_non_differentiable(counts)
        return sums, counts

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        z, c, dz, dc, scale = ctx.saved_tensors
        factor = grad / scale  # [K]
        if factor.numel() > 1 and not torch.allclose(factor, factor[:1]):
            raise RuntimeError("the sums of a 'PairwiseLoss' have a gradient only together, as the sum of their means")
        dz, dc = (None if d is None else d * factor[0] for d in (dz, dc))
        if torch.is_grad_enabled():  # create_graph: fail where a second derivative is asked for, never silently
            dz, dc = (None if d is None else _RefuseDouble.apply(d.detach(), x) for d, x in ((dz, z), (dc, c)))
        return dz, dc, None, None, None, None


class _RefuseDouble(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, source: Tensor) -> Tensor:
        return gradient.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        raise RuntimeError(
            "a 'PairwiseLoss' has no second derivative: it keeps its gradient, not a graph over all pairs. For "
            "gradient penalties write the loss with plain autograd in 'StructureLoss.terms'"
        )


def _blocks(z: Tensor, c: Tensor, loss: PairwiseLoss, sets: PairSets) -> Iterator[tuple[int, Block]]:
    """The first anchor of every block, and the block."""
    num_anchors, width = z.size(0), c.size(0)
    if num_anchors == 0 or width == 0:
        return
    size = min(loss.block_size or _block_rows(width, z.device), num_anchors)
    bounds = [*range(0, num_anchors, size), num_anchors]
    edges = torch.tensor(bounds, device=z.device) * width
    keys = [sets.positive, sets.excluded, *([] if sets.negative is None else [sets.negative])]
    cuts = torch.stack([torch.searchsorted(key, edges) for key in keys]).tolist()  # one transfer
    norm = c.square().sum(dim=1) if loss.measure == "euclidean" else None  # [C]
    for i, start in enumerate(bounds[:-1]):
        positive, excluded, *negative = (
            key[cut[i] : cut[i + 1]] - start * width for key, cut in zip(keys, cuts, strict=True)
        )
        value = _measure(z[start : bounds[i + 1]], c, norm)  # [a, C]
        anchor_group, candidate_group = sets.pairs.anchor_group, sets.pairs.candidate_group
        if negative or anchor_group is None or candidate_group is None:
            is_negative = torch.full_like(value, not negative, dtype=torch.bool)
        else:
            is_negative = anchor_group[start : bounds[i + 1], None] == candidate_group
        if negative:
            is_negative.view(-1)[negative[0]] = True
        is_negative.view(-1)[torch.cat([positive, excluded])] = False
        if sets.weight is None:
            weight = value.new_ones(positive.numel())
        else:
            weight = sets.weight[cuts[0][i] : cuts[0][i + 1]].to(value)
        row, column = positive // width, positive % width
        yield start, Block(value, is_negative, value[row, column], row, column, weight, start)


def _block_rows(width: int, device: torch.device) -> int:
    """Anchors in a block: as many as the cache holds, but enough for a fast matrix product while memory allows."""
    if device.type != "cpu":
        return max(1, _DEVICE_ELEMENTS // width)
    return max(1, _CACHE_ELEMENTS // width, min(128, _MOST_ELEMENTS // width))


def _measure(rows: Tensor, c: Tensor, norm: Tensor | None) -> Tensor:
    """Products [a, C], or Euclidean distances where the candidates' squared norms are given."""
    if norm is None:
        return rows @ c.t()
    own = rows.square().sum(dim=1, keepdim=True)  # [a, 1]
    square = torch.addmm(norm, rows, c.t(), alpha=-2).add_(own)  # [a, C]
    noise = 8 * torch.finfo(square.dtype).eps * own
    return square.masked_fill_(square <= noise, 0).sqrt_()


def _gradient(block: Block, dense: Tensor | None, sparse: Tensor | None, measure: str) -> Tensor:
    """Factors of the candidates in the gradient of the anchors, from the gradients of a block's two leaves. [a, C]"""
    value = block.similarity.detach()
    g = torch.zeros_like(value) if dense is None else dense.contiguous()
    if sparse is not None:
        g[block.positive_row, block.positive_column] += sparse  # unique positions
    return g.div_(value).masked_fill_(value == 0, 0).neg_() if measure == "euclidean" else g
