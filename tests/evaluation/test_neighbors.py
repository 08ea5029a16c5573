"""nearest_neighbors and label_agreement, against loops and scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from sigraph.evaluation import label_agreement, nearest_neighbors, neighbors


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
    monkeypatch.setattr(neighbors, "_BUDGET", budget)
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
