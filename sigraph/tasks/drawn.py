"""Fewer items of a task, drawn once: where all of them take longer than there is time."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.files.arguments import check_integers
from sigraph.files.random import keyed_generator
from sigraph.tasks.base import SPLITS, BaseTask

_KEY = {part: 17 + place for place, part in enumerate(SPLITS)}  # a stream of random numbers for each


def drawn(task: BaseTask, max_train: int | None = None, max_scored: int | None = None, seed: int = 0) -> BaseTask:
    """A task with at most so many items in the parts of its split, the others left out; ``about`` says so.

    Items are drawn without replacement, each part by itself, whatever their labels: the same seed and task give the
    same items, and what a smaller number keeps is part of what a larger one does.

    Args:
        task: It is not changed.
        max_train: Items of ``train``, >= 1; None: all.
        max_scored: Items of ``valid`` and of ``test`` each, >= 1; None: all.
        seed: Of the draw, >= 0.

    Returns:
        The task itself where nothing is left out.
    """
    most = {"train": max_train, "valid": max_scored, "test": max_scored}
    check_integers("drawn", 1, max_train=max_train or 1, max_scored=max_scored or 1)
    check_integers("drawn", 0, seed=seed)
    split, words = dict(task.split), []
    for part, count in most.items():
        items = split[part]
        if count is not None and len(items) > count:
            split[part] = _some(items, count, seed, _KEY[part])
            words.append(f"{count:,} of {len(items):,} of {part}")
    if not words:
        return task
    said = f"{', '.join(words)}, drawn with seed {seed}"
    return task.with_split(split, f"{task.about}; {said}" if task.about else said)


def _some(items: Tensor, count: int, seed: int, key: int) -> Tensor:
    order = torch.randperm(len(items), generator=keyed_generator(seed, key))
    return items[order[:count]].sort().values
