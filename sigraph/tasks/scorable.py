"""Whether a task can be scored as it says: told by labels, split and metric, before anything trains."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sigraph.files.counted import counted
from sigraph.tasks.evaluator import Labelled
from sigraph.tasks.metrics import METRICS, Metric

SCORED = ("valid", "test")
LARGEST_TARGET = 1e100  # of a regression; its squares, added up, stay far from the largest float64
RARE = 0.1  # share of a rarer class, below which accuracy says little
_TWO = 2  # classes, of which one is the rarer
_SHOWN = 4  # classes and columns that a message names
_PER_OUTPUT = 1000  # class ids beyond so many times the labelled samples are no class ids


def check_scorable(task: Labelled) -> None:
    """Refuse what :func:`undefined` finds, and a task of one class.

    Raises:
        ValueError: Names task, part, class or column, and the way out.
    """
    if reasons := undefined(task) or _unpredictable(task):
        raise ValueError(f"task {task.name!r}: {'; '.join(reasons)}")


def undefined(task: Labelled) -> list[str]:
    """Why a metric is not defined on a part that is scored, and the way out; nothing: all are on both.

    What ranks two classes needs both in a part, or a label column that holds 0 and 1; a correlation needs two different
    values; ``precision@K`` K items, ``hits@K`` K negatives.
    """
    parts = {part: task.part_labels(part) for part in SCORED}
    reasons: dict[str, list[str]] = {}
    for metric in task.scored_by():
        found = [reason for part, y in parts.items() if (reason := _undefined(task, metric, part, y))]
        if found:
            reasons.setdefault(" and ".join(found), []).append(metric.name)
    if not reasons:
        return []
    ways = ["a split that has both in that part" if task.type != "regression" else "a split whose part varies"]
    others = [name for name, other in METRICS[task.type].items() if not (other.needs or other.num_classes)]
    ways += [f"another metric ({' or '.join(others[:2])})"] if task.type != "multilabel" else []
    named = [f"metric {', '.join(map(repr, names))} is not defined: {why}" for why, names in reasons.items()]
    return [f"{reason}; give it {' or '.join(ways)}" for reason in named]


def _undefined(task: Labelled, metric: Metric, part: str, y: Tensor) -> str:
    """Why a metric is not defined on the labels of a part; empty: it is."""
    if metric.needs == "both" and task.type == "classification":
        if y.unique().numel() < 2:
            return f"{part!r} holds class {task.called(int(y[0]))!r} alone, {_samples(y)}"
        there = len(y) if metric.name.startswith("precision") else int((y == 0).sum())
        if metric.k > there:
            what = counted(there, "item" if metric.name.startswith("precision") else "negative")
            return f"{part!r} has {what}, fewer than {metric.k:,}"
    elif metric.needs == "both" and not bool((both := _both(y)).any()):
        ones, known = (y == 1).sum(dim=0).tolist(), (~_missing(y)).sum(dim=0).tolist()
        counts = [f"{task.called(i)!r} {ones[i]:,} x 1 of {known[i]:,}" for i in range(both.numel())]
        return f"no label column holds both 0 and 1 in {part!r}, {_samples(y)} ({_some(counts)})"
    elif metric.needs == "vary" and y.unique().numel() < 2:
        return f"all targets in {part!r} are {float(y[0]):.10g}, {_samples(y)}"
    return ""


def unlearnable(task: Labelled) -> list[str]:
    """What training cannot learn: classes and columns that are scored but not in train, constant targets."""
    train = task.part_labels("train")
    if task.type == "regression":
        constant = f"all targets in 'train' are {float(train[0]):.10g}: nothing to learn"
        return [constant] if train.unique().numel() < 2 and len(train) > 1 else []
    scored = torch.cat([task.part_labels(part) for part in SCORED])
    if task.type == "classification":
        absent = scored.unique()[~torch.isin(scored.unique(), train)].tolist()
        what = ("class is", "classes are")
    else:
        absent = ((scored == 1).any(dim=0) & ~(train == 1).any(dim=0)).nonzero().view(-1).tolist()
        what = ("label column is 1", "label columns are 1")
    if not absent:
        return []
    named = _some([repr(task.called(number)) for number in absent[: _SHOWN + 1]], len(absent))
    count = counted(len(absent), *what)
    return [f"{count} scored in 'valid' or 'test' but not in 'train': {named}; they cannot be learnt"]


def score_notes(task: Labelled) -> list[str]:
    """What to know when the score is read: the positive class, a rare class, columns that do not count."""
    y = torch.cat([task.part_labels(part) for part in task.split])
    notes = []
    if task.is_ranking:
        notes.append(f"{task.metric} ranks by the score of {task.called(1)!r}, the second of the two classes")
    if task.type == "classification":
        notes += rare_class(y, task.called, task.metric == "accuracy")
    if task.type == "multilabel":
        for part in SCORED:
            left = (~_both(task.part_labels(part))).nonzero().view(-1).tolist()
            if left:
                named = _some([repr(task.called(number)) for number in left[: _SHOWN + 1]], len(left))
                count = f"{len(left):,} of {task.num_outputs:,} label columns"
                notes.append(f"{task.metric} leaves out {count} in {part!r}, which lack 0 or 1 there: {named}")
    return notes


def rare_class(y: Tensor, called: Callable[[int], str | int], is_accuracy: bool = True) -> list[str]:
    """A note where nearly all samples are of one class, so that accuracy says little and the loss sees few others.

    Args:
        y: Classes that are looked at, -1 missing. Shape [n].
        called: What the user calls a class.
        is_accuracy: Whether accuracy decides, which others fit better than.
    """
    values, counts = y[y >= 0].unique(return_counts=True)
    share = float(counts.max() / counts.sum()) if values.numel() > 1 else 0.0
    if share <= 1 - RARE:
        return []
    largest = called(int(values[counts.argmax()]))
    what, metrics = f"all classes but {largest!r} have", "macro_f1"
    if values.numel() == _TWO:
        ranked = "rocauc, ap or " if int(counts.min()) >= len(SCORED) else ""  # which need both in each scored part
        what, metrics = f"class {called(int(values[counts.argmin()]))!r} has", f"{ranked}macro_f1"
    weight = f"finetune.class_weight: balanced gives {'it' if values.numel() == _TWO else 'them'} weight in the loss"
    if not is_accuracy:
        return [f"{what} {1 - share:.1%} of the labels; {weight}"]
    return [
        f"{what} {1 - share:.1%} of the labels: always {largest!r} gives accuracy {share:.3f}; "
        f"metrics that fit: {metrics} (--metric); {weight}"
    ]


def _unpredictable(task: Labelled) -> list[str]:
    """What no head can predict: targets whose squares are infinite; one class alone, or ids far beyond the samples."""
    y = torch.cat([task.part_labels(part) for part in task.split])
    if task.type == "regression":
        largest = float(y.double().abs().max())
        if largest <= LARGEST_TARGET:
            return []
        way = "give them in a larger unit, or their logarithms"
        return [f"targets need to be within {LARGEST_TARGET:g}, as their errors are squared (got {largest:g}); {way}"]
    if task.type != "classification":
        return []
    present = y.unique()
    if present.numel() < 2:
        name = task.called(int(present[0]))
        return [f"all samples of its split are of class {name!r}: there is nothing to tell apart; give it two classes"]
    if task.num_outputs > max(_PER_OUTPUT, 10 * task.num_items):
        count = f"{present.numel():,} classes have ids up to {task.num_outputs - 1:,}"
        way = "renumber them from 0, by y.unique(return_inverse=True)"
        return [f"{count}, and a head has an output for each id; {way}"]
    return []


def _missing(y: Tensor) -> Tensor:
    return torch.isnan(y) if y.is_floating_point() else torch.zeros_like(y, dtype=torch.bool)


def _both(y: Tensor) -> Tensor:
    """Label columns that hold 0 and 1. Shape [num_columns]."""
    return (y == 0).any(dim=0) & (y == 1).any(dim=0)


def _samples(y: Tensor) -> str:
    return counted(len(y), "sample")


def _some(items: list[str], count: int | None = None) -> str:
    count = len(items) if count is None else count
    more = f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more
