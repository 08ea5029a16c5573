"""The linear model of the closed forms: scikit-learn's logistic regression and ridge, over strengths of the penalty."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor

from sigraph.arms.choice import Candidate
from sigraph.files.arguments import is_number, shown
from sigraph.machines.threads import limited_threads
from sigraph.samples.vectors import Rows
from sigraph.tasks import Task

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)  # of ridge; logistic regression's C is one over it
_MOST_STEPS = 1000
_SMALL = 1 << 24  # numbers of the training rows
_LEAST = 1e-12  # probability of a class that no training sample has


def check_penalties(owner: str, name: str, penalties: Sequence[float]) -> tuple[float, ...]:
    """Penalties to choose from.

    Raises:
        ValueError: They are no list, none at all, or not > 0.
    """
    fits = isinstance(penalties, list | tuple) and penalties
    if not fits or not all(is_number(value) and 0 < value < float("inf") for value in penalties):
        raise ValueError(f"{name!r} needs numbers > 0 in {owner!r} (got {shown(penalties)})")
    return tuple(penalties)


def linear_candidates(
    task: Task, rows: Mapping[str, Rows], penalties: Sequence[float] = PENALTIES, logistic_columns: bool = False
) -> Iterator[Candidate]:
    """A linear model a penalty, learned from the training rows.

    Classes by logistic regression, which predicts logarithms of probabilities; label columns one against the rest by
    ridge regression on -1 and 1, the missing ones left out; numbers by ridge regression on standardised targets.

    Args:
        task: Labels and split.
        rows: ``train``, ``valid`` and ``test``: a row a sample, in the split's order. Shape [n, F].
        penalties: Each > 0.
        logistic_columns: Label columns by logistic regression, too: slower, and what is expected where they are rare.

    Yields:
        What is fitted, one for each penalty.
    """
    y, x = task.labels[task.split["train"]], rows["train"]
    columns = _logistic_columns if logistic_columns else _columns
    fit = {"classification": _classes, "multilabel": columns, "regression": _numbers}[task.type]
    threads = 1 if x.shape[0] * x.shape[1] < _SMALL else None
    for penalty in penalties:
        with limited_threads(threads, "blas"):  # on few numbers they wait for each other
            predict, num_parameters = fit(task, x, y, penalty)
        yield Candidate(partial(_of_part, predict, rows), num_parameters)


def _of_part(predict: Callable[[Rows], Tensor], rows: Mapping[str, Rows], part: str) -> Tensor:
    return predict(rows[part])


Fitted = tuple[Callable[[Rows], Tensor], int]


def _classes(task: Task, x: Rows, y: Tensor, penalty: float) -> Fitted:
    known = y.unique().numpy()
    if len(known) == 1:  # nothing to tell apart
        scores = torch.full((1, task.num_outputs), _LEAST).log()
        scores[0, known[0]] = 0.0
        return lambda rows: scores.expand(rows.shape[0], -1), task.num_outputs
    model = _logistic(x, y.numpy(), penalty)

    def predict(rows: Rows) -> Tensor:
        scores = np.full((rows.shape[0], task.num_outputs), np.log(_LEAST), np.float32)
        scores[:, model.classes_] = np.log(np.maximum(model.predict_proba(rows), _LEAST))
        return torch.from_numpy(scores)

    return predict, model.coef_.size + model.intercept_.size


def _columns(task: Task, x: Rows, y: Tensor, penalty: float) -> Fitted:
    target = np.where(np.isnan(y.float().numpy()), np.nan, 2 * y.float().numpy() - 1)  # [n, columns]
    known = ~np.isnan(target)
    weight, bias = np.zeros((x.shape[1], target.shape[1])), np.zeros(target.shape[1])
    # Columns that are known of the same samples are solved together.
    masks, which = np.unique(known, axis=1, return_inverse=True)
    for number, mask in enumerate(masks.T):
        columns = np.flatnonzero(which.ravel() == number)
        if not mask.any():
            continue  # no sample says anything: 0, undecided
        model = _ridge(penalty).fit(x[np.flatnonzero(mask)], target[np.ix_(mask, columns)])
        weight[:, columns] = model.coef_.reshape(len(columns), -1).T
        bias[columns] = np.ravel(model.intercept_)
    return lambda rows: torch.from_numpy((rows @ weight + bias).astype(np.float32)), weight.size + bias.size


def _logistic_columns(task: Task, x: Rows, y: Tensor, penalty: float) -> Fitted:
    weight, bias = np.zeros((x.shape[1], y.size(1))), np.zeros(y.size(1))
    for column, cells in enumerate(y.float().numpy().T):
        known = np.flatnonzero(~np.isnan(cells))
        positives = int(cells[known].sum())
        if 0 < positives < len(known):
            model = _logistic(x[known], cells[known], penalty)
            weight[:, column], bias[column] = model.coef_[0], model.intercept_[0]
        else:  # nothing to tell apart; 0, undecided, where no sample says anything
            bias[column] = np.log((positives + 0.5) / (len(known) - positives + 0.5))
    return lambda rows: torch.from_numpy((rows @ weight + bias).astype(np.float32)), weight.size + bias.size


def _numbers(task: Task, x: Rows, y: Tensor, penalty: float) -> Fitted:
    target = y.double().numpy()
    mean, scale = target.mean(), target.std() or 1.0
    model = _ridge(penalty).fit(x, (target - mean) / scale)
    return lambda rows: torch.from_numpy(model.predict(rows).astype(np.float64) * scale + mean), model.coef_.size + 1


def _logistic(x: Rows, y: np.ndarray, penalty: float) -> LogisticRegression:
    model = LogisticRegression(C=1 / penalty, max_iter=_MOST_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # where it stops it is one of those that validation judges
        return model.fit(x, y)


def _ridge(penalty: float) -> Ridge:
    return Ridge(alpha=penalty, solver="auto", random_state=0)
