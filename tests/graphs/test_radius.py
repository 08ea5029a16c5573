"""RadiusGraph: every pair within the radius and no other; caps, density and size are said."""

import logging

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import radius_neighbors_graph

from sigraph.data import SampleDataset
from sigraph.graphs import KNNGraph, RadiusGraph
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


@pytest.mark.parametrize(("metric", "radius"), [("euclidean", 2.0), ("cosine", 0.3)])
def test_agrees_with_scikit_learn(engine, metric, radius):
    x = rows(250, 6)
    found = radius_neighbors_graph(x.double().numpy(), radius, metric=metric).tocoo()
    expected = {(int(i), int(j)) for i, j in zip(found.row, found.col, strict=True) if i < j}
    assert edges(RadiusGraph(radius, metric)(SampleDataset(x))) == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(-4, 4)] * 2), min_size=2, max_size=14), st.integers(1, 6), st.booleans())
def test_the_radius_itself_is_within_on_a_grid(points, radius, with_faiss):
    x = torch.tensor(points, dtype=torch.float) + 100
    expected = {
        (i, j)
        for i in range(len(x))
        for j in range(i + 1, len(x))
        if sum((a - b) ** 2 for a, b in zip(points[i], points[j], strict=True)) <= radius**2
    }
    with pytest.MonkeyPatch.context() as patch:
        if not with_faiss:
            patch.setattr(neighbor_search, "faiss_or_none", lambda: None)
        if expected:
            assert edges(RadiusGraph(radius)(SampleDataset(x))) == expected
        else:
            with pytest.raises(ValueError, match=r"'radius' \d joins no two samples .*KNNGraph"):
                RadiusGraph(radius)(SampleDataset(x))


def test_one_wild_row_changes_nothing_for_the_others(engine):
    x = rows(200, 3)
    found = edges(RadiusGraph(0.5)(SampleDataset(x[1:])))
    x[0] = 1e9
    assert edges(RadiusGraph(0.5, max_edges=len(found) * 2)(SampleDataset(x))) == {(i + 1, j + 1) for i, j in found}


def test_max_neighbors_keeps_the_nearest_within_the_radius(engine):
    data = SampleDataset(rows(120, 3))
    near, all_within = edges(KNNGraph(4)(data)), edges(RadiusGraph(0.8)(data))
    assert edges(RadiusGraph(0.8, max_neighbors=4)(data)) == near & all_within != near
    assert edges(RadiusGraph(0.8, max_neighbors=1_000)(data)) == all_within


def test_blocks_change_nothing(engine, monkeypatch):
    data = SampleDataset(rows(150, 4))
    whole = edges(RadiusGraph(1.5)(data))
    monkeypatch.setattr(neighbor_search, "_BUDGET", 500)
    assert edges(RadiusGraph(1.5)(data)) == whole


def test_inverted_lists_reach_the_recall(caplog):
    pytest.importorskip("faiss")
    data = SampleDataset(rows(3_000, 5))
    exact = edges(RadiusGraph(0.7)(data))
    constructor = RadiusGraph(0.7, exact=False, min_recall=0.9)
    with caplog.at_level(logging.INFO, "sigraph"):
        found = edges(constructor(data, seeded()))
    assert 0.9 <= constructor.recall <= 1 and f"recall {constructor.recall:.4f}" in caplog.text
    assert found <= exact and len(found) / len(exact) >= 0.88


def test_a_nearly_complete_graph_is_warned_of_and_a_large_one_refused_before_it_is_built(caplog, monkeypatch):
    data = SampleDataset(rows(60, 2))
    RadiusGraph(1.0)(data)
    assert "nearly complete" not in caplog.text
    assert RadiusGraph(100.0)(data).num_edges == 60 * 59
    assert "joins 100 % of all pairs" in caplog.text and "nearly complete" in caplog.text
    monkeypatch.setattr(neighbor_search.NeighborSearch, "_blocks", lambda *_: pytest.fail("it was built"))
    with pytest.raises(
        ValueError, match=r"would join about 1.8e\+03 pairs .*GiB .*'max_edges' is 1,000.*max_neighbors"
    ):
        RadiusGraph(100.0, max_edges=1_000)(data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"radius": 0}, r"'radius' needs to be in \(0, inf\) with 'euclidean' .*got 0"),
        ({"radius": float("nan")}, "'radius'"),
        ({"radius": float("inf")}, "'radius'"),
        ({"radius": 2.0, "metric": "cosine"}, r"'radius' needs to be in \(0, 2.0\) with 'cosine'"),
        ({"radius": 1, "metric": "l2"}, "'metric'"),
        ({"radius": 1, "max_neighbors": 0}, "'max_neighbors' needs to be an integer >= 1 .*got 0"),
        ({"radius": 1, "max_edges": None}, "'max_edges'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        RadiusGraph(**arguments)


def test_one_sample_has_nobody():
    with pytest.raises(ValueError, match="at least two samples"):
        RadiusGraph(1.0)(SampleDataset(torch.ones(1, 2)))
