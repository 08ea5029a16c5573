"""The curve: what one half chooses the other scores, no test label plays a part, gains are as they are by hand."""

import numpy as np
import pytest
import torch
from arm_cases import dataset, given
from scipy.stats import rankdata

from sigraph.arms import RawFeatures, Ridge
from sigraph.proposal.label_subsets import cut_in_halves, without_test
from sigraph.proposal.learning_curve import Method, closed_form, learning_curve, probe
from sigraph.tasks import Task

KINDS = ["classification", "multilabel", "regression"]
RIDGE = {"ridges": [0.3, 3.0], "penalties": [0.1, 1.0]}


def methods(data, z=None):
    look, z = given(data), torch.randn(60, 3, generator=torch.Generator().manual_seed(0)) if z is None else z
    return [
        closed_form("raw", RawFeatures([0.1, 1.0]), look),
        closed_form("ridge", Ridge(**RIDGE), look),
        probe("z", z),
    ]


def fixed(name, *guesses):
    """A method of a few settings, each of which predicts the same whatever it is taught."""
    return Method(
        name, lambda task: [{part: node.numpy() for part, node in task.split.items()}], lambda t, r: iter(guesses)
    )


@pytest.mark.parametrize("of_type", KINDS)
def test_no_test_label_is_looked_at(of_type):
    """With the labels of test samples turned round every figure is the same, to the bit; with others it is not."""
    data = dataset(of_type=of_type)
    task = data.task()

    def scored(y):
        curve = learning_curve(Task("block", y, task.split), methods(data), [("ridge", "raw")], draws=1)
        return [(point.mean, point.gains) for point in curve.points]

    turned = [task.labels.clone() for _ in range(2)]
    turned[0][40:] = 1 - turned[0][40:]
    turned[1][20:40] = 1 - turned[1][20:40]
    plain = scored(task.labels)
    assert scored(turned[0]) == plain
    assert scored(turned[1]) != plain  # validation labels are looked at


def test_what_one_half_chooses_is_scored_on_the_other():
    ids = torch.arange(60)
    y = ids % 2
    task = Task("t", y, {"train": ids[:20], "valid": ids[20:40], "test": ids[40:]})
    half = cut_in_halves(without_test(task), 0, 0)
    right = y[20:40]
    first = torch.where(half, 1 - right, right)  # right on one half, wrong on the other
    curve = learning_curve(task, [fixed("lucky", first, 1 - first), fixed("good", right)], [("good", "lucky")], draws=1)
    (*_, last) = curve.points
    assert last.mean == {"lucky": 0.0, "good": 1.0}  # whichever half chooses, it picks what is wrong on the other
    assert last.gains["good", "lucky"].value == 1.0 and last.gains["good", "lucky"].sign == 1


def test_gains_are_positive_where_ours_is_better_whichever_way_the_metric_goes():
    ids, y = torch.arange(60), torch.rand(60, generator=torch.Generator().manual_seed(1))
    split = {"train": ids[:20], "valid": ids[20:40], "test": ids[40:]}
    valid = y[20:40]
    for metric, worse in (("mae", valid + 0.3), ("spearman", -valid)):
        task = Task("t", y, split, metric)
        good = fixed("good", valid + 0.01)
        curve = learning_curve(task, [good, fixed("worse", worse)], [("good", "worse"), ("worse", "good")], draws=2)
        gain, loss = (curve.points[0].gains[pair] for pair in (("good", "worse"), ("worse", "good")))
        assert gain.value > 0.2 and gain.sign == 1 and loss.sign == -1
        np.testing.assert_allclose([gain.value, gain.low, gain.high], [-loss.value, -loss.high, -loss.low])


@pytest.mark.parametrize("of_type", KINDS)
def test_more_labels_tell_more_and_rows_are_made_once(of_type, monkeypatch):
    data = dataset(of_type=of_type)
    made = []
    maps = RawFeatures.maps
    monkeypatch.setattr(RawFeatures, "maps", lambda *given: made.append(1) or maps(*given))
    y = (torch.arange(60) % 2)[:, None].float()
    curve = learning_curve(data.task(), methods(data, torch.cat([y, 1 - y], dim=1)), draws=2)
    assert made == [1] and [point.size.num_labels for point in curve.points][-1] == 20 and len(curve.points) > 1
    scores = [point.mean["z"] for point in curve.points]
    best = {"classification": 1.0, "regression": 0.1}.get(of_type)  # embeddings that say the block
    assert best is None or abs(scores[-1] - best) < 0.06
    assert set(curve.seconds) == {"raw", "ridge", "z"} and curve.num_valid == 20


def test_the_metric_may_be_one_of_ranks():
    data = dataset()
    y = data.task().labels
    task = Task("t", y, data.task().split, "rocauc")
    score = torch.rand(20, generator=torch.Generator().manual_seed(0))
    curve = learning_curve(task, [fixed("s", torch.stack([-score, score], dim=1))], draws=1)
    half = cut_in_halves(without_test(task), 0, 0)

    def auc(part):
        rank, positive = rankdata(score[part]), y[20:40][part].numpy() == 1
        return (rank[positive].sum() - positive.sum() * (positive.sum() + 1) / 2) / (positive.sum() * (~positive).sum())

    assert curve.points[0].mean["s"] == pytest.approx((auc(half) + auc(~half)) / 2)


def test_a_metric_that_half_of_the_samples_leave_undefined_is_said():
    ids = torch.arange(60)
    y = (ids == 25).long()
    y[:10] = 1
    task = Task("t", y, {"train": ids[:20], "valid": ids[20:40], "test": ids[40:]}, "accuracy")
    task.metric, task.metrics = "rocauc", ("rocauc",)
    score = torch.rand(20, 2)
    with pytest.raises(ValueError, match=r"half of the 20 validation samples cannot .* 'rocauc' is not defined"):
        learning_curve(task, [fixed("s", score)], draws=1)
