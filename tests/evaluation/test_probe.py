"""The converged probe: it is the minimum of what it says, and validation chose its strength."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from sigraph.data import SampleDataset
from sigraph.encoders import Encoding, MLPEncoder
from sigraph.evaluation.probe import STRENGTHS, converged_probe
from sigraph.finetune import FinetuneSettings, fine_tune
from sigraph.tasks import Task
from sigraph.tasks.kinds import LossSettings

N, D = 150, 5
SPLIT = {"train": torch.arange(70), "valid": torch.arange(70, 110), "test": torch.arange(110, N)}
X = torch.randn(N, D, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5, 0.1, 1, 1]) + 2


class AsGiven(MLPEncoder):
    def __init__(self):
        super().__init__(D, 4, D)

    def forward(self, inputs):
        return Encoding(inputs)


def task(kind):
    noise = torch.randn(N, 3, generator=torch.Generator().manual_seed(1))
    score = (X - 2) @ torch.randn(D, 3, generator=torch.Generator().manual_seed(2)) + 3 * noise
    labels = {
        "classification": score.argmax(1),
        "regression": score[:, 0] * 9 + 1990,
        "multilabel": (score > 0).float(),
    }
    y = labels[kind]
    if kind == "multilabel":
        y[::7, 1] = float("nan")
    return Task("toy", y, SPLIT)


@pytest.mark.parametrize("strength", [1.0, 1e-3])
def test_it_is_the_minimum_on_scaled_features(strength):
    x = X.double().numpy()
    train = SPLIT["train"].numpy()
    scaled = (x - x[train].mean(0)) / x[train].std(0)
    for kind in ("classification", "regression", "multilabel"):
        toy = task(kind)
        head = toy.head(AsGiven(), FinetuneSettings())
        y = toy.labels[SPLIT["train"]]
        how = toy.loss_settings(FinetuneSettings())
        probe = converged_probe(toy, head, (X[SPLIT["train"]], y), X[SPLIT["valid"]], how, (strength,))
        assert probe[:2] == (strength, 1)
        with torch.no_grad():
            found = head(X).numpy()
        if kind == "regression":
            value = y.double().numpy()
            model = Ridge(strength * 70).fit(scaled[train], value)
            np.testing.assert_allclose(found.reshape(-1), model.predict(scaled), rtol=1e-6)
        elif kind == "classification":
            model = LogisticRegression(C=1 / (strength * 70), max_iter=10_000, tol=1e-8).fit(scaled[train], y.numpy())
            chance = torch.from_numpy(found).softmax(1).numpy()
            np.testing.assert_allclose(chance, model.predict_proba(scaled), atol=1e-4)
        else:
            known = ~y[:, 1].isnan().numpy()
            model = LogisticRegression(C=1 / (strength * known.sum()), max_iter=10_000, tol=1e-8)
            model.fit(scaled[train][known], y[:, 1].numpy()[known])
            np.testing.assert_allclose(found[:, 1], model.decision_function(scaled), atol=1e-2, rtol=1e-2)


def test_validation_chooses_the_strength_and_the_model_is_the_one_that_was_scored():
    dataset, toy = SampleDataset(X), task("regression")
    found = fine_tune(AsGiven(), dataset, toy, FinetuneSettings(converged=True))
    each = {}
    for strength in STRENGTHS:
        head = toy.head(AsGiven(), FinetuneSettings())
        rows = X[SPLIT["train"]], toy.labels[SPLIT["train"]]
        how = toy.loss_settings(FinetuneSettings())
        each[strength] = converged_probe(toy, head, rows, X[SPLIT["valid"]], how, (strength,)).valid
    assert found.probe.strength == min(each, key=each.get) and found.probe.num_strengths == len(STRENGTHS)
    assert found.valid == pytest.approx(min(each.values()), rel=1e-5) and len(set(each.values())) > 3
    predicted = found.model(X[SPLIT["test"]]).view(-1)
    assert torch.allclose(predicted, found.predicted.view(-1))


def test_class_weights_move_it_and_what_does_not_act_is_said():
    toy = task("classification")
    counts = []
    for weight in (None, [100.0, 1.0, 1.0]):
        settings = FinetuneSettings(converged=True, class_weight=weight)
        predicted = fine_tune(AsGiven(), SampleDataset(X), toy, settings).predicted
        counts.append(int((predicted.argmax(1) == 0).sum()))
    assert counts[1] > counts[0]
    for wrong in ({"head": "full"}, {"label_smoothing": 0.1}, {"dropout": 0.5}):
        with pytest.raises(ValueError, match="'converged' needs 'head' linear without"):
            FinetuneSettings(**{"head": "linear", **wrong}, converged=True)
    with pytest.raises(ValueError, match="needs a head with one linear layer"):
        rows = X[SPLIT["train"]], toy.labels[SPLIT["train"]]
        converged_probe(toy, MLPEncoder(D), rows, X[SPLIT["valid"]], LossSettings())
