"""rewire_edges: degrees stay, structure goes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import PretrainGraph
from sigraph.graphs import rewire_edges


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def degrees(graph: PretrainGraph) -> list[int]:
    return graph.csr()[0].diff().tolist()


def edge_set(graph: PretrainGraph) -> set[tuple[int, int]]:
    return {(a, b) for a, b in graph.edge_index.t().tolist() if a < b}


def planted_partition(seed: int = 0, blocks: int = 4, size: int = 30) -> tuple[PretrainGraph, torch.Tensor]:
    y = torch.arange(blocks).repeat_interleave(size)
    rate = torch.where(y[:, None] == y[None], 0.3, 0.01)
    index = (torch.rand(rate.shape, generator=seeded(seed)) < rate).triu(1).nonzero().t()
    return PretrainGraph(index, num_nodes=len(y)), y


@st.composite
def graphs(draw) -> PretrainGraph:
    n = draw(st.integers(1, 12))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    return PretrainGraph(torch.tensor(edges, dtype=torch.long).view(-1, 2).t(), num_nodes=n)


@settings(max_examples=60, deadline=None)
@given(graphs(), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.integers(0, 5))
def test_degrees_and_number_of_edges_stay(graph, rate, seed):
    before = edge_set(graph)
    out = rewire_edges(graph, rate, seeded(seed))
    assert degrees(out) == degrees(graph)  # a loop or a repeat would be dropped and lower one
    assert len(edge_set(out)) == len(before) and not any(out.dropped.values())
    assert edge_set(graph) == before
    num_chosen = round(rate * len(before))
    assert len(before - edge_set(out)) <= num_chosen


def test_destroys_local_consistency():
    graph, y = planted_partition()
    out = rewire_edges(graph, 1.0, seeded(1))
    assert graph.local_consistency(y) > 0.8
    assert out.local_consistency(y) == pytest.approx(0.25, abs=0.08)  # four equal classes: chance
    assert degrees(out) == degrees(graph)


def test_rate_is_the_share_that_takes_part():
    graph, y = planted_partition()
    edges = edge_set(graph)
    kept = {rate: len(edges & edge_set(rewire_edges(graph, rate, seeded(2)))) / len(edges) for rate in (0, 0.5, 1)}
    assert kept[0] == 1
    assert 0.5 <= kept[0.5] < 0.65
    assert kept[1] < 0.3
    lc = {rate: rewire_edges(graph, rate, seeded(2)).local_consistency(y) for rate in (0, 0.5, 1)}
    assert lc[0] - lc[0.5] > 0.2 and lc[0.5] - lc[1] > 0.1


def test_every_configuration_of_a_small_graph_is_reached():
    """Two disjoint edges over four nodes: three matchings, equally likely."""
    graph = PretrainGraph([[0, 2], [1, 3]], num_nodes=4)
    seen = [frozenset(edge_set(rewire_edges(graph, 1.0, seeded(seed)))) for seed in range(150)]
    assert len(set(seen)) == 3
    assert min(seen.count(matching) for matching in set(seen)) > 25


@pytest.mark.parametrize("kind", ["star", "complete", "triangle", "edge", "empty"])
def test_where_nothing_can_be_exchanged_the_graph_stays(kind):
    index = {
        "star": torch.stack([torch.zeros(9, dtype=torch.long), torch.arange(1, 10)]),
        "complete": torch.combinations(torch.arange(10)).t(),
        "triangle": torch.combinations(torch.arange(3)).t(),
        "edge": torch.tensor([[0], [1]]),
        "empty": torch.empty(2, 0, dtype=torch.long),
    }[kind]
    graph = PretrainGraph(index, num_nodes=10)
    assert edge_set(rewire_edges(graph, 1.0, seeded())) == edge_set(graph)


def test_same_generator_same_result_and_no_other_randomness():
    graph, _ = planted_partition()
    before = torch.get_rng_state()
    one, two, other = (rewire_edges(graph, 1.0, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one.edge_index, two.edge_index) and not torch.equal(one.edge_index, other.edge_index)


def test_weights_and_groups_travel():
    graph = PretrainGraph([[0, 2, 4, 6], [1, 3, 5, 7]], num_nodes=9, edge_weight=[1.0, 2, 3, 4], group=[0] * 9)
    out = rewire_edges(graph, 1.0, seeded())
    assert out.group.tolist() == [0] * 9 and out.num_nodes == 9
    assert sorted(out.edge_weight.tolist()) == [1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_bad_rate_is_named(rate):
    with pytest.raises(ValueError, match=r"'rate' needs to be in \[0, 1\] in 'rewire_edges'"):
        rewire_edges(PretrainGraph([[0], [1]], num_nodes=2), rate)
