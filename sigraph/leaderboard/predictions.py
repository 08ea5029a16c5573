"""Test predictions of a run, kept as Parquet beside its record, whose sum tells whether they are what was predicted.

Columns: ``item``, its number in the task; the user's id of its sample as ``id`` (``id_0``, ``id_1`` of a pair) where
there are ids; ``repeat``, the number of the fine-tuning, where there are several; ``y_true``; ``y_pred``. What has
several columns has a number behind: ``y_pred_0``, ``y_pred_1``, ... An item of which several parts are predicted is
several rows. Imports no torch.
"""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigraph.files.atomic import atomic_file, sha256
from sigraph.leaderboard.records import TaskResult

PREDICTIONS = "predictions"  # the folder of a run that holds them
KINDS = ("classification", "multilabel", "regression", "retrieval")
_ABOUT = b"sigraph"
_MOST_BYTES = 1 << 32
_NUMBERED = re.compile(r"(y_true|y_pred)_(\d{1,6})")


class PredictionsError(ValueError):
    """A file of predictions is missing, or not what was written."""


@dataclass(frozen=True)
class Predictions:
    """What was predicted of the test items.

    Args:
        kind: Of the labels: ``classification``, ``multilabel`` or ``regression``; or ``retrieval``, of which ``y_true``
            is how many answers a query has, and ``y_pred`` its figures, that of the first metric first.
        item: Numbers of the items; an item of several parts stands once for each. Shape [R].
        y_true: [R] or [R, L]; NaN (a class: -1) where a label is missing.
        y_pred: [R] or [R, C], as the task's evaluator takes them.
        repeat: Of several fine-tunings, the number of that which predicted it. Shape [R]; None: there is one.

    Raises:
        PredictionsError: The shapes differ, or something is no number.
    """

    kind: str
    item: NDArray[np.int64]
    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    repeat: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise PredictionsError(f"'kind' needs to be one of {', '.join(KINDS)} (got {self.kind!r:.40})")
        for name in ("item", "y_true", "y_pred", *([] if self.repeat is None else ["repeat"])):
            value = getattr(self, name)
            if value.dtype.kind not in "iufb" or len(value) != len(self.item) or value.ndim not in (1, 2):
                raise PredictionsError(
                    f"'{name}' needs a row of numbers an item, {len(self.item)} (got {value.dtype} {value.shape})"
                )

    def each(self) -> list[Predictions]:
        """Those of each fine-tuning."""
        if self.repeat is None:
            return [self]
        parts = [self.repeat == number for number in np.unique(self.repeat)]
        return [Predictions(self.kind, self.item[part], self.y_true[part], self.y_pred[part]) for part in parts]


def write_predictions(file: Path, predictions: Predictions, ids: Mapping[str, Any] | None = None) -> str:
    """Write them, all or nothing.

    Args:
        file: Where to.
        predictions: What.
        ids: Further columns (Arrow arrays): the user's ids of the samples.

    Returns:
        Hexadecimal SHA-256 of the file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"item": pa.array(predictions.item), **(ids or {})}
    columns |= {} if predictions.repeat is None else {"repeat": pa.array(predictions.repeat)}
    for name in ("y_true", "y_pred"):
        value = getattr(predictions, name)
        parts = {name: value} if value.ndim == 1 else {f"{name}_{i}": column for i, column in enumerate(value.T)}
        columns |= {each: pa.array(np.ascontiguousarray(column)) for each, column in parts.items()}
    about = {_ABOUT: json.dumps({"kind": predictions.kind}).encode()}
    with atomic_file(file) as target:
        pq.write_table(pa.table(columns).replace_schema_metadata(about), target, compression="zstd")
    return sha256(file)


def read_predictions(folder: Path, result: TaskResult) -> Predictions | None:
    """The predictions behind a task's result; None: its record names none.

    Args:
        folder: That holds the file which the record names.
        result: The task's result.

    Raises:
        PredictionsError: They are missing, damaged, or not in the form that is written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if result.predictions is None:
        return None
    if wrong := damage(folder, result):
        raise PredictionsError(wrong)
    file = folder / result.predictions["file"]
    try:
        table = pq.read_table(file, partitioning=None, memory_map=False)
        about = json.loads((table.schema.metadata or {}).get(_ABOUT, b"{}"))
        item = table["item"].to_numpy().astype(np.int64)
        y_true, y_pred = (_columns(table, name) for name in ("y_true", "y_pred"))
        repeat = table["repeat"].to_numpy().astype(np.int64) if "repeat" in table.column_names else None
        return Predictions(str(about.get("kind")), item, y_true, y_pred, repeat)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise PredictionsError(f"{file} holds no predictions ({reason:.200})") from error


def damage(folder: Path, result: TaskResult) -> str | None:
    """What is wrong with the file that a result names: missing, or of another sum; None: nothing, or it names none."""
    if result.predictions is None:
        return None
    file = folder / result.predictions["file"]
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_BYTES:
            return f"{file} is no file of predictions"
        return None if sha256(file) == result.predictions["sha256"] else f"{file} is damaged (its sum is another)"
    except FileNotFoundError:
        return f"{file} is missing"
    except OSError as error:
        return f"{file} cannot be read ({error.strerror or error})"


def _columns(table: Any, name: str) -> NDArray[Any]:
    """A single column [R], or the numbered ones side by side [R, C]."""
    if name in table.column_names:
        return table[name].to_numpy()
    numbers = sorted(
        int(found[2]) for each in table.column_names if (found := _NUMBERED.fullmatch(each)) and found[1] == name
    )
    if not numbers or numbers != list(range(len(numbers))):
        raise KeyError(f"no column {name}")
    return np.stack([table[f"{name}_{i}"].to_numpy() for i in numbers], axis=1)
