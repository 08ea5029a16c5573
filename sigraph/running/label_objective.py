"""Objectives that learn labels: which do, and that what they learn is no label that is tested."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch

from sigraph.config import ConfigError, PretrainConfig
from sigraph.config.build import resolve, targets
from sigraph.data import SampleDataset
from sigraph.running.visible import shown_labels, sight
from sigraph.tasks import Task
from sigraph.tasks.base import BaseTask
from sigraph.theory.leakage.label_edges import told


def reads_labels(config: PretrainConfig) -> bool:
    """Whether the objective, or one in it, has a constructor that asks for labels."""
    if config.objective is None:
        return False
    found = (resolve(target, object, where) for where, target in targets(config.objective, "pretrain.objective"))
    return any("labels" in inspect.signature(one).parameters for one in found)


def learns_labels(config: PretrainConfig) -> bool:
    """Whether pre-training learns labels: the objective reads them, is computed, and something is trained."""
    return bool(config.structure_weight != 1 and config.trainer.max_epochs) and reads_labels(config)


def check_learnt_labels(config: PretrainConfig, dataset: SampleDataset, task: BaseTask) -> None:
    """Refuse a pre-training that learns labels which are those of test samples of a task.

    Two tasks may have the same labels and other splits: the training labels of one are then test labels of the other.

    Args:
        config: Of the pre-training.
        dataset: All that it is given.
        task: What is tested, of the same data set.

    Raises:
        ConfigError: It does.
    """
    if not learns_labels(config) or not isinstance(task, Task):
        return
    found, named = sight(dataset, config.inductive), list(_named_tasks(config.objective))
    seen = shown_labels(dataset, found._replace(samples=None))
    for name, labels in seen.items():
        if all(tasks is not None and name not in tasks for tasks in named):
            continue
        known = told(labels.y, task)
        count = int(torch.isin(task.split["test"], known).sum())
        if count:
            raise ConfigError(
                f"pretrain.objective: learns the labels of task {name!r}, which are those of {count:,} test samples of "
                f"task {task.name!r}; name others under 'tasks', or leave that task out"
            )


def _named_tasks(settings: Any) -> Iterator[list[str] | None]:
    """The tasks that each component which reads labels names; None: all."""
    if isinstance(settings, dict):
        target = settings.get("_target_")
        if target and "labels" in inspect.signature(resolve(target, object, "pretrain.objective")).parameters:
            yield settings.get("tasks")
        settings = list(settings.values())
    for value in settings if isinstance(settings, list | tuple) else ():
        yield from _named_tasks(value)
