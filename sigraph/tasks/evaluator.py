"""Evaluator: predictions and labels in, numbers out, in OGB's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from sigraph.files.arguments import said
from sigraph.files.row_index import check_same_index, has_index
from sigraph.tasks.class_names import are_names_together, integer_names, shown_names
from sigraph.tasks.kinds import is_labelled
from sigraph.tasks.label_values import label_values, labels_said
from sigraph.tasks.metrics import Metric, above_half


@runtime_checkable
class Labelled(Protocol):
    """What of a :class:`~sigraph.tasks.labelled.LabelledTask` says how it is scored."""

    name: str
    type: str
    metric: str
    classes: list[str | int] | None

    @property
    def split(self) -> Mapping[str, torch.Tensor]: ...
    @property
    def num_items(self) -> int: ...
    @property
    def is_ranking(self) -> bool: ...
    @property
    def num_outputs(self) -> int: ...
    @property
    def greater_is_better(self) -> bool: ...
    @property
    def needs_scores(self) -> bool: ...
    def scored_by(self) -> list[Metric]:
        """The metrics, looked up."""

    def check_metrics(self) -> None:
        """Refuse metrics that there are not."""

    def called(self, number: int) -> str | int:
        """What the user calls a class or label column."""

    def part_labels(self, part: str) -> torch.Tensor:
        """The known labels of a part of the split."""


class Evaluator:
    """Scores predictions for a task the way OGB's evaluators are called.

    Args:
        task: With labels (:class:`~sigraph.tasks.Task` and others); its type, its metrics and what its classes are
            called are used.

    Classes may be given as ids, 0 ... C - 1, or by name where the task has names. Where the names are integers too,
    integers are ids if all of ``y_true`` and ``y_pred`` can be, otherwise names if all of both are; anything else is
    refused. Names as text are never taken for ids.

    Raises:
        ValueError: The metric does not exist for the task's type; lists those that do.

    Example:
        >>> Evaluator(task).eval({"y_true": labels[test], "y_pred": logits})
        {'accuracy': 0.815}
    """

    def __init__(self, task: Labelled) -> None:
        if not isinstance(task, Labelled):
            raise ValueError(f"'task' needs to be a Task, or another with labels, in 'Evaluator' (got {said(task)})")
        task.check_metrics()
        self.task, self.metric = task, task.metric
        self.metrics = {metric.name: metric for metric in task.scored_by()}
        self.greater_is_better = task.greater_is_better

    @property
    def expected_input_format(self) -> str:
        """What :meth:`eval` takes, in words."""
        shape = {
            "classification": "y_true [n] class ids; y_pred [n] class ids or [n, num_classes] scores",
            "multilabel": "y_true [n, num_columns] in {0, 1}, NaN where missing; y_pred [n, num_columns] scores",
            "regression": "y_true [n]; y_pred [n] or [n, 1]",
        }[self.task.type]
        if self.task.needs_scores and self.task.num_outputs != 2:
            shape = "y_true [n] class ids; y_pred [n, num_classes] scores"
        elif self.task.needs_scores:
            positive = self.task.called(1)
            shape = f"y_true [n] classes; y_pred [n] scores of class {positive!r}, the second, or [n, 2] of both"
        classes = self.task.classes
        named = "" if self.task.type != "classification" or not classes else f"; classes are ids or {self._names()}"
        return f"a dict with arrays or tensors: {shape}{named}"

    @property
    def expected_output_format(self) -> str:
        """What :meth:`eval` returns, in words."""
        words = [
            f"{{{name!r}: float}}, {'higher' if metric.greater_is_better else 'lower'} is better"
            for name, metric in self.metrics.items()
        ]
        return f"a dict {'; '.join(words)}"

    def eval(self, input_dict: dict[str, Any], metrics: Sequence[str] | None = None) -> dict[str, float]:
        """Score predictions.

        Args:
            input_dict: ``y_true`` and ``y_pred``; see :attr:`expected_input_format`.
            metrics: Some of the task's; None: all of them.

        Returns:
            Values by the names of the metrics, the task's first one first.
        """
        missing = {"y_true", "y_pred"} - set(input_dict)
        if missing:
            names = ", ".join(sorted(missing))
            raise ValueError(f"'input_dict' needs {names} in 'Evaluator': {self.expected_input_format}")
        given = {f"'{name}'": input_dict[name] for name in ("y_true", "y_pred")}
        check_same_index(given)  # of samples with any numbers, in any order: they are compared with each other alone
        y_true, y_pred = (value.to_numpy() if has_index(value) else value for value in given.values())
        reading = self._reading(y_true, y_pred)
        y = labels_said(y_true, "'y_true'", self.task.type, **reading).y
        y_pred = self._predictions(y_pred, reading)
        if len(y) != len(y_pred) or len(y) == 0:
            raise ValueError(f"'y_true' and 'y_pred' need the same length >= 1 (got {len(y)} and {len(y_pred)})")
        if self.task.type == "multilabel" and tuple(y.shape) != y_pred.shape:
            raise ValueError(f"'y_pred' needs the shape of 'y_true', {tuple(y.shape)} (got {y_pred.shape})")
        unknown = 0 if self.task.type == "multilabel" else int((~is_labelled(y)).sum())
        if unknown:
            raise ValueError(f"'y_true' holds {unknown} missing labels in 'Evaluator'; pass labelled samples only")
        if self.task.type == "regression":
            y, y_pred = y.double(), y_pred.astype(np.float64)  # single precision loses the digits of large targets
        asked = self.metrics if metrics is None else {name: self.metrics[name] for name in metrics}
        return {name: metric(y.numpy(), self._read_by(metric, y_pred)) for name, metric in asked.items()}

    def _read_by(self, metric: Metric, y_pred: np.ndarray) -> np.ndarray:
        """Predictions as a metric reads them: of two classes with a single score, which one that chooses."""
        is_score = self.task.type == "classification" and self.task.needs_scores and y_pred.size == len(y_pred)
        return above_half(y_pred).astype(np.int64) if is_score and metric.reads == "classes" else y_pred

    def _reading(self, y_true: Any, y_pred: Any) -> dict[str, Any]:
        """How classes are read, predicted ones as the labels are."""
        if self.task.type != "classification":
            return {}
        classes = self.task.classes
        are_named = False
        if integer_names(classes):
            shape = np.shape(y_pred.detach().cpu() if isinstance(y_pred, torch.Tensor) else y_pred)
            holds_classes = not self.task.needs_scores and (len(shape) == 1 or shape[1:] == (1,))
            given = {"'y_true'": y_true} | ({"'y_pred'": y_pred} if holds_classes else {})
            are_named = are_names_together(given, classes)
        count = max(self.task.num_outputs, len(classes or ()))
        return {"classes": classes, "num_classes": count, "are_named": are_named}

    def _scoring(self) -> str:
        """The metrics that read scores, for messages."""
        return ", ".join(name for name, metric in self.metrics.items() if metric.reads == "scores")

    def _names(self) -> str:
        classes = self.task.classes or []
        otherwise = " (integers are ids where all can be)" if integer_names(classes) else ""
        return f"names, {shown_names(classes)}{otherwise}"

    def _predictions(self, value: Any, reading: dict[str, Any]) -> np.ndarray:
        """Finite numbers in a shape that the metric takes."""
        if np.ma.is_masked(value):
            raise ValueError("'y_pred' is masked in places in 'Evaluator': predict those samples, or leave them out")
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu()
            y_pred = (value.float() if value.dtype in (torch.bfloat16, torch.float16) else value).numpy()
        else:
            y_pred = np.asarray(value)
        kind, width = self.task.type, self.task.num_outputs
        if kind == "classification" and not self.task.needs_scores and y_pred.dtype.kind in "OSU":
            return self._ids(value, reading)
        if y_pred.dtype.kind not in "biuf":
            raise ValueError(
                f"'y_pred' needs numbers in 'Evaluator' (got {y_pred.dtype}): {self.expected_input_format}"
            )
        if y_pred.dtype.kind == "f" and not np.isfinite(y_pred).all():
            raise ValueError("'y_pred' holds NaN or infinite values: training diverged")
        widths = (1, width) if kind == "classification" else (1,) if kind == "regression" else (width,)
        if kind == "classification" and self.task.needs_scores and width != 2:
            widths = (width,)  # a single score chooses between two alone
        fits = (y_pred.ndim == 1 and 1 in widths) or (y_pred.ndim == 2 and y_pred.shape[1] in widths)
        if not fits and kind != "multilabel":
            raise ValueError(
                f"'y_pred' has shape {list(y_pred.shape)} in 'Evaluator', which takes {self.expected_input_format}"
            )
        if y_pred.ndim == 2 and y_pred.shape[1] > 1:
            return y_pred
        if self.task.needs_scores and y_pred.dtype.kind != "f":
            raise ValueError(
                f"'y_pred' needs scores for {self._scoring()} in 'Evaluator' (got {y_pred.dtype}: class ids do not "
                "rank); give floats, such as the probability of the second class"
            )
        if kind == "classification" and not self.task.needs_scores and y_pred.dtype.kind == "f" and (y_pred % 1).any():
            raise ValueError(
                f"'y_pred' needs class ids or [n, {width}] scores for {self.metric} in 'Evaluator' (got fractions of "
                f"shape {list(y_pred.shape)})"
            )
        is_scored = kind != "classification" or self.task.needs_scores
        return y_pred if is_scored else self._ids(y_pred, reading)

    def _ids(self, predicted: Any, reading: dict[str, Any]) -> np.ndarray:
        """Predicted classes as ids; each is one."""
        ids = label_values(predicted, "'y_pred'", "classification", **reading).y
        if bool((ids < 0).any()):
            row = int((ids < 0).nonzero()[0])
            raise ValueError(
                f"'y_pred' needs a class for every sample in 'Evaluator' (got {np.ravel(predicted)[row]!s:.40} at "
                f"sample {row}): {self.expected_input_format}"
            )
        return ids.numpy()
