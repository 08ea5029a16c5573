"""Features as a graph network reads them."""

import scipy.sparse
import torch

from sigraph.graph_networks import features
from sigraph.graph_networks.features import dense_rows


def words(seed=0):
    return scipy.sparse.random_array((40, 30), density=0.3, format="csr", random_state=seed, dtype="float32")


def test_rows_are_as_they_are_unless_they_are_wider_than_asked():
    rows = words()
    whole = torch.from_numpy(rows.toarray())
    assert torch.equal(dense_rows(rows), whole) and torch.equal(dense_rows(rows, channels=30), whole)
    assert torch.equal(dense_rows(whole.numpy()), whole)


def test_reduced_rows_keep_what_the_largest_singular_values_say():
    rows = words()
    found = dense_rows(rows, channels=29).double()
    exact = torch.from_numpy(rows.toarray()).double()
    u, s, _ = torch.linalg.svd(exact, full_matrices=False)
    wanted = (u[:, :29] * s[:29]) @ (u[:, :29] * s[:29]).T
    assert found.shape == (40, 29) and torch.allclose(found @ found.T, wanted, atol=1e-2)


def test_channels_are_learnt_from_what_may_be_seen(monkeypatch):
    rows, seen = words(), words(1)
    assert torch.equal(dense_rows(rows, lambda: seen, 8), dense_rows(rows, lambda: seen, 8))
    assert not torch.allclose(dense_rows(rows, lambda: seen, 8), dense_rows(rows, None, 8))
    monkeypatch.setattr(features, "MOST_NUMBERS", 100)
    monkeypatch.setattr(features, "_REDUCED", 8)
    assert torch.equal(dense_rows(rows, lambda: seen), dense_rows(rows, lambda: seen, 8))
