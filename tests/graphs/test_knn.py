"""KNNGraph: the true nearest neighbours, with and without faiss; equal vectors; inverted lists and their recall."""

import logging

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from sigraph.config import config_from_dict
from sigraph.data import SampleDataset
from sigraph.experiment import run
from sigraph.graphs import KNNGraph
from sigraph.graphs.knn import nearest_pairs
from sigraph.neighbors import search as neighbor_search


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(n: int, d: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=seeded(seed))


def edges(graph) -> set[tuple[int, int]]:
    return {(a, b) for a, b in graph.edge_index.t().tolist() if a < b}


@pytest.fixture(params=["faiss", "torch"])
def engine(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(neighbor_search, "faiss_or_none", lambda: None)
    else:
        pytest.importorskip("faiss")
    return request.param


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("mutual", [False, True])
def test_agrees_with_scikit_learn(engine, metric, mutual):
    x = rows(300, 7) + 3
    index = NearestNeighbors(n_neighbors=5, metric=metric).fit(x.double().numpy()).kneighbors(return_distance=False)
    directed = {(i, int(j)) for i, near in enumerate(index) for j in near}
    both = {(i, j) for i, j in directed if (j, i) in directed}
    expected = {(min(e), max(e)) for e in (both if mutual else directed)}
    constructor = KNNGraph(5, metric, mutual)
    assert edges(constructor(SampleDataset(x))) == expected and constructor.recall == 1.0


@st.composite
def vectors(draw):
    n, d = draw(st.integers(2, 14)), draw(st.integers(1, 3))
    values = draw(st.lists(st.integers(-2, 2), min_size=n * d, max_size=n * d))
    return torch.tensor(values, dtype=torch.float).view(n, d), draw(st.integers(1, n - 1))


@settings(max_examples=80, deadline=None)
@given(vectors(), st.booleans())
def test_distances_are_the_smallest_though_many_vectors_are_equal(case, with_faiss):
    x, k = case
    with pytest.MonkeyPatch.context() as patch:
        if not with_faiss:
            patch.setattr(neighbor_search, "faiss_or_none", lambda: None)
        row, col, _ = nearest_pairs(x, k, "euclidean", None, 1.0, None, "here")
    for i in range(len(x)):
        mine = col[row == i].tolist()
        assert len(set(mine)) == k and i not in mine
        distance = torch.cdist(x[[i]].double(), x.double())[0]
        distance[i] = torch.inf
        assert distance[mine].tolist() == pytest.approx(distance.sort().values[:k].tolist(), abs=1e-6)
        equal = [j for j in (*range(i + 1, len(x)), *range(i)) if torch.equal(x[j], x[i])]
        assert mine[: len(equal)] == equal[:k]  # those that follow, cyclically


def test_a_thousand_equal_vectors_make_no_hub(engine):
    x = torch.cat([torch.zeros(500, 4), rows(20, 4) + 5])
    graph = KNNGraph(3)(SampleDataset(x))
    degree = graph.csr()[0].diff()
    assert int(degree[:500].max()) <= 6 + 20 and (degree >= 3).all()
    assert (0, 1) in edges(graph) and (0, 499) in edges(graph)


def test_all_vectors_equal(engine):
    assert edges(KNNGraph(1)(SampleDataset(torch.ones(4, 2)))) == {(0, 1), (1, 2), (2, 3), (0, 3)}


@pytest.mark.parametrize(("shift", "factor"), [(1e4, 1.0), (0.0, 1e30), (0.0, 1e-30)])
def test_far_from_zero_large_and_tiny_numbers(engine, shift, factor):
    x = (rows(100, 3).double() * 8).round() / 8 * factor + shift  # exact in float32
    x = x + torch.arange(100)[:, None] / 128 * factor
    index = NearestNeighbors(n_neighbors=1).fit(x.numpy() / factor).kneighbors()
    unique = [i for i in range(100) if index[0][i, 0] > 0]
    found = edges(KNNGraph(1)(SampleDataset(x.float())))
    distance = torch.cdist(x / factor, x / factor).fill_diagonal_(torch.inf)
    for i in unique:
        partners = [b if a == i else a for a, b in found if i in (a, b)]
        assert float(distance[i, partners].min()) == pytest.approx(float(distance[i].min()), rel=1e-3)


def test_one_wild_row_does_not_blur_the_others(engine):
    x = rows(200, 4)
    x[7] = 1e10
    near = NearestNeighbors(n_neighbors=3).fit(x.double().numpy()).kneighbors(return_distance=False)
    expected = {(min(i, int(j)), max(i, int(j))) for i, row in enumerate(near) for j in row if i != 7}
    assert {edge for edge in edges(KNNGraph(3)(SampleDataset(x))) if 7 not in edge} == {
        e for e in expected if 7 not in e
    }


def test_minus_zero_is_zero_and_codes_that_collide_are_told_apart(monkeypatch):
    first, kind = neighbor_search.distinct_rows(torch.tensor([[0.0, 1.0], [2.0, 1.0], [-0.0, 1.0]]))
    assert first.tolist() == [0, 1] or first[kind].tolist() == [0, 1, 0]
    assert neighbor_search.distinct_rows(rows(50, 3)) is None
    monkeypatch.setattr(torch, "randint", lambda low, high, size, generator: torch.zeros(size, dtype=torch.long))
    x = torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])  # every factor is 1: the same code for all
    first, kind = neighbor_search.distinct_rows(x)
    assert torch.equal(x[first[kind]], x) and len(first) == 2 and first[kind].tolist() == [0, 1, 0]


