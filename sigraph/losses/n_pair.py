"""N-pair: every positive should be more similar to the anchor than all negatives together."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data.pairs import Pairs
from sigraph.files.arguments import check_flags, check_numbers
from sigraph.losses.blockwise import Block, PairwiseLoss, log_sum_exp


class NPairLoss(PairwiseLoss):
    r"""Multi-class N-pair loss with several, weighted positives over the edges of the pre-training graph.

    With dot products :math:`s_{ij}=z_i\cdot c_j`, temperature :math:`t`, positives :math:`P_i`, negatives :math:`N_i`,
    and edge weights that are normalised per anchor, :math:`\bar w_{ij} = w_{ij} / \sum_{j\in P_i} w_{ij}`
    (1 / :math:`|P_i|` if none),

    .. math::
        L_i = \sum_{j\in P_i}\bar w_{ij}\log\Big(1+\sum_{k\in N_i}e^{(s_{ik}-s_{ij})/t}\Big),

    and the loss is the mean of :math:`L_i` over anchors with at least one positive and one negative, plus
    :math:`\lambda/2` times the sum of the mean squared norm of the anchors and that of the candidates.

    Args:
        temperature: :math:`t`, in units of the dot product, > 0; small ones look at the closest negatives only.
        normalize: Whether embeddings are scaled to unit length first, which makes dot products cosines; then a
            ``temperature`` of 0.05 to 0.2 is needed to tell them apart.
        l2_weight: :math:`\lambda`, >= 0, of the squared norms, which dot products let grow without end; 0.005 in Roth
            et al. 2020. Needs ``normalize=False``: unit vectors have no norm to shrink.

    Shapes:
        - **z:** [A, D].  **pairs:** A anchors, C candidates.  **returns:** scalar, >= 0.

    Anchors without a positive or without a negative contribute nothing but their norm; without any other the first term
    is 0. Unlike :class:`~sigraph.losses.InfoNCELoss` the positives of an anchor never compete with each other; with one
    positive each, on unit vectors, the two are the same. Use with :class:`~sigraph.samplers.NeighborPairSampler` and
    many candidates a step.

    Source: Sohn, "Improved Deep Metric Learning with Multi-class N-pair Loss Objective", NeurIPS 2016 (N-pair-mc, and
    the L2 regularisation of embeddings). Differs in several positives and their weights, in negatives that are all of
    the step's, and in the temperature.

    Guide:
        minimises: mean of :math:`\sum_{j\in P_i}\bar w_{ij}\log(1+\sum_{k\in N_i}e^{(z_i\cdot z_k-z_i\cdot z_j)/t})`
            over anchors
        use it when: as InfoNCE, but positives of an anchor should not compete, or norms should carry meaning
        start with: ``{normalize: true, temperature: 0.1}``, or ``{l2_weight: 0.005}``
        costs: engine
        anchor without a positive: out, but for its norm
        anchor without a negative: out, but for its norm
        several processes: yes
        in a memory: yes
    """

    measure = "dot"

    def __init__(self, temperature: float = 1.0, normalize: bool = False, l2_weight: float = 0.0) -> None:
        super().__init__()
        check_numbers("NPairLoss", above=0, temperature=temperature)
        check_numbers("NPairLoss", least=0, l2_weight=l2_weight)
        check_flags("NPairLoss", normalize=normalize)
        if normalize and l2_weight > 0:
            raise ValueError(
                f"'l2_weight' needs to be 0 with normalize=True in 'NPairLoss' (got {l2_weight}): unit vectors have no "
                "norm to shrink"
            )
        self.temperature, self.normalize, self.l2_weight = temperature, normalize, l2_weight

    def terms(self, z: Tensor, pairs: Pairs, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """The N-pair term and, with an ``l2_weight``, the squared norms of the anchors and of the candidates."""
        sums, counts = super().terms(z, pairs, candidates)
        if self.l2_weight == 0:
            return sums, counts
        norms = torch.stack([z.square().sum(), candidates.square().sum()]) * (self.l2_weight / 2)
        return torch.cat([sums, norms]), torch.cat([counts, counts.new_tensor([z.size(0), candidates.size(0)])])

    def rows(self, block: Block) -> tuple[Tensor, Tensor]:
        """The N-pair term of every anchor with a positive and a negative, and their number."""
        logit = block.positive_similarity / self.temperature  # [p]
        negatives = log_sum_exp(block.similarity, block.is_negative, 1 / self.temperature)  # [a]; -inf if none
        weight = block.sum_per_row(block.weight)  # [a]
        valid = (weight > 0) & block.is_negative.any(dim=1)
        keep = valid[block.positive_row]  # [p]
        excess = negatives[block.positive_row[keep]] - logit[keep]
        share = block.weight[keep] / weight[block.positive_row[keep]]
        return (share * torch.logaddexp(excess, torch.zeros_like(excess))).sum().view(1), valid.sum().view(1)
