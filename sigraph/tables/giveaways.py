"""Columns of the samples that give a task's labels or its split away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.files.columns import as_numbers, is_number, is_text
from sigraph.samples import Samples
from sigraph.tables.report import some
from sigraph.tasks.task import SPLITS, Task, is_labelled

LEAST = 5  # samples outside the largest class, and values in order: what fewer do may be chance
_CELLS = 1 << 24  # looked at to find what is worth a whole look
_ROWS = (256, 4096)


def say_giveaways(samples: Samples, names: Sequence[str] | None, task: Task, is_given: bool) -> list[str]:
    """Notes on columns of which each value goes with one label, or one part of the split.

    Such a column may be the label under another name. It is told by its values alone: one with a value of its own for
    (nearly) every sample counts only if they are whole numbers of which each class is a range, as the row numbers of a
    sorted file are; a feature that happens to part the classes is none.

    Args:
        samples: Feature rows or records; of others no column is looked at. [N]
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


class _Columns(NamedTuple):
    """Some columns over the samples that are known."""

    names: Sequence[str]
    few: np.ndarray  # [n', F] some rows of them
    whole: Callable[[int], np.ndarray]  # a column, [n]
    is_ordered: bool = True  # whether its values have an order; codes of texts have none


def _find(samples: Samples, names: Sequence[str] | None, known: np.ndarray, y: np.ndarray) -> list[str]:
    """Names of the columns that tell ``y`` of the known samples: by some rows of all, then by all rows of some."""
    features, records = samples.vectors(), samples.records()
    count, width = len(y), 1 if features is None else features.size(1)
    number = min(count, int(np.clip(_CELLS // width, *_ROWS)))
    rows = np.sort(np.random.default_rng(0).choice(count, number, replace=False))
    parts: Iterable[_Columns] = ()
    if features is not None:
        parts = _of_features(features, names or [f"column{i + 1}" for i in range(width)], known, rows)
    elif records is not None:
        parts = _of_records(records, known, rows)
    return [name for columns in parts for name in _told(columns, y, rows)]


def _of_features(samples: Tensor, names: Sequence[str], known: np.ndarray, rows: np.ndarray) -> Iterator[_Columns]:
    row = torch.from_numpy(np.flatnonzero(known))
    width = max(1, _CELLS // max(len(rows), 1))
    for start in range(0, samples.size(1), width):
        block = samples[:, start : start + width]

        def whole(i: int, block: Tensor = block) -> np.ndarray:
            return block[row, i].numpy()

        yield _Columns(names[start : start + width], block[row[rows]].numpy(), whole)


def _of_records(samples: pa.Table, known: np.ndarray, rows: np.ndarray) -> Iterator[_Columns]:
    for name in samples.column_names:
        cells = samples.column(name)
        if is_number(cells.type):
            values = as_numbers(cells)[known]
        elif is_text(cells.type):
            codes = pc.index_in(cells, value_set=pc.unique(cells)).to_numpy(zero_copy_only=False)
            values = codes[known].astype(np.float64)
        else:
            continue

        def whole(i: int, values: np.ndarray = values) -> np.ndarray:
            return values

        yield _Columns([name], values[rows][:, None], whole, is_number(cells.type))


def _told(columns: _Columns, y: np.ndarray, rows: np.ndarray) -> list[str]:
    """Those of some columns that tell ``y``."""
    names, few, whole, is_ordered = columns
    if y.ndim == 2:
        return _equal_columns(columns, y, rows)
    if y.dtype.kind == "f":
        likely = _tells_numbers(few, y[rows])
        return [names[i] for i in np.flatnonzero(likely).tolist() if _tells_numbers(whole(i)[:, None], y)[0]]
    if len(y) - int(np.unique(y, return_counts=True)[1].max(initial=0)) < LEAST:
        return []
    most = len(rows) // 3
    likely = _tells_classes(few, y[rows], most, is_ordered)
    return [
        names[i] for i in np.flatnonzero(likely).tolist() if _tells_classes(whole(i)[:, None], y, most, is_ordered)[0]
    ]


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


def _equal_columns(columns: _Columns, y: np.ndarray, rows: np.ndarray) -> list[str]:
    """Those of some columns that are one of several columns of labels, or its opposite."""
    enough = np.minimum((y == 1).sum(axis=0), (y == 0).sum(axis=0)) >= LEAST
    labels = y[:, enough & ~np.isnan(y).any(axis=0)] > 0
    either = np.concatenate([labels[rows], ~labels[rows]], axis=1)
    known = {column.tobytes() for column in np.packbits(either, axis=0).T}
    is_binary = ((columns.few == 0) | (columns.few == 1)).all(axis=0)
    found = []
    for i in np.flatnonzero(is_binary).tolist():
        if np.packbits(columns.few[:, i] > 0).tobytes() in known:
            column = columns.whole(i)[:, None] > 0
            if ((labels == column).all(axis=0) | (labels != column).all(axis=0)).any():
                found.append(columns.names[i])
    return found
