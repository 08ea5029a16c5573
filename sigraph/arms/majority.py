"""Majority: what always predicting the same scores."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.arms.base import ArmKind, Given, Prediction
from sigraph.tasks import Task
from sigraph.tasks.metrics import UndefinedMetricError


class Majority(ArmKind):
    """The shares of the classes, the mean of each label column, or the mean target of the training samples, for all.

    Of equally common classes the first counts. A label column without a known training label is predicted as 0.5.
    """

    kind = "closed-form"
    reads_samples = False

    def applies(self, given: Given, task: Task) -> str:
        valid = task.split["valid"]
        if len(valid) and len(task.split["train"]):
            try:
                task.evaluate(valid, _constant(task).expand(len(valid), -1), [task.metric])
            except UndefinedMetricError:
                return f"predicts the same for all samples, which {task.metric!r} cannot score"
        return ""

    def predict(self, given: Given, task: Task, seed: int = 0, score_test: bool = True) -> Prediction:
        constant = _constant(task)
        valid, test = (constant.expand(len(task.split[part]), -1) for part in ("valid", "test"))
        return Prediction(valid, test if score_test else None, constant.numel())


def _constant(task: Task) -> Tensor:
    """Scores of one sample. Shape [1, num_outputs]."""
    y = task.labels[task.split["train"]]
    if task.type == "classification":
        share = y.bincount(minlength=task.num_outputs).double() / len(y)
        return share.clamp(min=1e-12).log().float()[None]
    mean = y.double().view(len(y), -1).nanmean(dim=0, keepdim=True)
    if task.type == "regression":
        return mean
    return torch.logit(torch.where(mean.isnan(), 0.5, mean), eps=1e-6).float()
