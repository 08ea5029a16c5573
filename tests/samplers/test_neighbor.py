"""NeighborPairSampler: how many, whom, and what happens where there are too few."""

import time

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from sigraph.data import PretrainGraph
from sigraph.edges import EdgeStore
from sigraph.edges.label_store import LabelSetStore
from sigraph.samplers import NeighborPairSampler


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def ring(n):
    i = torch.arange(n)
    return PretrainGraph(torch.stack([i, (i + 1) % n]), n)


def complete(n):
    return PretrainGraph(torch.combinations(torch.arange(n)).t(), n)


@given(st.integers(0, 3), st.integers(0, 4), st.integers(0, 29), st.integers(0, 50))
def test_one_seed_gets_its_neighbors_and_non_neighbors(num_neighbors, num_negatives, seed, key):
    sampler = NeighborPairSampler(ring(30), num_neighbors, num_negatives)
    others = set(sampler.draw(torch.tensor([seed]), seeded(key)).tolist()) - {seed}
    around = {(seed - 1) % 30, (seed + 1) % 30}
    assert len(others & around) == min(num_neighbors, 2) and len(others - around) == num_negatives


def test_the_batch_is_bounded_and_defaults_are_one_and_one():
    sampler = NeighborPairSampler(ring(1000))
    assert (sampler.num_neighbors, sampler.num_negatives) == (1, 1)
    node = sampler.draw(torch.arange(0, 1000, 100), seeded())
    assert 20 < node.numel() <= 30
    assert NeighborPairSampler(ring(10), 0, 0).draw(torch.tensor([3, 1]), seeded()).tolist() == [3, 1]


def test_edges_that_were_not_drawn_are_positives_too():
    graph = complete(5)
    node, pairs = NeighborPairSampler(graph, num_neighbors=2, num_negatives=0).sample(torch.tensor([0]), seeded())
    assert node.numel() == 3 and pairs.num_positives == 6  # the two neighbours are neighbours of each other


def test_hubs_add_what_there_is():
    star = PretrainGraph([[0] * 9, list(range(1, 10))], 11)
    drawn = NeighborPairSampler(star, 0, 5).draw(torch.tensor([0]), seeded())
    assert drawn.tolist() == [0, 10]  # the only node the hub does not touch


def test_samples_without_non_neighbors_add_none_and_only_a_graph_without_any_is_refused():
    one = PretrainGraph(complete(6).edge_index, 7)  # all but the last node know each other, and not it
    assert NeighborPairSampler(one, 0, 3).draw(torch.tensor([2]), seeded()).tolist() == [2, 6]
    star = PretrainGraph([[0] * 5, [1, 2, 3, 4, 5]])
    assert NeighborPairSampler(star, 0, 3).draw(torch.tensor([0]), seeded()).tolist() == [0]  # others have some
    with pytest.raises(ValueError, match=r"'num_negatives' needs a graph with non-neighbours in 'NeighborPairSampler'"):
        NeighborPairSampler(complete(6)).draw(torch.tensor([2]), seeded())
    assert NeighborPairSampler(complete(6), 1, 0).draw(torch.tensor([2]), seeded()).numel() == 2
    with pytest.raises(ValueError, match=r"no sample has any in its own group\)"):
        NeighborPairSampler(PretrainGraph([[0, 2], [1, 3]], group=[5, 5, 6, 6])).draw(torch.arange(4), seeded())
    with pytest.raises(ValueError, match=r"more than 2 hops away\); .* or fewer exclude_hops"):
        NeighborPairSampler(star, exclude_hops=2).draw(torch.arange(3), seeded())


def test_neighbors_and_negatives_are_uniform():
    graph = PretrainGraph([[0, 0, 0, 4], [1, 2, 3, 5]], 8)
    one = torch.tensor([0])
    for sampler, choices in (
        (NeighborPairSampler(graph, 1, 0), [1, 2, 3]),
        (NeighborPairSampler(graph, 0, 1), [4, 5, 6, 7]),
    ):
        generator = seeded()
        drawn = torch.stack([sampler.draw(one, generator)[1] for _ in range(1500)])
        count = drawn.bincount(minlength=8)
        assert count.nonzero().view(-1).tolist() == choices and chisquare(count[choices]).pvalue > 1e-3


