"""Ridge: from features to features spread over the graph, in closed form; no graph at inference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.linear_model import Ridge as RidgeRegression
from sklearn.preprocessing import normalize

from sigraph.arms.base import ArmKind, Given, Prediction, without_vectors
from sigraph.arms.choice import Candidate, better_of
from sigraph.arms.linear import PENALTIES, check_penalties, linear_candidates
from sigraph.edges.propagation import Propagation
from sigraph.files.arguments import check_integers, check_numbers
from sigraph.samples.vectors import Rows, Vectors
from sigraph.targets.reduced import propagated_features
from sigraph.tasks import Task

_DENSE = 4096  # samples or features up to which the normal equations are solved directly


class Ridge(ArmKind):
    r"""What a pre-training on the graph can do without any training: the row for it to beat.

    Targets are the unit rows of :math:`H = \sum_{k \le K} r (1-r)^k P^k X`, reduced to a few channels, over the graph
    of the visible samples. Ridge regression learns them from the samples' own rows X (counts weighted by the root of
    the inverse document frequency, unit length). Every sample, of training or new, is then the row that the regression
    *predicts* for it, and a linear model learns the task on these.

    Args:
        num_channels: Channels of the target, >= 1.
        restart: r, in (0, 1].
        num_steps: K, >= 0.
        ridges: Penalties of the regression onto the target to choose from by validation, each > 0.
        penalties: Penalties of the linear model to choose from by validation, each > 0.
    """

    kind = "closed-form"
    reads_graph = True

    def __init__(
        self,
        num_channels: int = 256,
        restart: float = 0.15,
        num_steps: int = 12,
        ridges: Sequence[float] = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
        penalties: Sequence[float] = PENALTIES,
    ) -> None:
        check_integers("Ridge", 1, num_channels=num_channels)
        check_numbers("Ridge", above=0, most=1, restart=restart)
        check_integers("Ridge", 0, num_steps=num_steps)
        self.num_channels, self.restart, self.num_steps = num_channels, restart, num_steps
        self.ridges = check_penalties("Ridge", "ridges", ridges)
        self.penalties = check_penalties("Ridge", "penalties", penalties)

    def applies(self, given: Given, task: Task) -> str:
        return without_vectors(given)

    def predict(self, given: Given, task: Task, seed: int = 0, score_test: bool = True) -> Prediction:
        vectors = Vectors(given.visible.store, idf_power=0.5)
        own = vectors(given.visible.store)
        spread = Propagation(given.graph.store, self.restart, self.num_steps)
        target = normalize(propagated_features(spread, own, self.num_channels))
        rows = {part: vectors(given.dataset.store, node) for part, node in task.split.items()}
        return better_of(task, self._candidates(task, own, target, rows), score_test)

    def _candidates(self, task: Task, own: Rows, target: np.ndarray, rows: dict[str, Rows]) -> Iterator[Candidate]:
        solver = "cholesky" if min(own.shape) <= _DENSE else "sparse_cg"
        for ridge in self.ridges:
            model = RidgeRegression(ridge, fit_intercept=False, solver=solver).fit(own, target)
            weight = model.coef_.reshape(target.shape[1], -1).T
            predicted = {part: np.asarray(row @ weight) for part, row in rows.items()}
            for candidate in linear_candidates(task, predicted, self.penalties):
                yield Candidate(candidate.predict, candidate.num_parameters + weight.size)
