"""GraphMAETeacher: hidden features of nodes are reconstructed from their neighbours."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCNConv
from torch_geometric.nn.models import GAT, GCN

from sigraph.files.arguments import check_choices, check_integers, check_numbers, check_rates
from sigraph.files.memory import check_fits
from sigraph.graph_networks.subgraphs import Subgraph, gcn_adjacency
from sigraph.objectives.graph_mae import scaled_cosine_error
from sigraph.targets.teachers.base import Teacher

LAYERS = ("gat", "gcn")


class GraphMAETeacher(Teacher):
    r"""A masked autoencoder of node features: the encoder sees some nodes without theirs, the decoder has to find them.

    Hidden rows are replaced by a learnt one, or by another node's; the embeddings of all hidden nodes are set to 0 once
    more before the decoder, a single layer, so that it reads the neighbours. With the reconstruction :math:`\hat x_v`
    of the K hidden nodes,

    .. math:: L = \frac1K\sum_v\Big(1-\frac{x_v^\top\hat x_v}{\|x_v\|\,\|\hat x_v\|}\Big)^\gamma

    Args:
        hidden_channels: C, width of all layers, >= 1; of ``gat`` a multiple of ``num_heads``.
        num_layers: Of the encoder, in [1, 10].
        layer: ``gat`` (Veličković et al., ICLR 2018) or ``gcn``, of encoder and decoder; only ``gcn`` reads weights.
        num_heads: Of ``gat``, >= 1.
        mask_rate: Share of the nodes that are hidden, in (0, 1); at least one node.
        replace_rate: Share of these that get the features of another node, in [0, 1).
        gamma: Exponent, >= 1.
        dropout: Rate on features, and of ``gat`` on attention, in [0, 1).
        lr: Learning rate of Adam, > 0.
        weight_decay: Of Adam, >= 0.
        max_epochs: Times that every node is looked at, >= 1.
        batch_size: Walks in a step, >= 2; None: the whole graph where its messages fit into 1 GB, else 2,048.
        max_steps: Steps at most, where a step takes a part of the graph, >= 1.
        accelerator: ``auto``: a CUDA GPU if there is one, else the CPU; ``cpu`` or ``gpu``.

    Sparse features are made dense; very many are reduced to 256 channels, and these are reconstructed.

    Source: Hou et al., "GraphMAE: Self-Supervised Masked Graph Autoencoders", KDD 2022, Eq. 1, 2 and 4; the same loss
    within graphs that are samples: :class:`~sigraph.objectives.GraphMAE`. Differs in: no schedule of the
    learning rate, and 100 epochs by default where theirs are 1,500.
    """

    def __init__(
        self,
        hidden_channels: int = 512,
        num_layers: int = 2,
        layer: str = "gat",
        num_heads: int = 4,
        mask_rate: float = 0.5,
        replace_rate: float = 0.05,
        gamma: float = 3.0,
        dropout: float = 0.2,
        lr: float = 1e-3,
        weight_decay: float = 2e-4,
        max_epochs: int = 100,
        batch_size: int | None = None,
        max_steps: int = 1000,
        accelerator: str = "auto",
    ) -> None:
        name = "GraphMAETeacher"
        super().__init__(lr, weight_decay, max_epochs, batch_size, max_steps, accelerator)
        check_integers(name, 1, hidden_channels=hidden_channels, num_heads=num_heads)
        check_integers(name, 1, most=10, num_layers=num_layers)
        check_choices(name, LAYERS, layer=layer)
        if layer == "gat" and hidden_channels % num_heads:
            raise ValueError(
                f"'hidden_channels' needs to be a multiple of num_heads, {num_heads}, in {name!r} (got "
                f"{hidden_channels})"
            )
        check_rates(name, above_zero=True, mask_rate=mask_rate)
        check_rates(name, replace_rate=replace_rate, dropout=dropout)
        check_numbers(name, least=1, gamma=gamma)
        check_fits(name, 4 * hidden_channels**2, hidden_channels=hidden_channels)
        self.hidden_channels, self.num_layers = hidden_channels, num_layers
        self.layer, self.num_heads = layer, num_heads
        self.mask_rate, self.replace_rate, self.gamma, self.dropout = mask_rate, replace_rate, gamma, dropout

    def network(self, in_channels: int) -> nn.Module:
        return _Autoencoder(self, in_channels)

    def loss(self, network: Any, part: Subgraph) -> Tensor:
        x, count = part.x, part.x.size(0)
        hidden = torch.randperm(count, device=x.device)[: max(1, int(self.mask_rate * count))]  # [K]
        swapped = torch.rand(len(hidden), device=x.device) < self.replace_rate
        other = torch.randint(count, (len(hidden),), device=x.device)
        shown = torch.where(swapped[:, None], x[other], network.mask.expand(len(hidden), -1))
        found = network(x.index_put((hidden,), shown), part, hidden)
        return scaled_cosine_error(found, x[hidden], self.gamma).mean()


class _Autoencoder(nn.Module):
    def __init__(self, kind: GraphMAETeacher, in_channels: int) -> None:
        super().__init__()
        width = kind.hidden_channels
        self.reads_weights = kind.layer == "gcn"
        self.mask = nn.Parameter(torch.zeros(1, in_channels))
        self.dropout = nn.Dropout(kind.dropout)
        self.to_decoder = nn.Linear(width, width, bias=False)
        sizes: dict[str, Any] = {"num_layers": kind.num_layers, "dropout": kind.dropout, "act": "prelu"}
        self.encoder: nn.Module
        self.decoder: nn.Module
        if self.reads_weights:
            self.encoder = GCN(in_channels, width, **sizes, normalize=False)
            self.decoder = GCNConv(width, in_channels, normalize=False)
        else:
            self.encoder = GAT(in_channels, width, **sizes, heads=kind.num_heads)
            self.decoder = GATConv(width, in_channels)

    def forward(self, x: Tensor, part: Subgraph, hidden: Tensor) -> Tensor:
        """Features of the hidden nodes. Shape [N, F], [K] -> [K, F]."""
        edges = part.edge_index
        if self.reads_weights:
            edges = gcn_adjacency(edges, part.edge_weight, len(x))
        h = self.to_decoder(self.encoder(self.dropout(x), edges))
        return self.decoder(h.index_fill(0, hidden, 0.0), edges)[hidden]
