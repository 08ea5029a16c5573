"""Tasks whose labels are classes, label columns or numbers: what all of them do with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sigraph.files.counted import counted
from sigraph.tasks.base import SPLITS, BaseTask, Embeds, HeadSettings, UnitLength
from sigraph.tasks.class_names import checked_names
from sigraph.tasks.evaluator import Evaluator
from sigraph.tasks.kinds import KINDS, LabelKind, LossSettings
from sigraph.tasks.label_values import label_values
from sigraph.tasks.metrics import DEFAULT_METRIC, METRICS, Metric, named_metric
from sigraph.tasks.scorable import check_scorable


class LabelledTask(BaseTask):
    """A task with labels of one type: classes (-1 missing), numbers, or 0 and 1 in columns (NaN missing).

    A subclass says which items they belong to.
    """

    @property
    def kind(self) -> LabelKind:
        """What labels of its type have in common."""
        return KINDS[self.type]

    @property
    def num_outputs(self) -> int:
        """Width of a prediction: classes, label columns, or 1 for regression."""
        return self.kind.width(self.labels)

    @property
    def greater_is_better(self) -> bool:
        """Whether a larger value of the metric is better."""
        return named_metric(self.metric, self.type, f"of task {self.name!r}").greater_is_better

    @property
    def is_ranking(self) -> bool:
        """Whether the metric ranks samples by a score of the second of two classes, rather than choosing a class."""
        metric = named_metric(self.metric, self.type, f"of task {self.name!r}")
        return self.type == "classification" and metric.num_classes == 2 and metric.reads == "scores"

    @property
    def needs_scores(self) -> bool:
        """Whether a metric reads a score of each class, so that classes alone are not enough."""
        return self.type == "classification" and any(metric.reads == "scores" for metric in self.scored_by())

    def scored_by(self) -> list[Metric]:
        """The metrics, looked up."""
        return [named_metric(name, self.type, f"of task {self.name!r}") for name in (self.metric, *self.metrics[1:])]

    def check_metrics(self) -> None:
        """Refuse metrics that there are not for the type, or for the number of classes."""
        for metric in self.scored_by():
            if metric.num_classes and self.num_outputs != metric.num_classes:
                others = ", ".join(name for name, other in METRICS[self.type].items() if not other.num_classes)
                raise ValueError(
                    f"'metric' {metric.name!r} of task {self.name!r} needs two classes (got {self.num_outputs}); for "
                    f"any number of them: {others}"
                )

    def read_labels(
        self,
        labels: Any,
        type: str = "",
        classes: Any = None,
        missing: Any = None,
        at: Callable[[int], str] = "sample {}".format,
    ) -> list[str]:
        """Set labels, their type, and names of classes: those given, else those that the labels give.

        Args:
            labels: As the user has them.
            type: By default read off the labels.
            classes: Names of classes or label columns; None: not given.
            missing: What marks a missing label, besides the usual.
            at: Says which label the one of a number is.

        Returns:
            What may surprise about them, for :func:`~sigraph.tasks.task.warn_of`.
        """
        what = f"task {self.name!r}"
        called = None if classes is None else checked_names(classes, f"'classes' of {what}")
        found = label_values(labels, f"'labels' of {what}", type, classes=called, missing=missing, at=at)
        self.labels, self.type, self.classes = found.y, found.type, called
        if called is None and found.classes is not None:
            self.classes = checked_names(found.classes, f"'classes' of {what}, read off its labels,")
        return found.notes

    def check_classes(self) -> None:
        """Refuse fewer names than classes or label columns."""
        if self.classes is not None and self.type != "regression" and len(self.classes) < self.num_outputs:
            raise ValueError(
                f"'classes' of task {self.name!r} needs a name for each of {self.num_outputs} (got "
                f"{len(self.classes)}); integer labels are ids from 0 on or, all of them, among the names"
            )

    def read_metrics(self, metric: Any, more: Any = ()) -> None:
        """Set the metrics from one name or a list of them, and ``more`` that are reported beside the first."""
        names = [*_listed(metric, "metric", self.name), *_listed(more, "metrics", self.name)]
        names = list(dict.fromkeys(names)) if all(isinstance(name, str) for name in names) else names
        self.metrics = tuple(names) or (DEFAULT_METRIC[self.type],)
        self.metric = self.metrics[0]
        self.check_metrics()

    def called(self, number: int) -> str | int:
        """What the user calls a class or label column."""
        return number if self.classes is None else self.classes[number]

    def part_labels(self, part: str) -> Tensor:
        """The labels of a part of the split, those that are missing left out. A row an item, or a part of one."""
        y = self.target(self.split[part])
        return y[self.kind.is_labelled(y)]

    def loss_settings(self, settings: HeadSettings) -> LossSettings:
        train = self.part_labels("train")
        owner = f"task {self.name!r}"
        return self.kind.loss_settings(train, self.num_outputs, settings.class_weight, settings.label_smoothing, owner)

    def loss(self, predicted: Tensor, target: Tensor, settings: LossSettings) -> Tensor:
        return self.kind.loss(predicted, target, settings)

    def head(self, encoder: Embeds, settings: HeadSettings) -> nn.Module:
        """A linear map of what :meth:`read` gives, in the unit of the training labels."""
        self.refuse_pair(settings)
        return self.with_unit(
            [nn.Dropout(settings.dropout), nn.Linear(encoder.out_channels, self.num_outputs)], settings
        )

    def refuse_pair(self, settings: HeadSettings) -> None:
        """Refuse a setting that is for tasks of pairs."""
        if settings.pair is not None:
            raise ValueError(f"'pair' does not act on task {self.name!r}, whose items are no pairs; leave it out")

    def with_unit(self, layers: Sequence[nn.Module], settings: HeadSettings) -> nn.Sequential:
        """Layers, embeddings scaled in front of them if that is asked for, and the unit of the labels behind."""
        unit = self.kind.unit(self.part_labels("train"))
        return nn.Sequential(
            *([UnitLength()] if settings.normalize else []), *layers, *([] if unit is None else [unit])
        )

    def evaluate(self, items: Tensor, predicted: Tensor, metrics: Sequence[str] | None = None) -> dict[str, float]:
        y = self.target(items)
        known = self.kind.is_labelled(y)
        if not bool(known.all()):
            y, predicted = y[known], predicted[known]
        return Evaluator(self).eval({"y_true": y, "y_pred": predicted}, metrics)

    def check_scorable(self) -> None:
        check_scorable(self)

    def measure(self) -> dict[str, Any]:
        found = {**super().measure(), "num_classes": None if self.type == "regression" else self.num_outputs}
        kind = self.type if self.item == "sample" else self.item
        return {**found, "type": kind, "num_labelled": int(self.kind.is_labelled(self.labels).sum())}

    def facts(self) -> dict[str, Any]:
        """Plain values of a task, as they are kept; what says nothing is left out."""
        found: dict[str, Any] = {"name": self.name, "type": self.type, "metric": self.metric, "about": self.about}
        if self.item != "sample":
            found |= {"type": self.item, "labels": self.type}
        if len(self.metrics) > 1:
            found["metrics"] = list(self.metrics)
        return found if self.classes is None else {**found, "classes": self.classes}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return {"labels": self.labels, **self.split}, self.facts()


def _listed(given: Any, argument: str, task: str) -> list[Any]:
    """A name or a list of names, as a list; empty ones are left out."""
    if given is None or isinstance(given, str):
        return [given] if given else []
    if not isinstance(given, Sequence):
        raise ValueError(f"{argument!r} of task {task!r} needs a name or a list of names (got {type(given).__name__})")
    return [name for name in given if name != ""]


def given_split(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The split among the arrays of a state."""
    return {part: arrays[part] for part in SPLITS}


def check_parts(task: LabelledTask, what: str = "sample") -> None:
    """Refuse a split whose parts share items, or that lists items without a label.

    Args:
        task: Its split is read already.
        what: What an item is called in messages.
    """
    owner = torch.zeros(task.num_items, dtype=torch.long)
    for number, (part, ids) in enumerate(task.split.items(), start=1):
        said = f"split {part!r} of task {task.name!r}"
        taken = ids[owner[ids] > 0]
        if taken.numel():
            other = SPLITS[int(owner[taken[0]]) - 1]
            raise ValueError(f"{said} shares {counted(taken.numel(), what)} with {other!r} (first: {int(taken[0])})")
        owner[ids] = number
        known = torch.zeros(len(ids), dtype=torch.bool)
        y = task.target(ids)
        known[task.row_items(ids)[task.kind.is_labelled(y)]] = True
        unlabelled = ids[~known]
        if unlabelled.numel():
            raise ValueError(
                f"{said} lists {counted(unlabelled.numel(), what)} without a label (first: {int(unlabelled[0])})"
            )
