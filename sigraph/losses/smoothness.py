"""Smoothness: neighbours close to each other, and nothing but the spread of the samples against collapse."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.data.pairs import Pairs
from sigraph.files.arguments import check_flags, check_numbers
from sigraph.losses.base import PairSets, StructureLoss


class SmoothnessLoss(StructureLoss):
    r"""Laplacian energy along the edges of the pre-training graph, with VICReg's terms against collapse.

    With P positives, edge weights :math:`w_{ij}` (1 if none), and the covariance matrix :math:`\Sigma` of the n
    different nodes among the candidates,

    .. math::
        L = \frac{1}{D}\frac{\sum_{(i,j)\in P}w_{ij}\lVert z_i-c_j\rVert^2}{\sum_{(i,j)\in P}w_{ij}}
          + \frac{\mu}{D}\sum_{d}\max\big(0,\,\sigma-\sqrt{\Sigma_{dd}+10^{-4}}\big)
          + \frac{\nu}{D}\sum_{d\neq e}\Sigma_{de}^2.

    Args:
        variance_weight: :math:`\mu`, >= 0. At 0 nothing keeps embeddings apart: then all at one place are the optimum.
        covariance_weight: :math:`\nu`, >= 0; decorrelates the dimensions.
        target_std: :math:`\sigma`, the standard deviation at which a dimension costs nothing, > 0; the scale of the
            latent space.
        normalize_degree: Average each anchor's edges first, then the anchors with an edge: hubs count no more than
            others (the energy of the random-walk Laplacian). The default counts every edge alike.

    Shapes:
        - **z:** [A, D]; not normalised.  **pairs:** A anchors, C candidates.  **returns:** scalar, >= 0.

    Negatives play no part, so that few samples a step do and :class:`~sigraph.losses.CrossBatchMemory` is of no use.
    Anchors without a positive add to the spread only; without any positive the energy is 0, with fewer than two nodes
    the spread is. A node counts once in the spread: by its first row among the candidates, or by its anchor where it is
    not among them. Hence on several processes, whose candidates are those of all, the spread is exact: each process
    has the same one, counted once. O(P D + D^2) memory and O(P D + C D^2) time: no A x C matrix at all.
    Use with :class:`~sigraph.samplers.NeighborPairSampler` and steps of more than D samples.

    Source: Belkin & Niyogi, "Laplacian Eigenmaps for Dimensionality Reduction and Data Representation", Neural
    Computation 15, 2003 (energy); Bardes et al., "VICReg: Variance-Invariance-Covariance Regularization for
    Self-Supervised Learning", ICLR 2022, Sec. 4.1 (spread), with its weights 25 : 25 : 1 as 1 : 1 : 0.04. Differs in
    the edges in place of views, in the energy per dimension, and in one spread over all samples in place of one for
    each view.

    Guide:
        minimises: :math:`\frac{1}{D}` mean of :math:`\lVert z_i-z_j\rVert^2` over :math:`P` + a variance and a
            covariance term against collapse
        use it when: a missing edge says nothing: there are no negatives
        start with: ``{}``, steps of more than D samples
        costs: no A × C
        anchor without a positive: counts in the spread only
        anchor without a negative: as any other
        several processes: yes
        in a memory: of no use
    """

    def __init__(
        self,
        variance_weight: float = 1.0,
        covariance_weight: float = 0.04,
        target_std: float = 1.0,
        normalize_degree: bool = False,
    ) -> None:
        super().__init__()
        check_numbers("SmoothnessLoss", least=0, variance_weight=variance_weight, covariance_weight=covariance_weight)
        check_numbers("SmoothnessLoss", above=0, target_std=target_std)
        check_flags("SmoothnessLoss", normalize_degree=normalize_degree)
        self.variance_weight, self.covariance_weight = variance_weight, covariance_weight
        self.target_std, self.normalize_degree = target_std, normalize_degree

    def terms(self, z: Tensor, pairs: Pairs, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """The energy over its weights or anchors, and the spread, which is no sum over anchors: counted once."""
        energy, amount = self.energy(z, PairSets.of(pairs), candidates)
        sample = _samples(z, pairs, candidates)  # [n, D]
        spread, known = self.spread(sample), z.new_tensor(float(sample.size(0) > 1))
        return torch.stack([energy, spread]), torch.stack([amount, known])

    def energy(self, z: Tensor, sets: PairSets, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Sum of squared distances per dimension over the positives, and over what its mean runs."""
        width = max(candidates.size(0), 1)
        anchor, candidate = sets.positive // width, sets.positive % width  # [P]
        square = (z[anchor] - candidates[candidate]).square().mean(dim=1)  # [P]
        weight = torch.ones_like(square) if sets.weight is None else sets.weight.to(square)
        if self.normalize_degree:
            degree = z.new_zeros(z.size(0)).index_add(0, anchor, weight)  # [A]
            return (weight / degree[anchor] * square).sum(), (degree > 0).sum().to(z)
        return (weight * square).sum(), weight.sum()

    def spread(self, sample: Tensor) -> Tensor:
        """The weighted variance and covariance terms of different samples [n, D]; 0 for fewer than two."""
        if sample.size(0) < 2:
            return 0 * sample.sum()
        centered = sample - sample.mean(dim=0)
        covariance = centered.t() @ centered / (sample.size(0) - 1)  # [D, D]
        variance = covariance.diagonal()  # [D]
        narrow = (self.target_std - (variance + 1e-4).sqrt()).relu().mean()
        mixed = (covariance - variance.diag()).square().sum() / sample.size(1)
        return self.variance_weight * narrow + self.covariance_weight * mixed


def _samples(z: Tensor, pairs: Pairs, candidates: Tensor) -> Tensor:
    """Each node's first row among the candidates, and the anchors that are not among them. [n, D]"""
    outside = torch.full((z.size(0),), candidates is not z, device=z.device)  # [A]
    if pairs.self_index is not None:
        outside &= pairs.self_index < 0
    if pairs.anchor_id is None or pairs.candidate_id is None:
        return torch.cat([candidates, z[outside]])
    outside &= ~torch.isin(pairs.anchor_id, pairs.candidate_id)
    row, node = torch.cat([candidates, z[outside]]), torch.cat([pairs.candidate_id, pairs.anchor_id[outside]])
    order = node.argsort(stable=True)
    first = torch.ones_like(node, dtype=torch.bool)
    first[1:] = node[order][1:] != node[order][:-1]
    return row[order[first]]
