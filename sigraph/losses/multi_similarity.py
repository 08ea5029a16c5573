"""Multi-similarity: pull the far positives, push the close negatives, each the more the worse it stands."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.files.arguments import check_numbers
from sigraph.losses.blockwise import Block, PairwiseLoss, log_sum_exp


class MultiSimilarityLoss(PairwiseLoss):
    r"""Multi-similarity loss over the edges of the pre-training graph.

    With cosines :math:`s_{ij}`, positives :math:`P_i`, negatives :math:`N_i`, edge weights :math:`w_{ij}` (1 if none),

    .. math::
        L_i = \frac{1}{\alpha}\log\Big(1+\sum_{j\in P_i}w_{ij}e^{-\alpha(s_{ij}-\lambda)}\Big)
            + \frac{1}{\beta}\log\Big(1+\sum_{k\in N_i}e^{\beta(s_{ik}-\lambda)}\Big),

    and the loss is the mean of :math:`L_i` over anchors with at least one positive and one negative. With mining, a
    positive stays if :math:`s_{ij}-\epsilon<\max_k s_{ik}`, a negative if :math:`s_{ik}+\epsilon>\min_j s_{ij}`.

    Args:
        alpha: Sharpness on positives, dimensionless, > 0; up to 1e3 without overflow.
        beta: Sharpness on negatives, dimensionless, > 0; up to 1e3 without overflow.
        base: Similarity threshold :math:`\lambda`, a cosine in [-1, 1].
        epsilon: Mining margin :math:`\epsilon`, a difference of cosines, >= 0. None: all pairs.

    Shapes:
        - **z:** [A, D]; normalised inside.  **pairs:** A anchors, C candidates.  **returns:** scalar, >= 0.

    Anchors without a positive or without a negative (after mining, if any) contribute nothing; without any other the
    loss is 0. Use with :class:`~sigraph.samplers.NeighborPairSampler`.

    Source: Wang et al., "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning", CVPR 2019 (loss
    and mining); as L_SI in McDermott et al. 2023. Differs in the edge weights, and in the mean: over anchors that
    count, not over all.

    Guide:
        minimises: mean of :math:`\frac{1}{\alpha}\log(1+\sum_{j\in P_i}w_{ij}e^{-\alpha(s_{ij}-\lambda)}) +
            \frac{1}{\beta}\log(1+\sum_{k\in N_i}e^{\beta(s_{ik}-\lambda)})` over anchors
        use it when: nothing speaks for another (it is the default): far positives and close negatives weigh most
        start with: ``{}``; ``{epsilon: 0.1}`` leaves easy pairs out
        costs: engine
        anchor without a positive: out
        anchor without a negative: out, also if mining leaves none
        several processes: yes
        in a memory: yes
    """

    measure = "cosine"

    def __init__(self, alpha: float = 2.0, beta: float = 40.0, base: float = 0.5, epsilon: float | None = None) -> None:
        super().__init__()
        check_numbers("MultiSimilarityLoss", above=0, alpha=alpha, beta=beta)
        check_numbers("MultiSimilarityLoss", least=-1, most=1, base=base)
        check_numbers("MultiSimilarityLoss", least=0, epsilon=0.0 if epsilon is None else epsilon)
        self.alpha, self.beta, self.base, self.epsilon = alpha, beta, base, epsilon

    def rows(self, block: Block) -> tuple[Tensor, Tensor]:
        """The sum of L_i over the anchors that have a positive and a negative, and their number."""
        log_weight, is_negative, top = block.weight.log(), block.is_negative, None  # [p], [a, C]
        if self.epsilon is not None:
            log_weight, is_negative, top = self.mine(block, log_weight, self.epsilon)
        positives = block.log_sum_exp_per_row(log_weight - self.alpha * block.positive_similarity)  # [a]
        negatives = log_sum_exp(block.similarity, is_negative, self.beta, top)  # [a]
        valid = positives.isfinite() & negatives.isfinite()
        pull = _log_one_plus(positives[valid] + self.alpha * self.base) / self.alpha
        push = _log_one_plus(negatives[valid] - self.beta * self.base) / self.beta
        return (pull + push).sum().view(1), valid.sum().view(1)

    @torch.no_grad()
    def mine(self, block: Block, log_weight: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
        """Keep hard pairs: log weights with -inf for easy positives [p], a mask of the hard negatives [a, C], and each
        anchor's largest negative similarity, which is hard if any is [a].
        """
        min_positive = -block.max_per_row(-block.positive_similarity)  # [a]; inf without positives
        negative = torch.where(block.is_negative, block.similarity, -torch.inf)  # [a, C]
        max_negative = negative.amax(dim=1)  # [a]
        is_easy = block.positive_similarity - epsilon >= max_negative[block.positive_row]
        is_hard = negative.add_(epsilon) > min_positive.view(-1, 1)
        return log_weight.masked_fill(is_easy, -torch.inf), is_hard, max_negative


def _log_one_plus(log_x: Tensor) -> Tensor:
    """log(1 + x), given log(x)."""
    return torch.logaddexp(log_x, torch.zeros_like(log_x))
