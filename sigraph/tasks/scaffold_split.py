"""A split by scaffold: common ones train, rare ones test, as molecules that are met later are of new kinds."""

from __future__ import annotations

import torch
from torch import Tensor


def scaffold_parts(groups: Tensor, rates: tuple[float, ...]) -> Tensor:
    """Part 0, 1 or 2 of each sample: groups from the largest to the smallest, each into the first part with room.

    Nothing is drawn. Of equally large groups the one whose first sample stands last comes first. A group goes into
    train if train then holds no more than its share of all samples, else into valid if train and valid together then
    hold no more than theirs, else into test. With Bemis-Murcko scaffolds that tell stereochemistry apart these are
    DeepChem's and OGB's scaffold splits.

    Args:
        groups: Group of each sample; below 0: a group of its own. Shape [n].
        rates: Shares of train, valid and test, in (0, 1).

    Source: Wu et al., "MoleculeNet: a benchmark for molecular machine learning", Chemical Science 2018; Hu et al.,
        "Open Graph Benchmark", NeurIPS 2020.
    """
    if not len(groups):
        return groups.long()
    groups, alone = groups.long().clone(), groups < 0
    groups[alone] = int(groups.max()) + 1 + torch.arange(int(alone.sum()))
    _, groups, size = groups.unique(return_inverse=True, return_counts=True)
    first = torch.full_like(size, len(groups)).scatter_reduce(0, groups, torch.arange(len(groups)), "amin")
    order = (size * (len(groups) + 1) + first).argsort(descending=True)  # by size, then by first sample
    train_room, valid_room = rates[0] * len(groups), (rates[0] + rates[1]) * len(groups)
    part, train, valid = torch.full_like(size, 2), 0, 0
    for group, count in zip(order.tolist(), size[order].tolist(), strict=True):
        if train + count <= train_room:
            part[group], train = 0, train + count
        elif train + valid + count <= valid_room:
            part[group], valid = 1, valid + count
    return part[groups]
