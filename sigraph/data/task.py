"""Task: what is fine-tuned - labels, split, metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sigraph.data.card import did_you_mean

# The metrics that sigraph.evaluation computes, by type; the usual one first.
METRIC_NAMES = {
    "classification": ("accuracy", "macro_f1"),
    "multilabel": ("rocauc", "ap"),
    "regression": ("rmse", "mae", "spearman"),
}
TYPES = tuple(METRIC_NAMES)
SPLITS = ("train", "valid", "test")
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
        labels: 1-D integer = classes (-1 missing), 1-D float = regression (NaN missing), 2-D float or integer =
            multi-label in {0, 1} (NaN missing).
        split: Sample ids under ``train``, ``valid`` and ``test``; disjoint, in range, labelled, none empty.
        metric: One of ``METRIC_NAMES`` for the type; by default the usual one.
        type: ``classification``, ``multilabel`` or ``regression``; by default read off ``labels``.
        about: Where the labels come from, in words.
        classes: What the user calls class (or label column) 0, 1, ...; None: nothing else.

    Shapes:
        - **labels:** [N] or [N, num_columns].  **split:** 1-D int64 each.

    Labels and ids may come as lists or arrays too and become tensors.

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

    def __post_init__(self) -> None:
        needed = "numbers: classes 0, 1, ... as integers (what they are called goes to 'classes'), or floats"
        self.labels = _as_tensor(self.labels, f"'labels' of task {self.name!r}", needed)
        if self.labels.dtype == torch.bool:
            self.labels = self.labels.long()
        found = label_type(self.labels)
        self.type = self.type or found
        if self.type not in TYPES:
            raise ValueError(f"'type' needs to be one of {', '.join(TYPES)} in 'Task' (got {self.type!r})")
        if self.type != found:
            raise ValueError(f"'labels' of task {self.name!r} read as {found}, but 'type' says {self.type!r}")
        self.metric, known = self.metric or DEFAULT_METRIC[self.type], METRIC_NAMES[self.type]
        if self.metric not in known:
            raise ValueError(
                f"'metric' of task {self.name!r} needs to be one of {', '.join(known)} for {self.type} "
                f"(got {self.metric!r}){did_you_mean(self.metric, known)}"
            )
        self._check_labels()
        self.split = self._tensors_of_split()
        self._check_split()

    def _tensors_of_split(self) -> dict[str, Tensor]:
        what = f"'split' of task {self.name!r} needs {', '.join(SPLITS)}"
        if not isinstance(self.split, Mapping):
            raise ValueError(f"{what} as a mapping to sample ids (got {type(self.split).__name__})")
        wrong = {
            "missing": [part for part in SPLITS if part not in self.split],
            "unknown": [part for part in self.split if part not in SPLITS],
        }
        if any(wrong.values()):
            raise ValueError(f"{what} ({'; '.join(f'{word} {parts}' for word, parts in wrong.items() if parts)})")
        return {
            part: _as_tensor(self.split[part], f"split {part!r} of task {self.name!r}", "a list of integer sample ids")
            for part in SPLITS
        }

    def _check_labels(self) -> None:
        known = self.labels[~torch.isnan(self.labels)] if self.labels.is_floating_point() else self.labels
        if self.type == "multilabel" and bool(((known != 0) & (known != 1)).any()):
            raise ValueError(f"'labels' of task {self.name!r} need to be 0, 1 or NaN (missing), since they are 2-D")
        if self.type == "regression" and bool(torch.isinf(known).any()):
            raise ValueError(f"'labels' of task {self.name!r} need to be finite or NaN (missing) (got an infinite one)")

    def _check_split(self) -> None:
        labelled = is_labelled(self.labels)
        owner = torch.zeros(self.num_samples, dtype=torch.long)
        for number, (part, ids) in enumerate(self.split.items(), start=1):
            what = f"split {part!r} of task {self.name!r}"
            if ids.numel() == 0:
                raise ValueError(f"{what} is empty; give it at least one sample")
            if ids.dim() != 1 or ids.is_floating_point() or ids.dtype == torch.bool:
                raise ValueError(f"{what} needs a list of integer sample ids (got {ids.dtype} {list(ids.shape)})")
            ids = self.split[part] = ids.long()
            if int(ids.min()) < 0 or int(ids.max()) >= self.num_samples:
                raise ValueError(
                    f"{what} needs sample ids in [0, {self.num_samples}) (got [{int(ids.min())}, {int(ids.max())}])"
                )
            if ids.unique().numel() != ids.numel():
                raise ValueError(f"{what} lists a sample twice")
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
            return int(self.labels.max()) + 1
        return self.labels.size(1) if self.type == "multilabel" else 1

    @property
    def greater_is_better(self) -> bool:
        """Whether a larger value of the metric is better."""
        return self.metric not in LOWER_IS_BETTER


def _as_tensor(value: Any, what: str, needed: str) -> Tensor:
    """A list or an array as a tensor."""
    if isinstance(value, Tensor):
        return value
    try:
        return torch.as_tensor(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"{what} needs {needed} (got {type(value).__name__}: {error})") from error
