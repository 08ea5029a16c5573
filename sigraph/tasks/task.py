"""Task: labels of samples, split, metrics."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from sigraph.files.row_index import warn_caller
from sigraph.samples.encoding import Encoding
from sigraph.tasks.base import SPLITS
from sigraph.tasks.given_split import read_split
from sigraph.tasks.kinds import is_labelled, label_type
from sigraph.tasks.label_values import TYPES
from sigraph.tasks.labelled import LabelledTask, check_parts, given_split
from sigraph.tasks.scorable import undefined, unlearnable

__all__ = ["SPLITS", "TYPES", "Task", "is_labelled", "label_type", "said_elsewhere", "warn_of"]


@dataclass
class Task(LabelledTask):
    """Labels over the samples of a data set, a split, and the metric that decides.

    Args:
        name: The task's name.
        labels: 1-D integer = classes (-1 missing), 1-D text = classes by name, 1-D float = regression (NaN missing),
            2-D float or integer = multi-label in {0, 1} (NaN missing, or -1 in integers).
        split: Samples under ``train``, ``valid`` (or ``val``) and ``test``, as ids or boolean masks (PyG's
            ``train_mask`` and so on are understood), or a column with the part of each; disjoint, in range, labelled,
            none empty.
        metric: One of :data:`~sigraph.tasks.metrics.METRIC_NAMES` for the type, ``precision@K`` or ``hits@K``; by
            default the usual one. Several in a list: the first decides, the others are reported beside it. ``f1`` and
            what ranks (``rocauc``, ``ap``, ``mrr``, ``@K``) need two classes; class 1, the second, is the positive one.
        type: ``classification``, ``multilabel`` or ``regression``; by default read off ``labels``. ``classification``
            makes classes of whole floats and of one-hot rows, ``regression`` numbers of integers.
        about: Where the labels come from, in words.
        classes: What the user calls class (or label column) 0, 1, ..., each name once; None: the names that the labels
            give, sorted. Where labels and names are integers, labels of 0 ... C - 1 (and -1, missing) are class ids;
            otherwise, if all of them are names, they are names.
        missing: A value of ``labels`` that means missing, a number such as -100 (in place of -1); among text, a text.
        metrics: Further metrics that are reported beside ``metric``; then all of them.

    Shapes:
        - **labels:** [N] or [N, num_columns].  **split:** 1-D int64 each.

    Labels and ids may be tensors, arrays (numpy, masked, pandas, pyarrow) or lists, and become tensors; floats keep
    their precision. What may surprise about them is warned of, a metric that the split leaves undefined too.

    Raises:
        ValueError: The labels do not fit the type, the metric does not exist for it, or the split overlaps, is empty,
            out of range, has another part, or lists a sample without a label.
    """

    name: str
    labels: Tensor
    split: dict[str, Tensor]
    metric: str = ""  # or several
    type: str = ""
    about: str = field(default="", compare=False)
    classes: list[str | int] | None = field(default=None, compare=False)
    missing: InitVar[float | str | None] = None
    metrics: tuple[str, ...] = ()

    item: ClassVar[str] = "sample"

    def __post_init__(self, missing: float | str | None) -> None:
        if self.type and self.type not in TYPES:
            raise ValueError(f"'type' needs to be one of {', '.join(TYPES)} in 'Task' (got {self.type!r})")
        notes = self.read_labels(self.labels, self.type, self.classes, missing)
        self.read_metrics(self.metric, self.metrics)
        self.check_classes()
        self.split = read_split(self.split, self.name, self.num_samples)
        check_parts(self)
        warn_of(self, notes)

    @property
    def num_samples(self) -> int:
        """N, the number of samples of the data set, labelled or not."""
        return self.labels.size(0)

    @property
    def num_items(self) -> int:
        """N: an item is a sample."""
        return self.num_samples

    def samples(self, items: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        return items, torch.arange(len(items))

    def read(self, encoding: Encoding, place: Tensor, inputs: Any) -> Tensor:
        """Embeddings of the samples. Shape [n, D]."""
        return encoding.z[place]

    def target(self, items: Tensor) -> Tensor:
        return self.labels[items]

    def sample_labels(self) -> Tensor:
        """The labels."""
        return self.labels

    @classmethod
    def restored(cls, arrays: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Task:
        return cls(
            facts["name"],
            arrays["labels"],
            given_split(arrays),
            facts["metric"],
            facts["type"],
            facts["about"],
            facts.get("classes"),
            metrics=tuple(facts.get("metrics", ())),
        )


def warn_of(task: LabelledTask, notes: Sequence[str]) -> None:
    """Warn, at the line of whoever makes a task, of what may surprise about it and of what cannot be learnt or scored.

    Args:
        task: It was just made; its constructor calls this.
        notes: On its labels.
    """
    for note in (*notes, *unlearnable(task), *undefined(task)):
        warn_caller(f"task {task.name!r}: {note}")  # of whoever makes the task


@contextlib.contextmanager
def said_elsewhere() -> Iterator[None]:
    """Tasks that are made here warn of nothing: whoever makes them says it, or it was said when they were written."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="task ", category=UserWarning)
        yield
