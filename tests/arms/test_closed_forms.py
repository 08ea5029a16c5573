"""Closed forms beside scikit-learn's own results and plain linear algebra."""

import numpy as np
import pytest
import torch
from arm_cases import N, dataset, predict
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.linear_model import Ridge as RidgeRegression
from sklearn.preprocessing import StandardScaler, normalize

from sigraph.arms import LSA, LabelPropagation, Majority, RawFeatures, Ridge
from sigraph.arms.linear import linear_candidates
from sigraph.edges.propagation import Propagation
from sigraph.samples.vectors import Vectors
from sigraph.targets.reduced import propagated_features
from sigraph.tasks import Task


def rows_of(task, x):
    return {part: x[node.numpy()] for part, node in task.split.items()}


def test_classes_are_scikit_learns_logistic_regression():
    task, x = dataset().task(), normalize(dataset().store.vectors().numpy())
    (found,) = linear_candidates(task, rows_of(task, x), [0.5])
    model = LogisticRegression(C=2.0, max_iter=1000).fit(x[:20], task.labels[:20])
    np.testing.assert_allclose(found.predict("test").exp(), model.predict_proba(x[40:]), atol=1e-5)
    assert found.num_parameters == 9


def test_columns_are_ridge_classifiers_of_the_rows_that_are_known():
    data = dataset(of_type="multilabel")
    task, x = data.task(), data.store.vectors().numpy()
    (found,) = linear_candidates(task, rows_of(task, x), [3.0])
    for column in range(2):
        y = task.labels[:20, column].numpy()
        known = ~np.isnan(y)
        wanted = RidgeClassifier(3.0).fit(x[:20][known], y[known]).decision_function(x[40:])
        np.testing.assert_allclose(found.predict("test")[:, column], wanted, atol=1e-5)
    assert bool((found.predict("test")[:, 2] == 0).all())  # known of no training sample


@pytest.mark.parametrize("sparse", [False, True])
def test_numbers_are_ridge_regression_in_any_unit(sparse):
    data = dataset(of_type="regression")
    task, x = data.task(), data.store.vectors().numpy().astype(np.float64)
    far = Task("far", 1e9 + 1e3 * task.labels, task.split)
    (found,) = linear_candidates(far, rows_of(task, csr_matrix(x) if sparse else x), [2.0])
    y = task.labels[:20].numpy()
    model = RidgeRegression(2.0).fit(x[:20], (y - y.mean()) / y.std())
    wanted = model.predict(x[40:]) * y.std() + y.mean()
    np.testing.assert_allclose((found.predict("test") - 1e9) / 1e3, wanted, atol=2e-2 if sparse else 1e-5)


def test_vectors_standardise_numbers_and_weigh_counts():
    numbers = dataset("numbers")
    x = numbers.store.vectors().numpy()
    found = Vectors(numbers.store.take(torch.arange(30)))(numbers.store)
    wanted = StandardScaler().fit(x[:30].astype(np.float64)).transform(x)
    np.testing.assert_allclose(found[:, [0, 1, 7]], wanted[:, [0, 1, 7]], atol=1e-4)
    assert not found[:, 5].any()  # constant
    counts = dataset()
    x = counts.store.vectors().numpy()
    idf = np.log((1 + N) / (1 + (x > 0).sum(axis=0))) + 1
    for power in (0.0, 0.5, 1.0):
        found = Vectors(counts.store, power)
        np.testing.assert_allclose(found(counts.store), normalize(x * idf**power), atol=1e-6)
        rows = found(dataset("sparse").store, torch.tensor([3, 59]))
        assert not rows[1].toarray().any()
        np.testing.assert_allclose(rows.toarray(), found(counts.store)[[3, 59]], atol=1e-6)


