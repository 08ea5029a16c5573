"""Intervals over test items and seeds together: as a slow bootstrap finds them, and as often right as they say."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import f1_score

from sigraph.leaderboard.interval import difference_interval
from sigraph.leaderboard.predictions import Predictions


def arms(stream, num_items, num_seeds, gain=0.1, kind="classification"):
    """Predictions of two arms that agree on what is hard; all seeds of an arm are a little apart."""
    y, hard = stream.integers(3, size=num_items), stream.normal(size=num_items)
    found = []
    for better in (gain, 0.0):
        found.append([])
        for _ in range(num_seeds):
            luck = 0.2 * stream.normal()
            right = hard + 0.5 * stream.normal(size=num_items) + luck < 0.3 + better
            found[-1].append(Predictions(kind, np.arange(num_items), y, np.where(right, y, (y + 1) % 3)))
    return found


def slowly(score, ours, theirs, draws, stream):
    """Row by row, in plain Python."""
    n, seeds, values = len(ours[0].item), len(ours), []
    for _ in range(draws):
        rows, total = [stream.integers(n) for _ in range(n)], 0.0
        for s in (stream.integers(seeds) for _ in range(seeds)):
            a, b = ours[s], theirs[s]
            total += score(a.y_true[rows], a.y_pred[rows]) - score(b.y_true[rows], b.y_pred[rows])
        values.append(total / seeds)
    return np.quantile(values, [0.025, 0.975])


@pytest.mark.parametrize(
    ("metric", "score"),
    [
        ("accuracy", lambda y, p: (y == p).mean()),
        ("macro_f1", lambda y, p: f1_score(y, p, average="macro")),
    ],
)
def test_a_slow_bootstrap_finds_the_same(metric, score):
    ours, theirs = arms(np.random.default_rng(1), 40, 3)
    expected = slowly(score, ours, theirs, 400, np.random.default_rng(2))
    found = difference_interval(metric, ours, theirs, num_draws=4000)
    width = expected[1] - expected[0]
    assert np.abs(found - expected).max() < 0.15 * width and width > 0.05


def test_the_same_seed_is_the_same_interval_and_the_order_of_items_does_not_matter():
    ours, theirs = arms(np.random.default_rng(0), 50, 2)
    other = np.random.default_rng(5).permutation(50)
    moved = [Predictions(p.kind, p.item[other], p.y_true[other], p.y_pred[other]) for p in theirs]
    found = difference_interval("accuracy", ours, theirs)
    assert difference_interval("accuracy", ours, moved) == found
    one, other = (difference_interval("macro_f1", ours, theirs, seed=seed) for seed in (0, 1))
    assert one != other
    low, high = difference_interval("accuracy", theirs, ours)
    assert (low, high) == (pytest.approx(-found[1]), pytest.approx(-found[0]))


def test_a_single_seed_still_has_the_spread_of_its_test_items():
    ours, theirs = arms(np.random.default_rng(0), 50, 1)
    low, high = difference_interval("accuracy", ours, theirs)
    assert low < high
    assert difference_interval("accuracy", ours, ours) == (0.0, 0.0)


def test_parts_of_an_item_are_drawn_together():
    """A sequence of which every token is right, or none, is one item, however long it is."""
    rng = np.random.default_rng(0)
    right = rng.random(30) < 0.5
    y = np.zeros(30, int)
    whole = [Predictions("classification", np.arange(30), y, np.where(right, 0, 1))]
    base = [Predictions("classification", np.arange(30), y, np.ones(30, int))]
    parts = [[Predictions(p.kind, *(np.repeat(v, 20) for v in (p.item, p.y_true, p.y_pred)))] for (p,) in (whole, base)]
    assert difference_interval("accuracy", *parts) == difference_interval("accuracy", whole, base)


def test_what_was_not_tested_on_the_same_has_no_interval():
    (ours, theirs), y = arms(np.random.default_rng(0), 20, 1), np.arange(20)
    one = theirs[0]
    assert difference_interval("accuracy", ours, [Predictions(one.kind, y + 1, one.y_true, one.y_pred)]) is None
    assert difference_interval("accuracy", ours, [Predictions(one.kind, y, one.y_true[::-1], one.y_pred)]) is None
    assert difference_interval("of one's own", ours, theirs) is None
    rare = [Predictions("classification", y, (y == 0).astype(int), np.stack([y, -y], axis=1))]
    assert difference_interval("rocauc", rare, rare) is None  # a third of the draws hold no positive


def test_it_holds_the_truth_as_often_as_it_says():
    """Nominal 95 %, over new seeds and new test items; being crossed, it is rather too wide than too narrow."""
    stream = np.random.default_rng(7)
    held = []
    ours, theirs = arms(np.random.default_rng(8), 100_000, 40)  # the truth
    right = [np.mean([(one.y_true == one.y_pred).mean() for one in arm]) for arm in (ours, theirs)]
    truth = right[0] - right[1]
    for _ in range(150):
        low, high = difference_interval("accuracy", *arms(stream, 80, 10), num_draws=400)
        held.append(low <= truth <= high)
    assert 0.89 <= np.mean(held) <= 1.0


def test_it_imports_no_torch():
    code = "import sys, sigraph.leaderboard.interval; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_parts_of_one_seed_are_drawn_together():
    """Halves of the items that a seed predicts apart vary as the seed does, not as two seeds."""
    ours, theirs = arms(np.random.default_rng(3), 60, 4, gain=0.4)

    def halves(predictions):
        parts = [np.arange(60) % 2 == side for side in (0, 1)]
        return [
            Predictions(p.kind, *(value[part] for value in (p.item, p.y_true, p.y_pred)))
            for p in predictions
            for part in parts
        ]

    together = [s for s in range(4) for _ in range(2)]
    whole = np.subtract(*difference_interval("accuracy", ours, theirs, num_draws=4000)[::-1])
    both = np.subtract(
        *difference_interval("accuracy", halves(ours), halves(theirs), num_draws=4000, together=together)[::-1]
    )
    assert abs(both / whole - 1) < 0.1
    alone = [0] * 8  # a single seed: what varies are the items
    items_only = difference_interval("accuracy", halves(ours), halves(theirs), num_draws=4000, together=alone)
    assert np.subtract(*items_only[::-1]) < 0.95 * whole
    with pytest.raises(ValueError, match=r"'together' needs a number for each of 8 .got 2"):
        difference_interval("accuracy", halves(ours), halves(theirs), together=[0, 1])
