"""LabelSetStore: answers equal those of the same edges written out, draws are valid and uniform, files are checked."""

import copy
import json
import pickle
from collections import Counter

import pytest
import torch
from damage import forge
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from sigraph.data import PretrainGraph
from sigraph.edges import CSRStore, EdgeStore, LabelSetStore, label_store
from sigraph.samplers import NeighborPairSampler


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make(set_of, pairs=(), weight=None):
    index = torch.tensor(pairs, dtype=torch.long).view(-1, 2).t()
    return LabelSetStore.from_sets(torch.tensor(set_of, dtype=torch.long), index, weight)


def brute_force(set_of, pairs):
    """Who is a neighbour of whom, from the words of the definition. [N, N] bool."""
    joined = {frozenset(pair) for pair in pairs}
    n = len(set_of)
    dense = torch.zeros(n, n, dtype=torch.bool)
    for i in range(n):
        for j in range(n):
            a, b = set_of[i], set_of[j]
            dense[i, j] = i != j and a >= 0 and b >= 0 and (a == b or frozenset((a, b)) in joined)
    return dense


@st.composite
def tables(draw):
    """The set of each sample, -1 for none, some sets without samples; joined pairs, loops and repeats among them."""
    num_sets = draw(st.integers(1, 5))
    set_of = draw(st.lists(st.integers(-1, num_sets - 1), min_size=1, max_size=12))
    used = max(max(set_of) + 1, 1)
    one = st.integers(0, used - 1)
    pairs = draw(st.lists(st.tuples(one, one), max_size=8)) if max(set_of) >= 0 else []
    return set_of, pairs


@given(tables())
def test_neighbors_degrees_and_edges_equal_brute_force(case):
    store, dense = make(*case), brute_force(*case)
    n = len(case[0])
    assert isinstance(store, EdgeStore) and store.num_nodes == n and store.num_edges == int(dense.sum())
    assert store.degree(torch.arange(n)).tolist() == dense.sum(1).tolist()
    full = store.expanded()
    for i in range(n):
        assert store.neighbors(i).tolist() == full.neighbors(i).tolist() == dense[i].nonzero().view(-1).tolist()


@given(tables(), st.data())
def test_edges_between_equals_brute_force(case, data):
    store, dense = make(*case), brute_force(*case)
    nodes = st.lists(st.integers(0, store.num_nodes - 1), max_size=9)
    rows, cols = data.draw(nodes), data.draw(nodes)
    index, edge = store.edges_between(torch.tensor(rows, dtype=torch.long), torch.tensor(cols, dtype=torch.long))
    assert index.shape == (2, edge.numel()) and index.dtype == edge.dtype == torch.long
    expected = [(a, b) for a, i in enumerate(rows) for b, j in enumerate(cols) if dense[i, j]]
    assert sorted(zip(*index.tolist(), strict=True)) == expected
    for (a, b), position in zip(index.t().tolist(), edge.tolist(), strict=True):  # the pair of sets, from a's to b's
        own, other = int(store.set_of[rows[a]]), int(store.set_of[cols[b]])
        assert int(store.sets.rowptr[own]) <= position < int(store.sets.rowptr[own + 1])
        assert int(store.sets.col[position]) == other


