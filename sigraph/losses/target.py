"""TargetLoss: embeddings regressed onto a target that was computed once, before training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import normalize

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.data.pairs import Pairs
from sigraph.files.arguments import check_choices, check_integers
from sigraph.files.memory import check_fits
from sigraph.losses.base import StructureLoss
from sigraph.targets import Target

MEASURES = ("cosine", "relational")


class TargetLoss(StructureLoss):
    r"""How far embeddings are from target rows that samples and graph gave them: no positives, no negatives.

    With target rows :math:`t_i`, looked up by the pairs' ids, and unit vectors :math:`\hat z`, :math:`\hat t`:

    ``cosine``: :math:`L=\frac{1}{n}\sum_{i}\big(1-\cos(Wz_i,t_i)\big)` over the n anchors with a target. W is a linear
    map where the widths differ, trained with the encoder and dropped afterwards; else the identity.

    ``relational``: :math:`L=\frac{1}{nm}\sum_{i}\sum_{j}\big(\hat z_i\cdot\hat z_j-\hat t_i\cdot\hat t_j\big)^2` over n
    anchors and m candidates: the target's similarities among the samples of a step, in any width and any rotation.

    Args:
        target: A :class:`~sigraph.targets.Target`, computed when training starts from the samples and the graph that
            pre-training sees; or rows, one a sample, zeros where a sample has none. Shape [N, D].
        measure: ``cosine`` or ``relational``.
        encoder_channels: Width of the embeddings; filled in from the encoder. Only ``cosine`` needs it.

    Shapes:
        - **z:** [A, E].  **pairs:** A anchors with ids, C candidates with ids.  **returns:** scalar; ``cosine`` in
          [0, 2], ``relational`` in [0, 4].

    Rows of zeros, in ``target``, take no part. O((A + C) D) memory for both: ``relational`` is computed from D x D
    matrices of moments, never from the A x C similarities. Exact on several processes. A step needs no other samples
    than its seeds: use :class:`~sigraph.samplers.SeedsOnly`.

    Raises:
        ValueError: Pairs come without ids, an id has no row, or ``encoder_channels`` is needed and missing.

    Source: the regression onto a teacher's embedding: Grill et al., "Bootstrap your own latent", NeurIPS 2020, Eq. 2;
    ``relational``: Tung & Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019, Eq. 4, on unit rows and
    without the normalisation of each row of similarities.

    Guide:
        minimises: 1 - cosine of an embedding and its target; or squared differences of the similarities of both
        use it when: the graph, with the samples' own features, says where a sample should lie: papers and their words
        start with: ``PropagatedFeatures`` as ``target``, sampler ``SeedsOnly`` (docs/targets.md)
        costs: no A × C
        anchor without a positive: as any other
        anchor without a negative: as any other
        several processes: yes
        in a memory: of no use
    """

    def __init__(self, target: Target | Tensor, measure: str = "cosine", encoder_channels: int | None = None) -> None:
        super().__init__()
        check_choices("TargetLoss", MEASURES, measure=measure)
        rows = None
        if isinstance(target, Tensor):
            rows = _checked_rows(target)
        elif not isinstance(target, Target):
            came = repr(target)[:80] if isinstance(target, str) else type(target).__name__
            way = "{_target_: sigraph.targets.PropagatedFeatures} in a YAML, a tensor in Python"
            raise ValueError(f"'target' needs a Target or rows [N, D] in 'TargetLoss': {way} (got {came})")
        width = target.size(1) if isinstance(target, Tensor) else target.out_channels
        self.measure, self._rows = measure, rows
        self._target = target if isinstance(target, Target) else None
        self._ground: tuple[SampleDataset, PretrainGraph, int] | None = None
        self.projection: nn.Module = nn.Identity()
        if measure == "cosine":
            if encoder_channels is None:
                encoder_channels = width  # an encoder of another width is refused by its first step
            check_integers("TargetLoss", 1, encoder_channels=encoder_channels)
            if encoder_channels != width:
                check_fits("TargetLoss", 4 * encoder_channels * width, encoder_channels=encoder_channels)
                self.projection = nn.Linear(encoder_channels, width, bias=False)
        self.in_channels, self.out_channels = encoder_channels, width

    def prepare(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> None:
        if self._target is not None:
            self._rows, self._ground = None, (dataset, graph, seed)

    @property
    def rows(self) -> Tensor:
        """The target of each sample, computed when it is first asked for, or found where it is kept. Shape [N, D]."""
        if self._rows is None:
            if self._target is None or self._ground is None:
                raise ValueError(
                    "'TargetLoss' has no samples to compute its target from; call loss.prepare(dataset, graph, seed), "
                    "or give it the rows: TargetLoss(target.fit(dataset, graph))"
                )
            dataset, graph, seed = self._ground
            self._rows = self._target.fit(dataset, graph, seed=seed, keep=True)
        return self._rows

    def terms(self, z: Tensor, pairs: Pairs, candidates: Tensor) -> tuple[Tensor, Tensor]:
        target, scale = self._of(pairs.anchor_id, z)
        known = (scale > 0).to(z.dtype)
        if self.measure == "cosine":
            if z.size(1) != self.in_channels:
                raise ValueError(
                    f"'encoder_channels' needs to be {z.size(1)}, the width of the embeddings, in 'TargetLoss' "
                    f"(got {self.in_channels}); TargetLoss(target, encoder_channels={z.size(1)}) projects them"
                )
            found = 1 - _Cosine.apply(self.projection(z), target, scale)  # [A]
            return (found * known).sum().view(1), known.sum().view(1)
        mine = normalize(z, dim=1) * known[:, None], target * scale[:, None]
        theirs, there = mine, known
        if candidates is not z:
            target, scale = self._of(pairs.candidate_id, candidates)
            there = (scale > 0).to(z.dtype)
            theirs = normalize(candidates, dim=1) * there[:, None], target * scale[:, None]
        # (z z' - t t')^2 summed over all pairs, by traces of products of moments.
        found = sum(_moments(x, x, y, y) for x, y in zip(mine, theirs, strict=True)) - 2 * _moments(*mine, *theirs)
        return found.view(1), (known.sum() * there.sum()).view(1)

    def _of(self, ids: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor]:
        """Target rows of some samples, [A, D], and what makes each a unit row, 0 where there is none, [A]."""
        if ids is None:
            raise ValueError(
                "'pairs' needs node ids in 'TargetLoss' (got none); a PairSampler's pairs() has them, by hand they are "
                "Pairs(..., anchor_id=node, candidate_id=node)"
            )
        rows, ids = self.rows, ids.cpu()
        if ids.numel() and int(ids.max()) >= len(rows):
            raise ValueError(
                f"'target' needs a row a sample in 'TargetLoss' (got {len(rows)} rows, and a sample {int(ids.max())})"
            )
        found = rows.index_select(0, ids).to(like.device, like.dtype, non_blocking=True)
        length = torch.linalg.vector_norm(found, dim=1)
        return found, torch.where(length > 0, 1 / length.clamp(min=1e-12), 0)


class _Cosine(torch.autograd.Function):
    """Cosines of rows and scaled rows, with half the passes over memory that autograd would take."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, target: Tensor, scale: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(z, dim=1).clamp_(min=1e-12)
        found = torch.linalg.vecdot(z, target).mul_(scale).div_(length)
        ctx.save_for_backward(z, target, scale, length, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        z, target, scale, length, found = ctx.saved_tensors
        grad = grad / length
        along = target * (grad * scale)[:, None]
        return along.addcmul_(z, (grad * found).div_(length).neg_()[:, None]), None, None


def _moments(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The sum of all products of entries of a'b and c'd. Shape [A, D], [A, E], [C, D], [C, E] -> scalar."""
    first = a.T @ b
    return first.square().sum() if a is c and b is d else (first * (c.T @ d)).sum()


def _checked_rows(rows: Tensor) -> Tensor:
    if rows.dim() != 2 or not rows.size(0) or not rows.size(1) or not rows.is_floating_point():
        raise ValueError(f"'target' needs floats [N, D] in 'TargetLoss' (got {rows.dtype} {list(rows.shape)})")
    if not bool(torch.isfinite(rows).all()):
        bad = (~torch.isfinite(rows).all(dim=1)).nonzero().view(-1)
        raise ValueError(
            f"'target' needs finite rows in 'TargetLoss' (got NaN or infinity in {bad.numel()}, first {int(bad[0])}); "
            "a sample without a target has a row of zeros"
        )
    return rows.detach().cpu()
