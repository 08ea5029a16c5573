"""The contract of a structure loss, and which pairs it may use."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.data.pairs import Pairs
from sigraph.machines.distributed import denominator


class StructureLoss(nn.Module, ABC):
    r"""A loss *between* samples: how far embeddings are from the geometry that the pre-training graph asks for.

    A subclass states :meth:`terms`: K sums over pairs or anchors, and over how many of them each sum runs. The loss is
    the sum of the K means,

    .. math:: L_{SI} = \sum_{k=1}^{K} \frac{\text{sums}_k}{\text{counts}_k},

    where an empty mean is 0, connected to the graph. Sums and counts stay apart because several processes have to agree
    on the counts (:meth:`denominators`). A loss of an anchor's similarities is best written as
    :class:`~sigraph.losses.PairwiseLoss`. A loss that is no such mean may override :meth:`forward` alone.

    Shapes:
        - **z:** [A, D], D >= 1, finite.  **pairs:** A anchors, C candidates.  **candidates:** [C, D] or None (= z).
        - **returns:** scalar. float16 and bfloat16 are computed in float32, also under autocast; float64 stays.

    Raises:
        ValueError: ``z``, ``candidates`` and ``pairs`` do not fit together, or an embedding is NaN or infinite.
    """

    def forward(self, z: Tensor, pairs: Pairs, candidates: Tensor | None = None) -> Tensor:
        """The loss of embeddings ``z`` of the anchors, given their ``pairs`` with ``candidates``."""
        self.check(z, pairs, candidates)
        with torch.autocast(z.device.type, enabled=False):
            anchors = at_least_float32(z)
            others = anchors if candidates is None else at_least_float32(candidates).to(anchors.dtype)
            sums, counts = self.terms(anchors, pairs, others)
            return (sums / self.denominators(counts).to(sums.dtype)).sum()

    def terms(self, z: Tensor, pairs: Pairs, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """The sums of the loss and over how many pairs or anchors each runs.

        Args:
            z: Embeddings of the anchors. Shape [A, D].
            pairs: Pairs of the A anchors and C candidates.
            candidates: Embeddings of the candidates; ``z`` itself in the square case. Shape [C, D].

        Returns:
            Sums [K], connected to ``z``, and counts [K].
        """
        raise NotImplementedError(f"'{type(self).__name__}' needs to define 'terms' (or override 'forward')")

    def denominators(self, counts: Tensor) -> Tensor:
        """What the sums of :meth:`terms` are divided by: the counts, or 1 where there is nothing to count. Shape [K].

        Where :class:`~sigraph.PretrainModule` trains on several processes: the counts of all of them together over
        their number, so that the mean of their losses is the loss of one process that has all samples.
        """
        return denominator(counts)

    def prepare(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> None:
        """Told what pre-training sees, before the first step: for what is computed once of samples and graph.

        Args:
            dataset: The samples that are pre-trained on.
            graph: Over them, node i is sample i.
            seed: Of everything random.
        """

    @property
    def additive(self) -> bool:
        """Whether the losses of several processes make up that of one, each with its anchors and all candidates.

        So it is if the sums run over anchors; and if a term is a function of the candidates alone, with count 1. A
        loss with a :meth:`forward` of its own is not taken to be so, and several processes refuse it.
        """
        return type(self).forward is StructureLoss.forward

    def check(self, z: Tensor, pairs: Pairs, candidates: Tensor | None = None) -> None:
        """Raise ValueError unless embeddings and pairs fit together; O((A + C) D)."""
        name = type(self).__name__
        given = [("z", z, pairs.num_anchors, pairs.anchor_id)]
        if candidates is not None:
            given.append(("candidates", candidates, pairs.num_candidates, pairs.candidate_id))
        elif pairs.num_anchors != pairs.num_candidates:
            raise ValueError(
                f"'candidates' needs to be given in '{name}' where pairs are not square (got None for "
                f"{pairs.num_anchors} anchors and {pairs.num_candidates} candidates)"
            )
        for argument, value, size, ids in given:
            if value.dim() != 2 or value.size(0) != size or value.size(1) == 0 or not value.is_floating_point():
                got = f"{value.dtype} {list(value.shape)}"
                raise ValueError(
                    f"'{argument}' needs to be floats of shape [{size}, D], D >= 1, in '{name}' (got {got})"
                )
            if value.device != pairs.positive_index.device:
                raise ValueError(
                    f"'{argument}' and 'pairs' need to be on one device in '{name}' (got {value.device} and "
                    f"{pairs.positive_index.device}); move the pairs with pairs.to(z.device)"
                )
            _check_finite(argument, value.detach(), ids, name)
        if candidates is not None and candidates.size(1) != z.size(1):
            raise ValueError(f"'candidates' needs {z.size(1)} columns like 'z' in '{name}' (got {candidates.size(1)})")


def at_least_float32(x: Tensor) -> Tensor:
    """Halves as float32; float32 and float64 as they are."""
    return x if x.dtype == torch.float64 else x.float()


def _check_finite(argument: str, value: Tensor, ids: Tensor | None, name: str) -> None:
    if bool(torch.isfinite(value.sum())):  # one pass; a sum that is not may have overflowed
        return
    finite = torch.isfinite(value)
    if bool(finite.all()):
        return
    row = (~finite.all(dim=1)).nonzero().view(-1)
    what, shown = ("rows", row) if ids is None else ("node ids", ids[row])
    some = ", ".join(str(i) for i in shown[:5].tolist()) + (", ..." if row.numel() > 5 else "")
    raise ValueError(
        f"'{argument}' needs finite embeddings in '{name}' (got NaN or infinity in {row.numel()}: {what} {some})"
    )


@dataclass
class PairSets:
    """The pairs of :class:`~sigraph.data.Pairs` with every rule applied: what is positive, negative, or neither.

    Excluded pairs win over positives, positives over negatives. A positive of weight 0 is neither. A positive listed
    twice counts once, with its larger weight. Keys are ``anchor * num_candidates + candidate``, ascending and unique.
    """

    pairs: Pairs
    positive: Tensor  # [P] keys
    weight: Tensor | None  # [P], > 0
    excluded: Tensor  # [R] keys of pairs in one group that are neither
    negative: Tensor | None  # [Q] keys, or None: all others in one group

    @classmethod
    def of(cls, pairs: Pairs) -> PairSets:
        """Apply the rules, in O((A + C + P + Q + R) log) time and without an A x C comparison."""
        excluded = _in_group(_keys(pairs, pairs.excluded_index()), pairs)
        positive, weight = _coalesce(_keys(pairs, pairs.positive_index), pairs.weight)
        if weight is not None and bool((weight == 0).any()):
            excluded = torch.cat([excluded, _in_group(positive[weight == 0], pairs)]).unique()
        keep = ~_member(positive, excluded) & _same_group(positive, pairs)
        if not bool(keep.all()):
            positive, weight = positive[keep], None if weight is None else weight[keep]
        negative = None
        if pairs.negative_index is not None:
            negative = _in_group(_coalesce(_keys(pairs, pairs.negative_index), None)[0], pairs)
            negative = negative[~_member(negative, excluded) & ~_member(negative, positive)]
        return cls(pairs, positive, weight, excluded, negative)

    def num_negatives(self) -> int:
        """Q, the number of negatives, counted without listing them."""
        if self.negative is not None:
            return self.negative.numel()
        total = self.pairs.num_anchors * self.pairs.num_candidates
        if self.pairs.anchor_group is not None and self.pairs.candidate_group is not None:
            groups = torch.cat([self.pairs.anchor_group, self.pairs.candidate_group]).unique(return_inverse=True)[1]
            anchors = groups[: self.pairs.num_anchors].bincount(minlength=groups.numel())
            total = int(anchors @ groups[self.pairs.num_anchors :].bincount(minlength=groups.numel()))
        return total - self.excluded.numel() - self.positive.numel()


def _keys(pairs: Pairs, index: Tensor) -> Tensor:
    return index[0] * pairs.num_candidates + index[1]


def _coalesce(key: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor | None]:
    if bool((key[1:] > key[:-1]).all()):  # as samplers list them: no sort
        return key, weight
    key, inverse = key.unique(return_inverse=True)
    if weight is not None:
        weight = weight.new_zeros(key.numel()).scatter_reduce(0, inverse, weight, "amax")
    return key, weight


def _member(key: Tensor, keys: Tensor) -> Tensor:
    """Whether each key is among the ascending ``keys``."""
    if keys.numel() == 0:
        return torch.zeros_like(key, dtype=torch.bool)
    return keys[torch.searchsorted(keys, key).clamp(max=keys.numel() - 1)] == key


def _same_group(key: Tensor, pairs: Pairs) -> Tensor:
    if pairs.anchor_group is None or pairs.candidate_group is None:
        return torch.ones_like(key, dtype=torch.bool)
    width = max(pairs.num_candidates, 1)
    return pairs.anchor_group[key // width] == pairs.candidate_group[key % width]


def _in_group(key: Tensor, pairs: Pairs) -> Tensor:
    return key if pairs.anchor_group is None else key[_same_group(key, pairs)]
