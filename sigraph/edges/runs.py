"""More edges than fit in memory, put in order: sorted runs on disk, merged a range of keys at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

MAX_NODES = 2**31  # two ids and a bit fill a key
STEP = 512  # keys of a run between two that stay in memory
# Bytes a key takes while runs are sorted and while they are merged, unweighted and weighted.
SORT_BYTES, MERGE_BYTES = (24, 120), (56, 208)


class Piece(NamedTuple):
    """Directed edges in order of (row, col): without repeats, and no edge is in two pieces."""

    row: np.ndarray  # [E'] int64
    col: np.ndarray  # [E'] int32
    weight: np.ndarray | None  # [E'] float32


class EdgeRuns:
    """Undirected edges in any order and number; they come back sorted, once per direction, the weight averaged.

    An edge is kept as two keys, ``row << 32 | col << 1 | upward``, one for each direction; ``upward`` says whether it
    was given from the smaller id to the larger. Runs hold each key once. Merging reads from every run the same range
    of keys, so chosen that they fit in memory: neither a hub nor an edge given a million times needs more.

    Args:
        folder: Where runs are written; with 8 bytes a key, 24 with weights.
        room: Bytes of memory to use.
        weighted: Whether edges have weights.
    """

    def __init__(self, folder: Path, room: int, weighted: bool = False) -> None:
        self.folder, self.weighted = folder, weighted
        self.capacity = max(2, room // SORT_BYTES[weighted])
        self.merged = max(2, room // MERGE_BYTES[weighted])
        self.step = max(1, min(STEP, self.capacity // 64))
        self.is_listed_both_ways = False  # known when all pieces were made, as is:
        self.num_different_weights = 0  # undirected edges whose weights are not all the same
        self._keys = np.empty(self.capacity, np.int64)
        self._weight = np.empty(self.capacity if weighted else 0, np.float32)
        self._used = 0
        self._runs: list[tuple[Path, int, np.ndarray]] = []  # file, keys, every STEP-th of them

    def add(self, u: np.ndarray, v: np.ndarray, weight: np.ndarray | None = None) -> None:
        """Some more edges, without self-loops. Shape [E'], ids in [0, 2^31)."""
        upward = (u < v).astype(np.int64)
        for row, col in ((u, v), (v, u)):
            keys = (row.astype(np.int64) << 32) | (col.astype(np.int64) << 1) | upward
            start = 0
            while start < keys.size:
                size = min(keys.size - start, self.capacity - self._used)
                self._keys[self._used : self._used + size] = keys[start : start + size]
                if weight is not None:
                    self._weight[self._used : self._used + size] = weight[start : start + size]
                self._used, start = self._used + size, start + size
                if self._used == self.capacity:
                    self._flush()

    def pieces(self) -> Iterator[tuple[Piece, float]]:
        """All edges in order, and the share of them that is done with each piece."""
        self._flush()
        del self._keys, self._weight  # their memory is the merge's now
        total, done, pairs = sum(count for _, count, _ in self._runs), 0, 0
        cuts = self._cuts()
        num_keys = 0
        for i in range(cuts.shape[1] - 1):
            keys, sums, counts = self._read(cuts[:, i], cuts[:, i + 1])
            done += keys.size
            keys, sums, counts = _merge(keys, sums, counts)
            num_keys += keys.size
            keys, sums, counts = _merge(keys >> 1, sums, counts)
            weight = None
            if sums is not None and counts is not None:
                weight = (sums / (counts >> 1)).astype(np.float32)
                self.num_different_weights += int((counts & 1).sum())
            pairs += keys.size
            yield Piece(keys >> 31, (keys & (MAX_NODES - 1)).astype(np.int32), weight), done / total
        self.is_listed_both_ways = num_keys == 2 * pairs > 0
        self.num_different_weights //= 2  # both directions were counted

    def _flush(self) -> None:
        keys = self._keys[: self._used]
        if keys.size == 0:
            return
        path = self.folder / f"run{len(self._runs)}"
        if self.weighted:
            given = self._weight[: self._used].astype(np.float64)
            kept, sums, counts = _merge(keys, given, None)
            _write(path.with_suffix(".sum"), sums)
            _write(path.with_suffix(".count"), counts)
        else:
            keys.sort()
            kept = keys[: _drop_repeats(keys)]
        _write(path.with_suffix(".key"), kept)
        self._runs.append((path, kept.size, kept[:: self.step].copy()))
        self._used = 0

    def _cuts(self) -> np.ndarray:
        """Where the ranges that are merged together begin and end in each run. Shape [runs, ranges + 1]."""
        if not self._runs:
            return np.zeros((0, 1), np.int64)
        known = np.sort(np.concatenate([sample for _, _, sample in self._runs]))
        # Between two known keys of a run lie `step`: a range holds at most that for each known key and each run.
        every = max(1, self.merged // self.step - len(self._runs))
        # Both keys of an edge that was given both ways stay in one range.
        limits = np.unique(known[every::every] >> 1 << 1)
        cuts = []
        for path, count, _ in self._runs:
            keys = np.memmap(path.with_suffix(".key"), np.int64, mode="r")
            cuts.append(np.concatenate([[0], np.searchsorted(keys, limits), [count]]))
        return np.stack(cuts)

    def _read(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        def read(suffix: str, dtype: type) -> np.ndarray:
            out: np.ndarray = np.empty(int((end - start).sum()), dtype)
            filled = 0
            for (path, _, _), low, high in zip(self._runs, start.tolist(), end.tolist(), strict=True):
                with path.with_suffix(suffix).open("rb") as file:
                    file.seek(low * out.itemsize)
                    part = out[filled : filled + high - low].view(np.uint8)
                    if file.readinto(part) != part.size:  # type: ignore[arg-type]
                        raise OSError(f"{file.name} is shorter than it was written")
                filled += high - low
            return out

        if not self.weighted:
            return read(".key", np.int64), None, None
        return read(".key", np.int64), read(".sum", np.float64), read(".count", np.int64)


def _merge(
    keys: np.ndarray, sums: np.ndarray | None, counts: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Each key once, in order, with the sum over its copies and twice their number, plus 1 where their weights differ.

    Sums of float32 are exact in float64, so that equal weights have equal means.
    """
    if sums is None:
        keys.sort(kind="stable")  # sorted runs one behind the other: merged, not sorted anew
        return keys[: _drop_repeats(keys)], None, None
    order = np.argsort(keys, kind="stable")
    keys, sums = keys[order], sums[order]
    counts = np.full(keys.size, 2) if counts is None else counts[order]
    first = _first(keys)
    starts = np.flatnonzero(first)
    mean = sums / (counts >> 1)
    differs = np.minimum.reduceat(mean, starts) != np.maximum.reduceat(mean, starts)
    differs |= np.bitwise_or.reduceat(counts & 1, starts) == 1
    return keys[first], np.add.reduceat(sums, starts), (np.add.reduceat(counts >> 1, starts) << 1) | differs


def _first(keys: np.ndarray) -> np.ndarray:
    """Whether a sorted key is the first of its copies."""
    first = np.ones(keys.size, bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return first


def _drop_repeats(keys: np.ndarray, at_once: int = 1 << 22) -> int:
    """Move the different ones of sorted keys to the front, in place; how many they are."""
    kept = 0
    for start in range(0, keys.size, at_once):
        part = keys[start : start + at_once]
        part = part[_first(part)]
        if kept and keys[kept - 1] == part[0]:
            part = part[1:]
        keys[kept : kept + part.size] = part
        kept += part.size
    return kept


def _write(path: Path, array: np.ndarray | None) -> None:
    with path.open("wb") as file:
        file.write(np.ascontiguousarray(array).data)
