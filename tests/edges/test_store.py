"""CSRStore: answers equal brute force, draws are valid and uniform, and files are shared and never trusted blindly."""

import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from damage import forge
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from sigraph.edges.store import CSRStore, EdgeStore


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make(n, edges, weight=None):
    index = torch.tensor(edges, dtype=torch.long).view(-1, 2).t()
    return CSRStore.from_edges(index, n, None if weight is None else torch.tensor(weight))


def adjacency(store):
    dense = torch.zeros(store.num_nodes, store.num_nodes, dtype=torch.bool)
    for i in range(store.num_nodes):
        dense[i, store.neighbors(i)] = True
    return dense


def star(leaves, others=0):
    """Node 0 is the hub of ``leaves``; then ``others`` isolated nodes."""
    return make(1 + leaves + others, [(0, 1 + i) for i in range(leaves)])


def complete(n):
    return make(n, [(i, j) for i in range(n) for j in range(i)])


@st.composite
def stores(draw, max_nodes=10, max_edges=30):
    n = draw(st.integers(1, max_nodes))
    node = st.integers(0, n - 1)
    store = make(n, draw(st.lists(st.tuples(node, node), max_size=max_edges)))
    if draw(st.booleans()):
        store = CSRStore(store.rowptr, store.col.long())
    return store


@given(stores())
def test_rows_degrees_and_symmetry(store):
    dense = adjacency(store)
    assert torch.equal(dense, dense.t()) and not dense.diagonal().any()
    assert store.degree(torch.arange(store.num_nodes)).tolist() == dense.sum(1).tolist()
    assert store.num_edges == int(dense.sum()) and store.neighbors(0).dtype == torch.long


@pytest.mark.parametrize("n", [0, 1, 4])
def test_no_edges(n):
    store = make(n, [])
    nodes = torch.arange(n)
    assert store.num_edges == 0 and store.num_nodes == n and store.degree(nodes).tolist() == [0] * n
    assert store.draw_neighbors(nodes, 2).tolist() == [[-1, -1]] * n
    assert store.edges_between(nodes, nodes)[0].shape == (2, 0)
    drawn = store.draw_non_neighbors(nodes, 3)
    assert all(set(row) == ({0, 1, 2, 3} - {i} if n == 4 else {-1}) for i, row in enumerate(drawn.tolist()))


def test_columns_take_half_the_memory_where_ids_allow():
    assert make(3, [(0, 1)]).col.dtype == torch.int32


def test_weights_follow_their_edges_and_zero_is_one():
    store = make(4, [(2, 1), (0, 1), (1, 2), (3, 0)], [2.0, 0.0, 4.0, 7.0])
    index, edge = store.edges_between(torch.arange(4), torch.arange(4))
    found = dict(zip(zip(*index.tolist(), strict=True), store.weight[edge].tolist(), strict=True))
    assert found == {(0, 1): 0, (1, 0): 0, (1, 2): 3, (2, 1): 3, (0, 3): 7, (3, 0): 7}


# Edges between ########################################################################################################


def brute_force(store, rows, cols):
    dense = adjacency(store)
    return sorted((a, b) for a, i in enumerate(rows) for b, j in enumerate(cols) if dense[i, j])


def check_edges_between(store, rows, cols):
    index, edge = store.edges_between(torch.tensor(rows, dtype=torch.long), torch.tensor(cols, dtype=torch.long))
    assert index.shape == (2, edge.numel()) and index.dtype == edge.dtype == torch.long
    assert sorted(zip(*index.tolist(), strict=True)) == brute_force(store, rows, cols)
    for (a, b), position in zip(index.t().tolist(), edge.tolist(), strict=True):
        assert int(store.rowptr[rows[a]]) <= position < int(store.rowptr[rows[a] + 1])
        assert int(store.col[position]) == cols[b]


@given(stores(), st.data())
def test_edges_between_equals_brute_force(store, data):
    nodes = st.lists(st.integers(0, store.num_nodes - 1), max_size=9)
    check_edges_between(store, data.draw(nodes), data.draw(nodes))


