"""Metrics of many resamples at once: a resample is how often it drew each row, and a metric a function of these counts.

Each gives what :mod:`sigraph.tasks.metrics` gives of the rows repeated as often as they were drawn. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

Values = NDArray[np.float64]
Score = Callable[[Values], Values]  # counts [n, R] -> scores [R], NaN where a resample does not define it


def weighted_score(metric: str, kind: str, y_true: NDArray[Any], y_pred: NDArray[Any]) -> Score | None:
    """A metric as a function of how often each row counts; None: there is none of that name here.

    Args:
        metric: Its name.
        kind: ``classification``, ``multilabel`` or ``regression``.
        y_true: [n], or [n, L] with NaN where a label is missing.
        y_pred: [n], [n, C] or [n, L].
    """
    if kind == "classification":
        return _of_classes(metric, y_true.astype(np.int64), y_pred)
    if kind == "multilabel":
        return _of_columns(metric, y_true.astype(np.float64), y_pred.astype(np.float64))
    if kind == "retrieval":  # a mean over queries; what is compared is the first metric
        return _mean(y_pred.astype(np.float64).reshape(len(y_pred), -1)[:, 0])
    if kind == "regression":
        return _of_values(metric, y_true.astype(np.float64).reshape(-1), y_pred.astype(np.float64).reshape(-1))
    return None


# Classes ##############################################################################################################


def _of_classes(metric: str, y: NDArray[np.int64], y_pred: NDArray[Any]) -> Score | None:
    wide = y_pred.ndim == 2 and y_pred.shape[1] > 1
    if metric == "log_loss":
        return _mean(_log_losses(y, y_pred))
    at = re.fullmatch(r"(precision|hits)@([1-9]\d{0,8})", metric)
    if metric in ("rocauc", "ap", "mrr") or at:
        if wide:
            y_pred = y_pred[:, 1].astype(np.float64) - y_pred[:, 0]
        if not ((y == 1).any() and (y == 0).any()):
            return None
        ranked = _Ranked(y == 1, y == 0, y_pred.reshape(-1).astype(np.float64))
        return partial(ranked.at, at[1], int(at[2])) if at else getattr(ranked, metric)
    if wide:
        chosen = y_pred.argmax(axis=1)
    else:
        flat = y_pred.reshape(-1)
        chosen = flat if flat.dtype.kind in "iub" else _above_half(flat)
    if metric in ("accuracy", "micro_f1"):
        return _mean((y == chosen).astype(np.float64))
    names = {"macro_f1": _macro_f1, "balanced_accuracy": _balanced_accuracy, "mcc": _mcc, "f1": _second_f1}
    return partial(names[metric], *_one_hot(y, chosen.astype(np.int64))) if metric in names else None


def _one_hot(y: NDArray[np.int64], chosen: NDArray[np.int64]) -> tuple[Values, Values]:
    """Which class each row is of, and which was chosen. Shapes [C, n]"""
    classes = np.arange(max(int(y.max(initial=0)), int(chosen.max(initial=0)), 1) + 1)
    return (classes[:, None] == y).astype(np.float64), (classes[:, None] == chosen).astype(np.float64)


def _macro_f1(true: Values, chosen: Values, w: Values) -> Values:
    hit, both = (true * chosen) @ w, true @ w + chosen @ w  # [C, R]
    return _mean_where(_ratio(2 * hit, both), both > 0)


def _second_f1(true: Values, chosen: Values, w: Values) -> Values:
    return np.nan_to_num(_ratio(2 * ((true[1] * chosen[1]) @ w), true[1] @ w + chosen[1] @ w))


def _balanced_accuracy(true: Values, chosen: Values, w: Values) -> Values:
    support = true @ w
    return _mean_where(_ratio((true * chosen) @ w, support), support > 0)


def _mcc(true: Values, chosen: Values, w: Values) -> Values:
    t, p, all_, hit = true @ w, chosen @ w, w.sum(axis=0), (true * chosen).sum(axis=0) @ w
    spread = (all_**2 - (t * t).sum(axis=0)) * (all_**2 - (p * p).sum(axis=0))
    return np.where(spread > 0, _ratio(hit * all_ - (t * p).sum(axis=0), np.sqrt(np.maximum(spread, 0))), 0.0)


def _log_losses(y: NDArray[np.int64], y_pred: NDArray[Any]) -> Values:
    """Of each row, from probabilities, or scores of any kind through a softmax."""
    chance = y_pred.astype(np.float64)
    if chance.ndim == 1 or chance.shape[1] == 1:
        second = chance.reshape(-1)
        second = second if _in_unit(second) else 1 / (1 + np.exp(-second))
        chance = np.stack([1 - second, second], axis=1)
    elif not (_in_unit(chance) and np.allclose(chance.sum(axis=1), 1, atol=1e-6)):
        chance = softmax(chance, axis=1)
    least = np.finfo(np.float64).eps
    return -np.log(np.clip(chance[np.arange(len(y)), y], least, 1 - least))


def _in_unit(value: NDArray[Any]) -> bool:
    return bool((value >= 0).all() and (value <= 1).all())


def _above_half(score: NDArray[Any]) -> NDArray[np.int64]:
    return (score > (0.5 if _in_unit(score) else 0.0)).astype(np.int64)


# Ranks of positives among negatives ###################################################################################


class _Ranked:
    """Rows in falling order of their score; those of one score are a group. Groups without a positive only add up.

    Args:
        positive, negative: Which rows are which; a row may be neither. bool [n]
        score: [n]
    """

    def __init__(self, positive: NDArray[np.bool_], negative: NDArray[np.bool_], score: Values) -> None:
        known = np.flatnonzero(positive | negative)
        self.order = known[np.argsort(-score[known], kind="stable")]
        ranked = score[self.order]
        starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if len(known) else known
        self.positive = np.flatnonzero(positive[self.order])  # places in the order
        group = np.searchsorted(starts, self.positive, side="right") - 1
        ends = np.r_[starts[1:], len(known)]
        groups, self.first = np.unique(group, return_index=True)  # those with positives, and where these begin
        self.cuts = np.unique(np.r_[0, starts[groups], ends[groups]])
        self.above, self.through = (np.searchsorted(self.cuts, cut) for cut in (starts[groups], ends[groups]))

    def _counts(self, w: Values) -> tuple[Values, Values, Values, Values, Values]:
        """Of each group with positives: its own, negatives above, positives and negatives to its end; all negatives.

        Shapes [G, R]; the last [R]
        """
        drawn = w[self.order]
        inside = np.add.reduceat(drawn, self.cuts[self.cuts < len(drawn)], axis=0)  # between one cut and the next
        before = np.zeros((len(self.cuts) + 1, w.shape[1]))
        np.cumsum(inside, axis=0, out=before[1 : len(inside) + 1])
        positive = drawn[self.positive]
        if len(self.first) < len(positive):
            positive = np.add.reduceat(positive, self.first, axis=0)
        through = np.cumsum(positive, axis=0)
        negatives = drawn.sum(axis=0) - through[-1]
        above = before[self.above] - (through - positive)
        return positive, above, through, before[self.through] - through, negatives

    def rocauc(self, w: Values) -> Values:
        positive, above, through, not_below, negatives = self._counts(w)
        below = negatives - 0.5 * (above + not_below)  # of equal scores half
        return _ratio(np.einsum("gr,gr->r", positive, below), through[-1] * negatives)

    def ap(self, w: Values) -> Values:
        positive, _, through, not_below, negatives = self._counts(w)
        both = through + not_below
        precision = np.divide(through, both, out=np.zeros_like(both), where=both > 0)
        found = _ratio(np.einsum("gr,gr->r", precision, positive), through[-1])
        return np.where(negatives > 0, found, np.nan)

    def mrr(self, w: Values) -> Values:
        positive, above, through, not_below, negatives = self._counts(w)
        found = _ratio((positive / (0.5 * (above + not_below) + 1)).sum(axis=0), through[-1])
        return np.where(negatives > 0, found, np.nan)

    def at(self, what: str, k: int, w: Values) -> Values:
        """Precision at, or hits at, ``k``."""
        positive, _, through, not_below, negatives = self._counts(w)
        if what == "hits":  # positives above the k-th best negative
            share = _ratio((positive * (not_below < k)).sum(axis=0), through[-1])
            found = np.where(negatives < k, 1.0, share)
        else:  # of equal scores those listed first
            drawn = w[self.order]
            seen = np.cumsum(drawn, axis=0)
            taken = np.minimum(seen, k) - np.minimum(seen - drawn, k)
            found = _ratio(taken[self.positive].sum(axis=0), np.minimum(seen[-1], k))
        return np.where((through[-1] > 0) & (negatives > 0), found, np.nan)


# Label columns ########################################################################################################


def _of_columns(metric: str, y: Values, y_pred: Values) -> Score | None:
    if y_pred.shape != y.shape:
        return None
    known = ~np.isnan(y)
    if metric in ("rocauc", "ap"):
        columns = [
            getattr(_Ranked(known[:, i] & (y[:, i] == 1), known[:, i] & (y[:, i] == 0), y_pred[:, i]), metric)
            for i in range(y.shape[1])
            if np.unique(y[known[:, i], i]).size == 2
        ]
        return partial(_mean_of, columns) if columns else None
    if metric == "macro_f1":
        columns = [
            partial(_column_f1, known[:, i], y[:, i] == 1, _above_half(y_pred[known[:, i], i]))
            for i in range(y.shape[1])
            if np.unique(y[known[:, i], i]).size == 2
        ]
        return partial(_mean_of, columns) if columns else None
    if metric not in ("micro_f1", "accuracy") or not known.any():
        return None
    yes, true = np.zeros(y.shape, bool), known & (y == 1)
    yes[known] = _above_half(y_pred[known])
    if metric == "accuracy":
        right, cells = ((yes == true) & known).sum(axis=1), known.sum(axis=1)
        return lambda w: _ratio(right @ w, cells @ w)
    hits, both = 2 * (yes & true).sum(axis=1), yes.sum(axis=1) + true.sum(axis=1)
    return lambda w: np.nan_to_num(_ratio(hits @ w, both @ w))


def _column_f1(known: NDArray[np.bool_], true: NDArray[np.bool_], yes: NDArray[np.int64], w: Values) -> Values:
    w, positive = w[known], true[known].astype(np.float64)
    support, count = positive @ w, w.sum(axis=0)
    found = np.nan_to_num(_ratio(2 * ((positive * yes) @ w), support + yes @ w))
    return np.where((support > 0) & (support < count), found, np.nan)


def _mean_of(scores: list[Score], w: Values) -> Values:
    """Mean over the columns that a resample defines."""
    found = np.stack([score(w) for score in scores])
    return _mean_where(found, ~np.isnan(found))


# Regression ###########################################################################################################


def _of_values(metric: str, y: Values, y_pred: Values) -> Score | None:
    if metric == "mae":
        return _mean(np.abs(y - y_pred))
    if metric == "rmse":
        mean = _mean((y - y_pred) ** 2)
        return lambda w: np.sqrt(mean(w))
    if metric == "r2":
        centred = y - y.mean()
        return lambda w: _r2(centred, (y - y_pred) ** 2, w)
    if metric == "pearson":
        a, b = y - y.mean(), y_pred - y_pred.mean()
        return lambda w: _correlation(a[:, None], b[:, None], w)
    if metric == "spearman":
        return lambda w: _correlation(_ranks(y, w), _ranks(y_pred, w), w)
    return None


def _r2(y: Values, squares: Values, w: Values) -> Values:
    all_ = w.sum(axis=0)
    spread = (y * y) @ w - (y @ w) ** 2 / all_
    return np.where(
        spread > 1e-12 * max(float((y * y).max(initial=0)), 0.0) * all_, 1 - _ratio(squares @ w, spread), np.nan
    )


def _ranks(value: Values, w: Values) -> Values:
    """Rank of each row's value in each resample, equal values in the middle of theirs. Shape [n, R]"""
    _, group = np.unique(value, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(group[order]) > 0])
    drawn = np.add.reduceat(w[order], starts, axis=0)  # [G, R]
    return (np.cumsum(drawn, axis=0) - 0.5 * (drawn - 1))[group]


def _correlation(a: Values, b: Values, w: Values) -> Values:
    all_ = w.sum(axis=0)
    a, b = a - (a * w).sum(axis=0) / all_, b - (b * w).sum(axis=0) / all_
    spread = ((a * a) * w).sum(axis=0) * ((b * b) * w).sum(axis=0)
    return _ratio(((a * b) * w).sum(axis=0), np.sqrt(spread))


# Means ################################################################################################################


def _mean(rows: Values) -> Score:
    return lambda w: rows @ w / w.sum(axis=0)


def _ratio(above: Values, below: Values) -> Values:
    """NaN where it is not defined."""
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below > 0)


def _mean_where(values: Values, counted: NDArray[np.bool_]) -> Values:
    """Mean over the first axis of those that count."""
    return _ratio(np.where(counted, values, 0.0).sum(axis=0), counted.sum(axis=0))
