"""PMLLoss: the losses and miners of pytorch-metric-learning on pairs of the pre-training graph."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from sigraph.data.pairs import Pairs, equal_pairs
from sigraph.losses.base import PairSets, StructureLoss

# (anchor, positive, anchor, negative) of pairs, or (anchor, positive, negative) of triplets
Indices = tuple[Tensor, ...]
# Miners that no anchor can be shown to alone.
_WHOLE_BATCH = {
    "EmbeddingsAlreadyPackagedAsTriplets": "takes triplets from the order of the batch and looks at no pair",
    "UniformHistogramMiner": "bins all pairs of a batch at once, which it lists from class labels only",
}


class PMLLoss(StructureLoss):
    r"""Any loss of pytorch-metric-learning that takes explicit pairs, fed with the edges of the pre-training graph.

    .. math:: L = \mathrm{loss}\big(z;\; P,\, N\big), \qquad\text{or of what the miner leaves of}\quad P, N,

    where P and N are the positives and negatives after every rule of :class:`~sigraph.data.Pairs`.

    Losses are tried once at construction. One that needs class labels (class weights or proxies such as ArcFaceLoss and
    ProxyNCALoss, or ranks of classes such as FastAPLoss) is refused, and so is one that without labels does not look at
    the pairs. In pytorch-metric-learning 2.9 these work: Circle, Contrastive, GeneralizedLiftedStructure, Histogram,
    IntraPairVariance, LiftedStructure, Margin, MultiSimilarity, NTXent, SignalToNoiseRatioContrastive, SupCon,
    ThresholdConsistentMargin, TripletMargin, TupletMargin, and MultipleLosses of them. Miners know nothing but labels;
    but one anchor with its candidates *is* a problem of two classes, positives and negatives. So the miner is shown one
    anchor after the other, which is the same for miners that look at an anchor's row (all but HDCMiner, which
    takes all pairs at once, and the two that are refused: UniformHistogramMiner, EmbeddingsAlreadyPackagedAsTriplets).

    Args:
        loss: The loss, e.g. ``pytorch_metric_learning.losses.ContrastiveLoss()``; its parameters are trained along.
        miner: The miner, e.g. ``pytorch_metric_learning.miners.MultiSimilarityMiner()``. None: all pairs. Random ones
            draw from the global generator of torch, which :class:`~sigraph.PretrainModule` seeds per step.
        ignore_weight: Use weighted edges as if they were not. These losses have no place for edge weights, so that
            other weights than 0 (no pair) and 1 are refused by default.

    Shapes:
        - **z:** [A, D]; normalised or not, as the loss does.  **pairs:** A anchors, C candidates.  **returns:** scalar.

    What anchors without a positive or a negative do, over what the mean runs and the range are the loss's business;
    without any pair the loss is 0. A lone positive, or negative, which the library drops silently, is listed twice: no
    change to a mean. Several processes are refused, as the library returns means without their counts.

    Every pair is listed: O(A C) memory, and more where the library compares each positive with all negatives
    (NTXentLoss, LiftedStructureLoss, TupletMarginLoss) or takes triplets; a miner adds A calls. Prefer sigraph's own
    losses where it has them. Use with :class:`~sigraph.samplers.NeighborPairSampler` and at most about a thousand
    samples a step; for a queue put this loss into a :class:`~sigraph.losses.CrossBatchMemory`, not the library's.

    Raises:
        ValueError: Loss or miner cannot work from pairs, or ``loss`` cannot compare anchors with other candidates.
        ImportError: pytorch-metric-learning is not installed.

    Source: Musgrave et al., "PyTorch Metric Learning", 2020; ``indices_tuple`` and ``ref_emb`` of its losses.

    Guide:
        minimises: the given loss of pytorch-metric-learning on :math:`P` and :math:`N`
        use it when: that library has the loss and sigraph has not
        start with: at most about 1,000 samples a step
        costs: A × C and more
        anchor without a positive: as the library does
        anchor without a negative: as the library does
        several processes: no
        in a memory: yes, but for two
    """

    def __init__(self, loss: nn.Module, miner: nn.Module | None = None, ignore_weight: bool = False) -> None:
        super().__init__()
        _library()
        self.loss, self.miner, self.ignore_weight = loss, miner, ignore_weight
        self._layout, self._triplets = _try_loss(loss)
        if miner is not None:
            _check_miner(miner)

    @property
    def additive(self) -> bool:
        """False: the library's means come without the counts that processes would have to share."""
        return False

    def terms(self, z: Tensor, pairs: Pairs, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """As in the base class, with one sum, the loss, and count 1."""
        sets = PairSets.of(pairs)
        if sets.weight is not None and not self.ignore_weight and bool((sets.weight != 1).any()):
            raise ValueError(
                f"'pairs' needs edges without weights in 'PMLLoss' (got weights in [{sets.weight.min():g}, "
                f"{sets.weight.max():g}]): {type(self.loss).__name__} cannot use them; give ignore_weight=True to "
                "train without them"
            )
        indices = self.mine(z, candidates, _listed(sets))
        if self._triplets and len(indices) == 4:
            indices = _as_triplets(indices)
        value = (z * 0).sum() + (candidates * 0).sum()  # connected, also where the loss has nothing to say
        if any(index.numel() for index in indices):
            value = value + self._compare(z, candidates, indices)
        return value.view(1), z.new_ones(1)

    @torch.no_grad()
    def mine(self, z: Tensor, candidates: Tensor, indices: Indices) -> Indices:
        """What the miner leaves of all pairs: pairs or triplets, as the miner does."""
        miner: Any = self.miner
        if miner is None:
            return indices
        label = torch.zeros(z.size(0), dtype=torch.long, device=z.device)
        if hasattr(miner, "set_idx_externally"):
            miner.set_idx_externally(indices, label)
            found = miner(z, label, candidates, label.new_zeros(candidates.size(0)))
            miner.reset_idx()
            return found
        a1, p, a2, n = indices
        rows = torch.arange(z.size(0) + 1, device=z.device)
        cuts = [torch.searchsorted(a, rows).tolist() for a in (a1, a2)]
        mined: list[Indices] = []
        for i in range(z.size(0)):
            positive, negative = (x[cut[i] : cut[i + 1]] for x, cut in zip((p, n), cuts, strict=True))
            column = torch.cat([positive, negative])  # the candidates that anchor i has a pair with
            if column.numel() == 0:
                continue
            is_positive = (torch.arange(column.numel(), device=z.device) < positive.numel()).long()
            out = miner(z[i : i + 1], is_positive.new_ones(1), candidates[column], is_positive)
            if len(out) == 3:
                mined.append((out[0] + i, column[out[1]], column[out[2]]))
            else:
                mined.append((out[0] + i, column[out[1]], out[2] + i, column[out[3]]))
        return tuple(torch.cat(part) for part in zip(*mined, strict=True)) if mined else indices

    def _compare(self, z: Tensor, candidates: Tensor, indices: Indices) -> Tensor:
        if len(indices) == 4 and all(index.numel() <= 1 for index in indices) and _drops_one(self.loss):
            a1, p, a2, n = (index.repeat(2) for index in indices)
            indices = (a1, p, *indices[2:]) if indices[0].numel() else (*indices[:2], a2, n)
        if candidates is z:
            return self.loss(z, None, indices)
        if self._layout == "square":
            raise ValueError(
                f"'candidates' needs to be None in 'PMLLoss' with {type(self.loss).__name__}: it compares one set of "
                "embeddings with itself, hence works neither with a queue nor on several processes"
            )
        return _rectangular(self.loss, self._layout, z, candidates, indices)


def _library() -> Any:
    try:
        import pytorch_metric_learning.losses as losses
        import pytorch_metric_learning.miners  # noqa: F401
    except ImportError as error:
        raise ImportError("'PMLLoss' needs pytorch-metric-learning: pip install sigraph[pml]") from error
    return losses


def _rectangular(loss: nn.Module, layout: str, z: Tensor, candidates: Tensor, indices: Indices) -> Tensor:
    if layout == "reference":
        return loss(z, None, indices, ref_emb=candidates)
    is_anchor = (True, False, True, False) if len(indices) == 4 else (True, False, False)
    shifted = tuple(x if own else x + z.size(0) for x, own in zip(indices, is_anchor, strict=True))
    return loss(torch.cat([z, candidates]), None, shifted)


def _drops_one(loss: nn.Module) -> bool:
    """Whether a loss, or one that it holds, returns 0 for at most one positive and one negative."""
    return any(isinstance(part, _library().GenericPairLoss) for part in loss.modules())


def _listed(sets: PairSets) -> Indices:
    """All pairs that count, ascending by anchor."""
    width = max(sets.pairs.num_candidates, 1)
    negative = sets.negative
    if negative is None:
        pairs, device = sets.pairs, sets.positive.device
        free = torch.ones(pairs.num_anchors, pairs.num_candidates, dtype=torch.bool, device=device)
        if pairs.anchor_group is not None and pairs.candidate_group is not None:
            free = pairs.anchor_group[:, None] == pairs.candidate_group
        free.view(-1)[torch.cat([sets.positive, sets.excluded])] = False
        negative = free.view(-1).nonzero().view(-1)
    return sets.positive // width, sets.positive % width, negative // width, negative % width


def _as_triplets(indices: Indices) -> Indices:
    """Every positive with every negative of its anchor, without comparing all positives with all negatives."""
    a1, p, a2, n = indices
    first, second = equal_pairs(a1, a2)
    return a1[first], p[first], n[second]


def _try_loss(loss: Any) -> tuple[str, bool]:
    """How a loss takes candidates that are not the anchors, and whether it turns pairs into triplets itself.

    Raises:
        ValueError: It cannot work from pairs, or does not look at them.
    """
    name = type(loss).__name__
    if not isinstance(loss, nn.Module):
        raise ValueError(f"'loss' needs to be a loss of pytorch-metric-learning in 'PMLLoss' (got {name})")
    needed = f"'loss' needs to work from pairs, without class labels, in 'PMLLoss' (got {name}: "
    z = torch.randn(6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    positive = torch.tensor([[0, 1, 2, 2, 5], [1, 0, 3, 4, 0]])  # not symmetric; anchors with 0, 1 and 2 of each kind
    negative = torch.tensor([[0, 1, 1, 2, 3, 5], [2, 3, 5, 1, 5, 4]])
    pairs, swapped = (*positive, *negative), (*negative, *positive)

    def value(compare: Any, indices: Indices) -> Tensor:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            return compare(copy.deepcopy(loss), indices)  # some losses change with each call

    def same(compare: Any, known: list[Tensor]) -> bool:
        try:
            found = [value(compare, indices) for indices in (pairs, swapped)]
        except Exception:  # the library raises anything
            return False
        return all(torch.allclose(x, y, equal_nan=True) for x, y in zip(known, found, strict=True))

    try:
        plain = [value(lambda loss, indices: loss(z, None, indices), indices) for indices in (pairs, swapped)]
    except Exception as error:
        raise ValueError(f"{needed}{type(error).__name__}: {error})") from error
    if not all(isinstance(x, Tensor) and x.numel() == 1 for x in plain):
        raise ValueError(f"{needed}it returns no scalar; choose another reducer)")
    if torch.equal(*plain) and bool(plain[0] != 0):
        raise ValueError(f"{needed}without labels it does not look at the pairs)")
    order = torch.tensor([4, 0, 3, 5, 2, 1])
    others, place = torch.cat([z[:1] + 1, z[order], z[1:2] - 1]), order.argsort() + 1  # two more, without any pair

    def apart(layout: str) -> Any:
        def compare(loss: nn.Module, indices: Indices) -> Tensor:
            a1, p, a2, n = indices
            return _rectangular(loss, layout, z, others, (a1, place[p], a2, place[n]))

        return compare

    layout = next((layout for layout in ("reference", "joined") if same(apart(layout), plain)), "square")
    triplets = same(lambda loss, indices: loss(z, None, _as_triplets(indices)), plain)
    return layout, triplets and not _drops_one(loss)


def _check_miner(miner: Any) -> None:
    name = type(miner).__name__
    if not isinstance(miner, nn.Module):
        raise ValueError(f"'miner' needs to be a miner of pytorch-metric-learning in 'PMLLoss' (got {name})")
    if name in _WHOLE_BATCH:
        raise ValueError(f"'miner' needs to work from pairs in 'PMLLoss' (got {name}: it {_WHOLE_BATCH[name]})")
