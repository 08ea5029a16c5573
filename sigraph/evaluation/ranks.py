"""Ranks of listed entries inside rows of similarities, by counting."""

from __future__ import annotations

import numpy as np

_MOST_CELLS = 1 << 22
_SORT_FROM = 24  # listed entries of a row from which sorting it is faster than counting for each


def count_ranks(similarity: np.ndarray, row: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many entries of its row exceed, and how many reach, each listed score.

    A row with few scores is compared with each of them; one with many (a hub) is sorted once.

    Args:
        similarity: Rows are reordered. Shape [a, N].
        row: Ascending. Shape [m].
        score: Shape [m].

    Returns:
        Two counts, of shape [m] each.
    """
    above, at_least = np.empty(len(row), dtype=np.int64), np.empty(len(row), dtype=np.int64)
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    hit = np.empty(similarity.shape[1], dtype=bool)
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(row)], strict=False):
        line = similarity[row[start]]  # [N]
        if stop - start >= _SORT_FROM:
            line.sort()
            above[start:stop] = len(line) - np.searchsorted(line, score[start:stop], side="right")
            at_least[start:stop] = len(line) - np.searchsorted(line, score[start:stop], side="left")
            continue
        for j in range(start, stop):
            above[j] = np.count_nonzero(np.greater(line, score[j], out=hit))
            at_least[j] = np.count_nonzero(np.greater_equal(line, score[j], out=hit))
    return above, at_least


class PooledCounts:
    """How many of the entries that come by reach each of some values; nothing is kept but counts.

    A value's place among the others is looked up by cells of equal width, of which few hold several values.

    Args:
        value: Ascending and distinct. Shape [V], V >= 1.
    """

    def __init__(self, value: np.ndarray) -> None:
        self.size = value.size
        self._next = np.append(value, value.dtype.type(np.inf))  # [V + 1]
        cells = min(1 << (4 * self.size).bit_length(), _MOST_CELLS)
        self._low, self._high = np.nextafter(value[0], -self._next[-1]), value[-1]
        width = float(self._high) - float(self._low)
        self._scale = value.dtype.type(min(cells / width, float(np.finfo(value.dtype).max)))
        cell = self._cell(value)
        self._lower = np.searchsorted(cell, np.arange(cell[-1] + 1)).astype(np.int32)  # values in cells before it
        self._reached = np.zeros(self.size + 1, dtype=np.int64)  # entries that reach so many values

    def _cell(self, entry: np.ndarray) -> np.ndarray:
        """Rising with the entry, however it is rounded."""
        above = entry.clip(self._low, self._high)
        above -= self._low
        above *= self._scale
        return above.astype(np.int32)

    def add(self, entry: np.ndarray) -> None:
        """Shape [any], no NaN."""
        reached = self._lower[self._cell(entry)].astype(np.intp)
        more = self._next[reached] <= entry
        reached += more
        again = more.nonzero()[0]
        while again.size:
            again = again[self._next[reached[again]] <= entry[again]]
            reached[again] += 1
        np.add.at(self._reached, reached, 1)

    def at_least(self) -> np.ndarray:
        """Entries that were >= each value. Shape [V]."""
        return self._reached[::-1].cumsum()[::-1][1:]


def sort_in_rows(row: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The scores ascending within each row; ``row`` ascends. Shape [m], [m] -> [m]."""
    score, starts = score.copy(), np.flatnonzero(np.diff(row, prepend=-1))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(row)], strict=False):
        score[start:stop].sort()
    return score


def rank_figures(
    row: np.ndarray, score: np.ndarray, above: np.ndarray, at_least: np.ndarray, ks: tuple[int, ...], gain: np.ndarray
) -> dict[str, float]:
    """Sums over queries of :func:`query_figures`."""
    return {name: float(value.sum()) for name, value in query_figures(row, score, above, at_least, ks, gain).items()}


def query_figures(
    row: np.ndarray, score: np.ndarray, above: np.ndarray, at_least: np.ndarray, ks: tuple[int, ...], gain: np.ndarray
) -> dict[str, np.ndarray]:
    """The figures of :func:`~sigraph.evaluation.graph_retrieval` of each query that has positives.

    Args:
        row: Query of each positive, ascending. Shape [m], m >= 1.
        score: Ascending in each row. Shape [m].
        above, at_least: Candidates of the row that exceed and reach the score. Shape [m].
        ks: The k of each figure @k.
        gain: Discounted gain of the first r ranks, r = 0, 1, .... Shape [N + 1].

    Shapes:
        - **returns:** [q] each, in the order of the rows
    """
    new_row = np.diff(row, prepend=-1) != 0
    first = np.flatnonzero(new_row)
    degree = np.diff(first, append=len(row))  # [q]
    query = np.cumsum(new_row) - 1  # [m] in [0, q)
    new_tie = new_row | (np.diff(score, prepend=score[:1]) != 0)
    own = (first + degree)[query] - np.flatnonzero(new_tie)[np.cumsum(new_tie) - 1]  # positives that reach the score
    tied, top = at_least - above, first + degree - 1  # [m], [q]

    def total(value: np.ndarray) -> np.ndarray:
        return np.bincount(query, weights=value, minlength=len(first))

    best = above[top] + (tied[top] + 1) / (own[top] + 1)  # rank of the first positive
    figures = {
        "lrap": total(own / at_least) / degree,
        "ndcg": total((gain[at_least] - gain[above]) / tied) / gain[degree],
        "mrr": 1 / best,
    }
    for k in ks:
        low, high, ideal = (np.minimum(v, k) for v in (above, at_least, degree))
        found = total((high - low) / tied)
        figures[f"precision@{k}"] = found / k
        figures[f"recall@{k}"] = found / degree
        figures[f"hits@{k}"] = (best <= k).astype(np.float64)
        figures[f"ndcg@{k}"] = total((gain[high] - gain[low]) / tied) / gain[ideal]
    return figures
