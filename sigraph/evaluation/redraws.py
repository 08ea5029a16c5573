"""Redrawn splits: how well frozen embeddings tell a task, over many splits of its training and validation samples."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from sigraph.encoders import Encoder
from sigraph.evaluation.finetune_settings import FinetuneSettings
from sigraph.evaluation.probe import converged_probe
from sigraph.evaluation.task_batches import Embedded, rows_of
from sigraph.files.random import keyed_generator
from sigraph.tasks import Task


def redrawn_task(task: Task, generator: torch.Generator, hidden: Tensor | None = None) -> Task:
    """The task with training and validation samples drawn anew from both; test samples stay what they are.

    Both parts keep their sizes, and of a classification task each class has as many samples in them as it had.

    Args:
        task: Not changed.
        generator: Of the draw.
        hidden: Samples that validate where they are drawn to; the others of that part are left out. Shape [N] bool.
            None: all of them do.

    Raises:
        ValueError: No sample is left to validate on.
    """
    both = torch.cat([task.split["train"], task.split["valid"]])
    strata = task.labels[both] if task.type == "classification" else torch.zeros_like(both)
    in_train = torch.arange(len(both)) < len(task.split["train"])
    order = torch.randperm(len(both), generator=generator)
    order = order[strata[order].argsort(stable=True)]  # class by class, at random within
    place = strata.argsort(stable=True)  # class by class, training samples first
    part = torch.empty_like(in_train)
    part[order] = in_train[place]
    train, valid = both[part], both[~part]
    if hidden is not None:
        valid = valid[hidden[valid]]
    if not valid.numel():
        raise ValueError(f"a redrawn split of task {task.name!r} leaves no sample to validate on; draw none")
    redrawn = copy.copy(task)  # no split of a whole task: it is not checked as one
    redrawn.split = {**task.split, "train": train.sort().values, "valid": valid.sort().values}
    return redrawn


def redrawn_scores(
    task: Task,
    encoder: Encoder,
    z: Tensor,
    settings: FinetuneSettings,
    number: int,
    seed: int,
    hidden: Tensor | None = None,
) -> list[float]:
    """Validation scores of a converged linear probe on frozen embeddings, one a redrawn split.

    With a few hundred validation samples which of them there are moves the best of many settings more than the settings
    do; the mean over redrawn splits moves less. Splits are the same for every encoder. No test label is looked at.

    Args:
        task: Of samples.
        encoder: Says how wide ``z`` is.
        z: Of all samples. Shape [N, D].
        settings: ``normalize`` and ``class_weight`` act, what says how steps are taken does not.
        number: Of splits, >= 1.
        seed: Of the draws.
        hidden: As in :func:`redrawn_task`.

    Raises:
        ValueError: No sample is left to validate on, or nothing converged.
    """
    probe = FinetuneSettings(converged=True, normalize=settings.normalize, class_weight=settings.class_weight)
    scores = []
    for which in range(number):
        redrawn = redrawn_task(task, keyed_generator(seed, which), hidden)
        source, head = Embedded(redrawn, z), redrawn.head(encoder, probe)
        valid, _ = rows_of(source, "valid", 0)
        scores.append(
            converged_probe(redrawn, head, rows_of(source, "train", 0), valid, redrawn.loss_settings(probe)).valid
        )
    return scores