def test_text_is_tf_idf_and_tokens_are_bags():
    text, tokens = dataset("text"), dataset("tokens")
    x = (dataset().store.vectors().numpy() > 0).astype(np.float32)
    x[59] = 0
    idf = np.log((1 + N) / (1 + x.sum(axis=0))) + 1
    seen = np.flatnonzero(x.any(axis=0))
    np.testing.assert_allclose(Vectors(text.store)(text.store).toarray(), normalize(x * idf)[:, seen], atol=1e-6)
    bags = Vectors(tokens.store)(tokens.store).toarray()
    np.testing.assert_allclose(bags[:59, 2:10], normalize(x)[:59], atol=1e-6)


@pytest.mark.parametrize("sparse", [False, True])
def test_propagated_features_are_the_singular_vectors_of_dense_propagation(sparse):
    data = dataset("sparse" if sparse else "rows", weighted=True)
    x, store = Vectors(data.store, 0.5)(data.store), data.graph().store
    h = Propagation(store, 0.15, 12)(torch.from_numpy(x.toarray() if sparse else x).double()).numpy()
    left, value, _ = np.linalg.svd(h, full_matrices=False)
    found = propagated_features(Propagation(store), x, 4)
    wanted = left[:, :4] * value[:4]
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-4)  # signs are free
    all_of_it = propagated_features(Propagation(store), x, 256)
    np.testing.assert_allclose(all_of_it @ all_of_it.T, h @ h.T, atol=1e-3)


def test_ridge_predicts_from_what_the_regression_says():
    data, task = dataset(), dataset().task()
    vectors = Vectors(data.store, 0.5)
    x = vectors(data.store)
    target = normalize(propagated_features(Propagation(data.graph().store), x, 3))
    weight = np.linalg.solve(x.T @ x + 0.4 * np.eye(8), x.T @ target)
    model = LogisticRegression(C=1.0, max_iter=1000).fit(x[:20] @ weight, task.labels[:20])
    found = predict(Ridge(num_channels=3, ridges=[0.4], penalties=[1.0]), data)
    np.testing.assert_allclose(found.test.exp(), model.predict_proba(x[40:] @ weight), atol=1e-3)
    assert found.num_parameters == 8 * 3 + 4 and found.num_trials == 1


def test_label_propagation_is_the_series_and_isolated_samples_get_the_prior():
    data = dataset(weighted=True)
    task = data.task()
    start = torch.zeros(N, 2, dtype=torch.float64)
    start[torch.arange(20), task.labels[:20]] = 1
    arrived = Propagation(data.graph().store, 0.1, 30, loops=False)(start)
    found = predict(LabelPropagation(alphas=[0.9], num_steps=30), data).test.exp().double()
    share, prior = arrived / arrived.sum(dim=1, keepdim=True), start[:20].mean(dim=0)
    share = torch.where(share.isnan(), prior, share)  # nothing arrives
    torch.testing.assert_close(found[:16], share[40:56], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[16:], prior.expand(4, 2), atol=1e-4, rtol=0)


def test_label_propagation_of_numbers_is_a_weighted_mean():
    data = dataset(of_type="regression")
    found = predict(LabelPropagation(), data).test
    y = data.task().labels[:20]
    assert found.dtype == torch.float64 and bool(((found >= y.min()) & (found <= y.max())).all())
    torch.testing.assert_close(found[16:], y.mean().expand(4, 1))


def test_majority_is_what_is_most_common():
    data = dataset()
    y = data.task().labels.clone()
    y[:3] = 1
    task = Task("more", y, data.task().split)
    assert bool((predict(Majority(), data, task=task).test.argmax(dim=1) == 1).all())
    numbers = dataset(of_type="regression")
    assert bool((predict(Majority(), numbers).test == numbers.task().labels[:20].mean()).all())
    columns = predict(Majority(), dataset(of_type="multilabel")).test.sigmoid()
    assert torch.allclose(columns[0, 2], torch.tensor(0.5))


@pytest.mark.parametrize("kind", [RawFeatures, LSA, Ridge])
@pytest.mark.parametrize("wrong", [[], [0.0], [-1.0], "0.1", [float("nan")], [True]])
def test_penalties_are_checked(kind, wrong):
    with pytest.raises(ValueError, match=f"'penalties' needs numbers > 0 in '{kind.__name__}'"):
        kind(penalties=wrong)
