"""Columns of the samples that give a task's labels or its split away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.data.columns import as_numbers, is_number, is_text
from sigraph.data.table_report import some
from sigraph.data.task import SPLITS, Task, is_labelled

Whole = Callable[[int], np.ndarray]  # a column, all known samples of it
LEAST = 5  # samples outside the largest class, and values in order: what fewer do may be chance
_CELLS = 1 << 24  # looked at to find what is worth a whole look
_ROWS = (256, 4096)


def say_giveaways(samples: Tensor | pa.Table, names: Sequence[str] | None, task: Task, is_given: bool) -> list[str]:
    """Notes on columns of which each value goes with one label, or one part of the split.

    Such a column may be the label under another name. It is told by its values alone: one with a value of its own for
    (nearly) every sample counts only if they are whole numbers of which each class is a range, as the row numbers of a
    sorted file are; a feature that happens to part the classes is none.

    Args:
        samples: Feature rows or records. [N]
        names: Of the features; None: they are numbered.
        task: Its labels and split.
        is_given: Whether the split was given, not drawn.
    """
    labelled = is_labelled(task.labels).numpy()
    y = task.labels.numpy()[labelled]
    notes = []
    if found := _find(samples, names, labelled, y):
        what = "the numbers" if task.type == "regression" else "a column of labels" if y.ndim == 2 else "the class"
        notes.append(f"{_listed(found)} tells {what} of every labelled sample{_way(found)}")
    if is_given:
        part = np.full(len(labelled), -1)
        for number, name in enumerate(SPLITS):
            part[task.split[name].numpy()] = number
        if found := _find(samples, names, part >= 0, part[part >= 0]):
            notes.append(f"{_listed(found)} tells which part of the split a sample is in{_way(found)}")
    return notes


def _listed(found: list[str]) -> str:
    return f"the column {found[0]!r}" if len(found) == 1 else f"each of the columns {some([*map(repr, found)])}"


def _way(found: list[str]) -> str:
    which = " ".join(f"--ignore {name}" for name in found[:3])
    return f": if it is what is to be learned under another name, leave it out ({which})"


def _find(samples: Tensor | pa.Table, names: Sequence[str] | None, known: np.ndarray, y: np.ndarray) -> list[str]:
    """Names of the columns that tell ``y`` of the known samples."""
    if isinstance(samples, Tensor):
        row = torch.from_numpy(np.flatnonzero(known))
        named = names or [f"column{i}" for i in range(1, samples.size(1) + 1)]
        width = max(1, _CELLS // max(len(row), 1))
        blocks = (
            (samples[:, start : start + width], named[start : start + width])
            for start in range(0, samples.size(1), width)
        )
        rows = _some_rows(len(row), samples.size(1))
        return [
            name
            for block, block_names in blocks
            for name in _told(block[row[rows]].numpy(), lambda i, block=block: block[row, i].numpy(), y, rows, block_names)
        ]
    found = []
    for name in samples.column_names:
        cells = samples.column(name)
        if is_number(cells.type):
            values, ordered = as_numbers(cells)[known], True
        elif is_text(cells.type):
            codes = pc.index_in(cells, value_set=pc.unique(cells)).to_numpy(zero_copy_only=False)
            values, ordered = codes[known].astype(np.float64), False
        else:
            continue
        rows = _some_rows(len(values), 1)
        found += _told(values[rows][:, None], lambda i, values=values: values, y, rows, [name], ordered)
    return found


def _some_rows(count: int, width: int) -> np.ndarray:
    """Rows to look at first."""
    number = min(count, int(np.clip(_CELLS // width, *_ROWS)))
    return np.sort(np.random.default_rng(0).choice(count, number, replace=False))


def _told(few: np.ndarray, whole: Whole, y: np.ndarray, rows: np.ndarray, names: Sequence[str], ordered: bool = True) -> list[str]:
    """Of some columns, those that tell ``y``: first by some rows, then by all."""
    most = len(rows) // 3
    if y.ndim == 2:
        return _equal_columns(few, whole, y, rows, names)
    if y.dtype.kind == "f":
        likely = _tells_numbers(few, y[rows])
        return [names[i] for i in np.flatnonzero(likely) if _tells_numbers(whole(i)[:, None], y)[0]]
    if len(y) - int(np.unique(y, return_counts=True)[1].max(initial=0)) < LEAST:
        return []
    likely = _tells_classes(few, y[rows], most, ordered)
    return [names[i] for i in np.flatnonzero(likely) if _tells_classes(whole(i)[:, None], y, most, ordered)[0]]


def _tells_classes(x: np.ndarray, y: np.ndarray, most: int, ordered: bool) -> np.ndarray:
    """Which columns have one class for each value, and few values, or each class in a range of its own. Shape [F]."""
    order = np.argsort(x, axis=0, kind="stable")
    values, classes = np.take_along_axis(x, order, 0), y[order]
    same, change = values[1:] == values[:-1], classes[1:] != classes[:-1]
    pure = ~(same & change).any(axis=0)
    is_few = (~same).sum(axis=0) + 1 <= most
    in_order = change.sum(axis=0) + 1 == len(np.unique(y))
    return pure & (is_few | (in_order & ordered & (x == np.round(x)).all(axis=0)))


def _tells_numbers(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which columns equal the numbers in float32, or rise (fall) with them throughout. Shape [F]."""
    equal = (x.astype(np.float32) == y.astype(np.float32)[:, None]).all(axis=0) & (len(np.unique(y)) > 1)
    order = np.argsort(x, axis=0, kind="stable")
    values, numbers = np.take_along_axis(x, order, 0), y[order]
    step, rises = np.diff(numbers, axis=0), values[1:] > values[:-1]
    # Within a run of equal values (rounded, perhaps) the numbers may be in any order.
    in_order = (~rises | (step >= 0)).all(axis=0) | (~rises | (step <= 0)).all(axis=0)
    different = np.minimum(rises.sum(axis=0) + 1, len(np.unique(y)))
    return equal | (in_order & (2 * different >= max(len(y), 2 * LEAST)))


def _equal_columns(few: np.ndarray, whole: Whole, y: np.ndarray, rows: np.ndarray, names: Sequence[str]) -> list[str]:
    """Which columns are one of several columns of labels, or its opposite."""
    counts = (y == 1).sum(axis=0)
    labels = y[:, (counts >= LEAST) & ((y == 0).sum(axis=0) >= LEAST) & ~np.isnan(y).any(axis=0)] > 0
    ones = np.packbits(labels[rows], axis=0).T
    known = {row.tobytes() for row in ones} | {row.tobytes() for row in np.packbits(~labels[rows], axis=0).T}
    binary = ((few == 0) | (few == 1)).all(axis=0)
    likely = [i for i in np.flatnonzero(binary) if np.packbits(few[:, i] > 0).tobytes() in known]
    found = []
    for i in likely:
        column = whole(i)[:, None] > 0
        if ((labels == column).all(axis=0) | (labels != column).all(axis=0)).any():
            found.append(names[i])
    return found
