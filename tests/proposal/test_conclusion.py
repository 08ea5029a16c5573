"""From signs of gains to a verdict and to sentences."""

from types import SimpleNamespace

import pytest

from sigraph.proposal.advice import Findings
from sigraph.proposal.conclusion import conclude
from sigraph.proposal.curve_shown import curve_table, lines_of
from sigraph.proposal.label_subsets import Size
from sigraph.proposal.learning_curve import Gain, LearningCurve, Point
from sigraph.proposal.short_run import ShortRun

SIGNS = {1: Gain(0.1, 0.05, 0.15), 0: Gain(0.01, -0.02, 0.04), -1: Gain(-0.1, -0.2, -0.05)}
PAIRS = [("sipt", "base"), ("ridge", "raw-features"), ("sipt", "ridge"), ("sipt", "raw-features")]


def findings(*rows, left_out=(), epochs=10, metric="accuracy", classes=True):
    """A row of signs a number of labels, in the order of the pairs."""
    names = [name for name in ("raw-features", "ridge", "base", "sipt") if name not in left_out]
    sizes = [Size(n if classes else None, 7 * n, [None] * 3) for n in (1, 5, 20)[: len(rows) - 1]]
    sizes += [Size(None, 200, [None], is_all=True)]
    points = [
        Point(
            size,
            dict.fromkeys(names, 0.5),
            dict.fromkeys(names, 0.01),
            {pair: SIGNS[sign] for pair, sign in zip(PAIRS, row, strict=True) if not set(pair) & set(left_out)},
        )
        for size, row in zip(sizes, rows, strict=True)
    ]
    task = SimpleNamespace(name="topic", metric=metric, type="classification" if classes else "regression")
    arm = SimpleNamespace(pretrain=SimpleNamespace(inductive=True))
    config = SimpleNamespace(name="mine", seeds=[0, 1, 2], arm=lambda name: arm)
    runs = {name: ShortRun(epochs, 30, 10, 240.0, None) for name in ("sipt", "base")}
    curve = LearningCurve(task, points, dict.fromkeys(names, 2.0), 100)
    return Findings(config, "sipt", "base", curve, runs, dict.fromkeys(left_out, "needs words"))


@pytest.mark.parametrize(
    ("rows", "left_out", "verdict"),
    [
        ([(1, 1, 1, 1), (0, 0, 0, 0)], (), "pre-train"),  # better than ridge with few labels
        ([(1, 1, 0, 1), (1, 1, -1, 1)], (), "closed form"),  # ridge has it too
        ([(0, 1, -1, 0), (0, 0, 0, 0)], (), "closed form"),  # ridge alone has it
        ([(1, 0, 1, 1), (0, 0, 0, 0)], (), "pre-train"),
        ([(1, 0, -1, -1), (1, 0, 0, -1)], (), "no"),  # better than its baseline, worse than raw features
        ([(0, 0, 0, 0), (0, 0, 0, 0)], (), "no"),
        ([(-1, 0, 0, 0), (0, 0, 0, 0)], (), "no"),
        ([(1, 0, 0, 0), (0, 0, 0, 0)], ("ridge", "raw-features"), "pre-train"),  # samples that they do not read
    ],
)
def test_the_verdict(rows, left_out, verdict):
    assert conclude(findings(*rows, left_out=left_out)).verdict == verdict
    looked = conclude(findings(*rows, left_out=left_out), suspicious="7 edges tell")
    assert looked.verdict == "look first" and "The audit is suspicious: 7 edges tell." in looked.sentences[0]


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        ((1, 1, 1, 1), "The gain is certain at every number of labels, up to all 200."),
        ((1, 1, 0, 0), "The gain is certain up to 5 labels a class (35 in all), and no longer from 20 labels a class"),
        ((0, 1, 0, 1), "The gain is certain with 5 and all labels a class alone."),
        ((0, 0, 0, 0), "At no number of labels is a gain certain."),
        ((1, 0, 0, -1), "and no longer from 5 labels a class (35 in all) on. With all labels it is certainly worse."),
    ],
)
def test_where_a_gain_ends(signs, said):
    assert said in " ".join(conclude(findings(*((sign, 0, 0, 0) for sign in signs))).sentences)


def test_sentences_say_what_it_costs_and_what_ridge_has():
    text = " ".join(conclude(findings((1, 1, -1, 1), (0, 1, 0, 0), epochs=2)).sentences)
    assert "With 1 label a class (7 in all), sipt is better than base: accuracy 0.500 against 0.500, a gain of " in text
    assert "+0.100 (95 % interval +0.050 to +0.150)" in text
    assert "it is certainly better than sipt with 1 label a class, and nowhere certainly worse" in text
    assert "10 epochs, costs here a seed: sipt 4 minutes, base 4 minutes; both with 3 seeds: 24 minutes" in text
    assert "a short run, 2 of 10 epochs (30 steps)" in text and "inductive" not in text
    same = " ".join(conclude(findings((1, 1, 0, 1), (1, 1, 0, 1))).sentences)
    assert "it has the same as sipt: no difference is certain" in same and "as long as the experiment's own" in same
    worse = " ".join(conclude(findings((1, 0, 0, -1), (1, 0, 0, -1))).sentences)
    assert "with any number of labels it is certainly worse: another encoder or more epochs" in worse
    left = " ".join(conclude(findings((1, 0, 0, 0), left_out=("ridge",))).sentences)
    assert "ridge is left out: it needs words." in left


def test_the_table_and_the_lines_of_the_picture():
    header, _, first, last = curve_table(findings((1, 1, 0, 1), (0, 0, 0, 0))).splitlines()
    titles = ["labels a class", "labels in all", "raw-features", "ridge", "base", "sipt", "sipt over base"]
    assert [cell.strip() for cell in header.split("|")[1:-1]] == [*titles, "ridge over raw-features"]
    assert [cell.strip() for cell in first.split("|")[1:4]] == ["1", "7", "0.500 ± 0.010"]
    assert "+0.100 [+0.050, +0.150]" in first and [cell.strip() for cell in last.split("|")[1:4]] == [
        "all",
        "200",
        "0.500",
    ]
    numbers = curve_table(findings((1, 1, 0, 1), (0, 0, 0, 0), classes=False, metric="rmse"))
    assert "labels a class" not in numbers and "+0.1 [+0.05, +0.15]" in numbers
    scores, gains = lines_of(findings((1, 1, 0, 1), (0, 0, 0, 0)))
    assert list(scores) == ["raw-features", "ridge", "base", "sipt"]
    assert gains["sipt over base"].low == [0.05, -0.02] and scores["sipt"].high == [0.51, 0.51]
