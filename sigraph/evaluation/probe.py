"""A converged linear probe: the minimum of an L2-regularised loss on frozen embeddings, chosen by validation."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple, cast

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from torch import Tensor, nn

from sigraph.machines.threads import limited_threads
from sigraph.tasks.base import BaseTask
from sigraph.tasks.kinds import LossSettings, TargetUnit, label_type

STRENGTHS = tuple(10.0**power for power in range(2, -7, -1))  # of L2, for each training row; the strongest first
_NEVER = -1e4  # logit of a class that no training row has
_SURE = 10.0  # logit of a label column that training rows know one answer of
_MOST_STEPS = 20_000
_LARGE = 10_000_000  # numbers from which several threads are worth it


class Probe(NamedTuple):
    """A probe that was fitted.

    Args:
        strength: Of L2 for each training row, on features at mean 0 and deviation 1.
        num_strengths: How many were tried.
        valid: The validation score by which it was chosen.
    """

    strength: float
    num_strengths: int
    valid: float


class Attempt(NamedTuple):
    """A probe of one strength.

    Args:
        strength: As in :class:`Probe`.
        weight, bias: Of the linear layer. Shapes [C, D] and [C]
        predicted: Of the validation items, as the task's evaluator takes it.
    """

    strength: float
    weight: Tensor
    bias: Tensor
    predicted: Tensor


def converged_probe(
    task: BaseTask,
    head: nn.Module,
    train: tuple[Tensor, Tensor],
    valid: Tensor,
    settings: LossSettings,
    strengths: tuple[float, ...] = STRENGTHS,
) -> Probe:
    r"""Fit the linear layer of a head in place, by scikit-learn's L-BFGS (classes, columns) or least squares (numbers).

    .. math:: \min_{W, b} \frac{1}{n} \sum_i \ell(W x_i + b, y_i) + \frac{\lambda}{2} \|W\|^2

    on features :math:`x` that are scaled to mean 0 and standard deviation 1 over the training rows. Every
    :math:`\lambda` is tried; the best by validation stays, of equally good ones the strongest.

    Args:
        task: Scores predictions for the validation items.
        head: Layers in a row with one ``nn.Linear`` among them; what stands before it has nothing to train.
        train: What the head reads of the training items, and their targets.
        valid: What it reads of the validation items.
        settings: Of the loss; ``class_weight`` is used.
        strengths: Of L2, to try, > 0.

    Raises:
        ValueError: The head is another, or nothing converged.
    """
    best: tuple[float, Attempt] | None = None
    better = 1 if task.greater_is_better else -1
    for found in probe_attempts(task, head, train, valid, settings, strengths):
        score = task.evaluate(task.split["valid"], found.predicted, [task.metric])[task.metric]
        if best is None or better * score > better * best[0]:
            best = score, found
    if best is None:
        raise ValueError(f"'converged': no strength of L2 in {strengths} converged on task {task.name!r}")
    score, found = best
    layer = next(one for one in head.modules() if isinstance(one, nn.Linear))
    with torch.no_grad():
        layer.weight.copy_(found.weight)
        layer.bias.copy_(found.bias)
    return Probe(found.strength, len(strengths), score)


def probe_attempts(
    task: BaseTask,
    head: nn.Module,
    train: tuple[Tensor, Tensor],
    valid: Tensor,
    settings: LossSettings,
    strengths: tuple[float, ...] = STRENGTHS,
) -> Iterator[Attempt]:
    """The probe of each strength that converged; the head stays as it is. Arguments as of :func:`converged_probe`.

    Raises:
        ValueError: The head is another.
    """
    layers = list(head) if isinstance(head, nn.Sequential) else [head]
    linear = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
    if len(linear) != 1 or any(True for i, one in enumerate(layers) if i != linear[0] for _ in one.parameters()):
        raise ValueError(f"'converged' needs a head with one linear layer, which that of task {task.name!r} is not")
    front, back = nn.Sequential(*layers[: linear[0]]), layers[linear[0] + 1 :]
    layer = cast(nn.Linear, layers[linear[0]])
    head.eval()
    with torch.no_grad():
        x, x_valid = (front(rows).double() for rows in (train[0], valid))
    mean, std = x.mean(dim=0), x.std(dim=0, correction=0)
    std = torch.where(std > 0, std, 1.0)
    x = (x - mean) / std
    fit = _fitter(x.numpy(), train[1], layer.out_features, settings, back)
    for strength in strengths:
        with limited_threads(1 if x.numel() < _LARGE else None):  # else threads wait for each other longest
            found = fit(strength)
        if found is None:
            continue
        weight, bias = found[0] / std, found[1] - (found[0] * (mean / std)).sum(dim=1)
        predicted = x_valid @ weight.T + bias
        for one in back:
            predicted = one(predicted)
        yield Attempt(strength, weight, bias, predicted)


Fit = Callable[[float], tuple[Tensor, Tensor] | None]  # of a strength: weight [C, D] and bias [C], or not converged


def _fitter(x: np.ndarray, y: Tensor, width: int, settings: LossSettings, back: list[nn.Module]) -> Fit:
    """How a strength is fitted to some labels."""
    kind = label_type(y)
    if kind == "regression":
        known = ~torch.isnan(y)
        unit = next((one for one in back if isinstance(one, TargetUnit)), None)  # which puts predictions back
        y = y.double() if unit is None else (y.double() - unit.mean) / unit.scale
        x, target = x[known.numpy()], y[known].numpy()

        def ridge(strength: float) -> tuple[Tensor, Tensor]:
            model = Ridge(alpha=strength * len(target)).fit(x, target)
            return torch.from_numpy(model.coef_.reshape(1, -1)), torch.tensor([float(model.intercept_)]).double()

        return ridge
    weight = None if settings.class_weight is None else settings.class_weight.tolist()
    if kind == "classification":
        known = y >= 0
        x, target = x[known.numpy()], y[known].numpy()
        by_class = None if weight is None else {c: weight[c] for c in np.unique(target).tolist()}
        return lambda strength: _logistic(x, target, width, strength, by_class)
    columns = y.float().numpy()

    def each(strength: float) -> tuple[Tensor, Tensor] | None:
        weights, biases = torch.zeros(width, x.shape[1]).double(), torch.zeros(width).double()
        for column in range(width):
            here = ~np.isnan(columns[:, column])
            answer = columns[here, column].astype(np.int64)
            if len(np.unique(answer)) < 2:
                biases[column] = _SURE if answer.any() else -_SURE
                continue
            found = _logistic(x[here], answer, 2, strength, None if weight is None else {0: 1.0, 1: weight[column]})
            if found is None:
                return None
            weights[column], biases[column] = found[0][1] - found[0][0], found[1][1] - found[1][0]
        return weights, biases

    return each


def _logistic(
    x: np.ndarray, y: np.ndarray, width: int, strength: float, weight: dict[int, float] | None
) -> tuple[Tensor, Tensor] | None:
    """Weights [width, D] and biases [width] of logistic regression; None: it did not converge."""
    weights, biases = torch.zeros(width, x.shape[1]).double(), torch.full((width,), _NEVER).double()
    if len(found := np.unique(y)) == 1:
        biases[int(found[0])] = 0.0
        return weights, biases
    total = len(y) if weight is None else sum(weight[c] * int((y == c).sum()) for c in weight)
    model = LogisticRegression(C=1 / (strength * total), class_weight=weight, max_iter=_MOST_STEPS, tol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model.fit(x, y)
        except ConvergenceWarning:
            return None
    coef, intercept = torch.from_numpy(model.coef_), torch.from_numpy(np.atleast_1d(model.intercept_))
    if len(model.classes_) == 2:  # scikit-learn keeps the difference
        coef, intercept = torch.cat([0 * coef, coef]), torch.cat([0 * intercept, intercept])
    present = torch.from_numpy(model.classes_.astype(np.int64))
    weights[present], biases[present] = coef.double(), intercept.double()
    return weights, biases
