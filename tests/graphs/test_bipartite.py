"""BipartiteGraph: pairs that share items, counted by hand and by a slow loop; columns, hubs, size."""

import logging
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import SampleDataset
from sigraph.graphs import BipartiteGraph, bipartite


def weighted(graph) -> dict[tuple[int, int], float]:
    weight = torch.ones(graph.num_edges) if graph.edge_weight is None else graph.edge_weight
    return {(a, b): w for (a, b), w in zip(graph.edge_index.t().tolist(), weight.tolist(), strict=True) if a < b}


def records(name="items", **columns) -> SampleDataset:
    return SampleDataset(pa.table(columns), name=name)


def samples(n: int) -> SampleDataset:
    return SampleDataset(torch.zeros(n, 1))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.frozensets(st.integers(0, 5), max_size=5), min_size=2, max_size=9),
    st.integers(1, 3),
    st.sampled_from([None, 2, 3]),
    st.sampled_from([None, "count", "jaccard"]),
    st.sampled_from([1, 4, 1 << 22]),
)
def test_agrees_with_a_loop_over_pairs(sets, min_shared, cap, weight, budget):
    pairs = [(i, 7 * item) for i, items in enumerate(sets) for item in items]
    degree = {item: sum(item in items for items in sets) for item in range(6)}
    kept = [{item for item in items if cap is None or degree[item] <= cap} for items in sets]
    expected = {
        (i, j): {None: 1, "count": len(a & b), "jaccard": len(a & b) / max(len(a | b), 1)}[weight]
        for (i, a), (j, b) in combinations(enumerate(kept), 2)
        if len(a & b) >= min_shared
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bipartite, "_BUDGET", budget)
        if not pairs:
            return
        constructor = BipartiteGraph(pairs=pairs, min_shared=min_shared, max_item_degree=cap, weight=weight)
        if not expected:
            with pytest.raises(ValueError, match="no two samples share"):
                constructor(samples(len(sets)))
            return
        graph = constructor(samples(len(sets)))
    assert weighted(graph) == pytest.approx(expected) and (graph.edge_weight is None) == (weight is None)


@pytest.mark.parametrize(
    ("column", "separator"),
    [
        (pa.array([["ann", "bob"], ["bob", "bob"], [], None, ["cy", "ann", ""], ["", "dan"]]), None),
        (pa.array([[1, 2], [2], [], None, [3, 1], [4]], pa.large_list(pa.int32())), None),
        (pa.array(["ann; bob", "bob;bob ", "", None, "cy;ann;", " ;dan"]), ";"),
        (pa.array(["ann. bob", "bob.bob ", "", None, "cy.ann.", " .dan"], pa.large_string()), "."),
    ],
)
def test_columns_of_lists_and_of_cut_text(column, separator):
    data = records(authors=column)
    graph = BipartiteGraph("authors", separator, weight="count")(data)
    assert graph.num_nodes == 6 and weighted(graph) == {(0, 1): 1, (0, 4): 1}


@pytest.mark.parametrize("column", [pa.array(["c1", "", "c1", None, "", "c2"]), pa.array([5, None, 5, None, None, 7])])
def test_one_item_a_sample(column):
    assert weighted(BipartiteGraph("scaffold")(records(scaffold=column))) == {(0, 2): 1}


def test_prepared_folders_keep_what_is_needed(tmp_path):
    records(authors=[["a"], ["b", "a"], ["c"]]).save(tmp_path / "papers")
    assert weighted(BipartiteGraph("authors")(SampleDataset.open(tmp_path / "papers"))) == {(0, 1): 1}


def test_hubs_are_left_out_and_it_is_said(caplog):
    pairs = [(i, 0) for i in range(6)] + [(0, 1), (1, 1), (2, 9)]
    with caplog.at_level(logging.INFO, "sigraph"):
        graph = BipartiteGraph(pairs=np.array(pairs), max_item_degree=5, weight="jaccard")(samples(6))
    assert weighted(graph) == {(0, 1): 1.0}
    assert "items of more than 5 samples: 1 of 3 are left out" in caplog.text


def test_memory_is_bounded(monkeypatch):
    pairs = torch.tensor([(i, i % 2) for i in range(400)])
    with pytest.raises(
        ValueError, match=r"more than 5,000 pairs .*largest item has 200 samples: set 'max_item_degree'"
    ):
        BipartiteGraph(pairs=pairs, max_edges=5_000)(samples(400))
    sizes = []
    monkeypatch.setattr(bipartite, "_BUDGET", 2_000)
    work = np.full(400, 200)
    for start, stop in bipartite.blocks(work):
        sizes.append(stop - start)
    assert set(sizes) == {10} and sum(sizes) == 400
    assert list(bipartite.blocks(np.array([0, 9_000, 0, 1, 0]))) == [(0, 1), (1, 2), (2, 5)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either 'column' or 'pairs'"),
        ({"column": "a", "pairs": [[0, 1]]}, "either 'column' or 'pairs'"),
        ({"column": "a", "separator": ""}, "'separator'"),
        ({"pairs": [[0, 1]], "separator": ";"}, "'separator' needs to be text that cuts 'column'"),
        ({"column": "a", "min_shared": 0}, "'min_shared' needs to be an integer >= 1 .*got 0"),
        ({"column": "a", "max_item_degree": 1}, "'max_item_degree' needs to be an integer >= 2"),
        ({"column": "a", "weight": "cosine"}, "'weight' .*got 'cosine'"),
        ({"column": "a", "max_edges": 1.5}, "'max_edges'"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        BipartiteGraph(**arguments)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0, 1], [3, 1]], r"sample numbers in \[0, 3\) .*got \[0, 3\]"),
        ([[-1, 1], [2, 1]], r"got \[-1, 2\]"),
        ([[0.0, 1.0]], r"needs integers .*float64 \[1, 2\]"),
        ([0, 1], r"shape \[M, 2\].*\[2\]"),
        ([], r"M > 0"),
    ],
)
def test_bad_pairs_are_refused(pairs, message):
    with pytest.raises(ValueError, match=message):
        BipartiteGraph(pairs=pairs)(samples(3))


def test_bad_columns_are_refused():
    data = records("papers", authors=["a", "a"], year=[1.5, 2.5])
    with pytest.raises(ValueError, match=r"'author' of 'BipartiteGraph' is not in data set 'papers'.*authors"):
        BipartiteGraph("author")(data)
    with pytest.raises(ValueError, match=r"integers, text or lists of them .*'year' has double"):
        BipartiteGraph("year")(data)
    with pytest.raises(ValueError, match=r"'separator' needs a column of text .*'year' has double"):
        BipartiteGraph("year", ";")(data)
    with pytest.raises(ValueError, match=r"features; give 'pairs'"):
        BipartiteGraph("year")(samples(2))
