"""PropagatedFeatures against dense linear algebra on 50 nodes."""

import numpy as np
import pytest
import torch
from sklearn.preprocessing import normalize

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.samples import SparseFeatures, token_table
from sigraph.targets import GraphEmbedding, PropagatedFeatures

N = 50
ROUGH = {"neighbors": 5, "weight": 0.3}


def counts():
    """Words of two topics; sample 49 has none."""
    draw = torch.Generator().manual_seed(0)
    rate = torch.where((torch.arange(N) % 2)[:, None] == torch.arange(12) % 2, 1.2, 0.3)
    x = (torch.poisson(rate, generator=draw) > 0).float()
    x[49] = 0
    return x


def graph(weighted=True):
    """Nodes 48 and 49 are isolated; two components besides."""
    draw = torch.Generator().manual_seed(1)
    pairs = torch.combinations(torch.arange(48)).t()
    near = (pairs[0] < 30) == (pairs[1] < 30)
    pairs = pairs[:, near & (torch.rand(pairs.size(1), generator=draw) < 0.12)]
    weight = 0.2 + 2 * torch.rand(pairs.size(1), generator=draw) if weighted else None
    return PretrainGraph(pairs, N, weight)


def adjacency(given):
    found = np.zeros((N, N))
    found[tuple(given.edge_index.numpy())] = 1.0 if given.edge_weight is None else given.edge_weight.numpy()
    return found


def normalised(a, exponent=0.5):
    degree = a.sum(axis=1)
    return np.diag(degree**-exponent) @ a @ np.diag(degree ** (exponent - 1))


def spread(s, x, restart, num_steps):
    out, power = restart * x, x
    for k in range(1, num_steps + 1):
        power = s @ power
        out = out + restart * (1 - restart) ** k * power
    return out


def centred_unit(x):
    some = np.abs(x).max(axis=1) > 1e-7
    out = np.zeros_like(x)
    out[some] = normalize(x[some] - x[some].mean(axis=0))
    return out


def words(x):
    idf = np.log((1 + N) / (1 + (x > 0).sum(axis=0))) + 1
    return normalize(x * idf**0.5)


def nearest(h, neighbors):
    cosine = h @ h.T
    np.fill_diagonal(cosine, -np.inf)
    cosine[:, 49] = -np.inf
    chosen = np.zeros((N, N), bool)
    np.put_along_axis(chosen, np.argsort(-cosine, axis=1)[:, :neighbors], True, axis=1)
    chosen[49] = False
    return np.where(chosen | chosen.T, np.maximum(cosine, 0), 0)


def gram(rows):
    rows = normalize(rows)
    return rows @ rows.T


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("complete", [None, ROUGH])
def test_equals_dense_algebra(weighted, complete):
    """All 12 channels are kept, so that the angles between rows are exact."""
    given, x = graph(weighted), words(counts().numpy().astype(np.float64))
    eye = np.eye(N)
    a = adjacency(given)
    if complete:
        h = centred_unit(spread(normalised(a + eye), x, 0.15, 12))
        a = a + 0.3 * nearest(h, 5)
    wanted = centred_unit(spread(normalised(a + eye), x, 0.05, 25))
    target = PropagatedFeatures(out_channels=16, complete=complete).fit(SampleDataset(counts()), given)
    assert target.shape == (N, 16) and target.dtype == torch.float32
    np.testing.assert_allclose(gram(target.numpy()), gram(wanted), atol=2e-3)


def test_degree_exponents_and_the_last_power():
    given, x = graph(), words(counts().numpy().astype(np.float64))
    dataset, a = SampleDataset(counts()), adjacency(graph()) + np.eye(N)
    for exponent in (0.0, 1.0):
        target = PropagatedFeatures(out_channels=12, degree_exponent=exponent, num_steps=3).fit(dataset, given)
        wanted = centred_unit(spread(normalised(a, exponent), x, 0.05, 3))
        np.testing.assert_allclose(gram(target.numpy()), gram(wanted), atol=2e-3)
    target = PropagatedFeatures(out_channels=12, restart=None, num_steps=2).fit(dataset, given)
    power = normalised(a) @ normalised(a) @ x
    np.testing.assert_allclose(gram(target.numpy()), gram(centred_unit(power)), atol=2e-3)


def test_a_seed_turns_the_channels_and_changes_no_angle():
    dataset, given = SampleDataset(counts()), graph()
    one, same, other = (PropagatedFeatures(8).fit(dataset, given, seed=seed) for seed in (0, 0, 1))
    plain = PropagatedFeatures(8, rotate=False).fit(dataset, given)
    assert torch.equal(one, same) and not torch.allclose(one, other, atol=0.1)
    for found in (other, plain):
        np.testing.assert_allclose(found @ found.T, one @ one.T, atol=2e-3)
    assert (plain.square().sum(dim=0).diff() < 1e-3).all()


def test_a_sample_of_nothing_has_no_target_unless_neighbours_say_one():
    target = PropagatedFeatures(8).fit(SampleDataset(counts()), graph())
    assert (target[49] == 0).all() and (target[:49].norm(dim=1) - 1).abs().max() < 0.2


def test_sparse_rows_and_tokens_say_the_same():
    given, x = graph(), counts()
    dense = PropagatedFeatures(8).fit(SampleDataset(x), given)
    sparse = PropagatedFeatures(8).fit(SampleDataset(SparseFeatures.of(x.to_sparse())), given)
    lists = [[2 + j for j, n in enumerate(row) if n] or [15] for row in x.tolist()]
    tokens = PropagatedFeatures(8).fit(SampleDataset(token_table(lists, 16)), given)
    np.testing.assert_allclose(sparse @ sparse.T, dense @ dense.T, atol=2e-3)
    assert np.corrcoef((tokens @ tokens.T)[:49, :49].ravel(), (dense @ dense.T)[:49, :49].ravel())[0, 1] > 0.98


def test_spectral_embeddings_are_eigenvectors_and_walks_weigh_them():
    given = graph()
    a = normalised(adjacency(given) + np.eye(N))
    value, vector = np.linalg.eigh(a)
    value, vector = value[::-1][:6], vector[:, ::-1][:, :6]
    joined = np.unique(given.edge_index[0])  # isolated ones have no target
    degree = (adjacency(given) + np.eye(N)).sum(axis=1)
    dataset = SampleDataset(torch.zeros(N, 1))  # what samples are does not matter
    spectral = GraphEmbedding(6, "spectral").fit(dataset, given)
    wanted = vector * degree[:, None] ** -0.5
    assert sorted(np.flatnonzero(spectral.abs().sum(dim=1))) == joined.tolist()
    # The eigenvalue 1 is there once a component, with any basis: angles within a gap are determined.
    assert value[5] - np.linalg.eigvalsh(a)[::-1][6] > 1e-3
    np.testing.assert_allclose(gram(spectral.numpy()[joined]), gram(wanted[joined]), atol=5e-3)
    walks = GraphEmbedding(6, restart=0.2, num_steps=4).fit(dataset, given)
    factor = sum(0.2 * 0.8**k * value**k for k in range(5))
    np.testing.assert_allclose(gram(walks.numpy()[joined]), gram((vector * factor)[joined]), atol=5e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"complete": {"neighbors": 3}},
        {"complete": {"neighbors": 0, "weight": 1.0}},
        {"restart": 0.0},
        {"degree_exponent": 1.5},
        {"out_channels": 0},
        {"rotate": "yes"},
    ],
)
def test_refuses(wrong):
    with pytest.raises(ValueError, match=r"complete|neighbors|restart|degree_exponent|out_channels|rotate"):
        PropagatedFeatures(**wrong)
