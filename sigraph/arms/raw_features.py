"""RawFeatures: a linear model on the samples' own rows of numbers."""

from __future__ import annotations

from collections.abc import Sequence

from sigraph.arms.base import ArmKind, Given, Prediction, without_vectors
from sigraph.arms.choice import better_of
from sigraph.arms.linear import PENALTIES, check_penalties, linear_candidates
from sigraph.samples.vectors import Vectors
from sigraph.tasks import Task


class RawFeatures(ArmKind):
    """Logistic or ridge regression on the samples' own features, on counts of their tokens, or on tf-idf of their text.

    What an encoder has to be better than. :class:`~sigraph.samples.vectors.Vectors` says what is done to the rows.

    Args:
        penalties: Penalties of the linear model to choose from by validation, each > 0.
    """

    kind = "closed-form"

    def __init__(self, penalties: Sequence[float] = PENALTIES) -> None:
        self.penalties = check_penalties("RawFeatures", "penalties", penalties)

    def applies(self, given: Given, task: Task) -> str:
        return without_vectors(given)

    def predict(self, given: Given, task: Task, seed: int = 0, score_test: bool = True) -> Prediction:
        vectors = Vectors(given.visible.store)
        rows = {part: vectors(given.dataset.store, node) for part, node in task.split.items()}
        return better_of(task, linear_candidates(task, rows, self.penalties), score_test)
