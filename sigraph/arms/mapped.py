"""MappedRows: arms that make rows of samples whatever the labels, and learn each task on these by a linear model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar, NamedTuple

from torch import Tensor

from sigraph.arms.base import ArmKind, Given, Prediction, without_vectors
from sigraph.arms.choice import Candidate, better_of
from sigraph.arms.linear import linear_candidates
from sigraph.evaluation.retrieved import by_part
from sigraph.samples.vectors import Rows
from sigraph.tasks import RetrievalTask, Task


class Mapped(NamedTuple):
    """Rows of samples under one setting."""

    rows: dict[str, Rows]  # by part, a row a sample
    num_parameters: int  # numbers that were fitted to make them


class MappedRows(ArmKind):
    """An arm of which only a linear model looks at labels. Implement :meth:`maps`.

    Whoever asks about several subsets of the labels makes the rows once. Of a retrieval task the rows rank candidates
    by cosine, as they are: no linear model is fitted, and validation chooses among the maps alone.
    """

    items: ClassVar[tuple[str, ...]] = ("sample", "query")
    kind = "closed-form"
    penalties: tuple[float, ...]  # of the linear model, to choose from by validation

    def applies(self, given: Given, task: Task) -> str:
        return without_vectors(given)

    @abstractmethod
    def maps(self, given: Given, nodes: Mapping[str, Tensor]) -> Iterator[Mapped]:
        """Rows of some samples, under each setting to choose from by validation.

        Args:
            given: Samples and graph; no label is looked at.
            nodes: Ids of samples of ``given.dataset`` by part, such as the split of a task.
        """

    def predict(self, given: Given, task: Task | RetrievalTask, seed: int = 0, score_test: bool = True) -> Prediction:
        if isinstance(task, RetrievalTask):
            nodes = {"candidates": task.candidates, **{part: task.split[part] for part in ("valid", "test")}}
            ranked = (
                Candidate(partial(by_part, task, mapped.rows), mapped.num_parameters)
                for mapped in self.maps(given, nodes)
            )
            return better_of(task, ranked, score_test)
        maps = self.maps(given, task.split)
        tried = (candidate for mapped in maps for candidate in candidates_of(task, mapped, self.penalties))
        return better_of(task, tried, score_test)


def candidates_of(task: Task, mapped: Mapped, penalties: Sequence[float]) -> Iterator[Candidate]:
    """A linear model a penalty, on rows of the parts of the task's split."""
    for candidate in linear_candidates(task, mapped.rows, penalties):
        yield Candidate(candidate.predict, candidate.num_parameters + mapped.num_parameters)