@pytest.mark.parametrize("cols", [[3], [0], [7, 3, 3], [0, 0, 3], [38], [39, 40]])
@pytest.mark.parametrize("rows", [[0], [3, 0, 0, 5], [1, 2], [39], [0, 39, 0]])
def test_edges_of_hubs(rows, cols):
    store = star(37, others=3)
    assert int(store.degree(torch.tensor([0]))) > 4 * len(cols)  # the path that looks columns up in the row
    check_edges_between(store, rows, cols)


def test_hubs_and_plain_rows_in_one_question(monkeypatch):
    store = make(60, [(0, i) for i in range(1, 50)] + [(1, i) for i in range(20, 60)] + [(2, 3), (2, 20)])
    asked = []
    monkeypatch.setattr(
        store, "_edges_of_hubs", lambda *a: asked.append(len(a[0])) or CSRStore._edges_of_hubs(store, *a)
    )
    check_edges_between(store, [2, 0, 3, 1, 0, 59], [20, 3, 20, 1])
    assert asked == [3]


def test_lists_may_be_empty():
    store = star(30)
    for rows, cols in (([], []), ([0, 1], []), ([], [0, 1])):
        check_edges_between(store, rows, cols)


# Draws ################################################################################################################


@given(stores(), st.integers(1, 6), st.integers(0, 1000))
def test_drawn_neighbors_are_neighbors(store, k, seed):
    check_draw(store.draw_neighbors, adjacency(store), k, seed)


@given(stores(), st.integers(1, 6), st.integers(0, 1000))
def test_drawn_non_neighbors_are_neither_neighbors_nor_the_node(store, k, seed):
    check_draw(store.draw_non_neighbors, ~adjacency(store) & ~torch.eye(store.num_nodes, dtype=torch.bool), k, seed)


def check_draw(draw, allowed, k, seed):
    nodes = torch.arange(allowed.size(0)).flip(0).repeat(2)  # in any order, each twice
    drawn = draw(nodes, k, seeded(seed))
    assert drawn.shape == (nodes.numel(), k) and drawn.dtype == torch.long
    assert torch.equal(drawn, draw(nodes, k, seeded(seed)))
    for node, row in zip(nodes.tolist(), drawn.tolist(), strict=True):
        choices = set(allowed[node].nonzero().view(-1).tolist())
        if not choices:
            assert row == [-1] * k
        elif len(choices) < k:
            assert set(row) == choices
        else:
            assert len(set(row)) == k and set(row) <= choices


def test_complete_graphs_have_no_non_neighbors_and_nearly_complete_ones_have_one():
    nodes = torch.arange(6)
    assert complete(6).draw_non_neighbors(nodes, 2).tolist() == [[-1, -1]] * 6
    nearly = make(6, [(i, j) for i in range(6) for j in range(i) if (i, j) != (4, 1)])
    drawn = nearly.draw_non_neighbors(nodes, 2).tolist()
    assert drawn == [[-1, -1], [4, 4], [-1, -1], [-1, -1], [1, 1], [-1, -1]]
    assert complete(1).draw_non_neighbors(torch.tensor([0]), 1).tolist() == [[-1]]


def test_different_seeds_draw_differently():
    store, nodes = star(50, others=50), torch.zeros(30, dtype=torch.long)
    for draw in (store.draw_neighbors, store.draw_non_neighbors):
        assert not torch.equal(draw(nodes, 2, seeded()), draw(nodes, 2, seeded(1)))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_neighbors_and_non_neighbors_are_uniform(k):
    store = make(11, [(4, 0), (4, 3), (4, 5), (4, 9), (4, 10), (1, 2), (0, 10)])
    nodes = torch.full((12_000,), 4)
    for draw, choices in ((store.draw_neighbors, [0, 3, 5, 9, 10]), (store.draw_non_neighbors, [1, 2, 6, 7, 8])):
        rows = draw(nodes, k, seeded()).sort(dim=1).values
        subsets = Counter(map(tuple, rows.tolist()))
        assert {node for subset in subsets for node in subset} == set(choices)
        assert len(subsets) == {1: 5, 2: 10, 3: 10}[k]
        assert chisquare(list(subsets.values())).pvalue > 1e-3


