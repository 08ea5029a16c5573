"""The task that an entry of ``finetune`` asks for."""

from __future__ import annotations

from sigraph.config import FinetuneConfig
from sigraph.data import SampleDataset
from sigraph.tasks.base import BaseTask
from sigraph.tasks.drawn import drawn


def asked_task(home: SampleDataset, entry: FinetuneConfig) -> BaseTask:
    """A task of a data set, with all of its items or with those that are drawn."""
    return drawn(home.task(entry.task), entry.max_train_samples, entry.max_scored_samples, entry.samples_seed)


def draw_of(entry: FinetuneConfig) -> list[int | None]:
    """What tells the draws of one task apart; nothing where all items are asked for."""
    most = [entry.max_train_samples, entry.max_scored_samples]
    return [*most, entry.samples_seed] if any(count is not None for count in most) else []
