"""Contrastive: positives within one margin, negatives beyond another."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.files.arguments import check_flags, check_numbers
from sigraph.losses.base import PairSets
from sigraph.losses.blockwise import Block, PairwiseLoss


class ContrastiveLoss(PairwiseLoss):
    r"""Contrastive margin loss over the edges of the pre-training graph; over all pairs it certifies the geometry.

    With Euclidean distances :math:`d_{ij}`, P positives, Q negatives and edge weights :math:`w_{ij}` (1 if none),

    .. math::
        L = \frac{\sum_{(i,j)\in P}w_{ij}\max(d_{ij}-\mu_+, 0)}{\sum_{(i,j)\in P}w_{ij}}
          + \frac{1}{Q}\sum_{(i,k)\in N}\max(\mu_--d_{ik}, 0).

    Without weights the two means are the a and b of the certificate: for r strictly between the margins at most
    :math:`aP/(r-\mu_+)` positives lie outside radius r and at most :math:`bQ/(\mu_--r)` negatives inside.

    Args:
        positive_margin: :math:`\mu_+`, the distance within which a positive costs nothing, >= 0.
        negative_margin: :math:`\mu_-`, the distance beyond which a negative costs nothing, > ``positive_margin``;
            unit vectors are at most 2 apart.
        normalize: Whether embeddings are scaled to unit length first.
        squared: Whether the hinges are squared.

    Shapes:
        - **z:** [A, D].  **pairs:** A anchors, C candidates.  **returns:** scalar, >= 0.

    Anchors without a positive or a negative add to the other mean only; a mean over no pair is 0. Two embeddings at the
    same place have no direction apart: their gradient is 0. Use with :class:`~sigraph.samplers.NeighborPairSampler`.

    Source: Hadsell et al., "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006, Eq. 4; as L_SI in
    McDermott et al. 2023. Differs in the linear hinge (``squared=True``: theirs without the halves), in a margin for
    positives, and in one mean for each kind of pair.

    Guide:
        minimises: mean of :math:`[d_{ij}-\mu_+]_+` over :math:`P` + mean of :math:`[\mu_- - d_{ik}]_+` over :math:`N`
        use it when: one radius is to hold for all samples: over all pairs its value bounds the edges outside and the
            non-edges inside
        start with: ``{}``
        costs: engine
        anchor without a positive: its negatives count
        anchor without a negative: its positives count
        several processes: yes
        in a memory: yes
    """

    measure = "euclidean"

    def __init__(
        self,
        positive_margin: float = 0.0,
        negative_margin: float = 1.0,
        normalize: bool = True,
        squared: bool = False,
    ) -> None:
        super().__init__()
        check_numbers("ContrastiveLoss", least=0, positive_margin=positive_margin, negative_margin=negative_margin)
        check_flags("ContrastiveLoss", normalize=normalize, squared=squared)
        if positive_margin >= negative_margin:
            raise ValueError(
                "margins need 0 <= 'positive_margin' < 'negative_margin' in 'ContrastiveLoss' "
                f"(got {positive_margin} and {negative_margin})"
            )
        self.positive_margin, self.negative_margin = positive_margin, negative_margin
        self.normalize, self.squared = normalize, squared

    def rows(self, block: Block) -> tuple[Tensor, None]:
        """Sums of the hinges over the positives and over the negatives."""
        far = (block.positive_distance - self.positive_margin).relu()  # [p]
        # a pair that is no negative sits at the margin and costs nothing
        close = (self.negative_margin - torch.where(block.is_negative, block.distance, self.negative_margin)).relu()
        if self.squared:
            far, close = far.square(), close.square()
        return torch.stack([(block.weight * far).sum(), close.sum()]), None

    def counts(self, sets: PairSets) -> Tensor:
        """P (the sum of weights, if any) and Q."""
        num_positives = sets.positive.numel() if sets.weight is None else sets.weight.sum().item()
        return torch.tensor([num_positives, sets.num_negatives()], dtype=torch.float64)
