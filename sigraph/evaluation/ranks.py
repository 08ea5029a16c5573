"""Ranks of listed entries inside rows of similarities, by counting."""

from __future__ import annotations

import numpy as np

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


def sort_in_rows(row: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The scores ascending within each row; ``row`` ascends. Shape [m], [m] -> [m]."""
    score, starts = score.copy(), np.flatnonzero(np.diff(row, prepend=-1))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(row)], strict=False):
        score[start:stop].sort()
    return score


def rank_figures(
    row: np.ndarray, score: np.ndarray, above: np.ndarray, at_least: np.ndarray, ks: tuple[int, ...], gain: np.ndarray
) -> dict[str, float]:
    """Sums over queries of the figures of :func:`~sigraph.evaluation.graph_retrieval`.

    Args:
        row: Query of each positive, ascending. Shape [m], m >= 1.
        score: Ascending in each row. Shape [m].
        above, at_least: Candidates of the row that exceed and reach the score. Shape [m].
        ks: The k of each figure @k.
        gain: Discounted gain of the first r ranks, r = 0, 1, .... Shape [N + 1].
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
        figures[f"hits@{k}"] = best <= k
        figures[f"ndcg@{k}"] = total((gain[high] - gain[low]) / tied) / gain[ideal]
    return {name: float(value.sum()) for name, value in figures.items()}
