"""Link prediction: tell the edges of the pre-training graph from its non-edges by a score of two embeddings."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sigraph.data.pairs import Pairs
from sigraph.files.arguments import check_choices, check_numbers
from sigraph.files.memory import check_fits
from sigraph.losses.base import PairSets
from sigraph.losses.blockwise import Block, PairwiseLoss

# score -> what the engine measures, default temperature, default threshold
_SCORES = {
    "dot": ("dot", 1.0, 0.0),
    "cosine": ("cosine", 0.1, 0.5),
    "distance": ("euclidean", 1.0, 1.0),
    "bilinear": ("dot", 1.0, 0.0),
}


class LinkPredictionLoss(PairwiseLoss):
    r"""Binary cross-entropy of edges against non-edges, each kind with a mean of its own.

    With a score :math:`s_{ij}`, temperature :math:`t`, threshold :math:`\theta`, P positives, Q negatives and edge
    weights :math:`w_{ij}` (1 if none), the logit of an edge is :math:`x_{ij}` and

    .. math::
        L = \frac{\sum_{(i,j)\in P}w_{ij}\log(1+e^{-x_{ij}})}{\sum_{(i,j)\in P}w_{ij}}
          + \frac{1}{Q}\sum_{(i,k)\in N}\log(1+e^{x_{ik}}), \qquad x_{ij} = (s_{ij}-\theta)/t.

    =============  =================================================  ============  ============
    ``score``      :math:`s_{ij}`                                     temperature   threshold
    =============  =================================================  ============  ============
    ``dot``        :math:`z_i\cdot c_j`                               1             0
    ``cosine``     the same of unit vectors                           0.1           0.5
    ``distance``   :math:`-\lVert z_i-c_j\rVert`, threshold negated   1             1
    ``bilinear``   :math:`z_i^\top\frac{W+W^\top}{2}c_j`              1             0
    =============  =================================================  ============  ============

    Args:
        score: One of the table. Edges have no direction, nor has any of these scores. W is learned; it starts as the
            identity, hence as ``dot``.
        temperature: :math:`t` > 0, in units of the score. None: as in the table.
        threshold: :math:`\theta`, the dot product, cosine or distance at which an edge is as likely as none; for
            ``distance``, :math:`x_{ij}=(\theta-\lVert z_i-c_j\rVert)/t`, >= 0. None: as in the table.
        encoder_channels: D, width of the embedding; needed for ``bilinear`` and used by nothing else. In an experiment
            file it comes from the encoder.

    Shapes:
        - **z:** [A, D]; normalised inside for ``cosine`` only.  **pairs:** A anchors, C candidates.
        - **returns:** scalar, >= 0.

    Anchors without a positive or a negative add to the other mean only; a mean over no pair is 0. Two means, because a
    step has far more non-edges than edges, which would drown these in one. One step costs the three matrix products
    of the engine and O((A + C) D) memory, with ``bilinear`` D^2 more: its factor W is applied to the anchors before,
    so that the engine's gradient flows on to it. Use with :class:`~sigraph.samplers.NeighborPairSampler`; ``dot`` and
    ``bilinear`` can grow the norms of embeddings without end: weight decay keeps them in check.

    Source: Kipf & Welling, "Variational Graph Auto-Encoders", 2016 (dot); Krioukov et al., "Hyperbolic geometry of
    complex networks", Physical Review E 82, 2010, the Fermi-Dirac connection probability (distance; here Euclidean);
    Nickel et al., "A Three-Way Model for Collective Learning on Multi-Relational Data", ICML 2011 (bilinear, one
    relation, made symmetric). Differs in one mean for each kind of pair and in the edge weights.

    Guide:
        minimises: mean of :math:`\log(1+e^{-x_{ij}})` over :math:`P` + mean of :math:`\log(1+e^{x_{ik}})` over
            :math:`N`, :math:`x=(\mathrm{score}-\theta)/t`
        use it when: the score should be the log-odds of an edge, or be learned (``score: bilinear``)
        start with: ``{score: cosine}``, or ``{score: dot}`` with weight decay
        costs: engine
        anchor without a positive: its negatives count
        anchor without a negative: its positives count
        several processes: yes
        in a memory: yes
    """

    def __init__(
        self,
        score: Literal["dot", "cosine", "distance", "bilinear"] = "dot",
        temperature: float | None = None,
        threshold: float | None = None,
        encoder_channels: int | None = None,
    ) -> None:
        super().__init__()
        check_choices("LinkPredictionLoss", list(_SCORES), score=score)
        self.score = score
        self.measure, usual_temperature, usual_threshold = _SCORES[score]  # type: ignore[assignment]
        self.temperature = usual_temperature if temperature is None else temperature
        self.threshold = usual_threshold if threshold is None else threshold
        check_numbers("LinkPredictionLoss", above=0, temperature=self.temperature)
        least = {"cosine": -1.0, "distance": 0.0}.get(score, -math.inf)
        most = 1.0 if score == "cosine" else math.inf
        check_numbers(f"LinkPredictionLoss(score={score!r})", least=least, most=most, threshold=self.threshold)
        self.weight: nn.Parameter | None = None
        if score == "bilinear":
            if not isinstance(encoder_channels, int) or encoder_channels < 1:
                raise ValueError(
                    "'encoder_channels' needs to be the width of the embedding, >= 1, for score 'bilinear' in "
                    f"'LinkPredictionLoss' (got {encoder_channels!r})"
                )
            check_fits("LinkPredictionLoss", 4 * encoder_channels**2, encoder_channels=encoder_channels)
            self.weight = nn.Parameter(torch.eye(encoder_channels))  # [D, D]

    def terms(self, z: Tensor, pairs: Pairs, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """As in the base class; the bilinear score is the dot product with the anchors times the symmetric W."""
        if self.weight is not None:
            if z.size(1) != self.weight.size(0):
                raise ValueError(
                    f"'encoder_channels' needs to be the width of z, {z.size(1)}, in 'LinkPredictionLoss' "
                    f"(got {self.weight.size(0)})"
                )
            z = z @ ((self.weight + self.weight.t()) / 2).to(z)  # [A, D]
        return super().terms(z, pairs, candidates)

    def rows(self, block: Block) -> tuple[Tensor, None]:
        """Sums of the cross-entropies over the positives and over the negatives."""
        missed = -F.logsigmoid(self._logit(block.positive_similarity))  # [p]
        # a pair that is no negative has the logit of a certain non-edge: e^-1e4 is 0, and faster than that of infinity
        logit = torch.where(block.is_negative, self._logit(block.similarity), -1e4)  # [a, C]
        return torch.stack([(block.weight * missed).sum(), -F.logsigmoid(-logit).sum()]), None

    def counts(self, sets: PairSets) -> Tensor:
        """P (the sum of weights, if any) and Q."""
        num_positives = sets.positive.numel() if sets.weight is None else sets.weight.sum().item()
        return torch.tensor([num_positives, sets.num_negatives()], dtype=torch.float64)

    def _logit(self, measured: Tensor) -> Tensor:
        sign = -1 if self.score == "distance" else 1
        return (measured - self.threshold) * (sign / self.temperature)
