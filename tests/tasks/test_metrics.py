"""Metrics by name, against scikit-learn, scipy and plain arithmetic."""

import sys

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, spearmanr
from sklearn import metrics as sk

from sigraph.tasks.metrics import DEFAULT_METRIC, METRIC_NAMES, METRICS, OF_TWO_CLASSES, named_metric
from sigraph.tasks.task import TYPES

RNG = np.random.default_rng(0)


def test_every_type_has_metrics_and_its_default_is_one():
    assert set(METRICS) == set(TYPES) and all(
        METRICS[kind][name].name == name and named_metric(name, kind, "") is METRICS[kind][name]
        for kind in TYPES
        for name in METRIC_NAMES[kind]
    )
    assert all(DEFAULT_METRIC[kind] in METRICS[kind] for kind in TYPES)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in METRICS for name in METRICS[kind]])
def test_the_stated_direction_is_right(kind, name):
    """The truth scores better than noise."""
    true = {
        "classification": RNG.integers(0, 2 if name in OF_TWO_CLASSES else 3, 60),
        "multilabel": RNG.integers(0, 2, (60, 4)).astype(float),
        "regression": RNG.normal(size=60),
    }[kind]
    noise = RNG.permutation(true)
    if kind == "classification" and METRICS[kind][name].reads == "scores":
        true_scores, noise = (3.0 * np.eye(3)[y][:, : true.max() + 1] for y in (true, noise))
    else:
        true_scores = true
    better = METRICS[kind][name](true, true_scores) > METRICS[kind][name](true, noise)
    assert better == METRICS[kind][name].greater_is_better


def test_classification_from_scores_and_from_class_ids():
    true, scores = RNG.integers(0, 4, 50), RNG.normal(size=(50, 4))
    ids = scores.argmax(1)
    for predicted in (scores, ids, ids[:, None]):
        assert METRICS["classification"]["accuracy"](true, predicted) == pytest.approx((ids == true).mean())
        expected = sk.f1_score(true, ids, average="macro")
        assert METRICS["classification"]["macro_f1"](true, predicted) == pytest.approx(expected)


def test_macro_f1_by_hand():
    # class 0: precision 1, recall 1/2; class 1: precision 1/2, recall 1: both 2/3
    assert METRICS["classification"]["macro_f1"](np.array([0, 0, 1]), np.array([0, 1, 1])) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("name", "oracle"), [("rocauc", sk.roc_auc_score), ("ap", sk.average_precision_score)])
def test_columns_are_averaged_over_known_labels_and_columns_of_one_class_left_out(name, oracle):
    true, scores = RNG.integers(0, 2, (40, 4)).astype(float), RNG.normal(size=(40, 4))
    true[:10, 1] = np.nan
    true[:, 2] = 1
    true[:39, 3] = np.nan
    expected = np.mean([oracle(true[:, 0], scores[:, 0]), oracle(true[10:, 1], scores[10:, 1])])
    assert METRICS["multilabel"][name](true, scores) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no label column holds both 0 and 1"):
        METRICS["multilabel"][name](true[:, 2:], scores[:, 2:])


def test_integer_columns_work():
    true, scores = RNG.integers(0, 2, (40, 2)), RNG.normal(size=(40, 2))
    assert METRICS["multilabel"]["rocauc"](true, scores) == pytest.approx(sk.roc_auc_score(true, scores))


def test_regression():
    true, predicted = RNG.normal(size=30), RNG.normal(size=30)
    for shape in (30, (30, 1)):
        scores = {name: score(true, predicted.reshape(shape)) for name, score in METRICS["regression"].items()}
        assert scores["rmse"] == pytest.approx(np.sqrt(((true - predicted) ** 2).mean()))
        assert scores["mae"] == pytest.approx(np.abs(true - predicted).mean())
        assert scores["spearman"] == pytest.approx(spearmanr(true, predicted).statistic)
        assert all(type(score) is float for score in scores.values())


@pytest.mark.parametrize("name", ["y_true", "y_pred"])
def test_spearman_of_a_constant_is_an_error_not_a_nan(name):
    values = {"y_true": np.arange(4.0), "y_pred": np.arange(4.0), name: np.ones(4)}
    with pytest.raises(ValueError, match=f"'{name}' is constant"):
        METRICS["regression"]["spearman"](**values)


# Against the libraries that people compare with #######################################################################


