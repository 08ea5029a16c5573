"""CCASSG: two views of a graph agree in every channel, and no channel repeats another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn.models import GCN
from torch_geometric.utils import dropout_edge

from sigraph.edges.sparse import csr_tensor
from sigraph.files.arguments import check_integers, check_numbers, check_rates
from sigraph.files.memory import check_fits
from sigraph.graph_networks.subgraphs import Subgraph, gcn_adjacency
from sigraph.targets.teachers.base import Teacher


class CCASSG(Teacher):
    r"""Canonical correlation analysis of two views of a graph, each with other edges and other features dropped.

    With the embeddings of both views, columns standardised and divided by :math:`\sqrt N`:

    .. math:: L = \|\tilde Z_A-\tilde Z_B\|_F^2
                + \lambda\big(\|\tilde Z_A^\top\tilde Z_A-I\|_F^2+\|\tilde Z_B^\top\tilde Z_B-I\|_F^2\big)

    The encoder is a GCN, which reads weights of edges.

    Args:
        hidden_channels: C, width of all layers, >= 1.
        num_layers: In [1, 10].
        drop_edge: Share of the directed edges that a view does without, in [0, 1).
        drop_feature: Share of the features that a view does without, in [0, 1).
        balance: :math:`\lambda`, >= 0.
        lr: Learning rate of Adam, > 0.
        weight_decay: Of Adam, >= 0.
        max_epochs: Times that every node is looked at, >= 1.
        batch_size: Walks in a step, >= 2; None: the whole graph where its messages fit into 1 GB, else 2,048.
        max_steps: Steps at most, where a step takes a part of the graph, >= 1.
        accelerator: ``auto``: a CUDA GPU if there is one, else the CPU; ``cpu`` or ``gpu``.

    Costs O(E C + N F C + N C^2) a step; of sparse features only what is not zero counts.

    Source: Zhang et al., "From Canonical Correlation Analysis to Self-supervised Graph Neural Networks", NeurIPS 2021,
    Eq. 7 and 8. Their code has the first term without its factor of 2: half this ``balance``.
    """

    reads_sparse = True

    def __init__(
        self,
        hidden_channels: int = 512,
        num_layers: int = 2,
        drop_edge: float = 0.2,
        drop_feature: float = 0.2,
        balance: float = 1e-3,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        max_epochs: int = 50,
        batch_size: int | None = None,
        max_steps: int = 1000,
        accelerator: str = "auto",
    ) -> None:
        super().__init__(lr, weight_decay, max_epochs, batch_size, max_steps, accelerator)
        check_integers("CCASSG", 1, hidden_channels=hidden_channels)
        check_integers("CCASSG", 1, most=10, num_layers=num_layers)
        check_rates("CCASSG", drop_edge=drop_edge, drop_feature=drop_feature)
        check_numbers("CCASSG", least=0, balance=balance)
        check_fits("CCASSG", 4 * hidden_channels**2, hidden_channels=hidden_channels)
        self.hidden_channels, self.num_layers, self.balance = hidden_channels, num_layers, balance
        self.drop_edge, self.drop_feature = drop_edge, drop_feature

    def network(self, in_channels: int) -> nn.Module:
        sizes = (in_channels, self.hidden_channels, self.num_layers, self.hidden_channels)
        return nn.ModuleDict({"encoder": GCN(*sizes, normalize=False)})

    def loss(self, network: Any, part: Subgraph) -> Tensor:
        first, second = (standardised(network.encoder(*self._view(part))) for _ in range(2))  # [N, C] each
        loss = (first - second).square().sum()
        for z in (first, second):
            loss = loss + self.balance * (z.T @ z - torch.eye(z.size(1), device=z.device)).square().sum()
        return loss

    def _view(self, part: Subgraph) -> tuple[Tensor, Tensor]:
        index, kept = dropout_edge(part.edge_index, self.drop_edge)
        weight = None if part.edge_weight is None else part.edge_weight[kept]
        shown = torch.rand(part.x.size(1), device=index.device) >= self.drop_feature
        return with_features(part.x, shown), gcn_adjacency(index, weight, part.x.size(0))


def standardised(z: Tensor) -> Tensor:
    """Columns without their mean, of length one; a constant one is zero. Shape [N, C]."""
    z = z - z.mean(dim=0)
    return z / (z.square().sum(dim=0) + 1e-12).sqrt()


def with_features(x: Tensor, shown: Tensor) -> Tensor:
    """The rows with zeros where features are not shown; sparse ones stay sparse. Shape [N, F], [F]."""
    if x.layout != torch.sparse_csr:
        return x * shown
    value = x.values() * shown[x.col_indices()]
    return csr_tensor(x.crow_indices(), x.col_indices(), value, x.shape)