@settings(max_examples=150)
@given(tables(), st.integers(1, 6), st.integers(0, 1000))
def test_draws_are_valid_distinct_and_repeatable(case, k, seed):
    store, dense = make(*case), brute_force(*case)
    outside = ~dense & ~torch.eye(len(dense), dtype=torch.bool)
    for draw, allowed in ((store.draw_neighbors, dense), (store.draw_non_neighbors, outside)):
        nodes = torch.arange(len(dense)).flip(0).repeat(2)
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


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("node", [0, 3, 5, 7, 10])  # first, middle and last of its set, in a set of its own, in none
def test_neighbors_and_non_neighbors_are_uniform(node, k):
    set_of, pairs = [2, 0, 1, 0, 2, 0, 1, 3, 2, 3, -1, 4], [(0, 2), (3, 1), (3, 4)]
    store, dense = make(set_of, pairs), brute_force(set_of, pairs)
    dense[node, node] = True
    inside = set(dense[node].nonzero().view(-1).tolist()) - {node}
    outside = set((~dense[node]).nonzero().view(-1).tolist())
    for draw, choices in ((store.draw_neighbors, inside), (store.draw_non_neighbors, outside)):
        if not choices:
            continue
        rows = draw(torch.full((12_000,), node), k, seeded(node)).sort(dim=1).values
        subsets = Counter(map(tuple, rows.tolist()))
        assert {drawn for subset in subsets for drawn in subset} == choices
        assert len(subsets) == (len(choices) if k == 1 else len(choices) * (len(choices) - 1) // 2)
        assert len(subsets) == 1 or chisquare(list(subsets.values())).pvalue > 1e-3


def test_one_set_is_a_complete_graph_without_non_neighbors():
    store = make([0] * 6)
    assert store.num_edges == 30
    assert store.draw_non_neighbors(torch.arange(6), 2).tolist() == [[-1, -1]] * 6
    assert make([0]).draw_neighbors(torch.tensor([0]), 2).tolist() == [[-1, -1]]


def test_samples_in_no_set_are_isolated_and_everyone_is_a_non_neighbor():
    store = make([-1, 0, -1, 0])
    assert store.degree(torch.arange(4)).tolist() == [0, 1, 0, 1]
    assert store.draw_neighbors(torch.tensor([0, 2]), 1).tolist() == [[-1], [-1]]
    assert sorted(store.draw_non_neighbors(torch.tensor([0]), 3, seeded())[0].tolist()) == [1, 2, 3]


def test_no_samples_and_empty_lists():
    none, store = torch.empty(0, dtype=torch.long), make([])
    assert store.num_nodes == store.num_edges == 0
    for one in (store, make([0, 0, 1])):
        assert one.degree(none).shape == (0,) and one.edges_between(none, none)[0].shape == (2, 0)
        assert one.draw_neighbors(none, 2).shape == one.draw_non_neighbors(none, 2).shape == (0, 2)


def test_a_million_samples_have_more_edges_than_could_be_written_out():
    set_of = torch.arange(1_000_000) % 4
    store = LabelSetStore.from_sets(set_of, torch.tensor([[0], [1]]))
    assert store.num_edges == 500_000 * 499_999 + 500_000 * 249_999
    nodes = torch.randint(0, 1_000_000, (4_000,), generator=seeded())
    near, far = store.draw_neighbors(nodes, 2, seeded()), store.draw_non_neighbors(nodes, 2, seeded())
    kin = torch.tensor([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]).bool()
    assert kin[set_of[nodes][:, None], set_of[near]].all() and not kin[set_of[nodes][:, None], set_of[far]].any()
    low = near[set_of[nodes] < 2].view(-1)
    assert chisquare((low // 4 % 16).bincount(minlength=16)).pvalue > 1e-3
    graph = PretrainGraph.from_store(store)
    for ask in (graph.csr, lambda: graph.edge_index):
        with pytest.raises(ValueError, match=r"374,999,000,000 edges, too many to write out.*valid_edge_rate: 0"):
            ask()
    node, pairs = NeighborPairSampler(graph).sample(torch.arange(64), seeded())
    assert pairs.num_positives > 64 and node.numel() > 64


def test_weights_of_pairs_of_sets_and_one_inside_a_set():
    store = make([0, 1, 1, 2], [(0, 1), (2, 1)], torch.tensor([0.25, 0.0]))
    everyone = torch.arange(4)
    index, edge = store.edges_between(everyone, everyone)
    found = dict(zip(zip(*index.tolist(), strict=True), store.weight[edge].tolist(), strict=True))
    upper = {(0, 1): 0.25, (0, 2): 0.25, (1, 2): 1.0, (1, 3): 0.0, (2, 3): 0.0}
    assert found == upper | {(b, a): weight for (a, b), weight in upper.items()}
    full = store.expanded()
    index, edge = full.edges_between(everyone, everyone)
    assert dict(zip(zip(*index.tolist(), strict=True), full.weight[edge].tolist(), strict=True)) == found


def test_a_set_that_is_not_in_its_own_row_is_refused():
    with pytest.raises(ValueError, match=r"'sets' needs every set in its own row in 'LabelSetStore' \(got 0/2\)"):
        LabelSetStore(torch.tensor([0, 1]), CSRStore.from_edges(torch.tensor([[0], [1]]), 2))


def test_permuted_moves_the_sets_of_the_chosen_and_no_others():
    store = make([0, 0, 1, 1, 2, -1], [(0, 1)])
    out = store.permuted(torch.tensor([0, 2, 4]), seeded(1))
    assert out.set_of[[1, 3, 5]].tolist() == store.set_of[[1, 3, 5]].tolist()
    assert sorted(out.set_of.tolist()) == sorted(store.set_of.tolist())
    moved = {tuple(store.permuted(torch.tensor([0, 2, 4]), seeded(s)).set_of[[0, 2, 4]].tolist()) for s in range(40)}
    assert len(moved) == 6


# As a graph ###########################################################################################################

SETS = [0, 1, 0, 2, -1, 1, 0]
PAIRS = [(0, 2)]


def graph(**arguments):
    return PretrainGraph.from_store(make(SETS, PAIRS), **arguments)


def test_a_graph_writes_edges_out_only_if_asked(monkeypatch):
    one = graph(group=[0] * 7)
    dense = brute_force(SETS, PAIRS)
    monkeypatch.setattr(label_store, "EXPAND_LIMIT", 0)
    assert one.num_nodes == 7 and one.num_edges == int(dense.sum()) and one.group.tolist() == [0] * 7
    assert repr(one) == f"PretrainGraph(num_nodes=7, num_edges={int(dense.sum())}, group)" and one.edge_weight is None
    assert torch.equal(one.edges_between(range(7), range(7)).t().unique(dim=0), dense.nonzero())
    for duplicate in (copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))):
        assert isinstance(duplicate(one).store, LabelSetStore)
    monkeypatch.undo()
    assert torch.equal(one.edge_index, dense.nonzero().t())
    assert isinstance(one.store, LabelSetStore)
    for duplicate in (copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g)), lambda g: g.clone()):
        assert torch.equal(duplicate(one).edge_index, dense.nonzero().t())