def test_scores_of_two_classes_as_ogb_and_torchmetrics_count_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "outdated", None)  # ogb would ask the network for its newest version
    from ogb.linkproppred import Evaluator
    from torchmetrics.functional.retrieval import retrieval_precision

    true, score = RNG.integers(0, 2, 80), RNG.normal(size=80).round(1)  # some are equal
    positive, negative = score[true == 1], score[true == 0]
    for k in (1, 5, 20, 500):
        ogb = Evaluator("ogbl-collab")
        ogb.K = k
        theirs = ogb.eval({"y_pred_pos": positive, "y_pred_neg": negative})[f"hits@{k}"]
        assert named_metric(f"hits@{k}", "classification", "")(true, score) == pytest.approx(theirs)
    ogb = Evaluator("ogbl-citation2")
    given = {"y_pred_pos": torch.tensor(positive), "y_pred_neg": torch.tensor(negative).repeat(len(positive), 1)}
    theirs = ogb.eval(given)["mrr_list"]
    assert METRICS["classification"]["mrr"](true, score) == pytest.approx(float(theirs.mean()), rel=1e-5)
    score = RNG.normal(size=80)
    for k in (1, 7, 80):
        theirs = retrieval_precision(torch.tensor(score).sigmoid(), torch.tensor(true), top_k=k)  # of positive ones
        assert named_metric(f"precision@{k}", "classification", "")(true, score) == pytest.approx(float(theirs))


def test_classes_as_scikit_learn_scores_them():
    true, scores = RNG.integers(0, 3, 60), RNG.normal(size=(60, 3))
    ids, table = scores.argmax(1), METRICS["classification"]
    assert table["balanced_accuracy"](true, scores) == pytest.approx(sk.balanced_accuracy_score(true, ids))
    assert table["micro_f1"](true, scores) == pytest.approx(sk.f1_score(true, ids, average="micro"))
    assert table["mcc"](true, scores) == pytest.approx(sk.matthews_corrcoef(true, ids))
    chance = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    for given in (scores, chance, scores + 3):
        assert table["log_loss"](true, given) == pytest.approx(sk.log_loss(true, chance))
    true, ids = RNG.integers(0, 2, 60), RNG.integers(0, 2, 60)
    assert table["f1"](true, ids) == pytest.approx(sk.f1_score(true, ids))
    for given in (scores[:, 0], np.stack([0 * scores[:, 0], scores[:, 0]], axis=1)):
        assert table["log_loss"](true, given) == pytest.approx(sk.log_loss(true, 1 / (1 + np.exp(-scores[:, 0]))))


def test_columns_are_decided_at_a_half_or_at_a_logit_of_zero():
    true, logit = RNG.integers(0, 2, (50, 3)).astype(float), RNG.normal(size=(50, 3))
    true[:9, 1] = np.nan
    known, says = ~np.isnan(true), logit > 0
    table = METRICS["multilabel"]
    for given in (logit, 1 / (1 + np.exp(-logit))):
        each = [sk.f1_score(true[known[:, i], i], says[known[:, i], i]) for i in range(3)]
        assert table["macro_f1"](true, given) == pytest.approx(np.mean(each))
        assert table["micro_f1"](true, given) == pytest.approx(sk.f1_score(true[known], says[known]))
        assert table["accuracy"](true, given) == pytest.approx((true[known] == says[known]).mean())


def test_correlations_of_numbers_and_what_a_constant_leaves_undefined():
    true, predicted = RNG.normal(size=30), RNG.normal(size=30)
    assert METRICS["regression"]["pearson"](true, predicted) == pytest.approx(pearsonr(true, predicted).statistic)
    assert METRICS["regression"]["r2"](true, predicted) == pytest.approx(sk.r2_score(true, predicted))
    assert METRICS["regression"]["r2"](true, np.ones(30)) <= 0
    for name in ("pearson", "r2"):
        with pytest.raises(ValueError, match="'y_true' is constant"):
            METRICS["regression"][name](np.ones(30), predicted)


@pytest.mark.parametrize("name", ["hits@0", "hits@", "mrr@3", "precision@x", 3, "hits@2"])
def test_a_number_behind_at_is_a_count_of_two_classes(name):
    with pytest.raises(ValueError, match="needs to be one of"):
        named_metric(name, "regression" if name == "hits@2" else "classification", "of it")
