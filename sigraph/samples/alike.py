"""Which samples are the same sample again: groups by content, and the numbering that they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from torch import Tensor

from sigraph.files.columns import is_text
from sigraph.files.random import mixed

_BLOCK = 1 << 23  # numbers held at a time


@dataclass
class Alike:
    """Samples grouped by content, from strict to loose.

    Args:
        levels: ``exact`` (the same content), then ``normalised`` (text and sequences in the forms of
            :mod:`~sigraph.samples.normal_forms`) or ``canonical`` (molecules by their canonical SMILES). Two
            samples are alike at a level if their numbers there are the same; -1: a sample without content, alike to
            none. Shape [N] each.
        read_as: What was compared, in words.
        notes: What could not be done, in words.
        chance: Probability that two rows of several columns of codes are equal if the columns are independent; 0 for
            other content, which is taken to be rich.
    """

    levels: dict[str, np.ndarray]
    read_as: str
    notes: list[str] = field(default_factory=list)
    chance: float = 0.0

    @property
    def loosest(self) -> np.ndarray:
        """The numbers of the last level. [N]"""
        return list(self.levels.values())[-1]


def hashed_rows(rows: Tensor) -> np.ndarray:
    """A 64-bit hash of each row's bits; 0.0 and -0.0 are one. Shape [N, F] -> [N] uint64."""
    width = max(1, rows.size(1))
    place = mixed(np.arange(1, width + 1, dtype=np.uint64))
    out = np.empty(len(rows), dtype=np.uint64)
    for start in range(0, len(rows), step := max(1, _BLOCK // width)):
        block = np.ascontiguousarray((rows[start : start + step] + 0).numpy())  # -0.0 + 0 is 0.0
        bits = block.view(f"u{block.dtype.itemsize}").astype(np.uint64)
        out[start : start + step] = mixed(mixed(bits ^ place[: bits.shape[1]]).sum(axis=1, dtype=np.uint64))
    return out


def numbered(keys: np.ndarray) -> np.ndarray:
    """Equal keys as equal numbers 0, 1, ... [N] int64."""
    return np.unique(keys, return_inverse=True)[1].reshape(-1).astype(np.int64)


def codes_of(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Numbers of a column's values by first appearance, -1 for nulls, [N]; and the values by number."""
    if pa.types.is_nested(column.type):
        column = pa.chunked_array([pa.array([None if v is None else repr(v) for v in column.to_pylist()], pa.string())])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    encoded = column.dictionary_encode().combine_chunks()
    return encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary


def together(codes: Sequence[np.ndarray]) -> np.ndarray:
    """One number for a row of numbers. [N]"""
    out = codes[0]
    for code in codes[1:]:
        out = numbered((out + 1) * (int(code.max(initial=-1)) + 2) + code + 1)
    return out


def joined(tables: list[pa.Table], name: str) -> pa.ChunkedArray:
    columns = [table.column(name) for table in tables]
    kind = columns[0].type
    if is_text(kind) or pa.types.is_dictionary(kind):
        kind = pa.large_string() if is_text(kind) else kind.value_type
    return pa.chunked_array([chunk for column in columns for chunk in column.cast(kind).chunks], kind)
