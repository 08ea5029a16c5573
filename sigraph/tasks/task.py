"""Task: what is fine-tuned - labels, split, metric."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import InitVar, dataclass, field

import torch
from torch import Tensor

from sigraph.files.suggestions import did_you_mean
from sigraph.tasks.class_names import checked_names
from sigraph.tasks.given_split import SPLITS, read_split
from sigraph.tasks.label_values import TYPES, label_values
from sigraph.tasks.scorable import undefined, unlearnable

# The metrics that sigraph.evaluation computes, by type; the usual one first.
METRIC_NAMES = {
    "classification": ("accuracy", "macro_f1", "rocauc", "ap"),
    "multilabel": ("rocauc", "ap"),
    "regression": ("rmse", "mae", "spearman"),
}
OF_TWO_CLASSES = ("rocauc", "ap")  # metrics that classes have where they are two; the second one is the positive one
DEFAULT_METRIC = {kind: names[0] for kind, names in METRIC_NAMES.items()}
LOWER_IS_BETTER = frozenset({"rmse", "mae"})


def label_type(y: Tensor) -> str:
    """The type of a label tensor by its shape and dtype.

    Args:
        y: 1-D integer = classes (-1 missing); 1-D float = regression (NaN missing); 2-D = multi-label in {0, 1}
            (NaN missing).

    Raises:
        ValueError: ``y`` has another shape.
    """
    if y.dim() == 2:
        return "multilabel"
    if y.dim() == 1:
        return "regression" if y.is_floating_point() else "classification"
    raise ValueError(f"'y' needs to be 1-D (classes, regression) or 2-D (multi-label) (got shape {list(y.shape)})")


def is_labelled(y: Tensor) -> Tensor:
    """Which samples carry a label (multi-label: at least one column that is not missing). Shape [N] bool."""
    kind = label_type(y)
    if kind == "classification":
        return y >= 0
    known = ~torch.isnan(y) if y.is_floating_point() else torch.ones_like(y, dtype=torch.bool)
    return known.any(dim=1) if kind == "multilabel" else known


@dataclass
class Task:
    """Labels over the samples of a data set, a split, and the metric that decides.

    Args:
        name: The task's name.
        labels: 1-D integer = classes (-1 missing), 1-D text = classes by name, 1-D float = regression (NaN missing),
            2-D float or integer = multi-label in {0, 1} (NaN missing, or -1 in integers).
        split: Samples under ``train``, ``valid`` (or ``val``) and ``test``, as ids or boolean masks (PyG's
            ``train_mask`` and so on are understood); disjoint, in range, labelled, none empty.
        metric: One of ``METRIC_NAMES`` for the type; by default the usual one. ``rocauc`` and ``ap`` of classes need
            two of them; class 1, the second, is the positive one.
        type: ``classification``, ``multilabel`` or ``regression``; by default read off ``labels``. ``classification``
            makes classes of whole floats and of one-hot rows, ``regression`` numbers of integers.
        about: Where the labels come from, in words.
        classes: What the user calls class (or label column) 0, 1, ..., each name once; None: the names that the labels
            give, sorted. Where labels and names are integers, labels of 0 ... C - 1 (and -1, missing) are class ids;
            otherwise, if all of them are names, they are names.
        missing: A value of ``labels`` that means missing, a number such as -100 (in place of -1); among text, a text.

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
    metric: str = ""
    type: str = ""
    about: str = field(default="", compare=False)
    classes: list[str | int] | None = field(default=None, compare=False)
    missing: InitVar[float | str | None] = None

    def __post_init__(self, missing: float | str | None) -> None:
        if self.type and self.type not in TYPES:
            raise ValueError(f"'type' needs to be one of {', '.join(TYPES)} in 'Task' (got {self.type!r})")
        called = None if self.classes is None else checked_names(self.classes, f"'classes' of task {self.name!r}")
        what = f"'labels' of task {self.name!r}"
        found = label_values(self.labels, what, self.type, classes=called, missing=missing)
        self.labels, self.type = found.y, found.type
        self.classes = called
        if called is None and found.classes is not None:
            self.classes = checked_names(found.classes, f"'classes' of task {self.name!r}, read off its labels,")
        self.metric = self.metric or DEFAULT_METRIC[self.type]
        self.check_metric()
        if self.classes is not None and self.type != "regression" and len(self.classes) < self.num_outputs:
            raise ValueError(
                f"'classes' of task {self.name!r} needs a name for each of {self.num_outputs} (got "
                f"{len(self.classes)}); integer labels are ids from 0 on or, all of them, among the names"
            )
        self.split = read_split(self.split, self.name, self.num_samples)
        self._check_split()
        for note in (*found.notes, *unlearnable(self), *undefined(self)):
            warnings.warn(f"task {self.name!r}: {note}", stacklevel=3)  # of whoever makes the task

    def check_metric(self) -> None:
        """Refuse a metric that there is not for the type, or for the number of classes."""
        known = METRIC_NAMES[self.type]
        if self.metric not in known:
            raise ValueError(
                f"'metric' of task {self.name!r} needs to be one of {', '.join(known)} for {self.type} "
                f"(got {self.metric!r}){did_you_mean(self.metric, known)}"
            )
        if self.type == "classification" and self.metric in OF_TWO_CLASSES and self.num_outputs != 2:
            others = ", ".join(name for name in known if name not in OF_TWO_CLASSES)
            raise ValueError(
                f"'metric' {self.metric!r} of task {self.name!r} needs two classes (got {self.num_outputs}); for any "
                f"number of them: {others}"
            )

    def _check_split(self) -> None:
        labelled = is_labelled(self.labels)
        owner = torch.zeros(self.num_samples, dtype=torch.long)
        for number, (part, ids) in enumerate(self.split.items(), start=1):
            what = f"split {part!r} of task {self.name!r}"
            taken = ids[owner[ids] > 0]
            if taken.numel():
                other = SPLITS[int(owner[taken[0]]) - 1]
                raise ValueError(f"{what} shares {taken.numel()} samples with {other!r} (first: {int(taken[0])})")
            owner[ids] = number
            unlabelled = ids[~labelled[ids]]
            if unlabelled.numel():
                raise ValueError(
                    f"{what} lists {unlabelled.numel()} samples without a label (first: {int(unlabelled[0])})"
                )

    @property
    def num_samples(self) -> int:
        """N, the number of samples of the data set, labelled or not."""
        return self.labels.size(0)

    @property
    def num_outputs(self) -> int:
        """Width of a prediction: classes, label columns, or 1 for regression."""
        if self.type == "classification":
            return int(self.labels.max()) + 1 if self.labels.numel() else 0
        return self.labels.size(1) if self.type == "multilabel" else 1

    @property
    def greater_is_better(self) -> bool:
        """Whether a larger value of the metric is better."""
        return self.metric not in LOWER_IS_BETTER

    @property
    def is_ranking(self) -> bool:
        """Whether the metric ranks samples by a score of the second of two classes, rather than choosing a class."""
        return self.type == "classification" and self.metric in OF_TWO_CLASSES

    def part_samples(self, part: str) -> Tensor:
        """Samples that a part of the split touches, ascending. Shape [n]."""
        return self.split[part].sort().values

    def called(self, number: int) -> str | int:
        """What the user calls a class or label column."""
        return number if self.classes is None else self.classes[number]


@contextlib.contextmanager
def said_elsewhere() -> Iterator[None]:
    """Tasks that are made here warn of nothing: whoever makes them says it, or it was said when they were written."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="task ", category=UserWarning)
        yield
