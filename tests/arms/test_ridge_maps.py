"""Ridge regression by iteration is that of scikit-learn, and is made once for all tasks."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge as RidgeRegression

from sigraph.arms import Given, Ridge, ridge, ridge_maps
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.tasks import Task


@pytest.mark.parametrize("sparse", [True, False])
def test_many_columns_at_once_are_each_by_itself(sparse, monkeypatch):
    monkeypatch.setattr(ridge_maps, "_DENSE", 10)
    draw = np.random.default_rng(0)
    x = (draw.random((120, 60)) * (draw.random((120, 60)) < 0.1) * draw.geometric(0.3, 60)).astype(np.float32)
    x[:, 7] = 0  # a word that no text has
    target = draw.standard_normal((120, 5)).astype(np.float32)
    target[:, 3] = 0
    penalties = (0.03, 1.0, 10.0, 0.3)
    found = list(ridge_maps.ridge_maps(csr_matrix(x) if sparse else x, target, penalties))
    for weight, penalty in zip(found, penalties, strict=True):
        wanted = RidgeRegression(penalty, fit_intercept=False, solver="svd").fit(x.astype(np.float64), target).coef_.T
        assert weight.shape == (60, 5) and weight.dtype == np.float32
        np.testing.assert_allclose(weight, wanted, atol=2e-3 * abs(wanted).max())


def two_tasks():
    draw = torch.Generator().manual_seed(0)
    y, ids = torch.arange(60) % 3, torch.randperm(60, generator=draw)
    x = torch.rand(60, 12, generator=draw) * (torch.rand(60, 12, generator=draw) < 0.3)
    x[:, :3] += torch.eye(3)[y] * (torch.rand(60, 3, generator=draw) < 0.7)
    split = {"train": ids[:20], "valid": ids[20:40], "test": ids[40:]}
    few = {**split, "train": ids[:9]}
    tasks = {"all": Task("all", y, split), "few": Task("few", y, few)}
    edges = torch.stack([ids[:40], ids[20:]])
    return SampleDataset(x, {"near": PretrainGraph(edges[:, edges[0] != edges[1]], 60)}, tasks)


def test_maps_are_made_once_for_all_tasks_of_a_graph(monkeypatch):
    made, plain = [], ridge.propagated_features
    monkeypatch.setattr(ridge, "propagated_features", lambda *given: made.append(1) or plain(*given))
    data, kind = two_tasks(), Ridge(num_channels=4, ridges=[1.0], penalties=[1.0])
    graph = data.graph()

    def predict(task, graph=graph, kind=kind):
        given = Given(data, data, None, True, lambda: graph, lambda: graph)
        return kind.predict(given, data.task(task))

    first, few = predict("all"), predict("few")
    assert len(made) == 1 and not torch.equal(first.test, few.test)
    other = predict("all", PretrainGraph([[0, 1], [2, 3]], 60))
    assert len(made) == 2 and not torch.equal(other.test, first.test)
    assert torch.equal(predict("all").test, first.test) and len(made) == 3
    predict("all", kind=Ridge(num_channels=4, num_steps=3, ridges=[1.0], penalties=[1.0]))
    assert len(made) == 4


def test_of_many_samples_penalties_are_chosen_one_after_the_other(monkeypatch):
    data = two_tasks()
    kind = Ridge(num_channels=4, ridges=[0.1, 1.0, 10.0, 100.0], penalties=[0.01, 1.0, 100.0])
    given = Given(data, data, None, True, data.graph, data.graph)
    every = kind.predict(given, data.task("all"))
    monkeypatch.setattr(ridge, "_MANY", 20)
    found = kind.predict(given, data.task("all"))
    assert (every.num_trials, found.num_trials) == (12, 6)

    def score(kind):
        task = data.task("all")
        return task.evaluate(task.split["valid"], kind.predict(given, task).valid)["accuracy"]

    at_middle = {penalty: score(Ridge(4, ridges=[1.0], penalties=[penalty])) for penalty in kind.penalties}
    best = max(at_middle, key=at_middle.get)
    wanted = max(score(Ridge(4, ridges=[one], penalties=[best])) for one in kind.ridges)
    assert data.task("all").evaluate(data.task("all").split["valid"], found.valid)["accuracy"] == wanted
