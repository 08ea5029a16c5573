"""Ego-networks: PyG's k-hop subgraphs, capped by a draw that depends on seed, centre and node alone."""

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import k_hop_subgraph

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.edges import ego
from sigraph.recipes import ego_networks, node_kinds
from sigraph.recipes.ego_networks import NODE_KINDS


def random_graph(num_nodes=60, num_edges=90, seed=0, weighted=False):
    draw = torch.Generator().manual_seed(seed)
    ends = torch.randint(num_nodes, (2, num_edges), generator=draw)
    ends = ends[:, ends[0] != ends[1]].sort(dim=0).values.unique(dim=1)
    weight = torch.rand(ends.size(1), generator=draw) + 0.1 if weighted else None
    return PretrainGraph(ends, num_nodes, weight)


def numbered(num_nodes):
    """Attributes by which a node of a sample is told in the big graph."""
    return torch.arange(num_nodes)[:, None]


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_without_a_cap_they_are_pygs_k_hop_subgraphs(hops):
    graph = random_graph(weighted=True)
    samples = ego_networks(graph, hops, max_nodes=60, x=numbered(60))
    assert len(samples) == 60
    weight = dict(zip(map(tuple, graph.edge_index.t().tolist()), graph.edge_weight.tolist(), strict=True))
    for center in range(60):
        one = samples.fetch(torch.tensor([center]))
        node, mark = one.x.t()
        subset, edge_index, _, _ = k_hop_subgraph(center, hops, graph.edge_index, num_nodes=60)
        assert set(node.tolist()) == set(subset.tolist()) and len(node) == len(subset)
        assert node[0] == center and mark.tolist() == [1] + [0] * (len(node) - 1)
        ends = [tuple(pair) for pair in node[one.edge_index].t().tolist()]
        assert sorted(ends) == sorted(map(tuple, edge_index.t().tolist()))
        assert one.edge_attr.view(-1).tolist() == [weight[pair] for pair in ends]


@pytest.mark.parametrize("max_nodes", [1, 2, 7, 20])
def test_a_cap_takes_near_nodes_first_and_keeps_them_reachable(max_nodes):
    graph = random_graph(num_edges=200)
    whole, capped = (ego_networks(graph, 3, most, x=numbered(60)) for most in (60, max_nodes))
    for center in range(60):
        node = capped.fetch(torch.tensor([center])).x[:, 0]
        size = int(whole.cost()[center])
        assert len(node) == min(size, max_nodes) == len(node.unique()) and node[0] == center
        distances = torch.full((60,), 99)
        for hop in range(3, -1, -1):
            distances[k_hop_subgraph(center, hop, graph.edge_index, num_nodes=60)[0]] = hop
        nearest = distances.sort().values[: len(node)]
        assert distances[node].tolist() == nearest.tolist()  # by hops, each hop full before the next begins
        one = capped.fetch(torch.tensor([center]))
        if len(node) > 1:
            assert set(k_hop_subgraph(0, 3, one.edge_index, num_nodes=len(node))[0].tolist()) == set(range(len(node)))


def test_a_sample_depends_on_seed_and_centre_and_on_nothing_else(monkeypatch):
    graph = random_graph(num_edges=400)
    first = ego_networks(graph, 2, 12)
    assert ego_networks(graph, 2, 12).digest() == first.digest() != ego_networks(graph, 2, 12, seed=1).digest()
    some = torch.tensor([7, 59, 7, 0])
    assert ego_networks(graph, 2, 12, centers=some).digest() == first.take(some).digest()
    monkeypatch.setattr(ego, "_TABLE", 200)
    monkeypatch.setattr(ego, "_WALKS", 50)
    assert ego_networks(graph, 2, 12).digest() == first.digest()


def test_what_is_drawn_beyond_the_cap_is_drawn_evenly():
    star = PretrainGraph([[0] * 20, list(range(1, 21))], num_nodes=21)
    counts = torch.zeros(21)
    for seed in range(400):
        counts[ego_networks(star, 1, 6, x=numbered(21), centers=[0], seed=seed).x.raw[:, 0]] += 1
    assert counts[0] == 400 and counts[1:].sum() == 2_000
    assert float(((counts[1:] - 100) ** 2 / 100 / 0.75).sum()) < 45  # 19 degrees of freedom, p about 0.001


def test_graphs_of_pyg_attributes_and_isolated_nodes(tmp_path):
    data = Data(x=torch.rand(4, 2), edge_index=torch.tensor([[0, 1], [1, 2]]))  # node 3 has no edge
    samples = ego_networks(data, hops=1)
    assert samples.cost().tolist() == [2, 3, 2, 1] and samples.sizes == {"node_channels": 3}
    assert torch.equal(samples.fetch(torch.tensor([1])).x[:, :2], data.x[[1, 0, 2]])
    dataset = SampleDataset(samples)
    dataset.save(tmp_path / "d")
    assert SampleDataset.open(tmp_path / "d").store.digest() == samples.digest()
    assert ego_networks(random_graph(), 1).sizes == {"node_channels": 1}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"graph": [[0, 1]]}, "'graph' needs"),
        ({"hops": 0}, "'hops' needs"),
        ({"max_nodes": 0}, "'max_nodes' needs"),
        ({"seed": -1}, "'seed' needs"),
        ({"x": torch.ones(3, 2)}, "a dense row of numbers for each of 60 nodes"),
        ({"x": "names"}, "'x' needs numbers"),
        ({"centers": [60]}, r"'centers' needs sample ids in \[0, 60\)"),
        ({"centers": []}, "at least one node"),
    ],
)
def test_what_is_nothing_of_the_kind_is_named(wrong, words):
    with pytest.raises(ValueError, match=words):
        ego_networks(**{"graph": random_graph(), **wrong})


def test_kinds_of_nodes_are_degrees_and_networkx_clustering():
    networkx = pytest.importorskip("networkx")
    hub = torch.stack([torch.zeros(3000, dtype=torch.long), torch.arange(60, 3060)])
    dense = random_graph(num_edges=400).edge_index
    edges = torch.cat([dense[:, dense[0] < dense[1]], hub], dim=1)
    graph = PretrainGraph(edges, num_nodes=3061)  # the last has no neighbour
    plain = networkx.Graph(graph.edge_index.t().tolist())
    plain.add_nodes_from(range(3061))
    for node, (size, share) in enumerate(node_kinds(graph).tolist()):
        degree = plain.degree(node)
        assert size == (0 if not degree else min(degree.bit_length(), NODE_KINDS[0] - 1))
        assert share == (0 if degree < 2 else 1 + int(10 * networkx.clustering(plain, node) + 1e-9)), node
    triangle = node_kinds(Data(edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]), num_nodes=3))
    assert triangle.tolist() == [[2, 11]] * 3 and triangle.dtype == torch.uint8
