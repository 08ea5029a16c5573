"""How far the difference of two arms could lie from what was seen, over test items and seeds together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sigraph.files.random import keyed_seed
from sigraph.leaderboard.predictions import Predictions
from sigraph.leaderboard.weighted_metrics import Score, weighted_score

MOST_DRAWS, FEWEST_DRAWS = 2000, 400
_WORK = 6e8  # cells that are drawn and scored in all
_CHUNK = 1 << 20  # cells of a table of counts
_UNDEFINED = 0.05  # share of draws that may leave a metric undefined; they are left out

Values = NDArray[np.float64]


def difference_interval(
    metric: str,
    ours: Sequence[Predictions],
    theirs: Sequence[Predictions],
    level: float = 0.95,
    num_draws: int | None = None,
    seed: int = 0,
    together: Sequence[int] | None = None,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the difference of mean scores, seeds and test items drawn anew together.

    A draw takes as many seeds and as many items as there are, with replacement; both arms are scored on the same draw,
    so that what makes an item easy or a seed lucky for both cancels out. The spread over seeds alone says nothing of a
    small test set, and the other way round. With few seeds it is too narrow, as every percentile bootstrap.

    Args:
        metric: Its name.
        ours: Predictions of the arm, one for each seed.
        theirs: Of the baseline, position i of both is the same seed. Items are matched by their numbers.
        level: Coverage, in (0, 1).
        num_draws: None: 2,000, fewer where items, columns and seeds are many.
        seed: Same seed, same interval.
        together: For each position a number; those of one number are drawn together, as the parts of one seed that
            were predicted apart. None: each is a seed of its own.

    Returns:
        Lower and upper end, ours minus theirs; None where the metric has no weighted form, the arms were tested on
        other items or labels, or more than 5 % of the draws leave it undefined.

    Source: the crossed ("pigeonhole") bootstrap of Owen, Annals of Applied Statistics 1(2), 2007, which is on the safe
    side.
    """
    if not 0 < level < 1:
        raise ValueError(f"'level' needs to be in (0, 1) in 'difference_interval' (got {level})")
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"'ours' and 'theirs' need one for each seed (got {len(ours)} and {len(theirs)})")
    scores: list[tuple[Score, Score]] = []
    rows: list[NDArray[np.int64]] = []
    for a, b in zip(map(_by_item, ours), map(_by_item, theirs), strict=True):
        if a.kind != b.kind or not (
            np.array_equal(a.item, b.item) and np.array_equal(a.y_true, b.y_true, equal_nan=True)
        ):
            return None
        pair = tuple(weighted_score(metric, one.kind, one.y_true, one.y_pred) for one in (a, b))
        if pair[0] is None or pair[1] is None or not len(a.item):
            return None
        scores.append((pair[0], pair[1]))
        rows.append(a.item)
    names, which = np.unique(range(len(scores)) if together is None else together, return_inverse=True)
    if len(which) != len(scores):
        raise ValueError(f"'together' needs a number for each of {len(scores)} (got {len(which)})")
    items = np.unique(np.concatenate(rows))
    places = [np.searchsorted(items, row) for row in rows]
    cells = sum(2 * len(p.item) * (p.y_true.shape[1] if p.y_true.ndim == 2 else 1) for p in ours)
    total = num_draws or int(np.clip(_WORK // cells, FEWEST_DRAWS, MOST_DRAWS))
    stream = np.random.Generator(np.random.Philox(keyed_seed(seed) & ((1 << 64) - 1)))
    found, chunk = [], max(1, _CHUNK // len(items))
    for start in range(0, total, chunk):
        size = min(chunk, total - start)
        counts, of_seeds = _drawn(stream, len(items), size), _drawn(stream, len(names), size)
        found.append(_differences(scores, places, counts, of_seeds[which]))
    values = np.concatenate(found)
    defined = values[np.isfinite(values)]
    if len(defined) < (1 - _UNDEFINED) * len(values):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high


def _differences(
    scores: list[tuple[Score, Score]], places: list[NDArray[np.int64]], counts: Values, of_seeds: Values
) -> Values:
    """Of each draw, the mean difference over the seeds that it drew. Shape [R]"""
    total = np.zeros(counts.shape[1])
    for (ours, theirs), place, times in zip(scores, places, of_seeds, strict=True):
        w = counts if len(place) == len(counts) and (place == np.arange(len(counts))).all() else counts[place]
        total += np.where(times > 0, times * (ours(w) - theirs(w)), 0.0)
    return total / len(scores)


def _drawn(stream: np.random.Generator, n: int, size: int) -> Values:
    """How often each of ``n`` is among ``n`` drawn with replacement. Shape [n, size]"""
    drawn = stream.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
    return np.ascontiguousarray(np.bincount(drawn.reshape(-1), minlength=n * size).reshape(size, n).T, dtype=np.float64)


def _by_item(one: Predictions) -> Predictions:
    """In the order of its items, without rows whose label is missing."""
    order = np.argsort(one.item, kind="stable")
    if one.y_true.ndim == 1:
        y = one.y_true[order]
        order = order[y >= 0 if one.kind == "classification" else ~np.isnan(y.astype(np.float64))]
    return Predictions(one.kind, one.item[order], one.y_true[order], one.y_pred[order])
