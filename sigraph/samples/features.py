"""Features: samples that are rows of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from sigraph.files.sums import HeldArray, map_array
from sigraph.samples.alike import Alike, hashed_rows, numbered
from sigraph.samples.base import Add, Files, Samples, feed_array, save_array

CHUNK = 1 << 24  # numbers checked at a time: 64 MB of float32


class Features(Samples):
    """Rows of numbers, in memory or mapped.

    Args:
        rows: float32 [N, F].
        path: The file of the user's that they are mapped from, so that they travel to other processes as that.

    Guide:
        given: floats ``[N, F]`` in a tensor, an array, lists; a table of numbers of pandas, polars; a ``.npy`` file
        an encoder is given: rows ``[B, F]``
    """

    kind, mark = "features", "samples.npy"

    def __init__(self, rows: Tensor | HeldArray, path: Path | None = None) -> None:
        self.rows = rows if isinstance(rows, HeldArray) else HeldArray(rows)
        self.path = path

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"in_channels": self.rows.raw.size(1)}

    def __len__(self) -> int:
        return len(self.rows)

    def fetch(self, node: Tensor) -> Tensor:
        """Rows, float [B, F]."""
        return self.rows.take(node)

    def take(self, node: Tensor) -> Features:
        return Features(self.rows.take(node))

    def describe(self) -> str:
        return f"rows of {self.rows.raw.size(1)} features"

    @property
    def given(self) -> Tensor:
        return self.rows.whole()

    def vectors(self) -> Tensor:
        return self.rows.whole()

    def check(self, owner: str = "SampleDataset") -> None:
        check_finite(self.rows.whole(), owner)

    def feed(self, add: Add) -> None:
        feed_array(add, "samples", self.rows.whole())

    def save(self, folder: Path) -> None:
        save_array(folder, self.mark, self.rows.whole())

    @classmethod
    def open(cls, files: Files) -> Features:
        rows = files.array(cls.mark)
        check_rows(rows.raw, getattr(rows, "file", cls.mark))
        return cls(rows)

    @classmethod
    def map(cls, path: Path) -> Features:
        """Map a ``.npy`` file of the user's, which has no sums."""
        return cls(check_rows(map_array(path), path), path)

    def __reduce__(self) -> Any:
        return (Features.map, (self.path,)) if self.path is not None else (Features, (self.rows,))

    @classmethod
    def alike(cls, sets: Sequence[Any], ids: pa.Array | None, kinds: Mapping[str, str] | None) -> Alike:
        """Bit by bit, by a 64-bit hash; rows of zeros are no content."""
        rows = [one.vectors() for one in sets]
        widths = {part.size(1) for part in rows}
        if len(widths) > 1:
            raise ValueError(f"'sets' need feature rows of one width in 'find_alike' (got {sorted(widths)})")
        codes = numbered(np.concatenate([hashed_rows(part) for part in rows]))
        empty = np.concatenate([_is_zero(part) for part in rows])
        return Alike({"exact": np.where(empty, -1, codes)}, f"rows of {widths.pop()} features")


def check_rows(rows: Tensor, path: Path | str) -> Tensor:
    """Refuse mapped rows that are no float32 [N, F]."""
    if rows.dtype != torch.float32:
        raise ValueError(f"{path} needs float32 feature rows to be mapped (got {rows.dtype}); convert it once")
    return rows


def check_finite(rows: Tensor, owner: str = "SampleDataset") -> None:
    """Refuse NaN and infinite features, naming the first rows; reads a piece at a time."""
    step = max(1, CHUNK // rows.size(1))
    bad: list[int] = []
    num_bad = 0
    for start in range(0, rows.size(0), step):
        wrong = (~torch.isfinite(rows[start : start + step])).any(dim=1).nonzero().view(-1)
        num_bad += wrong.numel()
        bad += (wrong[: 5 - len(bad)] + start).tolist()
    if num_bad:
        raise ValueError(
            f"'samples' needs finite features in {owner!r} (got NaN or infinite ones in {num_bad} rows; "
            f"first: {', '.join(map(str, bad))})"
        )


def _is_zero(rows: Tensor) -> np.ndarray:
    step = max(1, CHUNK // max(1, rows.size(1)))
    return np.concatenate([np.zeros(0, bool), *((block == 0).all(dim=1).numpy() for block in rows.split(step))])
