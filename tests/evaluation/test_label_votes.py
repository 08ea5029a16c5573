"""nearest_neighbors, neighbor_prediction and label_agreement, against loops and scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors

from sigraph.evaluation import label_agreement, nearest_neighbors, neighbor_prediction
from sigraph.neighbors import similarity


def points(n: int, d: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def brute(z: torch.Tensor, k: int, query: torch.Tensor | None = None) -> list[list[int]]:
    out = []
    for i, q in enumerate(z if query is None else query):
        others = [j for j in range(len(z)) if query is not None or j != i]
        out.append(sorted(others, key=lambda j: -cosine(q, z[j]))[:k])
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(0, 100), st.booleans(), st.data())
def test_against_loops(n, seed, with_query, data):
    z, query = points(n, 3, seed), points(5, 3, seed + 1) if with_query else None
    k = data.draw(st.integers(1, n if with_query else n - 1))
    index, value = nearest_neighbors(z, k, query)
    assert index.tolist() == brute(z, k, query)
    rows = z if query is None else query
    expected = [[cosine(rows[i], z[j]) for j in row] for i, row in enumerate(index.tolist())]
    torch.testing.assert_close(value, torch.tensor(expected, dtype=torch.double))


@pytest.mark.parametrize("budget", [1, 130, 1 << 22])
def test_against_scikit_learn_in_chunks_of_any_size(budget, monkeypatch):
    monkeypatch.setattr(similarity, "BUDGET", budget)
    z, query = points(40), points(13, seed=1)
    oracle = NearestNeighbors(metric="cosine", algorithm="brute").fit(z.numpy())
    for asked in (None, query):
        distance, index = oracle.kneighbors(None if asked is None else asked.numpy(), 6)
        found, value = nearest_neighbors(z, 6, asked)
        assert np.array_equal(found.numpy(), index)
        np.testing.assert_allclose(1 - value.numpy(), distance, atol=1e-12)


def test_length_does_not_matter_and_z_stays():
    z = points(9)
    before, scale = z.clone(), torch.arange(1.0, 10)[:, None]
    assert torch.equal(nearest_neighbors(z, 3)[0], nearest_neighbors(z * scale, 3)[0])
    assert torch.equal(z, before)


def test_itself_is_left_out_even_among_copies():
    index, value = nearest_neighbors(points(1).repeat(5, 1), 4)
    assert all(sorted(row) == [j for j in range(5) if j != i] for i, row in enumerate(index.tolist()))
    assert value.isfinite().all()
    assert nearest_neighbors(points(3), 1, points(3))[0].view(-1).tolist() == [0, 1, 2]  # a query may find itself


@pytest.mark.parametrize(("k", "query", "most"), [(0, None, 4), (5, None, 4), (6, 2, 5), (0, 2, 5)])
def test_bad_k_is_named(k, query, most):
    with pytest.raises(ValueError, match=rf"'k' needs to be in \[1, {most}\] in 'nearest_neighbors' \(got {k}\)"):
        nearest_neighbors(points(5), k, None if query is None else points(query))


def test_label_agreement_by_hand():
    angle = torch.tensor([0.0, 10, 15, 90, 100, 180]) * torch.pi / 180
    z = torch.stack([angle.cos(), angle.sin()], dim=1)
    y = torch.tensor([0, 0, 1, 1, 2, 2])
    # nearest: 0 -> 10 (same), 10 -> 15 (no), 15 -> 10 (no), 90 -> 100 (no), 100 -> 90 (no), 180 -> 100 (same)
    assert label_agreement(z, y) == pytest.approx(2 / 6)


def test_unlabelled_samples_neither_ask_nor_answer():
    angle = torch.tensor([0.0, 1, 10, 11, 12]) * torch.pi / 180
    z = torch.stack([angle.cos(), angle.sin()], dim=1)
    assert label_agreement(z, torch.tensor([0, -1, 0, 1, 1])) == pytest.approx(2 / 4)  # 0 -> 10, 10 -> 11, 11 <-> 12
    assert label_agreement(z, torch.tensor([0, 1, -1, -1, 0])) == 0.0


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 15), st.integers(0, 50))
def test_label_agreement_against_loops(n, seed):
    z, y = points(n, 3, seed), torch.randint(-1, 3, (n,), generator=torch.Generator().manual_seed(seed))
    known = [i for i in range(n) if y[i] >= 0]
    if len(known) < 2:
        with pytest.raises(ValueError, match=rf"at least two labelled samples .*got {len(known)}"):
            label_agreement(z, y)
        return
    nearest = [max((j for j in known if j != i), key=lambda j, i=i: cosine(z[i], z[j])) for i in known]
    expected = sum(bool(y[i] == y[j]) for i, j in zip(known, nearest, strict=True)) / len(known)
    assert label_agreement(z, y) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ["euclidean", "dot"])
def test_other_metrics_against_loops(metric):
    z, query = points(20) + 50, points(7, seed=1) + 50  # far from the origin
    for asked in (None, query):
        index, value = nearest_neighbors(z, 4, asked, metric)
        rows = z if asked is None else asked
        every = (
            torch.cdist(rows, z, compute_mode="donot_use_mm_for_euclid_dist") if metric == "euclidean" else rows @ z.t()
        )
        if asked is None:
            every.fill_diagonal_(torch.inf if metric == "euclidean" else -torch.inf)
        expected = every.topk(4, dim=1, largest=metric == "dot")
        assert torch.equal(index, expected.indices)
        torch.testing.assert_close(value, expected.values)


def test_distances_far_from_the_origin_keep_their_digits():
    z = (points(50) + 1000).float()
    index, value = nearest_neighbors(z, 1, metric="euclidean")
    exact = torch.cdist(z.double(), z.double(), compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    torch.testing.assert_close(value[:, 0], exact.min(dim=1).values.float(), rtol=1e-4, atol=1e-4)
    assert torch.equal(index[:, 0], exact.argmin(dim=1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=12), st.booleans(), st.data())
def test_of_equally_close_samples_the_first_are_taken(axis, with_query, data):
    z = torch.eye(4)[torch.tensor(axis)]
    query = torch.eye(4) if with_query else None
    k = data.draw(st.integers(1, len(axis) - (not with_query)))
    index, _ = nearest_neighbors(z, k, query)
    assert index.tolist() == brute(z, k, query)  # sorted() keeps the order of equals


def test_no_query_finds_nothing():
    index, value = nearest_neighbors(points(4), 2, torch.empty(0, 4, dtype=torch.double))
    assert index.shape == value.shape == (0, 2)
    assert neighbor_prediction(points(4), torch.tensor([0, 1, 0, 1]), 1, torch.empty(0, 4)).shape == (0,)
    assert neighbor_prediction(points(4), torch.ones(4, 3), 1, torch.empty(0, 4)).shape == (0, 3)


@pytest.mark.parametrize("query", [torch.ones(2, 3), torch.ones(4), torch.full((1, 4), torch.inf)])
def test_bad_queries_are_named(query):
    with pytest.raises(ValueError, match=r"'query' (needs|holds)"):
        nearest_neighbors(points(5), 1, query)


# Predictions ##########################################################################################################


def labels(kind: str, n: int, missing: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    gone = torch.rand(n, 6, generator=generator) < missing
    if kind == "classes":
        return torch.randint(0, 4, (n,), generator=generator).where(~gone[:, 0], -1)
    if kind == "regression":
        return torch.randn(n, generator=generator).where(~gone[:, 0], torch.nan)
    return torch.randint(0, 2, (n, 6), generator=generator).float().where(~gone, torch.nan)


def predicted_by_loops(z, y, k, query=None) -> list:
    """For each sample that asks and each column: sort all that know it, take k, count or average."""
    table = y[:, None] if y.dim() == 1 else y
    rows = []
    for i, q in enumerate(z if query is None else query):
        row = []
        for column in table.t():
            known = column >= 0 if not y.is_floating_point() else ~column.isnan()
            others = [j for j in range(len(z)) if known[j] and (query is not None or j != i)]
            near = [column[j].item() for j in sorted(others, key=lambda j, q=q: -cosine(q, z[j]))[:k]]
            classes = not y.is_floating_point()
            row.append(max(sorted(set(near)), key=near.count) if classes else sum(near) / k)
        rows.append(row if y.dim() == 2 else row[0])
    return rows


@pytest.mark.parametrize("kind", ["classes", "regression", "columns"])
@pytest.mark.parametrize("missing", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize(("k", "budget"), [(1, 1 << 22), (3, 1), (4, 150)])
def test_predictions_against_loops(kind, missing, held_out, k, budget, monkeypatch):
    monkeypatch.setattr(similarity, "BUDGET", budget)
    z, y = points(45), labels(kind, 45, missing)
    query = points(6, seed=3) if held_out else None
    found = neighbor_prediction(z, y, k, query)
    expected = torch.tensor(predicted_by_loops(z, y, k, query), dtype=found.dtype)
    torch.testing.assert_close(found, expected)
    assert found.dtype == (torch.long if kind == "classes" else torch.float)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_held_out_predictions_against_scikit_learn(metric):
    z, query = points(80), points(30, seed=1)
    for kind, model in (
        ("classes", KNeighborsClassifier),
        ("regression", KNeighborsRegressor),
        ("columns", KNeighborsRegressor),
    ):
        y = labels(kind, 80, 0.0)
        oracle = model(5, metric=metric, algorithm="brute").fit(z.numpy(), y.numpy()).predict(query.numpy())
        np.testing.assert_allclose(neighbor_prediction(z, y, 5, query, metric).numpy(), oracle, rtol=1e-6)


def test_leave_one_out_is_one_fit_per_sample():
    z, y = points(30), labels("classes", 30, 0.0)
    found = neighbor_prediction(z, y, 3)
    for i in range(30):
        rest = [j for j in range(30) if j != i]
        model = KNeighborsClassifier(3, metric="cosine").fit(z[rest].numpy(), y[rest].numpy())
        assert found[i] == model.predict(z[i : i + 1].numpy())[0]


def test_an_unlabelled_sample_asks_and_never_answers():
    z = torch.eye(3)[[0, 0, 0, 1, 1]]
    assert neighbor_prediction(z, torch.tensor([2, -1, 2, 1, 1]), 1).tolist() == [2, 2, 2, 1, 1]
    value = torch.tensor([4.0, torch.nan, 8.0, 1.0, 1.0])
    assert neighbor_prediction(z, value, 1).tolist() == [8.0, 4.0, 4.0, 1.0, 1.0]


def test_votes_that_tie_go_to_the_smallest_class():
    z = torch.eye(2)[[0, 0, 0, 0, 1]]
    assert neighbor_prediction(z, torch.tensor([3, 1, 3, 1, 0]), 4, torch.eye(2)[:1]).tolist() == [1]


@pytest.mark.parametrize(
    ("y", "k", "held_out", "message"),
    [
        (torch.zeros(4, dtype=torch.long), 1, False, "'y' needs one label per embedding, 5, .*got 4"),
        (torch.tensor([0, 1, -1, 1, 0]), 4, False, r"'k' needs to be in \[1, 3\] in 'neighbor_prediction' \(got 4\)$"),
        (torch.tensor([0, 1, -1, 1, 0]), 5, True, r"'k' needs to be in \[1, 4\]"),
        (torch.tensor([0, 1, -1, 1, 0]), 0, True, r"'k' needs to be in \[1, 4\]"),
        (torch.full((5,), torch.nan), 1, False, r"'k' needs to be in \[1, 0\]"),
        (torch.tensor([[0.0, 1.0], [1, 1], [1, 1], [1, torch.nan], [1, torch.nan]]), 3, False, "column 1 knows fewest"),
    ],
)
def test_bad_labels_and_k_are_named(y, k, held_out, message):
    with pytest.raises(ValueError, match=message):
        neighbor_prediction(points(5), y, k, points(2) if held_out else None)


def test_agreement_of_the_samples_that_ask():
    z, y = points(40), labels("classes", 40, 0.3)
    query = torch.tensor([3, 30, 7, 12, 25])
    asking = query[y[query] >= 0]
    expected = (neighbor_prediction(z, y, 1)[asking] == y[asking]).float().mean()
    assert label_agreement(z, y, query) == pytest.approx(float(expected))
    with pytest.raises(ValueError, match="'query' needs a sample with a class"):
        label_agreement(z, y, (y < 0).nonzero().view(-1))
