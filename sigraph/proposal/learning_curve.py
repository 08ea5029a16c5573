"""How well some ways of telling a task do with few labels and with many, on validation samples alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from sigraph.arms import Given
from sigraph.arms.linear import PENALTIES, linear_candidates
from sigraph.arms.mapped import MappedRows
from sigraph.evaluation.finetune_settings import FinetuneSettings
from sigraph.evaluation.probe import probe_attempts
from sigraph.leaderboard.interval import difference_interval
from sigraph.leaderboard.predictions import Predictions
from sigraph.leaderboard.weighted_metrics import weighted_score
from sigraph.proposal.label_subsets import Size, cut_in_halves, label_sizes, shown, without_test
from sigraph.samples.vectors import Rows
from sigraph.tasks import Task
from sigraph.tasks.metrics import UndefinedMetricError

_MOST_CONVERGED = 20  # label columns of a probe that is trained to its end


@dataclass
class Method:
    """A way of telling a task.

    Args:
        name: What it is called.
        maps: Makes rows of the samples in a task's split, ``train`` and ``valid``, under one setting after the other;
            once for all subsets of the labels.
        fits: From a task and rows to predictions of its validation samples, one for each setting of its own.
    """

    name: str
    maps: Callable[[Task], Iterable[Mapping[str, Rows]]]
    fits: Callable[[Task, Mapping[str, Rows]], Iterator[Tensor]]


@dataclass
class Gain:
    """How much better one method is than another: positive is better, whichever way the metric goes.

    Args:
        value: Mean over draws and halves.
        low, high: 95 % interval, draws of labels and validation samples drawn anew together; None: not defined.
    """

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def sign(self) -> int:
        """1: certainly better, -1: certainly worse, 0: not certain."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)


@dataclass
class Point:
    """Scores with so many labels.

    Args:
        size: How many.
        mean, std: By method, over draws; unbiased, NaN of a single draw.
        gains: By (ours, theirs).
    """

    size: Size
    mean: dict[str, float]
    std: dict[str, float]
    gains: dict[tuple[str, str], Gain] = field(default_factory=dict)


@dataclass
class LearningCurve:
    """Points from few labels to all.

    Args:
        task: What it is of.
        points: At least one.
        seconds: By method, how long it took to make its rows.
        num_valid: Validation samples.
    """

    task: Task
    points: list[Point]
    seconds: dict[str, float]
    num_valid: int


def closed_form(name: str, arm: MappedRows, given: Given) -> Method:
    """An arm of which only a linear model looks at labels.

    Args:
        name: What it is called.
        arm: It applies to the task.
        given: What it may look at.
    """
    return Method(
        name,
        lambda task: (mapped.rows for mapped in arm.maps(given, task.split)),
        lambda task, rows: _linear(task, rows, arm.penalties),
    )


def probe(name: str, z: Tensor, normalize: bool = False, class_weight: object = None) -> Method:
    """A converged linear probe on embeddings; on more than 20 label columns a ridge classifier, as of closed forms.

    Args:
        name: What it is called.
        z: Of all samples. Shape [N, D].
        normalize: Scale embeddings to unit length first.
        class_weight: As in :class:`~sigraph.evaluation.FinetuneSettings`.
    """
    if normalize:
        z = torch.nn.functional.normalize(z, dim=-1)
    settings = FinetuneSettings(converged=True, class_weight=class_weight)  # type: ignore[arg-type]

    def maps(task: Task) -> Iterator[Mapping[str, Rows]]:
        yield {part: z[node].numpy() for part, node in task.split.items()}

    def fits(task: Task, rows: Mapping[str, Rows]) -> Iterator[Tensor]:
        if task.type == "multilabel" and task.num_outputs > _MOST_CONVERGED:
            yield from _linear(task, rows)
            return
        x = {part: torch.from_numpy(row) for part, row in rows.items()}
        head = task.head(SimpleNamespace(out_channels=z.size(1), part_channels=0), settings)
        train = x["train"], task.labels[task.split["train"]]
        for found in probe_attempts(task, head, train, x["valid"], task.loss_settings(settings)):
            yield found.predicted

    return Method(name, maps, fits)


def _linear(task: Task, rows: Mapping[str, Rows], penalties: Sequence[float] = PENALTIES) -> Iterator[Tensor]:
    for candidate in linear_candidates(task, rows, penalties):
        yield candidate.predict("valid")


