"""Few labels and many: subsets of a task's training labels, and its validation samples in halves."""

from __future__ import annotations

import copy
from itertools import count
from typing import NamedTuple

import torch
from torch import Tensor

from sigraph.files.random import keyed_generator
from sigraph.tasks import Task

FEWEST_VALID = 10  # validation samples: half of them choose, the others score
MOST_LABELS, MOST_VALID = 10_000, 5_000  # more are not fitted, and not scored
_STEADY = 1_000  # labels from which fewer draws tell as much
_NEARLY = 0.8  # of all labels: more of them are as good as all
_FIRST = 10  # samples, where labels are no classes
_SUBSETS, _HALVES = range(2)  # streams of a seed


class Size(NamedTuple):
    """Training samples, so many a class or in all.

    Args:
        per_class: Labels of each class, as far as it has as many; None: all there are, or labels are no classes.
        num_labels: In all.
        draws: Positions in the training part of the split, one tensor a draw; those of fewer labels lie within.
        is_all: Whether these are all labels.
    """

    per_class: int | None
    num_labels: int
    draws: list[Tensor]
    is_all: bool = False


def without_test(task: Task, seed: int = 0) -> Task:
    """The task with the labels of training and validation samples alone, and no test samples.

    At most 10,000 of the one and 5,000 of the other, drawn where there are more.

    Raises:
        ValueError: There are too few validation samples.
    """
    found = {}
    for part, most in (("train", MOST_LABELS), ("valid", MOST_VALID)):
        node = task.split[part]
        if len(node) > most:
            node = node[torch.randperm(len(node), generator=keyed_generator(seed, _SUBSETS))[:most].sort().values]
        found[part] = node
    if len(found["valid"]) < FEWEST_VALID:
        raise ValueError(
            f"advise needs at least {FEWEST_VALID} validation samples: half of them choose, the others score (task "
            f"{task.name!r} has {len(found['valid'])}); give the split more"
        )
    return shown(task, found["train"], found["valid"])


def shown(task: Task, train: Tensor, valid: Tensor) -> Task:
    """The task with these training and validation samples, their labels, and nothing else."""
    out = copy.copy(task)  # no split of a whole task: it is not checked as one
    out.labels = task.kind.hidden(task.labels, torch.cat([train, valid]))
    out.split = {"train": train, "valid": valid}
    return out


def label_sizes(task: Task, draws: int, seed: int = 0, only_all: bool = False) -> list[Size]:
    """Subsets of the training labels: 1, 2, 5, 10, 20, 50, ... of each class, or 10, 20, 50, ... in all, up to all.

    Those of fewer labels lie within those of more. From 1,000 labels on there are fewer draws.

    Args:
        task: Labels and training samples.
        draws: How many of each size, >= 1.
        seed: Of the draws.
        only_all: No subset.
    """
    group, of_classes = _groups(task, "train"), task.type == "classification"
    whole = Size(None, len(group), [torch.arange(len(group))], is_all=True)
    ranks = [_rank_within(group, keyed_generator(seed, _SUBSETS, which)) for which in range(draws)]
    out: list[Size] = []
    for n in (digit * 10**power for power in count() for digit in (1, 2, 5)):
        number = int((ranks[0] < n).sum())
        if only_all or number > _NEARLY * len(group):
            return [*out, whole]
        if of_classes or n >= _FIRST:
            kept = max(1, min(draws, draws * _STEADY // number))
            subsets = [(rank < n).nonzero().view(-1) for rank in ranks[:kept]]
            out.append(Size(n if of_classes else None, number, subsets))
    return out


def _rank_within(group: Tensor, generator: torch.Generator) -> Tensor:
    """The place of each in a random order of its group. Shape [n]"""
    order = torch.randperm(len(group), generator=generator)
    order = order[group[order].argsort(stable=True)]
    size = torch.unique(group, return_counts=True)[1]
    start = torch.repeat_interleave(size.cumsum(0) - size, size)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(group)) - start
    return rank


def cut_in_halves(task: Task, seed: int, which: int) -> Tensor:
    """Which half each validation sample is in, those of a class in turn. bool [n]"""
    group = _groups(task, "valid")
    order = torch.randperm(len(group), generator=keyed_generator(seed, _HALVES, which))
    order = order[group[order].argsort(stable=True)]
    half = torch.empty(len(group), dtype=torch.bool)
    half[order] = torch.arange(len(group)) % 2 == 1
    return half


def _groups(task: Task, part: str) -> Tensor:
    """Classes of a part of the split; where labels are none, a single group."""
    y = task.labels[task.split[part]]
    return y if task.type == "classification" else torch.zeros(len(y), dtype=torch.long)
