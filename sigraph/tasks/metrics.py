"""Metrics by name, for fine-tuning tasks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)


def _per_column(score: Callable[[np.ndarray, np.ndarray], float]) -> Callable[[np.ndarray, np.ndarray], float]:
    """Mean over label columns of a score on rows whose label is known; one-class columns are left out, as in OGB."""

    def mean(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        scores = []
        for true, predicted in zip(y_true.T, y_pred.T, strict=True):
            known = ~np.isnan(true)
            if np.unique(true[known]).size == 2:
                scores.append(score(true[known], predicted[known]))
        if not scores:
            raise ValueError("no label column holds both 0 and 1 among these samples: the metric is not defined")
        return float(np.mean(scores))

    return mean


def _classes(y_pred: np.ndarray) -> np.ndarray:
    return y_pred.argmax(axis=1) if y_pred.ndim == 2 and y_pred.shape[1] > 1 else y_pred.reshape(-1)


def _of_second_class(
    score: Callable[[np.ndarray, np.ndarray], float],
) -> Callable[[np.ndarray, np.ndarray], float]:
    """A score of how well samples of class 1 are ranked above those of class 0."""

    def ranked(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        if np.unique(y_true).size < 2:
            raise ValueError(f"all samples are of class {int(y_true[0])}: the metric is not defined; it needs both")
        if y_pred.ndim == 2 and y_pred.shape[1] == 2:
            y_pred = y_pred[:, 1].astype(np.float64) - y_pred[:, 0]  # rises with the softmax of class 1
        return float(score(y_true, y_pred.reshape(-1)))

    return ranked


def _spearman(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    y_pred = y_pred.reshape(-1)
    for name, value in (("y_true", y_true), ("y_pred", y_pred)):
        if (value == value[0]).all():
            raise ValueError(f"{name!r} is constant: Spearman's correlation is not defined")
    return float(spearmanr(y_true, y_pred).statistic)


METRICS: dict[str, dict[str, Callable[[np.ndarray, np.ndarray], float]]] = {
    "classification": {
        "accuracy": lambda y_true, y_pred: float(accuracy_score(y_true, _classes(y_pred))),
        "macro_f1": lambda y_true, y_pred: float(f1_score(y_true, _classes(y_pred), average="macro")),
        "rocauc": _of_second_class(roc_auc_score),
        "ap": _of_second_class(average_precision_score),
    },
    "multilabel": {
        "rocauc": _per_column(roc_auc_score),
        "ap": _per_column(average_precision_score),
    },
    "regression": {
        "rmse": lambda y_true, y_pred: float(root_mean_squared_error(y_true, y_pred.reshape(-1))),
        "mae": lambda y_true, y_pred: float(mean_absolute_error(y_true, y_pred.reshape(-1))),
        "spearman": _spearman,
    },
}
