"""Evaluator: OGB's shape, scikit-learn's numbers, and no hidden NaN."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from sigraph.tasks import Evaluator, Task

N = 12
SPLIT = {"train": torch.arange(4), "valid": torch.arange(4, 8), "test": torch.arange(8, N)}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def task(kind: str, metric: str = "") -> Task:
    labels = {
        "classification": torch.arange(N) % 3,
        "regression": torch.arange(N) / 4,
        "multilabel": (torch.arange(2 * N).view(N, 2) % 3 == 0).float(),
    }[kind]
    return Task("toy", labels, SPLIT, metric=metric)


def test_called_like_an_evaluator_of_ogb():
    evaluator = Evaluator(task("classification"))
    true, scores = torch.tensor([0, 1, 2, 2]), torch.eye(3)[torch.tensor([0, 1, 1, 2])]
    assert evaluator.eval({"y_true": true, "y_pred": scores}) == {"accuracy": 0.75}
    column = {"y_true": true[:, None].numpy(), "y_pred": scores.argmax(1, keepdim=True).numpy()}
    assert evaluator.eval(column) == {"accuracy": 0.75}


def test_agrees_with_ogb(monkeypatch):
    monkeypatch.setitem(sys.modules, "outdated", None)  # ogb would ask the network for its newest version
    from ogb.graphproppred import Evaluator as GraphEvaluator
    from ogb.nodeproppred import Evaluator as NodeEvaluator

    true, scores = torch.randint(0, 3, (50, 1), generator=seeded()), torch.randn(50, 3, generator=seeded(1))
    theirs = NodeEvaluator("ogbn-arxiv").eval({"y_true": true, "y_pred": scores.argmax(1, keepdim=True)})
    ours = Evaluator(task("classification")).eval({"y_true": true, "y_pred": scores})
    assert ours["accuracy"] == pytest.approx(theirs["acc"])

    labels = (torch.rand(60, 12, generator=seeded()) < 0.4).double()
    labels[torch.rand(60, 12, generator=seeded(1)) < 0.2] = float("nan")
    labels[:, 3] = 0.0
    scores = torch.randn(60, 12, generator=seeded(2))
    theirs = GraphEvaluator("ogbg-moltox21").eval({"y_true": labels, "y_pred": scores})
    ours = Evaluator(task("multilabel")).eval({"y_true": labels, "y_pred": scores})
    assert ours["rocauc"] == pytest.approx(theirs["rocauc"])

    labels, values = torch.randn(30, 1, generator=seeded()), torch.randn(30, 1, generator=seeded(1))
    theirs = GraphEvaluator("ogbg-molesol").eval({"y_true": labels, "y_pred": values})
    assert Evaluator(task("regression")).eval({"y_true": labels, "y_pred": values})["rmse"] == pytest.approx(
        theirs["rmse"]
    )


def test_missing_labels_of_a_column_do_not_count():
    true = torch.tensor([[0, 1], [1, float("nan")], [1, 0], [float("nan"), 1]])
    scores = torch.tensor([[0.1, 0.2], [0.9, 5], [0.05, 0.3], [-9, 0.9]])
    expected = (roc_auc_score([0, 1, 1], [0.1, 0.9, 0.05]) + roc_auc_score([1, 0, 1], [0.2, 0.3, 0.9])) / 2
    assert Evaluator(task("multilabel")).eval({"y_true": true, "y_pred": scores})["rocauc"] == pytest.approx(expected)


def test_gradients_and_lists_are_fine():
    scores = torch.eye(3, requires_grad=True)
    assert Evaluator(task("classification")).eval({"y_true": [0, 1, 2], "y_pred": scores}) == {"accuracy": 1.0}
    assert Evaluator(task("regression", "mae")).eval({"y_true": [0.0, 1.0], "y_pred": [0.5, 1.0]}) == {"mae": 0.25}


@pytest.mark.parametrize(("metric", "greater", "word"), [("rmse", False, "lower"), ("spearman", True, "higher")])
def test_says_which_way_is_better(metric, greater, word):
    evaluator = Evaluator(task("regression", metric))
    assert evaluator.greater_is_better is greater
    assert metric in evaluator.expected_output_format and word in evaluator.expected_output_format


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
def test_states_its_input_format(kind):
    assert "y_true" in Evaluator(task(kind)).expected_input_format


def test_an_unknown_metric_lists_the_known():
    wrong = task("classification")
    wrong.metric = "rmse"
    with pytest.raises(ValueError, match=r"'toy' needs to be one of accuracy, .*, ap, .* for classification .*'rmse'"):
        Evaluator(wrong)
    wrong.metric = "rocauc"
    with pytest.raises(
        ValueError, match=r"'metric' 'rocauc' of task 'toy' needs two classes \(got 3\); for any number"
    ):
        Evaluator(wrong)


# Two classes ##########################################################################################################


def two_classes(metric: str) -> Task:
    return Task("toy", ["no", "yes"] * 6, SPLIT, metric)


@pytest.mark.parametrize(("metric", "oracle"), [("rocauc", roc_auc_score), ("ap", average_precision_score)])
def test_two_classes_are_ranked_by_the_second(metric, oracle):
    true = torch.rand(40, generator=seeded()) < 0.2
    logits = torch.randn(40, 2, generator=seeded(1))
    chance = logits.softmax(1)[:, 1]
    evaluator = Evaluator(two_classes(metric))
    names = np.where(true.numpy(), "yes", "no")
    for y_true in (true.long(), true, true.double()[:, None], names, names.tolist()):
        for y_pred in (logits, logits.numpy(), logits.softmax(1), chance, chance[:, None], chance.tolist()):
            found = evaluator.eval({"y_true": y_true, "y_pred": y_pred})
            assert found == {metric: pytest.approx(oracle(true.numpy(), chance.numpy()))}
    assert "scores of class 'yes', the second" in evaluator.expected_input_format and evaluator.greater_is_better


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([0, 1], [0, 1], r"'y_pred' needs scores for ap .*\(got int64: class ids do not rank\); give floats"),
        ([0, 1], np.array([True, False]), "class ids do not rank"),
        ([1, 1], [0.5, 0.6], "all samples are of class 1: the metric is not defined"),
        ([0, 2], [0.5, 0.6], r"'y_true' needs class ids from 0 to 1 \(got 2 at sample 1\)"),
        ([0, 1], np.zeros((2, 3)), r"'y_pred' has shape \[2, 3\].*scores of class 'yes'"),
        (["no", "maybe"], [0.5, 0.6], r"'y_true' needs the names in 'classes' \(got 'maybe' at sample 1"),
        ([0, 1], ["a", "b"], "'y_pred' needs numbers"),
    ],
)
def test_what_does_not_rank_two_classes_is_said(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        Evaluator(two_classes("ap")).eval({"y_true": y_true, "y_pred": y_pred})


# Any labels, and their digits #########################################################################################


@pytest.mark.parametrize(
    ("kind", "y_true", "message"),
    [
        ("classification", [0, -2], "'y_true' needs classes as integers >= 0, -1 where missing"),
        ("multilabel", [[0, 0.5]], "'y_true' needs 0, 1 or missing"),
        ("regression", [float("inf"), 1.0], "'y_true' needs finite numbers"),
        ("regression", ["a", "b"], "'y_true' needs numbers for regression"),
        ("classification", torch.zeros(2, 3), "'y_true' needs one 1 in each row"),
    ],
)
def test_labels_are_judged_as_a_task_judges_them(kind, y_true, message):
    with pytest.raises(ValueError, match=message):
        Evaluator(task(kind)).eval({"y_true": y_true, "y_pred": torch.zeros(2, 2)})


@pytest.mark.parametrize(
    ("kind", "y_pred", "message"),
    [
        ("classification", [[0.1, 0.9]] * 2, r"'y_pred' has shape \[2, 2\].*\[n, num_classes\] scores"),
        (
            "classification",
            [0.3, 0.9],
            r"'y_pred' needs class ids or \[n, 3\] scores for accuracy .*fractions of shape",
        ),
        ("classification", np.zeros(2, complex), "'y_pred' needs numbers"),
        ("classification", np.ma.array([0, 1], mask=[0, 1]), "'y_pred' is masked in places"),
        ("regression", [[0.1, 0.9]] * 2, r"'y_pred' has shape \[2, 2\].*\[n\] or \[n, 1\]"),
        ("regression", ["a", "b"], "'y_pred' needs numbers"),
    ],
)
def test_predictions_of_another_kind_are_said(kind, y_pred, message):
    with pytest.raises(ValueError, match=message):
        Evaluator(task(kind)).eval({"y_true": [0, 1], "y_pred": y_pred})


def test_large_targets_keep_their_digits():
    """Seconds since 1970: float32 takes 128 of them for one."""
    true = 1.7e9 + torch.arange(60, dtype=torch.float64)
    evaluator = Evaluator(task("regression"))
    mean = true.mean().expand(60)
    assert evaluator.eval({"y_true": true, "y_pred": mean})["rmse"] == pytest.approx(float(true.std(correction=0)))
    assert evaluator.eval({"y_true": true, "y_pred": true.flip(0)})["rmse"] > 30
    spearman = Evaluator(task("regression", "spearman"))
    assert spearman.eval({"y_true": true, "y_pred": -true}) == {"spearman": pytest.approx(-1)}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
def test_a_nan_prediction_is_an_error(kind, value):
    true = task(kind).labels
    predicted = torch.zeros(N, 3 if kind == "classification" else true.view(N, -1).size(1))
    predicted[5, 0] = value
    with pytest.raises(ValueError, match="'y_pred' holds NaN or infinite values"):
        Evaluator(task(kind)).eval({"y_true": true, "y_pred": predicted})


@pytest.mark.parametrize(("kind", "missing"), [("classification", -1), ("regression", float("nan"))])
def test_a_missing_label_is_an_error(kind, missing):
    true = task(kind).labels.clone()
    true[2] = missing
    with pytest.raises(ValueError, match="'y_true' holds 1 missing label"):
        Evaluator(task(kind)).eval({"y_true": true, "y_pred": np.zeros(N)})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"y_true": [0]}, "'input_dict' needs y_pred in 'Evaluator'"),
        ({}, "needs y_pred, y_true"),
        ({"y_true": [0, 1], "y_pred": [0]}, r"same length >= 1 \(got 2 and 1\)"),
        ({"y_true": [], "y_pred": []}, r"same length >= 1 \(got 0 and 0\)"),
    ],
)
def test_bad_input_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        Evaluator(task("classification")).eval(values)


def test_multilabel_shapes_need_to_agree():
    with pytest.raises(ValueError, match=r"shape of 'y_true', \(4, 2\) \(got \(4, 3\)\)"):
        Evaluator(task("multilabel")).eval({"y_true": np.zeros((4, 2)), "y_pred": np.zeros((4, 3))})


# Ids and names of classes #############################################################################################

PARTS = {"train": [0, 1, 2], "valid": [3, 4, 5], "test": [6, 7, 8]}
FROM_ONE = Task("from one", [1, 2, 3] * 3, PARTS, classes=[1, 2, 3])
TENS = Task("tens", [0, 1, 0] * 3, PARTS, classes=[10, 20])
SIGNED = Task("signed", [0, 1, 0] * 3, PARTS, classes=[-1, 1])
TEXT = Task("text", ["a", "b", "a"] * 3, PARTS)


@pytest.mark.parametrize(
    ("of", "y_true", "y_pred", "score"),
    [
        (FROM_ONE, [2, 2, 1, 3], torch.eye(3)[[1, 1, 0, 2]], 1),  # names
        (FROM_ONE, [2, 2, 1, 3], [2.0, 2.0, 1.0, 1.0], 0.75),
        (FROM_ONE, [1, 2, 2], [1, 2, 3], 2 / 3),  # names, as one of them cannot be an id
        (FROM_ONE, np.array([[1], [2]]), ["1", "2"], 1),
        (FROM_ONE, [2, 2, 1], torch.eye(3)[[2, 2, 1]], 1),  # could be either: ids
        (TENS, [10, 20, 10, 20], [10, 20, 10, 20], 1),
        (TENS, [0, 1, 0], torch.tensor([0, 1, 1]), 2 / 3),
        (SIGNED, [-1, 1, 1], np.array([-1, 1, -1]), 2 / 3),
        (SIGNED, [1, 1], [[0.0, 1.0]] * 2, 1),
        (TEXT, ["a", "b"], [0, 1], 1),  # text is no id
        (TEXT, torch.tensor([0, 1]), np.array(["a", "a"], dtype=object), 0.5),
    ],
)
def test_classes_are_ids_or_names_and_both_sides_are_read_alike(of, y_true, y_pred, score):
    assert Evaluator(of).eval({"y_true": y_true, "y_pred": y_pred}) == {"accuracy": pytest.approx(score)}


@pytest.mark.parametrize(
    ("of", "y_true", "y_pred", "message"),
    [
        (
            TENS,
            [0, 1, 0, 1],
            [10, 20, 10, 20],
            r"'y_pred' needs class ids from 0 to 1 or names \(10, 20\) \(got 10 at ",
        ),
        (FROM_ONE, [1, 2, 3], [0, 1, 2], r"'y_true' needs class ids from 0 to 2 or names .*\(got 3 at sample 2\); all"),
        (FROM_ONE, [1, 4], torch.eye(3)[:2], r"names .1, 2, 3. .got 4 at sample 1"),
        (TEXT, [0, 5, 0, 1], [0, 1, 0, 1], r"'y_true' needs class ids from 0 to 1 \(got 5 at sample 1\)"),
        (TEXT, [0, 1, 0, 1], [7, 1, 9, 1], r"'y_pred' needs class ids from 0 to 1 \(got 7 at sample 0 and 1 more\)"),
        (TEXT, [0, 1], [-1, 1], r"'y_pred' needs a class for every sample .*got -1 at sample 0"),
        (TEXT, [0, 1], ["a", None], r"'y_pred' needs a class for every sample"),
        (TEXT, [0, 1], ["a", "c"], r"'y_pred' needs the names in 'classes' \(got 'c' at sample 1"),
        (task("classification"), [0, 3], [0, 1], r"'y_true' needs class ids from 0 to 2 \(got 3"),
    ],
)
def test_what_is_no_class_of_the_task_is_refused(of, y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        Evaluator(of).eval({"y_true": y_true, "y_pred": y_pred})


def test_an_index_is_compared_with_the_other_alone():
    true, predicted = pd.Series([0, 1, 2], index=[7, 2, 5]), pd.Series([0, 1, 1], index=[7, 2, 5])
    evaluator = Evaluator(task("classification"))
    for y_pred in (predicted, predicted.to_numpy(), predicted.to_frame()):
        assert evaluator.eval({"y_true": true, "y_pred": y_pred}) == {"accuracy": pytest.approx(2 / 3)}
    with pytest.raises(ValueError, match=r"'y_true' and 'y_pred' need rows in the same order .*reset_index"):
        evaluator.eval({"y_true": true, "y_pred": predicted.sort_index()})


def test_what_may_surprise_about_the_labels_is_warned_of():
    with pytest.warns(UserWarning, match="-1 stands in 1 label cells") as warned:
        Evaluator(task("multilabel")).eval({"y_true": [[0, 1], [1, 0], [-1, 1]], "y_pred": np.eye(3, 2)})
    assert warned[0].filename == __file__
