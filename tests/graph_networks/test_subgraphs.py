"""Parts of a graph: walks from every node, all edges among what they reach; the matrix a GCN layer multiplies by."""

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch_geometric.nn import GCNConv

from sigraph.data import PretrainGraph
from sigraph.graph_networks.subgraphs import Subgraphs, as_input, gcn_adjacency


def graph():
    pairs = torch.randint(40, (2, 60), generator=torch.Generator().manual_seed(0))
    pairs = pairs[:, pairs[0] != pairs[1]].sort(dim=0).values.unique(dim=1)
    return PretrainGraph(pairs, 42, torch.rand(pairs.size(1)) + 0.1)  # 40 and 41 are isolated


def test_an_epoch_walks_from_every_node_and_takes_all_edges_among_what_is_reached():
    given = graph()
    ids = np.arange(42, dtype=np.float32)[:, None]
    parts = Subgraphs(given.store, ids, 8, 2, 10, 0)
    assert parts.are_parts
    weight = dict(zip(map(tuple, given.edge_index.T.tolist()), given.edge_weight.tolist(), strict=True))
    seen = set()
    for part in parts.epoch(3):
        node = part.x[:, 0].long()
        found = dict(zip(map(tuple, node[part.edge_index].T.tolist()), part.edge_weight.tolist(), strict=True))
        inside = set(node.tolist())
        assert found == {pair: value for pair, value in weight.items() if inside.issuperset(pair)}
        assert len(inside) == len(node) <= 30
        seen |= inside
    assert seen == set(range(42))
    first, again, other = ([part.x for part in parts.epoch(number)] for number in (0, 0, 1))
    assert all(map(torch.equal, first, again)) and not all(a.equal(b) for a, b in zip(first, other, strict=True))


def test_a_graph_that_fits_is_whole():
    for size in (None, 42):
        parts = Subgraphs(graph().store, np.ones((42, 3), np.float32), 8, 2, size, 0)
        (part,) = parts.epoch(0)
        assert not parts.are_parts and part.x.shape == (42, 3)


def test_the_matrix_is_what_pyg_multiplies_by():
    given, layer = graph(), GCNConv(5, 4)
    x = (torch.rand(42, 5) < 0.4).float()
    plain = GCNConv(5, 4, normalize=False)
    plain.load_state_dict(layer.state_dict())
    sparse = as_input(csr_matrix(x.numpy()))
    for weight in (None, given.edge_weight):
        adjacency = gcn_adjacency(given.edge_index, weight, 42)
        expected = layer(x, given.edge_index, weight)
        torch.testing.assert_close(plain(x, adjacency), expected)
        torch.testing.assert_close(plain(sparse, adjacency), expected)
