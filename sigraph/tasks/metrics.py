"""The metrics: one table by type of labels and name, each with its direction and what it needs to be defined."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
from scipy.special import expit, softmax
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    matthews_corrcoef,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from sigraph.files.suggestions import did_you_mean

Score = Callable[[np.ndarray, np.ndarray], float]


class UndefinedMetricError(ValueError):
    """A metric has no value for these labels and predictions, though both are what it takes."""


@dataclass(frozen=True)
class Metric:
    """A number that says how good predictions are.

    Args:
        name: Its name, with the number behind ``@`` where it has one.
        score: From labels and predictions to the number.
        greater_is_better: Whether a larger value is better.
        reads: ``classes`` (ids, or what scores are largest for) or ``scores``; of regressions and label columns, too.
        num_classes: 2 where classes need to be two, the second the positive one; 0: any number.
        needs: What a part of a split has to hold for it to be defined: ``both`` classes (in some label column),
            values that ``vary``; empty: nothing.
        k: The number behind ``@``.
    """

    name: str
    score: Score
    greater_is_better: bool = True
    reads: str = "scores"
    num_classes: int = 0
    needs: str = ""
    k: int = 0

    def __call__(self, y_true: np.ndarray, y_pred: np.ndarray) -> float:
        return float(self.score(y_true, y_pred))


# Classes ##############################################################################################################


def _classes(y_pred: np.ndarray) -> np.ndarray:
    return y_pred.argmax(axis=1) if y_pred.ndim == 2 and y_pred.shape[1] > 1 else y_pred.reshape(-1)


def _of_classes(score: Callable[..., float], **options: object) -> Score:
    """A score of which classes were chosen; scikit-learn's warnings of classes that nobody predicted change nothing."""

    def chosen(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        with _undefined_as_zero():
            return score(y_true, _classes(y_pred), **options)

    return chosen


@contextmanager
def _undefined_as_zero() -> Iterator[None]:
    """A class that is never predicted has precision 0, as scikit-learn says, with a warning each time."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true", category=UserWarning)
        warnings.filterwarnings("ignore", message=r"A single label was found", category=UserWarning)
        yield


def second_class(y_pred: np.ndarray) -> np.ndarray:
    """A number that rises with the score of the second of two classes. Shape [n] or [n, 1] or [n, 2] -> [n]."""
    if y_pred.ndim == 2 and y_pred.shape[1] == 2:
        return y_pred[:, 1].astype(np.float64) - y_pred[:, 0]  # rises with the softmax of class 1
    return y_pred.reshape(-1)


def _of_second_class(score: Score) -> Score:
    """A score of how well samples of class 1 are ranked above those of class 0."""

    def ranked(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        if np.unique(y_true).size < 2:
            raise ValueError(f"all samples are of class {int(y_true[0])}: the metric is not defined; it needs both")
        return float(score(y_true, second_class(y_pred)))

    return ranked


def _log_loss(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Of probabilities; scores of any other kind go through a softmax (two classes: a logistic function) first."""
    if y_pred.size == len(y_pred):
        score = y_pred.reshape(-1).astype(np.float64)
        second = score if _in_unit(score) else expit(score)
        chance = np.stack([1 - second, second], axis=1)
    else:
        chance = y_pred.astype(np.float64)
        if not (_in_unit(chance) and np.allclose(chance.sum(axis=1), 1, atol=1e-6)):
            chance = softmax(chance, axis=1)
    return float(log_loss(y_true, chance, labels=np.arange(chance.shape[1])))


def _in_unit(value: np.ndarray) -> bool:
    return bool((value >= 0).all() and (value <= 1).all())


def above_half(score: np.ndarray) -> np.ndarray:
    """Which scores say yes: above 0.5 where all lie in [0, 1], as probabilities do; else above 0, as logits do."""
    return score > (0.5 if _in_unit(score) else 0.0)


# Ranks of positives among negatives: k best, as OGB counts them for links #############################################


def _precision_at(k: int, y_true: np.ndarray, score: np.ndarray) -> float:
    """Share of positives among the ``k`` largest scores; of equal ones those listed first."""
    return float(y_true[np.argsort(-score, kind="stable")[:k]].mean())


def _hits_at(k: int, y_true: np.ndarray, score: np.ndarray) -> float:
    """Share of positives with a larger score than the ``k``-th best negative; 1 with fewer than ``k`` negatives."""
    negative = score[y_true == 0]
    if len(negative) < k:
        return 1.0
    return float((score[y_true == 1] > np.sort(negative)[-k]).mean())


def _mean_reciprocal_rank(y_true: np.ndarray, score: np.ndarray) -> float:
    """Mean of 1 / rank of each positive among all negatives; of equal scores the middle rank."""
    negative, positive = np.sort(score[y_true == 0]), score[y_true == 1]
    above = len(negative) - np.searchsorted(negative, positive, side="right")
    not_below = len(negative) - np.searchsorted(negative, positive, side="left")
    return float((1 / (0.5 * (above + not_below) + 1)).mean())


# Label columns ########################################################################################################


def _per_column(score: Score) -> Score:
    """Mean over label columns of a score on rows whose label is known; one-class columns are left out, as in OGB."""

    def mean(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        scores = []
        for true, predicted in zip(y_true.T, y_pred.T, strict=True):
            known = ~np.isnan(true)
            if np.unique(true[known]).size == 2:
                scores.append(score(true[known], predicted[known]))
        if not scores:
            raise UndefinedMetricError("the metric is not defined: no label column holds both 0 and 1 here")
        return float(np.mean(scores))

    return mean


def _decided(score: Score) -> Score:
    """A score of yes and no, told by :func:`above_half`."""
    return lambda y_true, y_pred: score(y_true, above_half(y_pred))


def _over_cells(score: Score) -> Score:
    """A score of all known cells in one row."""

    def flat(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        known = ~np.isnan(y_true)
        return score(y_true[known], y_pred[known])

    return flat


# Regression ###########################################################################################################


def _of_values(score: Score, what: str = "") -> Score:
    """A score of numbers; a correlation (``what``) needs both to vary."""

    def scored(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        y_pred = y_pred.reshape(-1)
        for name, value in (("y_true", y_true), ("y_pred", y_pred)):
            if what and (value == value[0]).all() and (what != "R²" or name == "y_true"):
                raise UndefinedMetricError(f"{name!r} is constant: {what} is not defined")
        return float(score(y_true, y_pred))

    return scored


# The table ############################################################################################################


def _ranking(name: str, score: Score, k: int = 0) -> Metric:
    return Metric(name, _of_second_class(score), num_classes=2, needs="both", k=k)


def _table(*metrics: Metric) -> Mapping[str, Metric]:
    return MappingProxyType({metric.name: metric for metric in metrics})


METRICS: Mapping[str, Mapping[str, Metric]] = MappingProxyType(
    {
        "classification": _table(  # the usual one first
            Metric("accuracy", _of_classes(accuracy_score), reads="classes"),
            Metric("macro_f1", _of_classes(f1_score, average="macro"), reads="classes"),
            Metric("micro_f1", _of_classes(f1_score, average="micro"), reads="classes"),
            Metric("balanced_accuracy", _of_classes(balanced_accuracy_score), reads="classes"),
            Metric("mcc", _of_classes(matthews_corrcoef), reads="classes"),
            Metric("log_loss", _log_loss, greater_is_better=False),
            Metric("f1", _of_classes(f1_score, zero_division=0), reads="classes", num_classes=2),
            _ranking("rocauc", roc_auc_score),
            _ranking("ap", average_precision_score),
            _ranking("mrr", _mean_reciprocal_rank),
        ),
        "multilabel": _table(
            Metric("rocauc", _per_column(roc_auc_score), needs="both"),
            Metric("ap", _per_column(average_precision_score), needs="both"),
            Metric("macro_f1", _per_column(_decided(partial(f1_score, zero_division=0))), needs="both"),
            Metric("micro_f1", _over_cells(_decided(partial(f1_score, zero_division=0)))),
            Metric("accuracy", _over_cells(_decided(accuracy_score))),
        ),
        "regression": _table(
            Metric("rmse", _of_values(root_mean_squared_error), greater_is_better=False),
            Metric("mae", _of_values(mean_absolute_error), greater_is_better=False),
            Metric("r2", _of_values(r2_score, "R²"), needs="vary"),
            Metric("pearson", _of_values(lambda a, b: pearsonr(a, b).statistic, "Pearson's correlation"), needs="vary"),
            Metric(
                "spearman", _of_values(lambda a, b: spearmanr(a, b).statistic, "Spearman's correlation"), needs="vary"
            ),
        ),
    }
)
AT_K = MappingProxyType({"precision": _precision_at, "hits": _hits_at})  # of two classes, as in hits@20
METRIC_NAMES = MappingProxyType({kind: tuple(table) for kind, table in METRICS.items()})
DEFAULT_METRIC = MappingProxyType({kind: names[0] for kind, names in METRIC_NAMES.items()})
OF_TWO_CLASSES = tuple(name for name, metric in METRICS["classification"].items() if metric.num_classes == 2)
LOWER_IS_BETTER = frozenset(
    name for table in METRICS.values() for name, metric in table.items() if not metric.greater_is_better
)


def named_metric(name: str, kind: str, owner: str) -> Metric:
    """A metric by name.

    Args:
        name: As in :data:`METRICS`, or ``precision@K`` or ``hits@K`` of two classes, K >= 1.
        kind: The type of the labels.
        owner: Whose metric, for the message: ``of task 'topic'``.

    Raises:
        ValueError: There is none for the type; lists those that there are.
    """
    known = METRICS[kind]
    if isinstance(name, str) and name in known:
        return known[name]
    at = re.fullmatch(r"(precision|hits)@([1-9]\d{0,8})", name) if isinstance(name, str) else None
    if at and kind == "classification":
        k = int(at[2])
        return _ranking(name, partial(AT_K[at[1]], k), k)
    listed = ", ".join([*known, *(["precision@K, hits@K"] if kind == "classification" else [])])
    close = did_you_mean(str(name), known)
    raise ValueError(f"'metric' {owner} needs to be one of {listed} for {kind} (got {name!r}){close}")
