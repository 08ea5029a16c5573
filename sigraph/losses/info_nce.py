"""InfoNCE: a positive should be told apart from the negatives by its similarity; here with several positives."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from sigraph.files.arguments import check_numbers
from sigraph.losses.blockwise import Block, PairwiseLoss, log_sum_exp


class InfoNCELoss(PairwiseLoss):
    r"""InfoNCE with several, weighted positives over the edges of the pre-training graph.

    With cosines :math:`s_{ij}`, temperature :math:`t`, positives :math:`P_i`, negatives :math:`N_i`, and edge weights
    that are normalised per anchor, :math:`\bar w_{ij} = w_{ij} / \sum_{j\in P_i} w_{ij}` (1 / :math:`|P_i|` if none),

    .. math::
        p_{ij} = \frac{e^{s_{ij}/t}}{\sum_{k\in P_i\cup N_i}e^{s_{ik}/t}}, \qquad
        L_i^{out} = -\sum_{j\in P_i}\bar w_{ij}\log p_{ij}, \qquad
        L_i^{in} = -\log\sum_{j\in P_i}\bar w_{ij}\,p_{ij},

    and the loss is the mean of :math:`L_i` over anchors with at least one positive.

    Args:
        temperature: :math:`t`, in units of a cosine, > 0; small ones look at the closest candidates only.
        variant: ``"out"``: every positive has to come close; ``"in"``: it is enough if one does.

    Shapes:
        - **z:** [A, D]; normalised inside.  **pairs:** A anchors, C candidates.  **returns:** scalar, >= 0.

    Anchors without a positive contribute nothing; without any other the loss is 0. An anchor without a negative
    compares its positives with each other. Weights choose the target, not the competitors: each positive stands once
    in the sum over k. Use with :class:`~sigraph.samplers.NeighborPairSampler` and many candidates a step.

    Source: van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018 (InfoNCE, with one
    positive); Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, Eq. 2 (out), and their L_in (in). "in"
    with the powers of the adjacency as weights is, up to a constant per anchor, the NContrast loss of Hu et al.,
    "Graph-MLP: Node Classification without Message Passing in Graph", 2021. Differs in the weights and in the mean over
    anchors with a positive.

    Guide:
        minimises: mean of :math:`-\sum_{j\in P_i}\bar w_{ij}\log p_{ij}` over anchors,
            :math:`p_{ij}=e^{s_{ij}/t}/\sum_{k\in P_i\cup N_i}e^{s_{ik}/t}`; ``variant: in``: of :math:`-\log\sum_{j\in
            P_i}\bar w_{ij}p_{ij}`
        use it when: steps are large, or weights say how much each neighbour counts (several hops)
        start with: ``{temperature: 0.2}``, sampler with ``num_neighbors: 2``
        costs: engine
        anchor without a positive: out
        anchor without a negative: its positives compete
        several processes: yes
        in a memory: yes
    """

    measure = "cosine"

    def __init__(self, temperature: float = 0.2, variant: Literal["out", "in"] = "out") -> None:
        super().__init__()
        check_numbers("InfoNCELoss", above=0, temperature=temperature)
        if variant not in ("out", "in"):
            raise ValueError(f"'variant' needs to be 'out' or 'in' in 'InfoNCELoss' (got {variant!r})")
        self.temperature, self.variant = temperature, variant

    def rows(self, block: Block) -> tuple[Tensor, Tensor]:
        """The sum of L_i over the anchors with a positive, and their number."""
        logit = block.positive_similarity / self.temperature  # [p]
        weight = block.sum_per_row(block.weight)  # [a]
        valid = weight > 0
        positives = block.log_sum_exp_per_row(logit)  # [a]
        negatives = log_sum_exp(block.similarity, block.is_negative, 1 / self.temperature)  # [a]; -inf if none
        competitors = torch.logaddexp(positives[valid], negatives[valid])
        if self.variant == "out":
            target = block.sum_per_row(block.weight * logit)[valid] / weight[valid]
        else:
            target = block.log_sum_exp_per_row(block.weight.log() + logit)[valid] - weight[valid].log()
        return (competitors - target).sum().view(1), valid.sum().view(1)
