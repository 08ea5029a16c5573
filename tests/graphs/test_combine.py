"""UnionGraph and IntersectionGraph: sets and weights as they should be; nothing held out comes back."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.graphs import (
    DatasetGraph,
    HopClosure,
    IntersectionGraph,
    KNNGraph,
    Rewired,
    UnionGraph,
    hold_out_edges,
    hop_graph,
)

N = 7
PAIRS = [(i, j) for i in range(N) for j in range(i + 1, N)]
Weighted = dict[tuple[int, int], float]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def graph_of(edges: Weighted, is_weighted: bool = True) -> PretrainGraph:
    index = torch.tensor(list(edges), dtype=torch.long).view(-1, 2).t()
    return PretrainGraph(index, N, torch.tensor(list(edges.values())) if is_weighted else None)


def weighted(graph: PretrainGraph) -> Weighted:
    weight = torch.ones(graph.num_edges) if graph.edge_weight is None else graph.edge_weight
    return {(a, b): w for (a, b), w in zip(graph.edge_index.t().tolist(), weight.tolist(), strict=True) if a < b}


def dataset(*graphs: PretrainGraph) -> SampleDataset:
    return SampleDataset(torch.zeros(N, 1), {str(i): graph for i, graph in enumerate(graphs)})


some_edges = st.dictionaries(st.sampled_from(PAIRS), st.sampled_from([0.5, 1.0, 3.0]))


@settings(max_examples=60, deadline=None)
@given(some_edges, some_edges, st.booleans(), st.sampled_from([None, [2.0, 0.25]]))
def test_sets_and_weights(one, two, is_weighted, factors):
    two = dict.fromkeys(two, 1.0)
    data = dataset(graph_of(one, is_weighted), graph_of(two, False))
    one = one if is_weighted else dict.fromkeys(one, 1.0)
    f, g = factors or (1.0, 1.0)
    parts = [DatasetGraph("0"), DatasetGraph("1")]
    union, both = UnionGraph(parts, factors)(data), IntersectionGraph(parts)(data)
    if is_weighted or factors:
        assert weighted(union) == {e: f * one.get(e, 0) + g * two.get(e, 0) for e in one.keys() | two.keys()}
    else:
        assert union.edge_weight is None and weighted(union).keys() == one.keys() | two.keys()
    assert weighted(both) == {e: one[e] for e in one.keys() & two.keys()}
    assert (both.edge_weight is None) == (not is_weighted)


@settings(max_examples=60, deadline=None)
@given(some_edges, some_edges, st.sampled_from([UnionGraph, IntersectionGraph]), st.integers(0, 3))
def test_what_is_held_out_leaves_every_part_before_it_is_expanded(one, two, kind, seed):
    graphs = [graph_of(one, False), graph_of(two, False)]
    constructor = kind([DatasetGraph("0", hops=2), HopClosure(DatasetGraph("1"), hops=3)])
    kept, held_out = hold_out_edges(constructor.base(dataset(*graphs)), 0.4, seeded(seed))
    gone = set(map(tuple, held_out.t().tolist()))
    rest = [graph_of({e: 1.0 for e in weighted(graph) if e not in gone}, False) for graph in graphs]
    expected = [set(weighted(hop_graph(graph, hops))) for graph, hops in zip(rest, (2, 3), strict=True)]
    found = set(weighted(constructor.expand(kept)))
    assert found == (expected[0] | expected[1] if kind is UnionGraph else expected[0] & expected[1])


@pytest.mark.parametrize("kind", [UnionGraph, IntersectionGraph])
def test_an_edge_held_out_does_not_come_back_through_another_part(kind):
    data = dataset(graph_of({(0, 1): 1.0, (2, 3): 1.0}), graph_of({(0, 1): 1.0, (2, 3): 1.0}))
    constructor = kind([DatasetGraph("0", hops=2), DatasetGraph("1")])
    constructor.base(data)
    assert weighted(constructor.expand(graph_of({(2, 3): 1.0}))).keys() == {(2, 3)}


def test_parts_of_parts():
    data = dataset(graph_of({(0, 1): 1.0, (1, 2): 1.0}), graph_of({(3, 4): 1.0}), graph_of({(4, 5): 1.0}))
    inner = UnionGraph([DatasetGraph("1"), DatasetGraph("2")])
    constructor = UnionGraph([DatasetGraph("0", hops=2), HopClosure(inner)])
    assert weighted(constructor(data)).keys() == {(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)}
    constructor.base(data)
    kept = graph_of({(0, 1): 1.0, (1, 2): 1.0, (3, 4): 1.0})
    assert weighted(constructor.expand(kept)).keys() == {(0, 1), (1, 2), (0, 2), (3, 4)}


def test_rewiring_around_and_within():
    data = SampleDataset(torch.randn(30, 3, generator=seeded()), {})
    around = Rewired(UnionGraph([KNNGraph(2), KNNGraph(3, "cosine")]))
    original = around.graph(data)
    found = around(data, seeded(1))
    assert torch.equal(found.csr()[0], original.csr()[0]) and not torch.equal(found.csr()[1], original.csr()[1])
    hops = HopClosure(KNNGraph(2), hops=2)
    with pytest.raises(ValueError, match=r"none of its parts observed.*around each of 'graphs'"):
        Rewired(UnionGraph([hops, KNNGraph(3)]))(data, seeded(1))
    within = UnionGraph([Rewired(hops), Rewired(KNNGraph(3))])
    assert within(data, seeded(1)).num_edges > 0


def test_groups_are_kept_and_need_to_agree():
    line = {(0, 1): 1.0}
    group = torch.arange(N) % 2
    one = PretrainGraph([[0], [1]], N, group=group)
    other = PretrainGraph([[0], [1]], N, group=1 - group)
    union = UnionGraph([DatasetGraph("0"), DatasetGraph("1")])
    assert torch.equal(union(dataset(graph_of(line), one)).group, group)
    with pytest.raises(ValueError, match="same groups"):
        union(dataset(one, other))


def test_expanding_needs_the_observed_edges_first():
    with pytest.raises(ValueError, match=r"'UnionGraph' needs 'base' to be called before 'expand'"):
        UnionGraph([DatasetGraph()]).expand(graph_of({(0, 1): 1.0}))


@pytest.mark.parametrize("kind", [UnionGraph, IntersectionGraph])
@pytest.mark.parametrize("graphs", [[], None, "citation", ["citation"], [DatasetGraph(), {"k": 3}]])
def test_parts_that_are_none(kind, graphs):
    with pytest.raises(ValueError, match=rf"'graphs' needs .*in '{kind.__name__}'"):
        kind(graphs)


@pytest.mark.parametrize("weights", [[1.0], [1.0, 0.0], [1.0, float("inf")], [1.0, float("nan")], [1, True], 2.0])
def test_bad_weights(weights):
    with pytest.raises(ValueError, match="'weights' needs one number > 0 a graph, 2"):
        UnionGraph([DatasetGraph(), DatasetGraph()], weights)
