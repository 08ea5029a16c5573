"""Kinds of labels: weights, smoothing and missing labels in losses, against PyTorch's and scikit-learn's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight

from sigraph.tasks import Evaluator, Task
from sigraph.tasks.kinds import KINDS, LossSettings

NAN = float("nan")


def settings(kind, y, class_weight=None, smoothing=0.0):
    return KINDS[kind].loss_settings(y, KINDS[kind].width(y), class_weight, smoothing, "it")


def test_balanced_classes_weigh_as_scikit_learn_has_it():
    y = torch.tensor([0, 0, 0, 2, 2, 1, -1])
    found = settings("classification", y, "balanced").class_weight
    assert found.numpy() == pytest.approx(compute_class_weight("balanced", classes=np.arange(3), y=y[:-1].numpy()))
    columns = torch.tensor([[1.0, 1], [0, 1], [0, 1], [NAN, 1]])
    assert settings("multilabel", columns, "balanced").class_weight.tolist() == [2.0, 1.0]


def test_losses_weigh_and_smooth_known_labels_alone():
    generator = torch.Generator().manual_seed(0)
    predicted, y = torch.randn(6, 3, generator=generator), torch.tensor([0, 2, -1, 1, 2, -1])
    how = settings("classification", y, [1.0, 2.0, 0.5], 0.2)
    expected = F.cross_entropy(predicted[y >= 0], y[y >= 0], torch.tensor([1.0, 2, 0.5]), label_smoothing=0.2)
    torch.testing.assert_close(KINDS["classification"].loss(predicted, y, how), expected)
    columns = torch.tensor([[1.0, 0, NAN]] * 6)
    how = settings("multilabel", columns, [3.0, 1.0, 1.0], 0.1)
    parts = [
        F.binary_cross_entropy_with_logits(predicted[:, i], torch.full((6,), target), pos_weight=torch.tensor(weight))
        for i, target, weight in ((0, 0.95, 3.0), (1, 0.05, 1.0))
    ]
    torch.testing.assert_close(KINDS["multilabel"].loss(predicted, columns, how), sum(parts) / 2)
    numbers = torch.tensor([1.0, NAN, 3.0])
    found = KINDS["regression"].loss(torch.tensor([2.0, 9.0, 1.0]), numbers, LossSettings(target_scale=2.0))
    assert found.item() == pytest.approx((0.25 + 1.0) / 2)
    for kind, y in (("classification", -torch.ones(2).long()), ("multilabel", torch.full((2, 3), NAN))):
        given = torch.randn(2, 3, requires_grad=True)
        loss = KINDS[kind].loss(given, y, LossSettings())
        loss.backward()
        assert loss.item() == 0 and given.grad.abs().sum() == 0


@pytest.mark.parametrize(
    ("kind", "y", "weight", "smoothing", "message"),
    [
        ("classification", [0, 1, 2], [1.0, 2.0], 0.0, r"a number > 0 for each class, 3, of it \(got \[1.0, 2.0\]\)"),
        ("classification", [0, 1], [1.0, 0.0], 0.0, "a number > 0 for each class"),
        ("classification", [0, 1], "even", 0.0, "'class_weight' needs to be None, 'balanced' or a list"),
        ("classification", [0, 1], None, 1.0, r"'label_smoothing' needs to be in \[0, 1\)"),
        ("regression", [0.5, 1.5], "balanced", 0.0, "'class_weight' needs classes or label columns, but it predicts"),
        ("regression", [0.5, 1.5], None, 0.1, "'label_smoothing' needs classes or label columns"),
    ],
)
def test_settings_that_do_not_fit_labels_are_said(kind, y, weight, smoothing, message):
    with pytest.raises(ValueError, match=message):
        settings(kind, torch.tensor(y), weight, smoothing)


def test_several_metrics_are_scored_at_once_and_the_first_decides():
    split = {"train": [0, 1, 2, 3], "valid": [4, 5], "test": [6, 7]}
    task = Task("t", [0, 1] * 4, split, ["rocauc", "accuracy", "log_loss", "f1"])
    assert (task.metric, task.metrics) == ("rocauc", ("rocauc", "accuracy", "log_loss", "f1"))
    assert task.greater_is_better and task.is_ranking
    logits = torch.tensor([[0.0, 1.0], [1.0, 0.5], [0.2, 0.1], [0.0, 3.0]])
    chance = logits.softmax(1)[:, 1]
    wide, single = (Evaluator(task).eval({"y_true": [1, 0, 1, 1], "y_pred": y}) for y in (logits, chance))
    assert list(wide) == list(task.metrics) and wide == pytest.approx(single)
    assert wide["accuracy"] == 0.75 and wide["rocauc"] == pytest.approx(1.0)
    assert task.evaluate(torch.tensor([6, 7]), logits[:2], ["accuracy"]) == {"accuracy": 0.0}
    with pytest.raises(ValueError, match="class ids do not rank"):
        Evaluator(task).eval({"y_true": [1, 0], "y_pred": [1, 0]})
    with pytest.warns(UserWarning, match=r"metric 'hits@2' is not defined: 'valid' has 1 negative, fewer than 2 and"):
        Task("t", [0, 1] * 4, split, ["accuracy", "hits@2"])
