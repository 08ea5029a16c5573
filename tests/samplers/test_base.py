"""The contract, for every sampler of the package."""

import pickle

import pytest
import torch
from contracts import concrete_subclasses
from hypothesis import given, settings
from hypothesis import strategies as st

import sigraph.samplers
from sigraph.data import Pairs, PretrainGraph
from sigraph.samplers import PairSampler, SeedsOnly
from sigraph.samplers.base import unique_in_order

pytestmark = pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")


every_sampler = pytest.mark.parametrize("sampler_type", concrete_subclasses(PairSampler, sigraph.samplers))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_graph(n=60, num_edges=150, **fields):
    index = torch.randint(n - 2, (2, num_edges), generator=seeded())  # the last two nodes are isolated
    return PretrainGraph(index[:, index[0] != index[1]], n, **fields)


def weight_matrix(graph):
    """[N, N], the weight of each edge, NaN where there is none."""
    dense = torch.full((graph.num_nodes, graph.num_nodes), float("nan"))
    dense[graph.edge_index[0], graph.edge_index[1]] = (
        torch.ones(graph.num_edges) if graph.edge_weight is None else graph.edge_weight
    )
    return dense


@st.composite
def graphs_and_seeds(draw):
    n = draw(st.integers(2, 12))
    node = st.integers(0, n - 1)
    edge = st.tuples(node, node).filter(lambda edge: edge[0] != edge[1])
    edges = draw(st.lists(edge, min_size=1, max_size=30))
    weight = draw(st.none() | st.just([float(i % 5) for i in range(len(edges))]))
    group = draw(st.none() | st.just([i % 2 for i in range(n)]))
    # Two isolated nodes, one a group: every node has a negative, for a graph where none has any is refused.
    group = None if group is None else [*group, 0, 1]
    graph = PretrainGraph(torch.tensor(edges).t(), n + 2, weight, group)
    return graph, draw(st.lists(node, min_size=1, max_size=8))


def check_pairs(graph, pairs, anchors, candidates):
    """Positives are the edges between the two lists, all of them and nothing else, with their weights."""
    expected = weight_matrix(graph)[anchors][:, candidates]
    assert isinstance(pairs, Pairs)
    assert (pairs.num_anchors, pairs.num_candidates) == (anchors.numel(), candidates.numel())
    found = torch.full_like(expected, float("nan"))
    anchor, candidate = pairs.positive_index
    found[anchor, candidate] = torch.ones(anchor.numel()) if pairs.weight is None else pairs.weight
    assert torch.equal(found.isnan(), expected.isnan()) and torch.equal(found.nan_to_num(-1), expected.nan_to_num(-1))
    assert int((~expected.isnan()).sum()) == pairs.num_positives  # none listed twice
    assert (pairs.weight is None) == (graph.edge_weight is None)
    assert torch.equal(pairs.anchor_id, anchors) and torch.equal(pairs.candidate_id, candidates)
    if graph.group is None:
        assert pairs.anchor_group is None and pairs.candidate_group is None
    else:
        assert torch.equal(pairs.anchor_group, graph.group[anchors])
        assert torch.equal(pairs.candidate_group, graph.group[candidates])


def test_finds_the_samplers():
    assert "NeighborPairSampler" in {sampler.__name__ for sampler in concrete_subclasses(PairSampler, sigraph.samplers)}


@every_sampler
def test_is_exported_and_documented(sampler_type):
    assert sampler_type.__name__ in sigraph.samplers.__all__
    for part in ("Args:", "Shapes:", "Source:"):
        assert part in (sampler_type.__doc__ or "")


@every_sampler
@given(case=graphs_and_seeds(), seed=st.integers(0, 100))
@settings(max_examples=40)
def test_every_positive_is_an_edge_and_no_edge_is_missing(sampler_type, case, seed):
    graph, seeds = case
    node, pairs = sampler_type(graph).sample(torch.tensor(seeds), seeded(seed))
    check_pairs(graph, pairs, node, node)
    assert pairs.self_index.tolist() == list(range(node.numel())) and pairs.negative_index is None
    first = list(dict.fromkeys(seeds))
    assert node.dtype == torch.long and node[: len(first)].tolist() == first  # seed samples first, in their order
    assert node.unique().numel() == node.numel() and int(node.min()) >= 0 and int(node.max()) < graph.num_nodes


