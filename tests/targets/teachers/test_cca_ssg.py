"""CCA-SSG: its loss is the paper's equation, and its views are what the arguments say."""

import numpy as np
import torch
from torch_geometric.nn.models import GCN

from sigraph.graph_networks.subgraphs import Subgraph
from sigraph.targets.teachers import CCASSG
from sigraph.targets.teachers.cca_ssg import standardised, with_features


def part(num_nodes=30, num_features=10):
    draw = torch.Generator().manual_seed(0)
    index = torch.randint(num_nodes, (2, 60), generator=draw)
    index = index[:, index[0] != index[1]]
    return Subgraph(torch.rand(num_nodes, num_features, generator=draw), torch.cat([index, index.flip(0)], 1), None)


def test_the_loss_is_equation_7():
    """By NumPy, with two views that are different because the network is."""
    torch.manual_seed(0)
    given, networks = part(), [GCN(10, 8, 2, 4) for _ in range(2)]

    class Two(torch.nn.Module):
        def encoder(self, x, adjacency):
            networks.reverse()
            return networks[0](x, given.edge_index)

    loss = CCASSG(8, drop_edge=0.0, drop_feature=0.0, balance=0.3).loss(Two(), given)
    z = [network(given.x, given.edge_index).detach().double().numpy() for network in networks]
    z = [(one - one.mean(axis=0)) / one.std(axis=0) / np.sqrt(len(one)) for one in z]
    apart = np.linalg.norm(z[0] - z[1]) ** 2
    repeated = sum(np.linalg.norm(one.T @ one - np.eye(4)) ** 2 for one in z)
    assert abs(loss.item() - (apart + 0.3 * repeated)) < 1e-4


def test_a_constant_channel_is_no_nan():
    z = torch.ones(5, 3, requires_grad=True)
    standardised(z).sum().backward()
    assert not standardised(z).any() and bool(torch.isfinite(z.grad).all())


def test_a_view_drops_its_shares():
    torch.manual_seed(0)
    given = part(400, 1000)
    x, adjacency = CCASSG(drop_edge=0.3, drop_feature=0.25)._view(given)
    hidden = (x == 0).all(dim=0)
    assert abs(float(hidden.float().mean()) - 0.25) < 0.06
    assert torch.equal(x[:, ~hidden], given.x[:, ~hidden])
    edges = adjacency.values().numel() - 400  # without loops
    repeats = given.edge_index.unique(dim=1).size(1)
    assert abs(edges / repeats - 0.7) < 0.12
    torch.testing.assert_close(with_features(given.x.to_sparse_csr(), ~hidden).to_dense(), x)