@pytest.mark.parametrize("node", [0, 2, 5, 6])
def test_the_place_of_the_node_itself_does_not_bias_its_non_neighbors(node):
    store = make(7, [(0, 1), (5, 6), (2, 3)])
    drawn = store.draw_non_neighbors(torch.full((9_000,), node), 1, seeded()).view(-1)
    count = drawn.bincount(minlength=7)
    assert set(count.nonzero().view(-1).tolist()) == set(range(7)) - {node} - set(store.neighbors(node).tolist())
    assert chisquare(count[count > 0]).pvalue > 1e-3


def test_non_neighbors_are_uniform_among_ten_million_nodes():
    n = 10_000_000
    rowptr = torch.zeros(n + 1, dtype=torch.long)
    rowptr[1:], rowptr[2:], rowptr[6:], rowptr[n:] = 3, 4, 5, 6
    store = CSRStore(rowptr, torch.tensor([1, 5, n - 1, 0, 0, 0], dtype=torch.int32))
    nodes = torch.tensor([0, 1, 7_777_777, n - 1]).repeat_interleave(10_000)
    drawn = store.draw_non_neighbors(nodes, 1, seeded()).view(-1)
    assert chisquare((drawn % 8).bincount(minlength=8)).pvalue > 1e-3  # parity and more
    assert chisquare((drawn * 10 // n).bincount(minlength=10)).pvalue > 1e-3
    assert 0 <= int(drawn.min()) < 5_000 and n - 5_000 < int(drawn.max()) < n and not (drawn == nodes).any()
    assert len(set(drawn.tolist())) > 39_800


# Files ################################################################################################################


def test_saved_and_opened(tmp_path):
    store = make(5, [(0, 1), (1, 2)], [0.5, 2.0])
    store.save(tmp_path / "s")
    opened = CSRStore.open(tmp_path / "s", verify=True)
    assert isinstance(opened, EdgeStore) and opened.num_nodes == 5 and opened.path == tmp_path / "s"
    for name in ("rowptr", "col", "weight"):
        assert torch.equal(getattr(opened, name), getattr(store, name))
        assert getattr(opened, name).dtype == getattr(store, name).dtype
    assert np.load(tmp_path / "s" / "col.npy").tolist() == [1, 0, 2, 1]  # any tool can read it


def test_pickles_by_path_if_opened_and_in_full_if_not(tmp_path):
    store = star(20_000)
    store.save(tmp_path / "s")
    opened = CSRStore.open(tmp_path / "s")
    assert len(pickle.dumps(opened)) < 1000 < 100_000 < len(pickle.dumps(store))
    for one in (store, opened):
        back = pickle.loads(pickle.dumps(one))
        assert torch.equal(back.rowptr, store.rowptr) and torch.equal(back.col, store.col) and back.path == one.path


def test_a_relative_path_is_found_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    star(3).save("s")
    moved = pickle.dumps(CSRStore.open("s"))
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert pickle.loads(moved).num_edges == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_nodes": 9}, r"needs \(nodes, edges, last row end\) \(9, 4, 4\) \(got \(5, 4, 4\)\)"),
        ({"num_edges": 2}, r"needs \(nodes, edges, last row end\)"),
        ({"num_nodes": None}, r"needs \(nodes, edges, last row end\)"),
        ({"kind": "other"}, "none of sigraph's"),
        ({"kind": "sigraph-label-sets"}, "needs kind 'sigraph-csr'"),
        ({"version": 3}, "of version 3, this sigraph reads 2: use a newer one"),
        ({"files": None}, "none of sigraph's"),
        ({"files": {}}, "needs a rowptr and a col"),
        ({"files": {"col.npy": 17}}, "states no size and sum of 'col.npy'"),
        ({"files": ["col.npy"]}, "none of sigraph's"),
    ],
)
def test_a_tampered_header_is_refused(tmp_path, change, message):
    make(5, [(0, 1), (1, 2)]).save(tmp_path / "s")
    file = tmp_path / "s" / "header.json"
    forge(file, **change)
    with pytest.raises(ValueError, match=message):
        CSRStore.open(tmp_path / "s")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere holds no header.json"):
        CSRStore.open(tmp_path / "nowhere")
