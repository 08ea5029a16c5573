"""The contract of a task: items, a split over them, what a head reads of an encoding, how it is learnt and scored."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sigraph.samples.base import Samples
from sigraph.samples.encoding import Encoding
from sigraph.tasks.kinds import LossSettings

SPLITS = ("train", "valid", "test")


class Embeds(Protocol):
    """What of an encoder a task asks for."""

    out_channels: int

    @property
    def part_channels(self) -> int: ...


class HeadSettings(Protocol):
    """What of :class:`~sigraph.finetune.FinetuneSettings` a head is made from."""

    @property
    def normalize(self) -> bool: ...
    @property
    def dropout(self) -> float: ...
    @property
    def pair(self) -> str | None: ...
    @property
    def class_weight(self) -> Any: ...
    @property
    def label_smoothing(self) -> float: ...


class BaseTask(ABC):
    """What is fine-tuned: items, a split over them, and how predictions for them are learnt and scored.

    Items are samples, or pairs of samples, or samples with a label for each of their parts. Whoever uses a task asks
    for what it needs, never for its class: which samples items touch (:meth:`samples`, :meth:`part_samples`), what a
    head reads (:meth:`read`) and gives (:meth:`head`), what it loses (:meth:`loss`), how good it is (:meth:`evaluate`).

    A new kind of task is a subclass in a file of its own; :func:`~sigraph.finetune.fine_tune` and
    :class:`~sigraph.data.SampleDataset` take it. With labels of a usual type it is one of
    :class:`~sigraph.tasks.labelled.LabelledTask`, which implements the second half of the contract.

    Attributes:
        name: What it is called.
        split: Items under ``train``, ``valid`` and ``test``. 1-D int64 each.
        metrics: Names; the first one, :attr:`metric`, decides which epoch is kept.
        greater_is_better: Whether a larger value of the first metric is better.
        about: Where the labels come from, in words.
        labels: A row an item, or a part of one.
        type: Of labels: ``classification``, ``multilabel``, ``regression``; empty: others.
        classes: What class (or label column) 0, 1, ... is called; None: nothing but its number.
        num_samples: N of the data set that it belongs to.
    """

    item: ClassVar[str] = "item"  # what an item is, in a word for messages, files and cards: sample, pair, token
    reads_parts: ClassVar[bool] = False  # whether read() looks at h
    name: str
    split: Mapping[str, Tensor]
    metric: str
    metrics: tuple[str, ...]
    about: str = ""
    left_out: str = ""  # what a reader's limit took of it, for people
    labels: Tensor
    type: str = ""
    classes: list[str | int] | None = None

    @property
    @abstractmethod
    def greater_is_better(self) -> bool:
        """Whether a larger value of :attr:`metric` is better."""

    @property
    @abstractmethod
    def num_samples(self) -> int:
        """N, the number of samples of the data set, labelled or not."""

    @property
    @abstractmethod
    def num_items(self) -> int:
        """How many items there are; a split lists some of them."""

    @abstractmethod
    def samples(self, items: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Which samples items touch, and where.

        Args:
            items: Of the task. Shape [n].
            generator: Given for a step of training: a task that has no negatives of its own draws some. Their rows of
                ``place`` stand behind those of the items.

        Returns:
            Ids of the samples, each once [S], and positions in them: [n] or, for pairs, [n, 2].
        """

    @abstractmethod
    def read(self, encoding: Encoding, place: Tensor, inputs: Any) -> Tensor:
        """What the head reads: a row an item, or a row for each part of the items, in their order.

        Args:
            encoding: Of the samples.
            place: As :meth:`samples` gave it.
            inputs: What was encoded; None where embeddings were computed before and :attr:`reads_parts` is false.
        """

    @abstractmethod
    def head(self, encoder: Embeds, settings: HeadSettings) -> nn.Module:
        """A head that is not trained yet: from what :meth:`read` gives to predictions.

        Raises:
            ValueError: A setting does not fit the task.
        """

    @abstractmethod
    def target(self, items: Tensor) -> Tensor:
        """What is predicted, a row for each that :meth:`read` gives of the items; missing ones are marked as such."""

    @abstractmethod
    def loss(self, predicted: Tensor, target: Tensor, settings: LossSettings) -> Tensor:
        """Mean loss over what is known of the target. Scalar, with a gradient."""

    @abstractmethod
    def evaluate(self, items: Tensor, predicted: Tensor, metrics: Sequence[str] | None = None) -> dict[str, float]:
        """Scores by metric.

        Args:
            items: What was predicted.
            predicted: A row for each that :meth:`read` gives of them.
            metrics: Some of the task's; None: all.

        Raises:
            ValueError: A metric is not defined on these items; an
                :class:`~sigraph.tasks.metrics.UndefinedMetricError` where other predictions could be scored.
        """

    def with_split(self, split: Mapping[str, Tensor], about: str) -> BaseTask:
        """The same task with other parts, each some of those it has; it is not changed itself.

        Args:
            split: Items under ``train``, ``valid`` and ``test``, ascending.
            about: Where labels and split come from, in words.
        """
        other = copy.copy(self)
        other.split, other.about = dict(split), about
        return other

    def step(self, items: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """:meth:`samples` of items, and their targets; with those of negatives that were drawn, if any."""
        return *self.samples(items, generator), self.target(items)

    def loss_settings(self, settings: HeadSettings) -> LossSettings:
        """What the loss weighs labels with; by default nothing is weighed, and who asks for it is refused.

        Raises:
            ValueError: ``class_weight`` or ``label_smoothing`` of ``settings`` do not fit the labels.
        """
        if settings.class_weight is not None or settings.label_smoothing:
            raise ValueError(f"'class_weight' and 'label_smoothing' do not act on task {self.name!r}; leave them out")
        return LossSettings()

    def row_items(self, items: Tensor) -> Tensor:
        """Which of the items each row of a prediction belongs to, as positions in ``items``. Shape [R], ascending."""
        return torch.arange(len(items))

    def part_samples(self, part: str) -> Tensor:
        """Samples that items of a part of the split touch, ascending, each once. Shape [n]."""
        return self.samples(self.split[part])[0].unique()

    def sample_labels(self) -> Tensor | None:
        """A label for each sample, for audit, nearest neighbours and local consistency. [N] or [N, L]; None: none."""
        return None

    def edges(self) -> Tensor | None:
        """The pairs of samples that are tested. Where a pre-training graph holds them, it tells. [2, P]; None: none."""
        return None

    def cut(self, most: int) -> BaseTask:
        """The task of samples of which only the first ``most`` parts are read; by default parts make no difference."""
        return self

    def check_samples(self, samples: Samples) -> None:
        """Refuse samples that the task does not belong to.

        Raises:
            ValueError: There are more or fewer than it has labels for.
        """
        if self.num_samples != len(samples):
            raise ValueError(
                f"task {self.name!r} needs one label per sample, {len(samples)} (got {self.num_samples} labels); mark "
                "missing ones (-1, or NaN) rather than leaving them out"
            )

    def check_scorable(self) -> None:  # noqa: B027 -- many have nothing to look at
        """Refuse what cannot be scored, or learnt at all, before anything trains.

        Raises:
            ValueError: Names task, part, class or column, and the way out.
        """

    def measure(self) -> dict[str, Any]:
        """Counts as a card states them."""
        metrics = {"metrics": list(self.metrics)} if len(self.metrics) > 1 else {}
        sizes = {part: self.split[part].numel() for part in SPLITS}
        return {"type": self.item, "metric": self.metric, **metrics, "num_classes": None, **sizes}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Arrays and plain values by name, from which :meth:`restored` makes the task again.

        Raises:
            ValueError: The kind of task has no form on disk.
        """
        raise ValueError(
            f"task {self.name!r} is a {type(self).__name__}, which has no form on disk: write state() and restored(), "
            "or leave it out of the data set that is saved and add it by replace(tasks=...)"
        )

    @classmethod
    def restored(cls, arrays: Mapping[str, Tensor], facts: Mapping[str, Any]) -> BaseTask:
        """The task of a :meth:`state`."""
        raise ValueError(f"{cls.__name__} has no form on disk")


def plural(item: str) -> str:
    """Several of what an item is, in a word for messages."""
    return f"{item[:-1]}ies" if item.endswith("y") else f"{item}s"


class UnitLength(nn.Module):
    """Embeddings at length 1, as losses on cosines see them. Shape [..., D]."""

    def forward(self, z: Tensor) -> Tensor:
        return F.normalize(z, dim=-1)


def scores_of(
    task: BaseTask, items: Tensor, predicted: Tensor, metrics: Sequence[str] | None = None
) -> dict[str, float]:
    """What :meth:`BaseTask.evaluate` gives, if it keeps the contract.

    Raises:
        ValueError: It gives no mapping, or lacks a metric that the task names.
    """
    found = task.evaluate(items, predicted, metrics)
    wanted = task.metrics if metrics is None else metrics
    if not isinstance(found, Mapping) or any(name not in found for name in wanted):
        got = (
            f"a mapping with {', '.join(map(str, found)) or 'nothing'}"
            if isinstance(found, Mapping)
            else f"{found!r:.40}"
        )
        raise ValueError(
            f"evaluate() of {type(task).__name__!r} needs to give a score for each of its metrics, "
            f"{', '.join(wanted)} (got {got})"
        )
    return {name: float(found[name]) for name in wanted}
