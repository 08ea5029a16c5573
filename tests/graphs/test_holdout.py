"""hold_out_edges: what is held out is not trained on, and nothing is lost."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import PretrainGraph
from sigraph.graphs import hold_out_edges


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weights(graph: PretrainGraph) -> dict[tuple[int, int], float]:
    value = torch.ones(graph.num_edges) if graph.edge_weight is None else graph.edge_weight
    edges = zip(graph.edge_index.t().tolist(), value.tolist(), strict=True)
    return {(a, b): w for (a, b), w in edges if a < b}


@st.composite
def graphs(draw) -> PretrainGraph:
    n = draw(st.integers(1, 12))
    pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    weight = torch.arange(1.0, len(edges) + 1) if draw(st.booleans()) else None
    return PretrainGraph(torch.tensor(edges, dtype=torch.long).view(-1, 2).t(), num_nodes=n, edge_weight=weight)


@settings(max_examples=60, deadline=None)
@given(graphs(), st.floats(0, 0.99), st.integers(0, 5))
def test_disjoint_and_together_the_graph(graph, rate, seed):
    before = weights(graph)
    kept, out = hold_out_edges(graph, rate, seeded(seed))
    assert kept.num_nodes == graph.num_nodes and out.dtype == torch.long
    held = {(min(a, b), max(a, b)) for a, b in out.t().tolist()}
    assert len(held) == out.size(1) == min(round(rate * len(before)), max(len(before) - 1, 0))
    assert held | set(weights(kept)) == set(before) and not held & set(weights(kept))
    assert all(before[edge] == weight for edge, weight in weights(kept).items())
    assert weights(graph) == before


def test_at_least_one_edge_stays_and_zero_takes_none():
    graph = PretrainGraph([[0, 1], [1, 2]], num_nodes=3, group=[0, 0, 0])
    kept, out = hold_out_edges(graph, 0.99, seeded())
    assert kept.num_edges == 2 and out.shape == (2, 1) and kept.group.tolist() == [0, 0, 0]
    kept, out = hold_out_edges(graph, 0.0, seeded())
    assert kept is graph and out.shape == (2, 0)


def test_every_edge_can_be_held_out_equally_often():
    ring = PretrainGraph(torch.stack([torch.arange(8), (torch.arange(8) + 1) % 8]), num_nodes=8)
    count = dict.fromkeys(weights(ring), 0)
    for seed in range(200):
        for a, b in hold_out_edges(ring, 0.25, seeded(seed))[1].t().tolist():
            count[a, b] += 1
    assert sum(count.values()) == 400 and all(25 < times < 80 for times in count.values())


def test_same_generator_same_result():
    ring = PretrainGraph(torch.stack([torch.arange(50), (torch.arange(50) + 1) % 50]), num_nodes=50)
    one, two, other = (hold_out_edges(ring, 0.2, seeded(seed))[1] for seed in (0, 0, 1))
    assert torch.equal(one, two) and not torch.equal(one, other)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_bad_rate_is_named(rate):
    with pytest.raises(ValueError, match=r"'rate' needs to be in \[0, 1\) in 'hold_out_edges'"):
        hold_out_edges(PretrainGraph([[0], [1]], num_nodes=2), rate)
