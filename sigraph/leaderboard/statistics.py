"""Statistics over seeds: spread, error reduction, paired tests, correction for several tasks, ranks."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from sigraph.files.random import keyed_seed

Values = NDArray[np.float64]


def spread(values: Sequence[float]) -> float | None:
    """Unbiased standard deviation; None for a single value, whose spread is not known."""
    return statistics.stdev(values) if len(values) > 1 else None


@overload
def error(score: float, greater_is_better: bool = True) -> float: ...
@overload
def error(score: Values, greater_is_better: bool = True) -> Values: ...
def error(score, greater_is_better=True):
    """What is missing to a perfect score: ``1 - score``, or the score itself where lower is better.

    1 is the best value of accuracy, F1, ROC-AUC, average precision and Spearman's correlation alike; the error of the
    last lies in [0, 2]. RMSE and MAE are errors already.
    """
    return 1 - score if greater_is_better else score


def relative_error_reduction(score: float, baseline: float, greater_is_better: bool = True) -> float | None:
    r"""Share of the baseline's error that is gone, in percent, positive where the score is better.

    .. math:: \mathrm{RRE} = 100 \cdot (err_{base} - err) / err_{base}

    Args:
        score: Of the arm.
        baseline: Score of what it is compared with.
        greater_is_better: False for errors such as RMSE; see :func:`error`.

    Returns:
        Percent; None where it is not defined: a baseline without error, or with next to none, or scores that have none
        (above 1 where greater is better, below 0 where lower is).
    """
    err, err_base = error(score, greater_is_better), error(baseline, greater_is_better)
    if err_base <= 0 or err < 0:
        return None
    percent = 100 * (err_base - err) / err_base
    return percent if math.isfinite(percent) else None


def error_reduction_interval(
    scores: Sequence[float], baseline: Sequence[float], greater_is_better: bool = True, level: float = 0.95
) -> tuple[float, float] | None:
    """Bootstrap interval of :func:`relative_error_reduction` of the means; position i of both is the same seed.

    None where the reduction, or that of a resample, is not defined.
    """
    if any(error(score, greater_is_better) < 0 for score in (*scores, *baseline)):
        return None

    def reduction(a: Values, b: Values) -> Values:  # [R, n] -> [R]
        err, err_base = error(a.mean(axis=1), greater_is_better), error(b.mean(axis=1), greater_is_better)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(err_base > 0, 100 * (err_base - err) / err_base, np.nan)

    return bootstrap_interval(reduction, scores, baseline, level=level)


def bootstrap_interval(
    statistic: Callable[..., Values],
    *samples: Sequence[float],
    level: float = 0.95,
    num_resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval; all samples are resampled together, so pairs stay pairs.

    With few seeds it is too narrow, as every percentile bootstrap: read it beside the paired tests.

    Args:
        statistic: Maps the resampled samples, each [num_resamples, n], to values [num_resamples].
        samples: One or more of the same length n; position i of each belongs to the same seed.
        level: Coverage, in (0, 1).
        num_resamples: Resamples, >= 1.
        seed: Same seed, same interval.

    Returns:
        Lower and upper end; None for fewer than two seeds, or if the statistic of a resample is not finite.
    """
    if not 0 < level < 1:
        raise ValueError(f"'level' needs to be in (0, 1) in 'bootstrap_interval' (got {level})")
    pairs = _pairs(*samples)
    n = len(pairs)
    if n < 2:
        return None
    table = np.array(pairs)  # [n, samples]
    stream = np.random.RandomState(keyed_seed(seed) & 0xFFFFFFFF)
    drawn = stream.randint(1 << 32, size=(num_resamples, n), dtype=np.uint32) % n  # what torch.randint draws
    values = statistic(*np.moveaxis(table[drawn], 2, 0))  # [R]
    if not np.isfinite(values).all():
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return low, high


def paired_t(scores: Sequence[float], baseline: Sequence[float]) -> float | None:
    """Two-sided p-value of the paired t test; position i of both is the same seed.

    1.0 if all differences are zero. None for fewer than two pairs, and for differences that are all the same but not
    zero: their spread, which the test divides by, is not known then.
    """
    differences = _differences(scores, baseline)
    if len(differences) < 2:
        return None
    if not any(differences):
        return 1.0
    if len(set(differences)) == 1:
        return None
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def wilcoxon(scores: Sequence[float], baseline: Sequence[float]) -> float | None:
    """Two-sided p-value of Wilcoxon's signed-rank test; position i of both is the same seed.

    Zero differences are left out, as Wilcoxon did; 1.0 if all are zero. None for fewer than two pairs. With n pairs it
    cannot fall below 2 / 2^n: five seeds never give p < 0.05.
    """
    differences = _differences(scores, baseline)
    if len(differences) < 2:
        return None
    if not any(differences):
        return 1.0
    with warnings.catch_warnings():  # scipy remarks that n is small, which the table shows
        warnings.simplefilter("ignore")
        return float(stats.wilcoxon(differences).pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction of a family of p-values, in their order; None stays None and does not count."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        corrected[i] = largest
    return corrected


def ranks(scores: Mapping[str, float], greater_is_better: bool = True) -> dict[str, float]:
    """Name -> rank, 1 is the best; equal scores share the mean of their ranks."""
    sign = -1 if greater_is_better else 1
    values = stats.rankdata([sign * score for score in scores.values()])
    return dict(zip(scores, (float(value) for value in values), strict=True))


def mean_ranks(tasks: Sequence[Mapping[str, float]]) -> tuple[dict[str, float], int]:
    """Mean of :func:`ranks` over the tasks on which everyone was ranked, and how many those are.

    Args:
        tasks: Name -> rank, one mapping a task.
    """
    names = list(dict.fromkeys(name for task in tasks for name in task))
    shared = [task for task in tasks if len(task) == len(names)]
    return {name: statistics.fmean(task[name] for task in shared) for name in names if shared}, len(shared)


def _pairs(*samples: Sequence[float]) -> list[tuple[float, ...]]:
    if len({len(sample) for sample in samples}) != 1:
        raise ValueError(f"paired samples need the same length (got {', '.join(str(len(s)) for s in samples)})")
    for value in (value for sample in samples for value in sample):
        if not math.isfinite(value):
            raise ValueError(f"paired samples need finite scores (got {value})")
    return [tuple(map(float, values)) for values in zip(*samples, strict=True)]


def _differences(scores: Sequence[float], baseline: Sequence[float]) -> list[float]:
    # 0.82 - 0.81 and 0.81 - 0.80 are a tie to anyone but a computer.
    return [round(a - b, 12) for a, b in _pairs(scores, baseline)]