def learning_curve(
    task: Task,
    methods: Sequence[Method],
    pairs: Sequence[tuple[str, str]] = (),
    draws: int = 5,
    seed: int = 0,
    only_all: bool = False,
) -> LearningCurve:
    """Score methods on validation samples with few labels and with many. No test label is looked at.

    For each draw the validation samples are cut into two halves, class by class: what a method leaves open is chosen on
    one and scored on the other, both ways round.

    Args:
        task: Of samples; its test samples and their labels play no part.
        methods: What is scored.
        pairs: (ours, theirs) whose difference gets an interval.
        draws: Of the labels and of the halves, >= 1.
        seed: Of the draws.
        only_all: No subset of the labels.

    Raises:
        ValueError: There are too few validation samples, or the metric is not defined on half of them.
    """
    task = without_test(task, seed)
    sizes = label_sizes(task, draws, seed, only_all)
    valid = task.split["valid"]
    halves = [cut_in_halves(task, seed, which) for which in range(draws)]
    found: dict[str, list[list[_Best]]] = {}
    seconds = {}
    for method in methods:
        best = [[_Best(task, half) for half in halves] for _ in sizes]
        seconds[method.name] = _fill(best, method, task, sizes)
        found[method.name] = best
    points = []
    for i, size in enumerate(sizes):
        scores = {name: np.array([one.score() for one in best[i]]) for name, best in found.items()}
        std = {name: float(value.std(ddof=1)) if draws > 1 else float("nan") for name, value in scores.items()}
        point = Point(size, {name: float(value.mean()) for name, value in scores.items()}, std)
        for ours, theirs in pairs:
            point.gains[ours, theirs] = _gain(task, size, found[ours][i], found[theirs][i], seed)
        points.append(point)
    return LearningCurve(task, points, seconds, len(valid))


def _fill(best: list[list[_Best]], method: Method, task: Task, sizes: list[Size]) -> float:
    """Fit a method to every subset of the labels, and keep what either half chooses; seconds that its rows took."""
    train, valid = task.split["train"], task.split["valid"]
    maps, spent = iter(method.maps(task)), 0.0
    while True:
        clock = time.perf_counter()
        rows = next(maps, None)
        spent += time.perf_counter() - clock
        if rows is None:
            return spent
        for size, of_draws in zip(sizes, best, strict=True):
            for number, subset in enumerate(size.draws):
                few = shown(task, train[subset], valid)
                for predicted in method.fits(few, {**rows, "train": rows["train"][subset.numpy()]}):
                    for one in of_draws[number :: len(size.draws)]:
                        one.see(predicted)


class _Best:
    """Of the settings of a method the one that each half of the validation samples chooses, scored on the other.

    Args:
        task: Metric and labels.
        half: Which half each validation sample is in. bool [n]
    """

    def __init__(self, task: Task, half: Tensor) -> None:
        self.task, self.sides = task, [(~half).nonzero().view(-1), half.nonzero().view(-1)]
        self.found: list[tuple[float, Tensor] | None] = [None, None]  # by the half that chooses

    def see(self, predicted: Tensor) -> None:
        """Choose it where it is better than what was seen. Shape [n, ...]"""
        for side, place in enumerate(self.sides):
            try:
                score = self._score(place, predicted[place])
            except UndefinedMetricError:
                continue
            except ValueError as error:  # whatever is predicted
                raise ValueError(self._undefined("choose", error)) from error
            best = self.found[side]
            if best is None or score > best[0]:
                self.found[side] = score, predicted[self.sides[1 - side]]

    def _score(self, place: Tensor, predicted: Tensor) -> float:
        """Higher is better."""
        task, items = self.task, self.task.split["valid"][place]
        y = task.labels[items].numpy()
        score = weighted_score(task.metric, task.type, y, predicted.numpy())
        found = float(score(np.ones((len(y), 1)))[0]) if score is not None else float("nan")
        if np.isnan(found):  # a metric without that form; or it says why it is not defined
            found = task.evaluate(items, predicted, [task.metric])[task.metric]
        return found if task.greater_is_better else -found

    def _chosen(self) -> list[tuple[Tensor, Tensor]]:
        """Validation samples that are scored, and what is predicted of them, for either way round."""
        out = []
        for side, best in enumerate(self.found):
            if best is None:
                raise ValueError(self._undefined("choose"))
            out.append((self.sides[1 - side], best[1]))
        return out

    def score(self) -> float:
        """Mean over both ways round, as the metric says it."""
        try:
            sign = 1 if self.task.greater_is_better else -1
            return sign * float(np.mean([self._score(*one) for one in self._chosen()]))
        except UndefinedMetricError as error:
            raise ValueError(self._undefined("score", error)) from error

    def _undefined(self, what: str, error: Exception | None = None) -> str:
        return (
            f"half of the {sum(map(len, self.sides))} validation samples cannot {what}: {self.task.metric!r} is not "
            f"defined on them (task {self.task.name!r}{f': {error}' if error else ''}); give the split more, or the "
            "task another metric"
        )

    def predictions(self) -> list[Predictions]:
        """What is scored, either way round."""
        valid, y = self.task.split["valid"], self.task.labels
        return [
            Predictions(self.task.type, *(one.numpy() for one in (valid[place], y[valid[place]], predicted)))
            for place, predicted in self._chosen()
        ]


def _gain(task: Task, size: Size, ours: list[_Best], theirs: list[_Best], seed: int) -> Gain:
    sign = 1 if task.greater_is_better else -1
    value = sign * float(np.mean([a.score() - b.score() for a, b in zip(ours, theirs, strict=True)]))
    a, b = ([part for one in side for part in one.predictions()] for side in (ours, theirs))
    together = [which % len(size.draws) for which in range(len(ours)) for _ in range(2)]  # of the same labels
    ends = difference_interval(task.metric, a, b, seed=seed, together=together)
    if ends is None:
        return Gain(value)
    return Gain(value, *(ends if sign > 0 else (-ends[1], -ends[0])))