def test_inverted_lists_reach_the_recall_asked_for_and_say_it(caplog):
    pytest.importorskip("faiss")
    x = rows(4_000, 12)
    dataset, exact = SampleDataset(x), edges(KNNGraph(6)(SampleDataset(x)))
    shares = {}
    for least in (0.5, 0.97):
        constructor = KNNGraph(6, exact=False, min_recall=least)
        with caplog.at_level(logging.INFO, "sigraph"):
            graph = constructor(dataset, seeded(1))
        assert least <= constructor.recall <= 1 and f"recall {constructor.recall:.4f}" in caplog.text
        shares[least] = len(edges(graph) & exact) / len(exact)
        assert shares[least] == pytest.approx(constructor.recall, abs=0.05)  # the sample speaks for all
        again = KNNGraph(6, exact=False, min_recall=least)(dataset, seeded(1))
        assert torch.equal(graph.edge_index, again.edge_index)
    assert shares[0.97] > shares[0.5]


def test_inverted_lists_with_equal_vectors_and_short_lists():
    pytest.importorskip("faiss")
    x = torch.cat([rows(200, 3), rows(200, 3)])
    constructor = KNNGraph(150, exact=False, min_recall=1.0)
    graph = constructor(SampleDataset(x), seeded())
    assert constructor.recall == 1.0 and (graph.csr()[0].diff() >= 150).all()
    assert {(i, i + 200) for i in range(200)} <= edges(graph)


def test_lists_that_would_take_longer_than_all_pairs_are_left_alone_unless_asked_for(monkeypatch, caplog):
    pytest.importorskip("faiss")
    monkeypatch.setattr(neighbor_search, "EXACT_LIMIT", 100)
    wide = SampleDataset(rows(1_000, 64))  # no clusters: most lists would have to be probed
    constructor, asked = KNNGraph(3), KNNGraph(3, exact=False)
    with caplog.at_level(logging.INFO, "sigraph"):
        graph = constructor(wide, seeded())
    assert "comparing every pair of 1,000 vectors: inverted lists of recall 0.95" in caplog.text
    assert constructor.recall == 1.0
    assert edges(graph) == edges(KNNGraph(3, exact=True)(wide)) and "inverted lists: recall" not in caplog.text
    with caplog.at_level(logging.INFO, "sigraph"):
        asked(wide, seeded())
    assert "inverted lists: recall" in caplog.text


