"""Pre-trainings that learn labels: which do, and that what they learn is no label that is tested."""

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
    """Whether the objective or the structure loss, or something in one of them, has a constructor that asks for labels.

    These are :class:`~sigraph.objectives.MultiTask` and :class:`~sigraph.targets.TaskTeacher`, and what users write.
    """
    return any(_asks(*part) for part in _components(config))


def learns_labels(config: PretrainConfig) -> bool:
    """Whether pre-training learns labels: what reads them has a weight, and something is trained."""
    return bool(config.trainer.max_epochs) and any(_asks(*part) for part in _active(config))


def _components(config: PretrainConfig) -> Iterator[tuple[str, Any]]:
    """What may ask for labels, and its key."""
    yield "pretrain.structure_loss", config.structure_loss
    if config.objective is not None:
        yield "pretrain.objective", config.objective


def _active(config: PretrainConfig) -> Iterator[tuple[str, Any]]:
    """Those of them that are computed."""
    off = {"pretrain.structure_loss": 0, "pretrain.objective": 1}
    yield from ((where, one) for where, one in _components(config) if config.structure_weight != off[where])


def _asks(where: str, component: Any) -> bool:
    found = (resolve(target, object, at) for at, target in targets(component, where))
    return any("labels" in inspect.signature(one).parameters for one in found)


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
    found = sight(dataset, config.inductive)
    named = [(where, tasks) for where, component in _active(config) for tasks in _named_tasks(component, where)]
    seen = shown_labels(dataset, found._replace(samples=None))
    for name, labels in seen.items():
        where = next((where for where, tasks in named if tasks is None or name in tasks), None)
        if where is None:
            continue
        known = told(labels.y, task)
        count = int(torch.isin(task.split["test"], known).sum())
        if count:
            raise ConfigError(
                f"{where}: learns the labels of task {name!r}, which are those of {count:,} test samples of "
                f"task {task.name!r}; name another one there, or leave that task out"
            )


def _named_tasks(settings: Any, where: str) -> Iterator[list[str] | None]:
    """The tasks that each component which reads labels names, by ``tasks`` or ``task``; None: all."""
    if isinstance(settings, dict):
        target = settings.get("_target_")
        if target and "labels" in inspect.signature(resolve(target, object, where)).parameters:
            one = settings.get("task")
            yield settings.get("tasks") if one is None else [one]
        settings = list(settings.values())
    for value in settings if isinstance(settings, list | tuple) else ():
        yield from _named_tasks(value, where)
