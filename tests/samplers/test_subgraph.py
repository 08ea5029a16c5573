"""SubgraphSampler: whole neighbourhoods, as far and as wide as asked."""

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sigraph.data import PretrainGraph
from sigraph.samplers import NeighborPairSampler, SubgraphSampler


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_graph(key, n=60, num_edges=90):
    index = torch.randint(n, (2, num_edges), generator=seeded(key))
    return PretrainGraph(index[:, index[0] < index[1]].unique(dim=1), n)


@given(st.integers(0, 1000), st.integers(1, 4))
@settings(max_examples=20)
def test_with_room_for_all_neighbors_it_is_the_ball(key, hops):
    graph = random_graph(key)
    g = nx.Graph(graph.edge_index.t().tolist())
    g.add_nodes_from(range(60))
    node = SubgraphSampler(graph, num_neighbors=60, num_hops=hops).draw(torch.tensor([7, 30]), seeded(key))
    ball = set(nx.single_source_shortest_path_length(g, 7, hops)) | set(
        nx.single_source_shortest_path_length(g, 30, hops)
    )
    assert set(node.tolist()) == ball and node[:2].tolist() == [7, 30]


def test_is_bounded_and_each_sample_is_joined_to_one_before_it():
    graph = random_graph(0, 400, 2400)
    node, pairs = SubgraphSampler(graph, 3, 2, num_negatives=2).sample(torch.tensor([1, 200]), seeded())
    assert node.numel() <= 2 * (1 + 3 + 9 + 2)
    anchor, candidate = pairs.positive_index
    earlier = torch.zeros(node.numel(), dtype=torch.bool)
    earlier[anchor[candidate < anchor]] = True
    assert int((~earlier).sum()) <= 2 + 4  # all but seed samples and negatives


def test_steps_are_denser_than_with_pairs():
    i = torch.arange(600)
    graph = PretrainGraph(torch.cat([torch.stack([i, (i + step) % 600]) for step in (1, 2, 3)], dim=1), 600)

    def density(sampler, num_seeds):
        node, pairs = sampler.sample(torch.randperm(600, generator=seeded())[:num_seeds], seeded())
        return pairs.num_positives / node.numel()

    assert density(SubgraphSampler(graph), 4) > 2 * density(NeighborPairSampler(graph), 20)


@pytest.mark.parametrize(("name", "value"), [("num_neighbors", 0), ("num_hops", 0), ("num_negatives", -1)])
def test_wrong_numbers_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"'{name}' needs to be an integer >= \d in 'SubgraphSampler'"):
        SubgraphSampler(random_graph(0), **{name: value})
