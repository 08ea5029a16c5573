"""JoinedTargets: several targets as one, side by side or on average."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.arguments import check_choices, check_integers
from sigraph.files.random import keyed_seed
from sigraph.targets.base import Target
from sigraph.targets.rows import principal, rotated, unit

WAYS = ("concatenate", "average")


class JoinedTargets(Target):
    r"""Unit rows of several targets, concatenated and reduced to few channels, or averaged after they were aligned.

    ``concatenate``: the cosine of two samples is the mean of their cosines in each target, as far as D principal
    channels hold it. ``average``: every target is turned onto the first by the orthogonal matrix that brings it
    closest, then the mean is taken; where targets say the same in other coordinates, as one teacher
    with several seeds does, what differs by chance is averaged out.

    Args:
        targets: At least one.
        how: ``concatenate`` or ``average``.
        out_channels: D, >= 1.

    Each target has a seed of its own. A sample has a target where one of them has one for it.

    Source: the alignment: Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 31,
    1966.
    """

    def __init__(self, targets: Sequence[Target], how: str = "concatenate", out_channels: int = 256) -> None:
        if not isinstance(targets, list | tuple) or not targets or not all(isinstance(one, Target) for one in targets):
            raise ValueError(f"'targets' needs a list of targets in 'JoinedTargets' (got {targets!r:.80})")
        check_choices("JoinedTargets", WAYS, how=how)
        check_integers("JoinedTargets", 1, out_channels=out_channels)
        self.targets, self.how, self.out_channels = list(targets), how, out_channels

    def among(self, ids: Tensor) -> JoinedTargets:
        return JoinedTargets([target.among(ids) for target in self.targets], self.how, self.out_channels)

    def compute(self, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> Tensor:
        rows = [
            unit(target.fit(dataset, graph, seed=keyed_seed(seed, 4, number) >> 1))
            for number, target in enumerate(self.targets)
        ]
        if self.how == "concatenate":
            found = principal(torch.cat(rows, dim=1), self.out_channels)
        else:
            found = principal(aligned_mean(rows), self.out_channels)
        return rotated(unit(found), self.out_channels, seed)


def aligned_mean(rows: Sequence[Tensor]) -> Tensor:
    """The mean of rows that were turned onto the first. Shape [N, D_i] each -> [N, max D_i]."""
    width = max(one.size(1) for one in rows)
    first, *others = [torch.nn.functional.pad(one, (0, width - one.size(1))) for one in rows]
    total = first.clone()
    for other in others:
        left, _, right = torch.linalg.svd((other.T @ first).double())
        total += other @ (left @ right).to(other.dtype)
    return total / len(rows)
