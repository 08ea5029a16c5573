"""Settings chosen by validation: the only place of the arm kinds that looks at a label outside of train."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from torch import Tensor

from sigraph.arms.base import Prediction
from sigraph.tasks.base import BaseTask
from sigraph.tasks.metrics import UndefinedMetricError


class Candidate(NamedTuple):
    """One setting, fitted."""

    predict: Callable[[str], Tensor]  # a part of the split -> predictions of its samples, in its order
    num_parameters: int


class Chosen(NamedTuple):
    """The best of some candidates."""

    place: int  # among them, in their order
    candidate: Candidate
    valid: Tensor  # its predictions of the validation samples
    num_trials: int  # how many there were


def better_of(task: BaseTask, candidates: Iterable[Candidate], score_test: bool) -> Prediction:
    """The candidate with the best validation score, of equals the first; it alone predicts test samples.

    One whose predictions the metric cannot score is not chosen.

    Args:
        task: Split, labels of the validation samples and metric.
        candidates: Made one after the other; at least one.
        score_test: Whether test samples are predicted.

    Raises:
        UndefinedMetricError: The metric cannot score any of them.
    """
    chosen = best_of(task, candidates)
    test = chosen.candidate.predict("test") if score_test else None
    return Prediction(chosen.valid, test, chosen.candidate.num_parameters, num_trials=chosen.num_trials)


def best_of(task: BaseTask, candidates: Iterable[Candidate]) -> Chosen:
    """As :func:`better_of` chooses, with its place: no test sample is predicted."""
    sign = 1 if task.greater_is_better else -1
    best, found, count = -float("inf"), None, 0
    undefined: UndefinedMetricError | None = None
    for candidate in candidates:
        count += 1
        predicted = candidate.predict("valid")
        try:
            score = sign * task.evaluate(task.split["valid"], predicted, [task.metric])[task.metric]
        except UndefinedMetricError as error:
            undefined = error
            continue
        if found is None or score > best:
            best, found = score, (count - 1, candidate, predicted)
    if found is None and undefined is not None:
        raise undefined
    if found is None:
        raise ValueError("'candidates' needs at least one in 'better_of' (got none)")
    return Chosen(*found, count)