def test_changed_edges_make_another_store():
    one = graph()
    one.edge_index = one.edge_index[:, :2]
    assert isinstance(one.store, CSRStore) and one.store.num_edges == 4  # 0 - 2 and 0 - 3, both ways


def test_local_consistency_and_csr_are_those_of_the_written_out_edges():
    y = torch.tensor([0, 1, 1, 0, 0, 1, 0])
    plain = PretrainGraph(brute_force(SETS, PAIRS).nonzero().t(), num_nodes=7)
    assert graph().local_consistency(y) == plain.local_consistency(y)
    assert all(torch.equal(a, b) for a, b in zip(graph().csr(), plain.csr(), strict=True))


# Files ################################################################################################################


@pytest.mark.parametrize("weighted", [False, True])
def test_saved_and_opened(tmp_path, weighted):
    store = make(SETS, PAIRS, torch.tensor([0.5]) if weighted else None)
    PretrainGraph.from_store(store, group=[1] * 7).save(tmp_path / "g")
    opened = PretrainGraph.open(tmp_path / "g", verify=True)
    assert isinstance(opened.store, LabelSetStore) and opened.group.tolist() == [1] * 7
    assert opened.store.path == tmp_path / "g" and opened.num_edges == store.num_edges
    nodes = torch.arange(7)
    assert torch.equal(opened.store.draw_neighbors(nodes, 2, seeded()), store.draw_neighbors(nodes, 2, seeded()))
    assert torch.equal(opened.edge_index, PretrainGraph.from_store(store).edge_index)
    assert (opened.edge_weight is not None) == weighted
    back = pickle.loads(pickle.dumps(opened.store))
    assert back.path == tmp_path / "g" and len(pickle.dumps(opened.store)) < 1000
    assert torch.equal(pickle.loads(pickle.dumps(store)).degree(nodes), store.degree(nodes))


@pytest.mark.parametrize("change", [{"num_nodes": 9}, {"num_sets": 1}, {"num_edges": 2}, {"kind": "sigraph-csr"}])
def test_a_tampered_header_is_refused(tmp_path, change):
    make(SETS, PAIRS).save(tmp_path / "s")
    file = tmp_path / "s" / "header.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ValueError, match="again"):
        PretrainGraph.open(tmp_path / "s")


def test_a_folder_that_was_replaced_is_not_taken_for_the_opened_one(tmp_path):
    make(SETS, PAIRS).save(tmp_path / "s")
    sent = pickle.dumps(LabelSetStore.open(tmp_path / "s"))
    make(SETS, [(0, 1)]).save(tmp_path / "s")
    with pytest.raises(ValueError, match="another graph than the one that was opened"):
        pickle.loads(sent)


def test_a_missing_array_is_named(tmp_path):
    make(SETS, PAIRS).save(tmp_path / "s")
    file = tmp_path / "s" / "header.json"
    files = json.loads(file.read_text())["files"]
    del files["own.npy"]
    forge(file, files=files)
    with pytest.raises(ValueError, match=r"blocks.sums holds .* sums of blocks .*write the folder again"):
        LabelSetStore.open(tmp_path / "s")