def test_more_samples_than_the_limit_go_to_inverted_lists_or_say_why_not(monkeypatch, caplog):
    pytest.importorskip("faiss")
    monkeypatch.setattr(neighbor_search, "EXACT_LIMIT", 100)
    with caplog.at_level(logging.INFO, "sigraph"):
        KNNGraph(3)(SampleDataset(rows(4_000, 3)), seeded())
    assert "inverted lists: recall" in caplog.text
    caplog.clear()
    KNNGraph(3, exact=True)(SampleDataset(rows(200, 3)), seeded())
    assert not caplog.text
    monkeypatch.setattr(neighbor_search, "faiss_or_none", lambda: None)
    constructor = KNNGraph(3)
    constructor(SampleDataset(rows(200, 3)), seeded())
    assert "comparing every pair of 200 vectors" in caplog.text and "sigraph[ann]" in caplog.text
    assert constructor.recall == 1.0
    with pytest.raises(ImportError, match=r"'exact=False' needs faiss: pip install 'sigraph\[ann\]'"):
        KNNGraph(3, exact=False)(SampleDataset(rows(200, 3)))


def test_vectors_of_ones_own_for_records():
    records = SampleDataset(pa.table({"text": ["a", "b", "c"]}), name="texts")
    given = np.array([[0.0], [1.0], [5.0]])
    assert edges(KNNGraph(1, vectors=given)(records)) == {(0, 1), (1, 2)}
    with pytest.raises(ValueError, match=r"'KNNGraph' needs feature rows, but the samples .*'texts'.*'vectors'"):
        KNNGraph(1)(records)
    with pytest.raises(ValueError, match=r"one row per sample .*got 2 rows, 3 samples"):
        KNNGraph(1, vectors=given[:2])(records)
    with pytest.raises(ValueError, match=r"shape \[N, D\].*got torch.float64 \[3\]"):
        KNNGraph(1, vectors=given[:, 0])(records)


def test_bad_vectors_are_refused():
    x = rows(6, 2)
    with pytest.raises(ValueError, match=r"'k' needs to be below the number of samples, 6, .*got 6"):
        KNNGraph(6)(SampleDataset(x))
    for value in (float("nan"), float("inf")):
        wrong = x.clone()
        wrong[4, 1] = value
        with pytest.raises(ValueError, match="NaN or infinity in 1 rows, first in row 4"):
            KNNGraph(2, vectors=wrong)(SampleDataset(x))
    zero = x.clone()
    zero[3] = 0
    with pytest.raises(ValueError, match=r"zero vectors, 'KNNGraph' has 1, first in row 3; use metric='euclidean'"):
        KNNGraph(2, "cosine")(SampleDataset(zero))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "'k' needs to be an integer >= 1 .*got 0"),
        ({"k": True}, "'k'"),
        ({"k": 2.0}, "'k'"),
        ({"k": 1, "metric": "cosin"}, "'metric' .*got 'cosin'"),
        ({"k": 1, "exact": 1}, "'exact'"),
        ({"k": 1, "min_recall": 0}, r"'min_recall' needs to be in \(0, 1\]"),
        ({"k": 1, "min_recall": float("nan")}, "'min_recall'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        KNNGraph(**arguments)


def test_an_experiment_with_a_rewired_arm(toy):
    knn = {"_target_": "sigraph.graphs.KNNGraph", "k": 4}
    toy["seeds"] = [0]
    toy["pretrain"]["graph"] = {"_target_": "sigraph.graphs.Rewired", "rate": 0.0, "graph": knn}
    toy["pretrain"]["valid_edge_rate"] = 0.1
    toy["arms"] = {"sipt": {}, "rewired-graph": {"pretrain.graph.rate": 1.0}}
    toy["baseline"] = "rewired-graph"
    results = run(config_from_dict(toy))
    assert [record["status"] for record in results.records] == ["ok", "ok"]
    rows = {row["arm"]: row for row in results.leaderboard().rows()}
    assert rows.keys() == {"sipt", "rewired-graph"}
