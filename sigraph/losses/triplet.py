"""Triplet: a positive should be closer to the anchor than a negative, by a margin; which triplets is the mining."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import pad

from sigraph.data.pairs import Pairs
from sigraph.files.arguments import check_choices, check_flags, check_numbers, is_number
from sigraph.losses.blockwise import Block, PairwiseLoss

Mining = Literal["all", "semi-hard", "soft-hard", "distance-weighted"]
_DRAWN = ("soft-hard", "distance-weighted")


class TripletLoss(PairwiseLoss):
    r"""Triplet margin loss over the edges of the pre-training graph.

    With distances :math:`d_{ij}`, margin :math:`m`, edge weights :math:`w_{ij}` (1 if none), and mined triplets T of an
    anchor i, a positive j and a negative k,

    .. math:: L = \frac{\sum_{(i,j,k)\in T}w_{ij}\max(d_{ij}-d_{ik}+m, 0)}{\sum_{(i,j,k)\in T}w_{ij}}.

    Mining, and what T is:

    - ``"all"``: every triplet of the step.
    - ``"semi-hard"``: every triplet with :math:`d_{ij}<d_{ik}<d_{ij}+m`: negatives inside the margin, yet behind the
      positive.
    - ``"soft-hard"``: one triplet an anchor: a positive drawn from those farther than the closest negative, a negative
      drawn from those closer than the farthest positive; from all of them where there is none such.
    - ``"distance-weighted"``: one triplet a positive, its negative drawn with probability proportional to
      :math:`\min(q(c)^{-1},q(d_{ik})^{-1})`, where :math:`q(d)=d^{D-2}(1-d^2/4)^{(D-3)/2}` is the density of distances
      on the unit sphere in D dimensions: all distances are drawn alike, down to the cutoff c.

    Args:
        margin: :math:`m`, a difference of distances, > 0; unit vectors are at most 2 apart.
        mining: Which triplets count. ``"all"`` is smooth, best with ``average="violating"`` once most are at rest;
            ``"semi-hard"`` needs many candidates a step; ``"soft-hard"`` looks at the worst pairs, wrong edges
            included; ``"distance-weighted"`` needs few candidates and several channels.
        measure: ``"euclidean"``, or ``"cosine"``: one minus the cosine, which for unit vectors is half the squared
            Euclidean distance, so that ``margin`` is half of a margin between those.
        normalize: Whether embeddings are scaled to unit length first; ``"cosine"`` and ``"distance-weighted"`` need it.
        average: Over which triplets the mean runs: ``"mined"``, all of T; ``"violating"``, those of T with a hinge
            above 0, so that the gradient does not fade as triplets come to rest (all of T if ``"semi-hard"``).
        cutoff: :math:`c` in (0, 2), a distance; only ``"distance-weighted"`` has one. None: 0.5.

    Shapes:
        - **z:** [A, D].  **pairs:** A anchors, C candidates.  **returns:** scalar, >= 0.

    Anchors without a positive or without a negative have no triplet and contribute nothing; without any triplet the
    loss is 0. Embeddings at one place have no semi-hard triplet: start from spread ones, or with ``"all"``. The time is
    O(log) of an anchor's positives for each pair, the memory that of a few blocks; triplets are never listed.
    Use with :class:`~sigraph.samplers.NeighborPairSampler`.

    The two minings that draw take two numbers an anchor from torch's global generator on the CPU before the first
    block, hence depend on ``torch.manual_seed`` and on the order of the anchors, and not on blocks or the device. An
    anchor's positives share one of them by systematic sampling: each draw alone has the stated distribution.

    Source: Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and Clustering", CVPR 2015, Sec. 3.1
    (loss) and 3.2 (semi-hard); Roth & Brattoli, "Easily Extendable Basic Deep Metric Learning Pipeline", 2019
    (soft-hard); Wu et al., "Sampling Matters in Deep Embedding Learning", ICCV 2017, Sec. 4 (distance-weighted); named
    as in Roth et al., "Revisiting Training Strategies and Generalization Performance in Deep Metric Learning", ICML
    2020, whose margin is the default. Differs in plain instead of squared distances, in the edge weights, and in
    taking every semi-hard triplet instead of one drawn.

    Guide:
        minimises: mean of :math:`[d_{ij}-d_{ik}+m]_+` over mined triplets :math:`(i,j,k)`
        use it when: only the order matters: neighbours closer than others by a margin, however far
        start with: ``{mining: distance-weighted}``, or ``{average: violating}``
        costs: engine +
        anchor without a positive: out
        anchor without a negative: out
        several processes: yes
        in a memory: yes
    """

    def __init__(
        self,
        margin: float = 0.2,
        mining: Mining = "all",
        measure: Literal["euclidean", "cosine"] = "euclidean",
        normalize: bool = True,
        average: Literal["mined", "violating"] = "mined",
        cutoff: float | None = None,
    ) -> None:
        super().__init__()
        check_numbers("TripletLoss", above=0, margin=margin)
        check_choices("TripletLoss", get_args(Mining), mining=mining)
        check_choices("TripletLoss", ("euclidean", "cosine"), measure=measure)
        check_choices("TripletLoss", ("mined", "violating"), average=average)
        check_flags("TripletLoss", normalize=normalize)
        if not normalize and (measure == "cosine" or mining == "distance-weighted"):
            what = f"measure={measure!r}" if measure == "cosine" else f"mining={mining!r}"
            raise ValueError(f"'normalize' needs to be True with {what} in 'TripletLoss' (got False)")
        if cutoff is None:
            cutoff = 0.5
        elif mining != "distance-weighted":
            raise ValueError(f"'cutoff' needs mining='distance-weighted' in 'TripletLoss' (got {mining!r})")
        if not is_number(cutoff) or not 0 < cutoff < 2:
            raise ValueError(f"'cutoff' needs to be a distance in (0, 2) in 'TripletLoss' (got {cutoff})")
        self.margin, self.mining, self.average, self.cutoff = margin, mining, average, cutoff
        self.measure, self.normalize = measure, normalize
        self._uniform = torch.empty(0, 2)  # [A, 2] random numbers of the step that is being computed
        self._num_channels = 0

    def terms(self, z: Tensor, pairs: Pairs, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """As in the base class; draws the step's random numbers first."""
        if self.mining in _DRAWN:
            self._uniform = torch.rand(z.size(0), 2, dtype=torch.float64).to(z.device)
            self._num_channels = z.size(1)
        return super().terms(z, pairs, candidates)

    def rows(self, block: Block) -> tuple[Tensor, Tensor]:
        """Sum of the weighted hinges over the block's mined triplets, and of their weights."""
        distance, positive = block.similarity, block.positive_similarity  # [a, C], [p]
        if self.measure == "cosine":
            distance, positive = 1 - distance, 1 - positive
        if self.mining not in _DRAWN:
            return self._ranges(block, distance, positive)
        chosen, column = self.draw(block, distance.detach(), positive.detach())
        weight = block.weight[chosen]
        hinge = (positive[chosen] - distance[block.positive_row[chosen], column] + self.margin).relu()  # [t]
        count = weight.sum() if self.average == "mined" else weight[hinge > 0].sum()
        return (weight * hinge).sum().view(1), count.view(1)

    def _ranges(self, block: Block, distance: Tensor, positive: Tensor) -> tuple[Tensor, Tensor]:
        """All or the semi-hard triplets: with one negative they are a range of the anchor's positives by distance.

        So the sum of hinges is linear in the distances; its factors are the number of negatives of each positive and
        the weight of the positives of each negative. In float64, where no hinge drowns in its two distances.
        """
        far = positive + self.margin  # [p]
        with torch.no_grad():
            place = _place_by_distance(block, positive)
            key = torch.where(block.is_negative, distance, torch.inf)  # others lie behind every positive: factor 0
            first = torch.searchsorted(_table(block, place, far, torch.inf), key, right=True)  # [a, C] of those < far
            total = pad(_table(block, place, block.weight.double(), 0).cumsum(dim=1), (1, 0))  # [a, J + 1]
            count = _cumulative_counts(first, total.size(1))  # [a, J + 1]
            if self.mining == "semi-hard":
                last = torch.searchsorted(_table(block, place, positive, torch.inf), key)  # [a, C] of those behind
                last = torch.maximum(first, last)  # a margin below the resolution has no range
                count -= _cumulative_counts(last, total.size(1))
                per_negative = total.gather(1, last) - total.gather(1, first)  # [a, C]
            else:
                per_negative = total[:, -1:] - total.gather(1, first)  # [a, C]
            per_positive = block.weight.double() * count[block.positive_row, place]  # [p]
            if self.mining == "all" and self.average == "mined":
                num_triplets = total[:, -1] @ block.is_negative.sum(dim=1).double()
            else:
                num_triplets = per_positive.sum()
        hinges = (per_positive * far).sum() - (per_negative * distance).sum()
        return hinges.to(distance.dtype).view(1), num_triplets.view(1)

    @torch.no_grad()
    def draw(self, block: Block, distance: Tensor, positive: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the triplets of a block: which of its positives, and the column of the negative.

        Args:
            block: The block.
            distance: Distances of its anchors to all candidates. Shape [a, C].
            positive: Distances of its positives. Shape [p].

        Returns:
            Positions in [0, p) and in [0, C), one of each a triplet.
        """
        uniform = self._uniform[block.start : block.start + distance.size(0)]  # [a, 2]
        place = _place(block.positive_row)
        if self.mining == "soft-hard":
            column = self._draw_hard(block.is_negative, distance < block.max_per_row(positive)[:, None], uniform[:, 1])
            closest = torch.where(block.is_negative, distance, torch.inf).amin(dim=1)  # [a]
            is_far = _table(block, place, positive > closest[block.positive_row], False)  # [a, J]
            is_positive = _table(block, place, torch.ones_like(place, dtype=torch.bool), False)
            drawn = place == self._draw_hard(is_positive, is_far, uniform[:, 0])[block.positive_row]
            column = column[block.positive_row]
        else:
            share = place / block.sum_per_row(torch.ones_like(positive))[block.positive_row]  # [p]
            rank = _table(block, place, (uniform[block.positive_row, 0] + share) % 1, 0)  # [a, J]
            column = self._draw_by_distance(block.is_negative, distance, rank)[block.positive_row, place]
            drawn = torch.ones_like(place, dtype=torch.bool)
        drawn &= block.is_negative.any(dim=1)[block.positive_row]
        return drawn.nonzero().view(-1), column[drawn]

    @staticmethod
    def _draw_hard(mask: Tensor, is_hard: Tensor, uniform: Tensor) -> Tensor:
        """A uniform column of each row's mask, of its hard ones if there are any. Shapes [a, C], [a, C], [a] -> [a]."""
        hard = mask & is_hard
        hard |= mask & ~hard.any(dim=1, keepdim=True)
        number = hard.cumsum(dim=1)  # [a, C]
        rank = (uniform * hard.sum(dim=1)).long() + 1
        return torch.searchsorted(number, rank[:, None]).view(-1)

    def _draw_by_distance(self, mask: Tensor, distance: Tensor, uniform: Tensor) -> Tensor:
        """Columns of the mask, drawn by inverse density of their distances. Shapes [a, C], [a, C], [a, J] -> [a, J]."""
        if self.measure == "cosine":
            distance = (2 * distance).clamp(min=0).sqrt()
        log_weight = -_log_density(distance, self._num_channels)  # [a, C]
        cap = -_log_density(torch.tensor(self.cutoff, dtype=torch.float64), self._num_channels).item()
        log_weight = torch.where(mask, log_weight.clamp(max=cap), -torch.inf)
        top = log_weight.amax(dim=1, keepdim=True).clamp(min=torch.finfo(distance.dtype).min)  # no mask: 0, not NaN
        total = (log_weight - top).double().exp().cumsum(dim=1)  # [a, C]
        below = torch.nextafter(total[:, -1:], torch.zeros_like(total[:, -1:]))  # a product may round up to the total
        return torch.searchsorted(total, torch.minimum(uniform * total[:, -1:], below), right=True)


def _log_density(distance: Tensor, num_channels: int) -> Tensor:
    """Log density, up to a constant, of the distance of two uniform points on the unit sphere; finite at 0 and 2."""
    tiny = torch.finfo(distance.dtype).tiny
    chord = (1 - distance.square() / 4).clamp(min=tiny)
    return (num_channels - 2) * distance.clamp(min=tiny).log() + (num_channels - 3) / 2 * chord.log()


def _place(row: Tensor) -> Tensor:
    """Rank of each entry among the entries of its row, as listed; rows ascend. Shape [p]."""
    return torch.arange(row.numel(), device=row.device) - torch.searchsorted(row, row)


def _place_by_distance(block: Block, positive: Tensor) -> Tensor:
    """Rank of each positive among its anchor's positives, closest first. Shape [p]."""
    order = positive.argsort()
    order = order[block.positive_row[order].argsort(stable=True)]
    return torch.empty_like(order).index_copy(0, order, _place(block.positive_row))


def _table(block: Block, place: Tensor, value: Tensor, fill: float) -> Tensor:
    """One value per positive laid out by anchor and place. Shape [p] -> [a, J], J the most positives of an anchor."""
    width = int(place.max()) + 1 if place.numel() else 0
    table = value.new_full((block.similarity.size(0), width), fill)
    table[block.positive_row, place] = value
    return table


def _cumulative_counts(index: Tensor, size: int) -> Tensor:
    """How many of each row's entries are at most 0, 1, ... Shape [a, C], integers below size -> [a, size] float64."""
    one = torch.ones((), dtype=torch.float64, device=index.device)
    counts = torch.zeros(index.size(0), size, dtype=torch.float64, device=index.device)
    return counts.scatter_add_(1, index, one.expand_as(index)).cumsum(dim=1)