@pytest.mark.parametrize("name", ["num_neighbors", "num_negatives"])
@pytest.mark.parametrize("value", [-1, 1.5, "2", True, None])
def test_numbers_that_are_none_are_refused(name, value):
    with pytest.raises(
        ValueError, match=rf"'{name}' needs to be an integer >= 0 in 'NeighborPairSampler' \(got {value!r}"
    ):
        NeighborPairSampler(ring(5), **{name: value})


def test_a_changed_graph_is_read_when_the_sampler_is_built():
    graph = ring(6)
    assert graph.store.degree(torch.tensor([0])).tolist() == [2]
    graph.edge_index = torch.tensor([[0], [3]])
    drawn = NeighborPairSampler(graph, 1, 0).draw(torch.tensor([0]), seeded())
    assert drawn.tolist() == [0, 3]


def test_draws_by_default_are_those_of_the_store():
    graph, seeds, generator = ring(50), torch.arange(0, 50, 3), seeded()
    parts = graph.store.draw_neighbors(seeds, 2, generator), graph.store.draw_non_neighbors(seeds, 3, generator)
    expected = dict.fromkeys(torch.cat([seeds, parts[0].view(-1), parts[1].view(-1)]).tolist())
    assert NeighborPairSampler(graph, 2, 3).draw(seeds, seeded()).tolist() == list(expected)


# Weights ##############################################################################################################


def test_weighted_neighbors_come_in_proportion_to_their_weight():
    weight = [1.0, 0.0, 2.0, 5.0, 1e-6, 3e-6]
    graph = PretrainGraph([[0, 0, 0, 0, 5, 5], [1, 2, 3, 4, 6, 7]], 9, weight)
    sampler, generator = NeighborPairSampler(graph, weighted=True), seeded()
    drawn = sampler.neighbors(torch.tensor([0, 5]), 4000, generator)
    count = drawn[0].bincount(minlength=5)
    assert count[[0, 2]].tolist() == [0, 0]  # itself, and the edge of weight 0
    assert chisquare(count[[1, 3, 4]], 4000 * torch.tensor([1, 2, 5]) / 8).pvalue > 1e-3
    assert chisquare(drawn[1].bincount()[6:], [1000, 3000]).pvalue > 1e-3  # light rows are as exact as heavy ones
    only_zero = PretrainGraph([[0, 2], [1, 3]], 5, [0.0, 1.0])
    drawn = NeighborPairSampler(only_zero, weighted=True).neighbors(torch.arange(5), 2, generator)
    assert drawn.tolist() == [[-1, -1], [-1, -1], [3, 3], [2, 2], [-1, -1]]


@given(st.integers(2, 12), st.integers(0, 100))
def test_weighted_draws_are_edges(n, key):
    index = torch.combinations(torch.arange(n)).t()
    index = index[:, torch.rand(index.size(1), generator=seeded(key)) < 0.5]
    graph = PretrainGraph(index, n + 1, torch.rand(index.size(1), generator=seeded(key)).exp().pow(9))
    if graph.num_edges:
        drawn = NeighborPairSampler(graph, weighted=True).neighbors(torch.arange(n + 1), 3, seeded(key))
        row, column = (drawn >= 0).nonzero(as_tuple=True)
        assert row.unique().tolist() == graph.store.degree(torch.arange(n + 1)).nonzero().view(-1).tolist()
        assert all(
            v in graph.store.neighbors(u) for u, v in zip(row.tolist(), drawn[row, column].tolist(), strict=True)
        )


def test_weights_that_are_not_there_and_wrong_options_are_refused():
    with pytest.raises(ValueError, match=r"'weighted' needs a graph with edge weights in 'NeighborPairSampler'"):
        NeighborPairSampler(ring(5), weighted=True)
    with pytest.raises(ValueError, match="'weighted' needs to be true or false"):
        NeighborPairSampler(ring(5), weighted="yes")
    for wrong in (0, 1.5, None):
        with pytest.raises(ValueError, match="'exclude_hops' needs to be an integer >= 1"):
            NeighborPairSampler(ring(5), exclude_hops=wrong)


