"""LabelGraph: what the graphs made from labels share, first of all whose labels they may see."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sigraph.data.dataset import SampleDataset
from sigraph.files.arguments import check_flags
from sigraph.graphs.base import GraphConstructor
from sigraph.tasks.task import Task

if TYPE_CHECKING:
    from sigraph.data.graph import PretrainGraph


class LabelGraph(GraphConstructor):
    """A graph made from the labels of a task. Implement :meth:`from_labels`.

    An edge made from a label tells the label: a graph that joins samples by the labels they are tested on leaks the
    answers into pre-training. By default only the samples of the task's train split take part; all others are
    isolated nodes. ``allow_label_edges`` lets every labelled sample take part: right where the labels are no task's to
    be scored (a task made to carry them), wrong otherwise.

    Args:
        labels: Name of the task; None: the data set's first one.
        allow_label_edges: Whether labels outside the train split may make edges.
    """

    def __init__(self, labels: str | None = None, allow_label_edges: bool = False) -> None:
        name = type(self).__name__
        if labels is not None and not isinstance(labels, str):
            raise ValueError(
                f"'labels' needs to be the name of a task in {name!r} (got {type(labels).__name__}); label tensors are "
                "for its method 'from_labels'"
            )
        check_flags(name, allow_label_edges=allow_label_edges)
        self.labels, self.allow_label_edges = labels, allow_label_edges

    @abstractmethod
    def from_labels(self, labels: Tensor) -> PretrainGraph:
        """The graph over samples with these labels; every sample with a label takes part.

        Args:
            labels: As in :class:`~sigraph.data.Task`; -1 or NaN where missing. Shape [N] or [N, L].
        """

    def base(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        if not dataset.tasks:
            raise ValueError(
                f"{type(self).__name__!r} needs a data set with a task, for its labels (got none in {dataset.name!r})"
            )
        task = dataset.task(self.labels)
        graph = self.from_labels(task.labels if self.allow_label_edges else train_labels(task))
        if not graph.num_edges:
            raise ValueError(
                f"{type(self).__name__!r} made no edge from the labels of task {task.name!r}: no two samples that take "
                "part agree as asked"
            )
        return graph

    def sources(self, dataset: SampleDataset) -> list[str]:
        return []


def labels_read(constructor: GraphConstructor) -> str:
    """Whose labels a constructor, or one that it is made of, makes edges from: ``none``, ``train`` or ``all``."""
    found = [labels_read(part) for part in constructor.inner()]
    if isinstance(constructor, LabelGraph):
        found.append("all" if constructor.allow_label_edges else "train")
    return next((word for word in ("all", "train") if word in found), "none")


def train_labels(task: Task) -> Tensor:
    """The labels of a task with all outside its train split missing. Shape as ``task.labels``."""
    missing = float("nan") if task.type != "classification" else -1
    labels = task.labels.float() if task.type == "multilabel" else task.labels
    out = torch.full_like(labels, missing)
    train = task.split["train"]
    out[train] = labels[train]
    return out
