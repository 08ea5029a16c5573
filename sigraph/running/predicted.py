"""What a run predicted of the test items, kept where its arm keeps its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sigraph.data import SampleDataset
from sigraph.leaderboard.predictions import KINDS, PREDICTIONS, Predictions, damage, write_predictions
from sigraph.leaderboard.records import TaskResult
from sigraph.tasks.base import BaseTask


def keep_predictions(
    folder: Path, name: str, dataset: SampleDataset, task: BaseTask, predicted: Sequence[Tensor]
) -> dict[str, Any]:
    """Keep predictions of the test items.

    Args:
        folder: Of the results that arms of the same settings share; they go to ``predictions/<name>.parquet`` in it.
        name: Of the file: that of the task's result, without its ending.
        dataset: The task's samples, whose ids are written too.
        task: Labels and split.
        predicted: Of each fine-tuning a row an item, or a part of one, in the order of the split; none: the test items
            were not scored.

    Returns:
        The fields ``predictions`` and, where all are of one class, ``constant`` of the task's result; nothing if there
        is nothing to keep.
    """
    if not predicted or task.type not in KINDS:
        return {}
    items, (node, place) = task.split["test"], task.samples(task.split["test"])
    row = task.row_items(items)
    y, times = task.target(items), len(predicted)
    every = torch.cat([one.detach().cpu() for one in predicted])
    repeat = torch.arange(times).repeat_interleave(len(row)).numpy() if times > 1 else None
    row = row.repeat(times)
    found = Predictions(task.type, items[row].numpy(), torch.cat([y] * times).numpy(), every.numpy(), repeat)
    ids = {}
    if dataset.ids is not None:
        ends = {"id": place} if place.dim() == 1 else {f"id_{i}": end for i, end in enumerate(place.T)}
        ids = {name: dataset.ids.take(node[end][row].numpy()) for name, end in ends.items()}
    file = folder / PREDICTIONS / f"{name}.parquet"
    file.parent.mkdir(exist_ok=True)
    kept = {"predictions": {"file": file.name, "sha256": write_predictions(file, found, ids)}}
    return kept | ({} if (constant := _constant(task, every)) is None else {"constant": constant})


def _constant(task: BaseTask, predicted: Tensor) -> str | None:
    """The class that all items are predicted to be of, by name; None: there are several, or no classes."""
    if task.type != "classification" or predicted.dim() != 2 or predicted.size(1) < 2 or len(predicted) < 2:
        return None
    number = predicted.argmax(dim=1)
    if bool((number != number[0]).any()):
        return None
    names = getattr(task, "classes", None)
    return str(int(number[0]) if names is None else names[int(number[0])])


def lost_predictions(folder: Path, record: Mapping[str, Any]) -> str | None:
    """What is wrong with the predictions of a result that was found; None: nothing, or it is older than they are."""
    return damage(folder / PREDICTIONS, TaskResult.of_checked(record))