@every_sampler
@given(case=graphs_and_seeds(), data=st.data())
@settings(max_examples=40)
def test_rectangular_pairs_of_any_two_lists(sampler_type, case, data):
    graph, anchors = case
    nodes = st.lists(st.integers(0, graph.num_nodes - 1), max_size=8)
    candidates = torch.tensor(data.draw(nodes), dtype=torch.long)
    pairs = sampler_type(graph).pairs(torch.tensor(anchors), candidates)
    check_pairs(graph, pairs, torch.tensor(anchors), candidates)
    same = [[i, j] for i, a in enumerate(anchors) for j, c in enumerate(candidates.tolist()) if a == c]
    assert pairs.excluded_index().t().tolist() == same  # copies of a node are nothing


@every_sampler
def test_same_generator_same_samples_and_another_one_others(sampler_type):
    sampler, seeds = sampler_type(random_graph()), torch.arange(0, 60, 3)
    node, pairs = sampler.sample(seeds, seeded(1))
    again, same = sampler.sample(seeds, seeded(1))
    assert torch.equal(node, again) and torch.equal(pairs.positive_index, same.positive_index)
    if sampler_type is not SeedsOnly:  # nothing is drawn
        assert len({str(sampler.draw(seeds, seeded(seed)).tolist()) for seed in range(4)}) == 4


@every_sampler
def test_a_given_generator_is_the_only_source_of_randomness(sampler_type):
    sampler = sampler_type(random_graph())
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    node, _ = sampler.sample(torch.arange(5), seeded())
    assert torch.equal(torch.rand(2), expected)
    torch.manual_seed(123)
    assert torch.equal(sampler.sample(torch.arange(5), seeded())[0], node)
    assert sampler.sample(torch.arange(5))[0].numel() >= 5  # without one: torch's own


@every_sampler
def test_isolated_nodes_are_no_trouble(sampler_type):
    graph = random_graph()
    assert graph.store.degree(torch.tensor([58, 59])).tolist() == [0, 0]
    node, pairs = sampler_type(graph).sample(torch.tensor([58, 59]), seeded())
    check_pairs(graph, pairs, node, node)
    assert node[:2].tolist() == [58, 59] and not (pairs.positive_index < 2).any()


@every_sampler
def test_seeds_are_not_changed_and_may_repeat(sampler_type):
    seeds = torch.tensor([7, 7, 3, 7, 3])
    node = sampler_type(random_graph()).draw(seeds, seeded())
    assert node[:2].tolist() == [7, 3] and seeds.tolist() == [7, 7, 3, 7, 3]


@every_sampler
def test_groups_and_weights_travel(sampler_type):
    graph = random_graph(edge_weight=None, group=torch.arange(60) % 3)
    graph.edge_weight = torch.arange(graph.num_edges) % 7 / 7.0
    graph = PretrainGraph(graph.edge_index, 60, graph.edge_weight, graph.group)
    node, pairs = sampler_type(graph).sample(torch.arange(20), seeded())
    check_pairs(graph, pairs, node, node)
    assert pairs.anchor_group.unique().numel() == 3 and pairs.weight.unique().numel() > 3


@every_sampler
def test_pickles_and_an_opened_graph_pickles_small(sampler_type, tmp_path):
    graph = random_graph(5000, 30_000)
    graph.save(tmp_path / "graph")
    for one, small in ((graph, False), (PretrainGraph.open(tmp_path / "graph"), True)):
        sampler = sampler_type(one)
        pickled = pickle.dumps(sampler)
        assert (len(pickled) < 2000) == small
        seeds = torch.arange(50)
        assert torch.equal(pickle.loads(pickled).draw(seeds, seeded()), sampler.draw(seeds, seeded()))


@every_sampler
@pytest.mark.parametrize("graph", [PretrainGraph(num_nodes=5), PretrainGraph([[], []])])
def test_graphs_without_edges_are_refused(sampler_type, graph):
    with pytest.raises(ValueError, match=rf"'graph' needs at least one edge in '{sampler_type.__name__}'"):
        sampler_type(graph)


@every_sampler
@pytest.mark.filterwarnings("ignore:Unable to accurately infer 'num_nodes'")
def test_what_is_no_graph_is_refused(sampler_type):
    for wrong in (None, torch.tensor([[0], [1]]), [[0], [1]]):
        with pytest.raises(ValueError, match="'graph' needs to be a PretrainGraph"):
            sampler_type(wrong)
    with pytest.raises(ValueError, match="at least one edge"):
        sampler_type(PretrainGraph())


@given(st.lists(st.integers(-3, 6)))
def test_unique_in_order_keeps_first_appearances(ids):
    assert unique_in_order(torch.tensor(ids, dtype=torch.long)).tolist() == list(dict.fromkeys(ids))
