"""Statistics over seeds, against scipy and against values worked out by hand."""

import numpy as np
import pytest
import torch
from scipy import stats

from sigraph.leaderboard.statistics import (
    bootstrap_interval,
    error_reduction_interval,
    holm,
    mean_ranks,
    paired_t,
    ranks,
    relative_error_reduction,
    spread,
    wilcoxon,
)

A = [0.812, 0.795, 0.841, 0.808, 0.826, 0.819, 0.833, 0.802, 0.815, 0.829]
B = [0.801, 0.799, 0.812, 0.805, 0.811, 0.822, 0.810, 0.797, 0.803, 0.808]


def test_spread_is_unbiased():
    assert spread(A) == pytest.approx(np.std(A, ddof=1))
    assert spread([0.5]) is None


# Error reduction ######################################################################################################


@pytest.mark.parametrize(
    ("score", "baseline", "greater", "expected"),
    [
        (0.9, 0.8, True, 50.0),  # errors 0.1 and 0.2
        (0.8, 0.8, True, 0.0),
        (0.7, 0.8, True, -50.0),
        (1.0, 0.8, True, 100.0),
        (0.6, 0.8, False, 25.0),  # an RMSE is its own error
        (3.0, 2.0, False, -50.0),
        (0.5, -0.5, True, 200 / 3),  # Spearman: errors 0.5 and 1.5
    ],
)
def test_error_reduction_by_hand(score, baseline, greater, expected):
    assert relative_error_reduction(score, baseline, greater) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("score", "baseline", "greater"), [(0.9, 1.0, True), (0.1, 0.0, False), (1.2, 0.8, True), (-0.1, 0.8, False)]
)
def test_error_reduction_is_none_where_it_is_not_defined(score, baseline, greater):
    assert relative_error_reduction(score, baseline, greater) is None


# Bootstrap ############################################################################################################


def test_bootstrap_agrees_with_scipy():
    def reduction(a, b, axis=-1):
        return 100 * (a.mean(axis) - b.mean(axis)) / (1 - b.mean(axis))

    expected = stats.bootstrap(
        (np.array(A), np.array(B)), reduction, paired=True, vectorized=True, method="percentile",
        n_resamples=50_000, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    low, high = error_reduction_interval(A, B)
    assert low == pytest.approx(expected.low, abs=0.1) and high == pytest.approx(expected.high, abs=0.1)
    assert low < relative_error_reduction(np.mean(A), np.mean(B)) < high


def test_bootstrap_over_three_seeds_by_hand():
    # Of the 27 resamples of [0, 0, 1] eight have mean 0 and one has mean 1, so 90 % lie from 0 to 2/3.
    assert bootstrap_interval(lambda x: x.mean(axis=1), [0.0, 0.0, 1.0], level=0.9) == pytest.approx((0, 2 / 3))


def test_bootstrap_keeps_pairs():
    # Scores far apart over seeds, each pair exactly 0.1 apart: resampled as pairs, every mean difference is 0.1.
    base = [0.1, 0.5, 0.9, 0.3]
    low, high = bootstrap_interval(lambda a, b: (a - b).mean(axis=1), [b + 0.1 for b in base], base)
    assert low == pytest.approx(0.1) and high == pytest.approx(0.1)


def test_bootstrap_repeats_itself_and_leaves_global_randomness_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert error_reduction_interval(A, B) == error_reduction_interval(A, B)
    assert torch.equal(before, torch.get_rng_state())
    wider = bootstrap_interval(lambda x: x.mean(axis=1), A, level=0.99)
    narrow = bootstrap_interval(lambda x: x.mean(axis=1), A, level=0.5)
    assert wider[0] < narrow[0] < narrow[1] < wider[1]
    assert narrow != bootstrap_interval(lambda x: x.mean(axis=1), A, level=0.5, seed=1)


def test_no_interval_where_there_is_none():
    assert error_reduction_interval([0.9], [0.8]) is None
    assert error_reduction_interval([0.9, 0.8], [1.0, 0.5]) is None  # a resample has a baseline without error
    assert error_reduction_interval([1.9, 0.8], [0.7, 0.5]) is None
    with pytest.raises(ValueError, match="'level'"):
        bootstrap_interval(lambda x: x.mean(axis=1), A, level=95)


# Tests ################################################################################################################


def test_paired_tests_agree_with_scipy():
    assert paired_t(A, B) == pytest.approx(stats.ttest_rel(A, B).pvalue)
    assert wilcoxon(A, B) == pytest.approx(stats.wilcoxon(A, B).pvalue)
    assert paired_t(A, B) == pytest.approx(paired_t(B, A))
    assert paired_t(A, B) != pytest.approx(stats.ttest_ind(A, B).pvalue)


def test_paired_tests_by_hand():
    # Differences 1, 2, 3: t = 2 / (1 / sqrt 3) = 3.4641 with two degrees of freedom.
    assert paired_t([1, 2, 3], [0, 0, 0]) == pytest.approx(2 * stats.t.sf(2 * 3**0.5, 2))
    # All n signs agree: 2 / 2^n, whatever the sizes.
    assert wilcoxon([1, 2, 3, 4, 5], [0] * 5) == pytest.approx(2 / 2**5)


@pytest.mark.parametrize("test", [paired_t, wilcoxon])
def test_what_cannot_be_tested(test):
    assert test([], []) is None and test([0.9], [0.8]) is None
    assert test([0.8, 0.9, 0.7], [0.8, 0.9, 0.7]) == 1.0
    with pytest.raises(ValueError, match="same length"):
        test([0.8, 0.9], [0.8])
    with pytest.raises(ValueError, match="finite"):
        test([0.8, float("nan")], [0.8, 0.7])


def test_equal_differences_leave_the_t_test_without_a_spread():
    assert paired_t([0.82, 0.81, 0.93], [0.81, 0.80, 0.92]) is None  # 0.01 each, up to rounding


# Several tasks ########################################################################################################


def test_holm_by_hand():
    # Sorted 0.01, 0.03, 0.04 times 3, 2, 1 is 0.03, 0.06, 0.04; never below the one before.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02] and holm([]) == []


def test_holm_passes_over_what_is_not_known():
    assert holm([None, 0.02, None, 0.03]) == [None, pytest.approx(0.04), None, pytest.approx(0.04)]


def test_holm_keeps_the_family_wise_error():
    generator = np.random.default_rng(0)
    wrong = [min(holm(row)) < 0.05 for row in generator.random((4000, 6)).tolist()]  # six true nulls
    assert 0.035 < np.mean(wrong) < 0.06


def test_ranks():
    assert ranks({"a": 0.8, "b": 0.9, "c": 0.8, "d": 0.1}) == {"a": 2.5, "b": 1.0, "c": 2.5, "d": 4.0}
    assert ranks({"a": 0.8, "b": 0.9}, greater_is_better=False) == {"a": 1.0, "b": 2.0}


def test_mean_ranks_use_tasks_on_which_everyone_was_ranked():
    tasks = [{"a": 1.0, "b": 2.0}, {"a": 1.5, "b": 1.5}, {"a": 1.0}]
    assert mean_ranks(tasks) == ({"a": 1.25, "b": 1.75}, 2)
    assert mean_ranks([{"a": 1.0}, {"b": 1.0}]) == ({}, 0) and mean_ranks([]) == ({}, 0)