# Hops and groups ######################################################################################################


def random_graph(key, group=None, n=40, num_edges=45):
    index = torch.randint(n, (2, num_edges), generator=seeded(key))
    index = index[:, index[0] < index[1]].unique(dim=1)
    return PretrainGraph(index, n, group=group)


def distances(graph):
    """[N, N], edges between any two nodes, 99 where there is no way."""
    g = nx.Graph(graph.edge_index.t().tolist())
    g.add_nodes_from(range(graph.num_nodes))
    out = torch.full((graph.num_nodes, graph.num_nodes), 99)
    for node, reached in nx.all_pairs_shortest_path_length(g):
        for other, length in reached.items():
            out[node, other] = length
    return out


@given(st.integers(0, 1000), st.integers(2, 4))
@settings(max_examples=15)
def test_pairs_within_hops_are_neither_and_never_drawn(key, hops):
    graph = random_graph(key)
    distance, sampler = distances(graph), NeighborPairSampler(graph, 1, 3, exclude_hops=hops)
    seeds = torch.randperm(40, generator=seeded(key))[:7]
    node, pairs = sampler.sample(seeds, seeded(key))
    for anchors, found in ((node, pairs), (node.flip(0)[:9], sampler.pairs(node.flip(0)[:9], node))):
        between = distance[anchors][:, node]
        expected = ((between > 1) & (between <= hops)).nonzero().t()
        assert torch.equal(found.ignore_index, expected)  # each once, in order
        assert found.num_positives == int((between == 1).sum())
    drawn = sampler.negatives(seeds, 3, seeded(key))
    for seed, row in zip(seeds.tolist(), drawn.tolist(), strict=True):
        far = (distance[seed] > hops).nonzero().view(-1).tolist()
        drawn_ones = [other for other in row if other >= 0]
        assert set(drawn_ones) <= set(far)
        assert len(set(drawn_ones)) == len(drawn_ones) == min(3, len(far))  # so few nodes are all looked at


@pytest.mark.parametrize("group", [None, [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]])
@pytest.mark.parametrize("hops", [1, 2])
def test_negatives_are_uniform_over_those_allowed(group, hops):
    graph = PretrainGraph([[0, 1, 4, 5], [1, 2, 5, 6]], 10, group=group)
    allowed = distances(graph)[4] > hops
    if group is not None:
        allowed &= torch.tensor(group) == group[4]
    sampler = NeighborPairSampler(graph, exclude_hops=hops)
    drawn = sampler.negatives(torch.full((3000,), 4), 1, seeded()).view(-1)
    count = drawn.bincount(minlength=10)
    assert torch.equal(count > 0, allowed) and chisquare(count[allowed]).pvalue > 1e-3
    two = sampler.negatives(torch.full((3000,), 4), 2, seeded(1))
    assert torch.equal(two.view(-1).bincount(minlength=10) > 0, allowed)
    if int(allowed.sum()) > 1:
        assert (
            not (two[:, 0] == two[:, 1]).any() and chisquare(two.view(-1).bincount(minlength=10)[allowed]).pvalue > 1e-3
        )


@given(st.integers(0, 1000), st.integers(1, 2), st.integers(1, 5))
@settings(max_examples=25)
def test_negatives_are_of_the_own_group(key, hops, num_groups):
    group = torch.randint(num_groups, (40,), generator=seeded(key)) * 7 - 5  # any integers
    graph = random_graph(key, group, num_edges=150)
    sampler, distance = NeighborPairSampler(graph, 0, 40, exclude_hops=hops), distances(graph)
    drawn = sampler.negatives(torch.arange(40), 40, seeded(key))
    for node in range(40):
        expected = (distance[node] > hops) & (group == group[node])
        assert set(drawn[node].tolist()) - {-1} == set(expected.nonzero().view(-1).tolist())


