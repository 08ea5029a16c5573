"""The contract of an arm kind: what an arm does instead of pre-training an encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import ClassVar, NamedTuple

from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.samples.vectors import has_vectors
from sigraph.tasks import Task

KINDS = ("closed-form", "reference")


class Given:
    """What an arm of a kind may look at, as a pre-trained arm of the same experiment may.

    Args:
        dataset: The task's samples, read as pre-training reads them.
        visible: The samples that pre-training may see: all of the pre-training data set, or fewer if ``inductive``.
        node: Which samples of the pre-training data set these are. Shape [M]; None: all, though perhaps not all edges.
        own: Whether the task lives on the pre-training data set, so that its graph covers the task's samples.
        make_graph: Makes the observed edges over ``visible``, node i is its sample i.
        make_full_graph: Makes the observed edges over the whole pre-training data set.
        accelerator: Of Lightning's trainer, for what trains by gradients.

    Labels of validation and test samples are in the task that :meth:`ArmKind.predict` is given, as they are for
    everything that is validated; only :func:`~sigraph.arms.choice.better_of` reads those of validation.
    """

    def __init__(
        self,
        dataset: SampleDataset,
        visible: SampleDataset,
        node: Tensor | None,
        own: bool,
        make_graph: Callable[[], PretrainGraph],
        make_full_graph: Callable[[], PretrainGraph],
        accelerator: str = "auto",
    ) -> None:
        self.dataset, self.visible, self.node, self.own = dataset, visible, node, own
        self._make_graph, self._make_full_graph, self.accelerator = make_graph, make_full_graph, accelerator

    @cached_property
    def graph(self) -> PretrainGraph:
        """The observed edges among the visible samples."""
        return self._make_graph()

    @cached_property
    def full_graph(self) -> PretrainGraph:
        """The observed edges among all samples of the pre-training data set: for a graph at inference."""
        return self._make_full_graph()


def without_vectors(given: Given) -> str:
    """Why samples have no rows of numbers, in words; empty: they have."""
    for dataset in (given.dataset, given.visible):
        if not has_vectors(dataset.store):
            return f"needs features, tokens or columns of text (the samples are {dataset.store.describe()})"
    return ""


class Prediction(NamedTuple):
    """What an arm of a kind predicts for one task."""

    valid: Tensor  # of the validation samples in the split's order, as the task's evaluator takes them
    test: Tensor | None  # of the test samples; None: not asked for
    num_parameters: int  # numbers that were fitted
    best_epoch: int = 0  # of what trains in epochs
    num_trials: int = 1  # settings of its own that validation chose from


class ArmKind(ABC):
    """Predicts a task's labels in its own way; the engine scores, keeps and finds the results again.

    A new kind is a subclass in a file of its own; constructor arguments come from the YAML,
    ``arms: {mine: {kind: {_target_: ..., alpha: 0.5}}}``. It chooses settings by validation alone, and the same seed
    gives the same result.
    """

    items: ClassVar[tuple[str, ...]] = ("sample",)  # of tasks that it can predict: BaseTask.item
    kind: ClassVar[str]  # closed-form: nothing trains by gradients on a graph; reference: another method's model
    reads_samples: ClassVar[bool] = True  # whether it looks at samples at all, not at training labels alone
    reads_graph: ClassVar[bool] = False  # whether it looks at the pre-training graph at all
    graph_at_inference: ClassVar[bool] = False  # whether a new sample needs its edges to be predicted
    draws: ClassVar[bool] = False  # whether the seed changes the result; otherwise it stands for all seeds

    @abstractmethod
    def applies(self, given: Given, task: Task) -> str:
        """Why it cannot predict this task, in words that end a sentence about it; empty: it can.

        Asked before anything trains; it reads no samples and no graph.
        """

    def check(self, given: Given, task: Task) -> None:  # noqa: B027 -- many read whatever there is
        """Refuse, before anything trains, samples that it applies to but cannot read; it may read all of them.

        Raises:
            ValueError: Names the samples, and the way out.
        """

    @abstractmethod
    def predict(self, given: Given, task: Task, seed: int = 0, score_test: bool = True) -> Prediction:
        """Learn from the visible samples and the training labels; predict validation and test samples.

        Args:
            given: Samples and graph.
            task: Labels and split. Labels outside ``train`` choose settings by validation, and nothing else.
            seed: Seed of everything random.
            score_test: False: test samples are not predicted.
        """
