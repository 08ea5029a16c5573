"""Evaluator: predictions and labels in, numbers out, in OGB's shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sigraph.data import Task
from sigraph.evaluation.metrics import METRICS


class Evaluator:
    """Scores predictions for a task the way OGB's evaluators are called.

    Args:
        task: Its type and metric are used.

    Raises:
        ValueError: The metric does not exist for the task's type; lists those that do.

    Example:
        >>> Evaluator(task).eval({"y_true": labels[test], "y_pred": logits})
        {'accuracy': 0.815}
    """

    def __init__(self, task: Task) -> None:
        known = METRICS[task.type]
        if task.metric not in known:
            raise ValueError(
                f"'metric' of task {task.name!r} needs to be one of {', '.join(known)} for {task.type} "
                f"(got {task.metric!r})"
            )
        self.task, self.metric, self._score = task, task.metric, known[task.metric]
        self.greater_is_better = task.greater_is_better

    @property
    def expected_input_format(self) -> str:
        """What :meth:`eval` takes, in words."""
        shape = {
            "classification": "y_true [n] class ids; y_pred [n] class ids or [n, num_classes] scores",
            "multilabel": "y_true [n, num_columns] in {0, 1}, NaN where missing; y_pred [n, num_columns] scores",
            "regression": "y_true [n]; y_pred [n] or [n, 1]",
        }
        return f"a dict with arrays or tensors: {shape[self.task.type]}"

    @property
    def expected_output_format(self) -> str:
        """What :meth:`eval` returns, in words."""
        return f"a dict {{{self.metric!r}: float}}, {'higher' if self.greater_is_better else 'lower'} is better"

    def eval(self, input_dict: dict[str, Any]) -> dict[str, float]:
        """Score predictions.

        Args:
            input_dict: ``y_true`` and ``y_pred``; see :attr:`expected_input_format`.

        Returns:
            The metric's name and value.
        """
        missing = {"y_true", "y_pred"} - set(input_dict)
        if missing:
            names = ", ".join(sorted(missing))
            raise ValueError(f"'input_dict' needs {names} in 'Evaluator': {self.expected_input_format}")
        y_true, y_pred = (_as_numpy(input_dict[key]) for key in ("y_true", "y_pred"))
        if self.task.type != "multilabel" and y_true.ndim == 2 and y_true.shape[1] == 1:
            y_true = y_true[:, 0]  # OGB's single-task shape
        if len(y_true) != len(y_pred) or len(y_true) == 0:
            raise ValueError(f"'y_true' and 'y_pred' need the same length >= 1 (got {len(y_true)} and {len(y_pred)})")
        if self.task.type == "multilabel" and y_true.shape != y_pred.shape:
            raise ValueError(f"'y_pred' needs the shape of 'y_true', {y_true.shape} (got {y_pred.shape})")
        unknown = {"classification": y_true < 0, "regression": np.isnan(y_true)}.get(self.task.type, np.False_)
        if unknown.any():
            raise ValueError(
                f"'y_true' holds {unknown.sum()} missing labels in 'Evaluator'; pass labelled samples only"
            )
        if np.issubdtype(y_pred.dtype, np.floating) and not np.isfinite(y_pred).all():
            raise ValueError("'y_pred' holds NaN or infinite values: training diverged")
        return {self.metric: self._score(y_true, y_pred)}


def _as_numpy(value: Any) -> np.ndarray:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