class PlainStore(EdgeStore):
    """Asks another store, and has nothing of its own: only what the contract says can be used."""

    def __init__(self, store):
        self.store, self.num_nodes, self.weight = store, store.num_nodes, store.weight

    def degree(self, nodes):
        return self.store.degree(nodes)

    def neighbors(self, node):
        return self.store.neighbors(node)

    def draw_neighbors(self, nodes, k, generator=None):
        return self.store.draw_neighbors(nodes, k, generator)

    def draw_non_neighbors(self, nodes, k, generator=None):
        return self.store.draw_non_neighbors(nodes, k, generator)

    def edges_between(self, rows, cols):
        return self.store.edges_between(rows, cols)


def test_any_store_will_do_but_for_weights(monkeypatch):
    graph = random_graph(3, torch.arange(40) % 2)
    expected = NeighborPairSampler(graph, 2, 3, exclude_hops=2).sample(torch.arange(9), seeded())
    store = PlainStore(graph.store)
    monkeypatch.setattr(PretrainGraph, "store", store)
    node, pairs = NeighborPairSampler(graph, 2, 3, exclude_hops=2).sample(torch.arange(9), seeded())
    assert torch.equal(node, expected[0]) and torch.equal(pairs.ignore_index, expected[1].ignore_index)
    with pytest.raises(ValueError, match=r"'weighted' needs a graph with a CSRStore .*\(got PlainStore\)"):
        NeighborPairSampler(graph, weighted=True)


# Hubs #################################################################################################################


def heavy_graphs():
    n = 100_000
    leaves = torch.arange(1, n + 1)
    weight = torch.rand(n, generator=seeded())
    star = PretrainGraph(torch.stack([torch.zeros_like(leaves), leaves]), n + 1, weight)
    grown = nx.barabasi_albert_graph(20_000, 4, seed=0)
    missing = torch.rand(400, 400, generator=seeded()) < 0.99
    return {
        "star": star,
        "grown": PretrainGraph(torch.tensor(list(grown.edges)).t(), 20_000, group=torch.arange(20_000) % 3),
        "nearly complete": PretrainGraph(missing.triu(1).nonzero().t(), 400, group=torch.arange(400) % 2),
    }


@pytest.mark.parametrize("name", ["star", "grown", "nearly complete"])
def test_no_hub_makes_a_step_slow(name):
    graph = heavy_graphs()[name]
    sampler = NeighborPairSampler(graph, 2, 2, weighted=graph.store.weight is not None)
    seeds = torch.cat([torch.zeros(1, dtype=torch.long), torch.randperm(graph.num_nodes, generator=seeded())[:399]])
    sampler.sample(seeds, seeded())
    seconds = []
    for key in range(3):
        start = time.perf_counter()
        node, pairs = sampler.sample(seeds, seeded(key))
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5, seconds  # some milliseconds on an idle machine
    assert node.numel() > 100 and pairs.num_positives > 0


def test_a_two_level_store_gives_what_its_edges_give():
    set_of = torch.randint(12, (60,), generator=seeded())
    store, group = LabelSetStore.from_sets(set_of, torch.tensor([[0, 1, 4], [1, 2, 5]])), torch.arange(60) % 2
    two_level = PretrainGraph.from_store(store, group)
    plain = PretrainGraph(two_level.edge_index, 60, group=group)
    seeds = torch.arange(0, 60, 4)
    for hops in (1, 2):
        ours, theirs = (NeighborPairSampler(graph, 1, 60, exclude_hops=hops) for graph in (two_level, plain))
        for left, right in zip(ours.negatives(seeds, 60), theirs.negatives(seeds, 60), strict=True):
            assert set(left.tolist()) - {-1} == set(right.tolist()) - {-1}  # all there are
        left, right = ours.pairs(seeds, torch.arange(60)), theirs.pairs(seeds, torch.arange(60))
        assert sorted(left.positive_index.t().tolist()) == sorted(right.positive_index.t().tolist())
        assert hops == 1 or torch.equal(left.ignore_index, right.ignore_index)
