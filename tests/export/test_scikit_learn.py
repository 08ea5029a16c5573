"""SIPTEncoder is an estimator of scikit-learn: its checks, its pipelines and folds; and it learns the graph."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from sigraph import SampleDataset, embed
from sigraph.losses import ContrastiveLoss
from sigraph.sklearn import SIPTEncoder

SMALL = SIPTEncoder(hidden_channels=8, out_channels=4, num_epochs=2, graph="knn")
QUICK = (
    *("check_estimators_pickle", "check_fit2d_1sample", "check_fit_idempotent", "check_methods_subset_invariance"),
    *("check_n_features_in_after_fitting", "check_transformer_general", "check_dataframe_column_names_consistency"),
)


@pytest.mark.parametrize("check", QUICK)
@pytest.mark.filterwarnings("ignore")
def test_checks_of_scikit_learn(check):
    getattr(estimator_checks, check)("SIPTEncoder", clone(SMALL))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@estimator_checks.parametrize_with_checks([SMALL], expected_failed_checks=lambda estimator: {})
def test_all_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def world():
    """60 rows of noise in three classes, and edges within classes."""
    generator = np.random.default_rng(0)
    y = generator.permutation(np.arange(60) % 3)
    edges = np.array([(i, j) for i in range(60) for j in generator.choice(np.flatnonzero(y == y[i]), 3) if i != j]).T
    return generator.normal(size=(60, 8)), y, edges


def fast(**changes):
    return SIPTEncoder(**{"hidden_channels": 16, "out_channels": 8, "num_epochs": 2, "random_state": 0, **changes})


def test_embeddings_reflect_the_edges(world):
    X, _, edges = world
    settings = {"num_epochs": 40, "structure_weight": 1.0, "objective": None, "learning_rate": 1e-2}
    model = fast(**settings).fit(X, edges=edges)
    z = model.transform(X)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    near = z @ z.T
    joined = near[edges[0], edges[1]].mean()
    assert joined > near.mean() + 0.15 and model.graph_ == "given" and z.dtype == np.float32
    assert np.allclose(embed(model.encoder_, SampleDataset(X)).numpy(), model.transform(X), atol=1e-5)


def test_a_seed_gives_the_same_encoder_and_leaves_others_random(world):
    X, _, edges = world
    state = torch.get_rng_state()
    one, again, other = (fast(random_state=seed).fit(X, edges=edges).transform(X) for seed in (0, 0, 1))
    assert np.array_equal(one, again) and not np.allclose(one, other)
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(pickle.loads(pickle.dumps(fast().fit(X, edges=edges))).transform(X), one)


def searched(X, y, model=None, cv=2, steps=(), **given):
    search = GridSearchCV(
        make_pipeline(*steps, model or fast(num_epochs=1), LogisticRegression()),
        {"siptencoder__structure_weight": [0.2]},
        cv=cv,
        error_score="raise",
    )
    return search.fit(X, y, **given).cv_results_["mean_test_score"]


def square(edges):
    """The matrix [60, 60] of edges in both directions."""
    ends = np.unique(np.concatenate([edges, edges[::-1]], axis=1), axis=1)
    return sp.coo_array((np.ones(ends.shape[1]), ends), shape=(60, 60)).tocsr()


def test_folds_keep_the_edges_of_their_rows(world):
    X, y, edges = world
    named = pd.DataFrame(X, index=[f"p{i}" for i in range(60)])
    pairs = pd.DataFrame(np.array([[f"p{i}" for i in end] for end in edges]).T)
    matrix = pd.DataFrame(square(edges).toarray(), named.index, named.index)
    by_name = searched(named, y, siptencoder__edges=pairs)
    assert np.allclose(by_name, searched(named, y, siptencoder__edges=matrix))
    assert np.allclose(by_name, searched(X, y, siptencoder__edges=edges, siptencoder__ids=np.arange(60)))
    with config_context(enable_metadata_routing=True):
        model = fast(num_epochs=1).set_fit_request(edges=True, ids=True)
        scaled = searched(X, y, model, steps=[StandardScaler()], edges=edges, ids=np.arange(60))
    assert scaled.shape == by_name.shape


def test_edges_by_number_and_matrices_are_refused_in_folds(world):
    X, y, edges = world
    matrix = square(edges)
    for given in (edges, matrix, matrix.toarray()):
        for cv in (KFold(3), KFold(3, shuffle=True, random_state=1)):
            with pytest.raises(ValueError, match=r"'edges' needs .*by ids=.*SIPTEncoder\(graph='knn'\)"):
                searched(X, y, cv=cv, siptencoder__edges=given)
    half = matrix[:30][:, :30]
    assert fast().fit(X[:30], edges=half).n_edges_ == half.nnz // 2


def test_nearest_neighbours_where_no_edges_are_given(world):
    X, _, edges = world
    with pytest.warns(UserWarning, match="was given no edges and trains on the nearest neighbours of X"):
        assert fast().fit(X).graph_ == "knn"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fast(graph="knn", n_neighbors=4).fit(sp.csr_array(X)).n_neighbors_ == 4
    with pytest.warns(UserWarning, match=r"'n_neighbors' is 4 .*got 10 for n_samples=10"):
        fast(graph="knn").fit(X[:10])
    with pytest.raises(ValueError, match=r"'edges' is not looked at .*graph='given' takes them"):
        fast(graph="knn").fit(X, edges=edges)
    with pytest.raises(ValueError, match=r"'edges' is needed .*graph='given'"):
        fast(graph="given").fit(X)


def test_names_of_features(world):
    X, _, edges = world
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    z = fast(out_channels=2).set_output(transform="pandas").fit_transform(frame, edges=edges)
    assert list(z.columns) == ["siptencoder0", "siptencoder1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"structure_loss": "PMLLoss"},
            "'structure_loss' needs to be a sigraph StructureLoss or one of ContrastiveLoss",
        ),
        ({"objective": None}, "'structure_weight' needs to be 1 .*without an objective"),
        ({"objective": "mae"}, "'objective' needs to be one of mse, bce, words"),
        ({"graph": "edges"}, "'graph' needs to be one of given, knn"),
        ({"num_epochs": -1}, "'num_epochs' needs to be an integer >= 0"),
        ({"learning_rate": 0}, "'learning_rate' needs to be > 0"),
        ({"hidden_channels": 0}, "'hidden_channels' needs to be an integer >= 1"),
        ({"mask_rate": 2}, "'mask_rate' needs to be"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_fit(world, changes, message):
    with pytest.raises(ValueError, match=message):
        fast(**changes).fit(world[0], edges=world[2])


def test_a_loss_of_ones_own_is_copied_and_a_complete_graph_refused(world):
    X, _, edges = world
    loss = ContrastiveLoss(negative_margin=0.5)
    model = fast(structure_loss=loss).fit(X, edges=edges)
    assert model.structure_loss is loss and clone(model).structure_loss.negative_margin == 0.5
    with pytest.raises(ValueError, match="rows that are no neighbours"):
        fast().fit(X[:4], edges=1 - np.eye(4))


def test_sigraph_is_imported_without_scikit_learns_estimators():
    code = "import sys, sigraph, sigraph.sklearn; sys.exit('sklearn.base' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
