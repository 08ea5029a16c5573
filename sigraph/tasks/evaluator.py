"""Evaluator: predictions and labels in, numbers out, in OGB's shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sigraph.files.arguments import check_kinds
from sigraph.tasks.label_values import label_values
from sigraph.tasks.metrics import METRICS
from sigraph.tasks.task import Task, is_labelled


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
        check_kinds("Evaluator", task=(task, Task))
        task.check_metric()
        self.task, self.metric, self._score = task, task.metric, METRICS[task.type][task.metric]
        self.greater_is_better = task.greater_is_better

    @property
    def expected_input_format(self) -> str:
        """What :meth:`eval` takes, in words."""
        shape = {
            "classification": "y_true [n] class ids; y_pred [n] class ids or [n, num_classes] scores",
            "multilabel": "y_true [n, num_columns] in {0, 1}, NaN where missing; y_pred [n, num_columns] scores",
            "regression": "y_true [n]; y_pred [n] or [n, 1]",
        }[self.task.type]
        if self.task.is_ranking:
            positive = self.task.called(1)
            shape = f"y_true [n] class ids; y_pred [n] scores of class {positive!r}, the second, or [n, 2] of both"
        return f"a dict with arrays or tensors: {shape}"

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
        y = label_values(input_dict["y_true"], "'y_true'", self.task.type, classes=self.task.classes).y
        y_pred = self._predictions(input_dict["y_pred"])
        if len(y) != len(y_pred) or len(y) == 0:
            raise ValueError(f"'y_true' and 'y_pred' need the same length >= 1 (got {len(y)} and {len(y_pred)})")
        if self.task.type == "multilabel" and tuple(y.shape) != y_pred.shape:
            raise ValueError(f"'y_pred' needs the shape of 'y_true', {tuple(y.shape)} (got {y_pred.shape})")
        unknown = 0 if self.task.type == "multilabel" else int((~is_labelled(y)).sum())
        if unknown:
            raise ValueError(f"'y_true' holds {unknown} missing labels in 'Evaluator'; pass labelled samples only")
        if self.task.is_ranking and int(y.max()) > 1:
            raise ValueError(f"'y_true' holds class {int(y.max())} in 'Evaluator'; {self.metric} needs 0 and 1")
        if self.task.type == "regression":
            y, y_pred = y.double(), y_pred.astype(np.float64)  # single precision loses the digits of large targets
        return {self.metric: self._score(y.numpy(), y_pred)}

    def _predictions(self, value: Any) -> np.ndarray:
        """Finite numbers in a shape that the metric takes."""
        if np.ma.is_masked(value):
            raise ValueError("'y_pred' is masked in places in 'Evaluator': predict those samples, or leave them out")
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu()
            y_pred = (value.float() if value.dtype in (torch.bfloat16, torch.float16) else value).numpy()
        else:
            y_pred = np.asarray(value)
        kind, width = self.task.type, self.task.num_outputs
        if kind == "classification" and not self.task.is_ranking and y_pred.dtype.kind in "OSU":
            y_pred = label_values(value, "'y_pred'", kind, classes=self.task.classes).y.numpy()
        if y_pred.dtype.kind not in "biuf":
            raise ValueError(
                f"'y_pred' needs numbers in 'Evaluator' (got {y_pred.dtype}): {self.expected_input_format}"
            )
        if y_pred.dtype.kind == "f" and not np.isfinite(y_pred).all():
            raise ValueError("'y_pred' holds NaN or infinite values: training diverged")
        widths = (1, width) if kind == "classification" else (1,) if kind == "regression" else (width,)
        fits = (y_pred.ndim == 1 and 1 in widths) or (y_pred.ndim == 2 and y_pred.shape[1] in widths)
        if not fits and kind != "multilabel":
            raise ValueError(
                f"'y_pred' has shape {list(y_pred.shape)} in 'Evaluator', which takes {self.expected_input_format}"
            )
        if y_pred.ndim == 2 and y_pred.shape[1] > 1:
            return y_pred
        if self.task.is_ranking and y_pred.dtype.kind != "f":
            raise ValueError(
                f"'y_pred' needs scores for {self.metric} in 'Evaluator' (got {y_pred.dtype}: class ids do not rank); "
                "give floats, such as the probability of the second class"
            )
        if kind == "classification" and not self.task.is_ranking and y_pred.dtype.kind == "f" and (y_pred % 1).any():
            raise ValueError(
                f"'y_pred' needs class ids or [n, {width}] scores for {self.metric} in 'Evaluator' (got fractions of "
                f"shape {list(y_pred.shape)})"
            )
        return y_pred
