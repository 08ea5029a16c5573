"""Ridge: from features to features spread over the graph, in closed form; no graph at inference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import normalize
from torch import Tensor

from sigraph.arms.base import Given, Prediction
from sigraph.arms.choice import best_of, better_of
from sigraph.arms.linear import PENALTIES, check_penalties
from sigraph.arms.mapped import Mapped, MappedRows, candidates_of
from sigraph.arms.ridge_maps import ridge_maps
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.edges.propagation import Propagation
from sigraph.files.arguments import check_integers, check_numbers
from sigraph.samples.vectors import Rows, Vectors
from sigraph.targets.reduced import propagated_features
from sigraph.tasks import RetrievalTask, Task

_MANY = 10_000  # training samples from which not every pair of penalties is tried


class _Maps(NamedTuple):
    """What is the same for every task of a data set, and how it was asked for."""

    visible: SampleDataset
    graph: PretrainGraph
    settings: tuple[object, ...]
    vectors: Vectors
    weights: list[np.ndarray]  # [F, D] of each penalty


class Ridge(MappedRows):
    r"""What a pre-training on the graph can do without any training: the row for it to beat.

    Targets are the unit rows of :math:`H = \sum_{k \le K} r (1-r)^k P^k X`, reduced to a few channels, over the graph
    of the visible samples. Ridge regression learns them from the samples' own rows X (counts weighted by the root of
    the inverse document frequency, unit length). Every sample, of training or new, is then the row that the regression
    *predicts* for it, and a linear model learns the task on these.

    The maps are made once for all tasks. With fewer than 10,000 training samples every pair of penalties is tried; with
    more the linear model's is chosen at the middle one of ``ridges``, then one of these beside it.

    Args:
        num_channels: Channels of the target, >= 1.
        restart: r, in (0, 1].
        num_steps: K, >= 0.
        ridges: Penalties of the regression onto the target to choose from by validation, each > 0.
        penalties: Penalties of the linear model to choose from by validation, each > 0.
    """

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

    def maps(self, given: Given, nodes: Mapping[str, Tensor]) -> Iterator[Mapped]:
        made = self._maps(given)
        rows = {part: made.vectors(given.dataset.store, node) for part, node in nodes.items()}
        for weight in made.weights:
            yield _mapped(rows, weight)

    def predict(self, given: Given, task: Task | RetrievalTask, seed: int = 0, score_test: bool = True) -> Prediction:
        if isinstance(task, RetrievalTask) or len(task.split["train"]) < _MANY:
            return super().predict(given, task, seed, score_test)
        made = self._maps(given)
        rows = {part: made.vectors(given.dataset.store, node) for part, node in task.split.items()}
        middle = (len(made.weights) - 1) // 2
        first = best_of(task, candidates_of(task, _mapped(rows, made.weights[middle]), self.penalties))
        penalty = [self.penalties[first.place]]
        others = (_mapped(rows, weight) for i, weight in enumerate(made.weights) if i != middle)
        more = (candidate for mapped in others for candidate in candidates_of(task, mapped, penalty))
        found = better_of(task, (first.candidate, *more), score_test)
        return found._replace(num_trials=found.num_trials + first.num_trials - 1)

    def _maps(self, given: Given) -> _Maps:
        """The rows and the maps of the last data set and graph, made anew where these are others."""
        settings = (self.num_channels, self.restart, self.num_steps, self.ridges)
        for kept in _kept:
            if kept.visible is given.visible and kept.graph is given.graph and kept.settings == settings:
                return kept
        vectors = Vectors(given.visible.store, idf_power=0.5)
        own = vectors(given.visible.store)
        spread = Propagation(given.graph.store, self.restart, self.num_steps)
        target = normalize(propagated_features(spread, own, self.num_channels))
        found = _Maps(given.visible, given.graph, settings, vectors, list(ridge_maps(own, target, self.ridges)))
        _kept[:] = [found]
        return found


def _mapped(rows: Mapping[str, Rows], weight: np.ndarray) -> Mapped:
    return Mapped({part: np.asarray(row @ weight) for part, row in rows.items()}, weight.size)


_kept: list[_Maps] = []  # the last ones
