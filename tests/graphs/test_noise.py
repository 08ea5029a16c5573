"""perturb_edges: as many edges out and in as asked, and nothing else."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.graphs import DatasetGraph, hop_graph
from sigraph.graphs.noise import perturb_edges
from sigraph.graphs.rewire import rewire_edges


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def edge_set(graph: PretrainGraph) -> set[tuple[int, int]]:
    return {(a, b) for a, b in graph.edge_index.t().tolist() if a < b}


def random_graph(n: int, num_edges: int, seed: int = 0, **extra) -> PretrainGraph:
    pairs = torch.combinations(torch.arange(n))
    return PretrainGraph(pairs[torch.randperm(len(pairs), generator=seeded(seed))[:num_edges]].t(), n, **extra)


@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(1, 12), st.sampled_from([0.0, 0.2, 0.5, 0.99]), st.sampled_from([0.0, 0.3, 1.0, 7.5]))
def test_counts_are_exact_and_new_edges_were_none(data, n, drop, add):
    num_pairs = n * (n - 1) // 2
    graph = random_graph(n, data.draw(st.integers(0, num_pairs)), data.draw(st.integers(0, 3)))
    before = edge_set(graph)
    out = perturb_edges(graph, drop, add, seeded())
    after = edge_set(out)
    assert edge_set(graph) == before and out.num_nodes == n
    assert len(before & after) == len(before) - round(drop * len(before))
    assert len(after - before) == min(round(add * len(before)), num_pairs - len(before))
    assert not any(out.dropped.values())  # no loop and no repeat was made


@pytest.mark.parametrize("missing", [0, 1, 40])
def test_nearly_complete_graphs_take_all_that_is_left(missing):
    n = 400  # drawing until the last of 79,800 pairs is met would take long
    graph = random_graph(n, n * (n - 1) // 2 - missing)
    out = perturb_edges(graph, add=1.0, generator=seeded())
    assert out.num_edges == n * (n - 1)


@pytest.mark.parametrize(("num_edges", "add"), [(3, 1 / 3), (9, 1 / 9)])  # drawn until enough; drawn from a list
def test_every_absent_pair_is_equally_likely(num_edges, add):
    graph = random_graph(6, num_edges)
    new = [
        next(iter(edge_set(perturb_edges(graph, add=add, generator=seeded(s))) - edge_set(graph))) for s in range(600)
    ]
    absent = set(new)
    assert len(absent) == 15 - num_edges
    assert chisquare([new.count(pair) for pair in absent]).pvalue > 1e-3


def test_every_edge_is_dropped_equally_often():
    graph = random_graph(6, 8)
    gone = [
        next(iter(edge_set(graph) - edge_set(perturb_edges(graph, 1 / 8, generator=seeded(s))))) for s in range(400)
    ]
    assert len(set(gone)) == 8 and chisquare([gone.count(edge) for edge in set(gone)]).pvalue > 1e-3


def test_same_generator_same_result_and_no_other_randomness():
    graph = random_graph(30, 60)
    before = torch.get_rng_state()
    one, two, other = (perturb_edges(graph, 0.3, 0.5, seeded(seed)).edge_index for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one, two) and not torch.equal(one, other)


def test_old_edges_keep_their_weights_and_new_ones_have_the_mean():
    graph = PretrainGraph([[0, 1, 2, 3], [1, 2, 3, 4]], 9, edge_weight=[1.0, 2.0, 3.0, 6.0], group=[0] * 9)
    given = dict(zip(map(tuple, graph.edge_index.t().tolist()), graph.edge_weight.tolist(), strict=True))
    out = perturb_edges(graph, 0.25, 1.0, seeded())
    assert out.group.tolist() == [0] * 9
    weights = dict(zip(map(tuple, out.edge_index.t().tolist()), out.edge_weight.tolist(), strict=True))
    assert all(weight == given.get(pair, 3.0) for pair, weight in weights.items())
    assert sum(pair not in given for pair in weights) == 8


def test_an_unweighted_graph_stays_unweighted_and_an_empty_one_empty():
    assert perturb_edges(random_graph(9, 9), 0.2, 0.2, seeded()).edge_weight is None
    empty = PretrainGraph(torch.empty(2, 0, dtype=torch.long), 4, edge_weight=torch.empty(0))
    assert perturb_edges(empty, 0.5, 2.0, seeded()).num_edges == 0


@pytest.mark.parametrize("rates", [{"drop": 1.0}, {"drop": -0.1}, {"add": -1}, {"add": math.inf}, {"drop": math.nan}])
def test_bad_rates_are_named(rates):
    key = next(iter(rates))
    with pytest.raises(ValueError, match=rf"'{key}'.* in 'perturb_edges' \(got"):
        perturb_edges(random_graph(4, 2), **rates)
    with pytest.raises(ValueError, match=rf"'{key}' needs to be .* in 'DatasetGraph' \(got {rates[key]}\)"):
        DatasetGraph(**rates)


def test_dataset_graph_rewires_then_perturbs_then_widens():
    graph = random_graph(30, 40)
    dataset = SampleDataset(torch.zeros(30, 1), {"g": graph})
    constructor = DatasetGraph(rewire=1.0, drop=0.5, add=0.25, hops=2)
    generator = seeded(1)
    expected = perturb_edges(rewire_edges(graph, 1.0, generator), 0.5, 0.25, generator)
    observed = constructor.base(dataset, seeded(1))
    assert torch.equal(observed.edge_index, expected.edge_index) and observed.num_edges == 2 * 30
    assert torch.equal(constructor(dataset, seeded(1)).edge_index, hop_graph(expected, 2).edge_index)
    assert edge_set(dataset.graph()) == edge_set(graph)


@pytest.mark.parametrize(("rates", "num_edges"), [({"drop": 0.5}, 20), ({"add": 0.5}, 60)])
def test_either_rate_acts_alone_in_dataset_graph(rates, num_edges):
    dataset = SampleDataset(torch.zeros(30, 1), {"g": random_graph(30, 40)})
    assert len(edge_set(DatasetGraph(**rates)(dataset, seeded()))) == num_edges
