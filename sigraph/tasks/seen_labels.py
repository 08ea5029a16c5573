"""SeenLabels: what of a task's labels training may see, for supervision that is no fine-tuning."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from sigraph.tasks.task import Task


class SeenLabels(NamedTuple):
    """Labels of samples, missing where they may not be seen.

    Args:
        type: ``classification``, ``multilabel`` or ``regression``.
        y: As in :class:`~sigraph.tasks.Task`. Shape [N] or [N, L].
        num_outputs: Classes, label columns, or 1.
    """

    type: str
    y: Tensor
    num_outputs: int


def seen_labels(task: Task, shown: Tensor) -> SeenLabels:
    """The labels of a task with all but those of the samples ``shown`` missing."""
    return SeenLabels(task.type, task.kind.hidden(task.labels, shown), task.num_outputs)
