"""LabelAgreement: samples whose label sets differ in a few positions are neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.edges import LabelSetStore
from sigraph.files.arguments import check_integers, is_number, shown
from sigraph.graphs.label_graph import LabelGraph
from sigraph.graphs.label_sets import distinct_rows, overlaps, read_label_sets


class LabelAgreement(LabelGraph):
    """Samples are joined if their rows of labels agree in all but at most t positions.

    This is the pre-training graph over protein ego-networks of McDermott et al. 2023: a supervised multi-task
    pre-training on the same labels, turned into structure. With t = 0 it is label cliques of whole label sets.

    Args:
        labels: Name of a multi-label task; None: the data set's first task.
        max_differences: t, in positions, >= 0. Give this, ``density`` or ``max_density``.
        density: Share of the pairs of samples to join, in (0, 1]; t is the one whose share comes closest, the smaller
            of two. Among the samples that take part.
        max_density: Share of these pairs to join at most, in (0, 1]; t is the largest that keeps within it. 0.05 makes
            a graph that is not nearly complete, however few labels there are.
        allow_label_edges: False: only samples of the task's train split take part, all others are isolated. True:
            every labelled sample, which leaks the labels of validation and test samples into pre-training.

    Shapes:
        - **labels:** [N, L] of 0 and 1; NaN (or -1 in integers) where missing.

    A missing label agrees with nothing, not even with a missing one: a sample with more than t of them is isolated.
    The graph is two-level: S distinct label sets are compared, in blocks, and edges between samples are not written
    out. Comparing takes O(S^2 L) at worst; sets of too different sizes are not compared.

    Example:
        >>> LabelAgreement(max_differences=1).from_labels(torch.tensor([[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 1]]))
        PretrainGraph(num_nodes=4, num_edges=6)
    """

    def __init__(
        self,
        labels: str | None = None,
        max_differences: int | None = None,
        density: float | None = None,
        allow_label_edges: bool = False,
        max_density: float | None = None,
    ) -> None:
        super().__init__(labels, allow_label_edges)
        given = {"max_differences": max_differences, "density": density, "max_density": max_density}
        named = [name for name, value in given.items() if value is not None]
        if len(named) != 1:
            got = " and ".join(named) or "neither"
            raise ValueError(f"'LabelAgreement' needs one of {', '.join(map(repr, given))} (got {got})")
        if max_differences is not None:
            check_integers("LabelAgreement", 0, max_differences=max_differences)
        for name, share in (("density", density), ("max_density", max_density)):
            if share is not None and (not is_number(share) or not 0 < share <= 1):
                raise ValueError(f"{name!r} needs to be in (0, 1] in 'LabelAgreement' (got {shown(share)})")
        self.max_differences, self.density, self.max_density = max_differences, density, max_density

    def from_labels(self, labels: Tensor) -> PretrainGraph:
        carried, known = read_label_sets(labels, "LabelAgreement")
        num_nodes, width = carried.shape
        takes_part = known.any(dim=1).nonzero().view(-1)
        carried, known = carried[takes_part], known[takes_part]
        whole = bool(known.all())
        # Positions that agree: ones that are shared and zeros that are shared; without missing ones, by the sizes.
        table = carried if whole else torch.cat([carried, known & ~carried], dim=1)
        sets, number = distinct_rows(table, width)  # [S, L] or [S, 2 L]
        most = self.max_differences
        if most is not None:
            most = min(most, width)
        else:
            most = self._chosen(_shares(sets, width, number.bincount()))
        index = [torch.empty(2, 0, dtype=torch.long)]
        for first, differ in _differences(sets, width, most):
            a, b = (differ <= most).nonzero(as_tuple=True)
            index.append(torch.stack([a, b])[:, a < b] + first)
        set_of = torch.full((num_nodes,), -1)
        set_of[takes_part] = torch.where(_unknown(sets, width)[number] <= most, number, -1)
        return PretrainGraph.from_store(LabelSetStore.from_sets(set_of, torch.cat(index, dim=1)))

    def _chosen(self, share: Tensor) -> int:
        """The t that is asked for by a share of the pairs. Shape [L + 1]."""
        if self.max_density is None:
            return int((share - (self.density or 0.0)).abs().argmin())
        within = int((share <= self.max_density).sum())
        if not within:
            raise ValueError(
                f"'max_density' needs to be at least {float(share[0]):.4g} in 'LabelAgreement': so many pairs "
                f"of samples have equal labels (got {self.max_density}); build it on more label columns, or allow more"
            )
        return within - 1


def _unknown(sets: Tensor, width: int) -> Tensor:
    """Missing labels of each set, in which it differs from itself. [S]"""
    return width - sets.sum(dim=1) if sets.size(1) > width else torch.zeros(len(sets), dtype=torch.long)


def _differences(sets: Tensor, width: int, most: int) -> Iterator[tuple[int, Tensor]]:
    """Positions in which sets do not agree, in the blocks of :func:`overlaps`, as far as they may be <= ``most``."""
    size = sets[:, :width].sum(dim=1)
    stop = torch.searchsorted(size, size + most, right=True)  # sets differ at least as much as their sizes
    for first, shared in overlaps(sets, stop):
        if sets.size(1) > width:
            yield first, shared.neg_().add_(width)
        else:
            a, b = shared.shape
            yield first, shared.mul_(-2).add_(size[first : first + a, None]).add_(size[first : first + b])


def _shares(sets: Tensor, width: int, count: Tensor) -> Tensor:
    """The share of pairs of samples that each t joins, t from 0 to the number of positions. [L + 1]"""
    inside = (count * (count - 1) // 2).double()
    pairs = _unknown(sets, width).bincount(inside, minlength=width + 1)  # [L + 1] by number of differences
    for first, differ in _differences(sets, width, width):
        a, b = differ.shape
        weight = (count[first : first + a, None] * count[first : first + b]).double().triu(1)
        pairs += differ.long().view(-1).bincount(weight.view(-1), minlength=width + 1)
    return pairs.cumsum(0) / pairs.sum().clamp(min=1)
