"""A PyG graph network over all nodes of a graph, a layer at a time: what it predicts where no graph fits a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import GATConv, GCNConv, GINConv, SAGEConv
from torch_geometric.nn.models.basic_gnn import BasicGNN

from sigraph.edges import EdgeStore
from sigraph.edges.label_store import in_full
from sigraph.edges.neighborhood import edge_blocks, neighbor_sums
from sigraph.edges.propagation import Propagation

_ATTENDED = 1 << 27  # numbers of messages at a time, where neighbours are weighed by attention: 0.5 GB


class LayeredInference:
    """Evaluates a network on every node with all its neighbours, as its own forward pass without dropout would.

    Sums over neighbours are taken a block of edges at a time, on the CPU, and no edge's message is kept: memory is
    O(N D) for layers of width D, whatever the number of edges. Attention is computed by PyG, for the nodes of a block
    of edges at a time; only there is a two-level graph written out.

    Args:
        store: The edges.
    """

    def __init__(self, store: EdgeStore) -> None:
        self.store = store
        self._degree: Tensor | None = None
        self._propagation: Propagation | None = None

    def __call__(self, model: BasicGNN, x: Tensor) -> Tensor:
        """Predictions of all nodes.

        Args:
            model: PyG's GCN, GraphSAGE (means), GIN or GAT, without norm or jumping knowledge. Only GCN reads weights.
            x: Features; of GCN also sparse rows. Shape [N, F].

        Returns:
            Shape [N, out_channels], on the device of ``x``.
        """
        last = model.convs[-1]
        return _LAYERS[type(last)](self, last, self.before_last(model, x))

    def before_last(self, model: BasicGNN, x: Tensor) -> Tensor:
        """What the last layer reads. Shape [N, F] -> [N, hidden_channels]."""
        for conv in model.convs[:-1]:
            x = model.act(_LAYERS[type(conv)](self, conv, x))
        return x

    def sums(self, x: Tensor) -> Tensor:
        """Over the neighbours of each node. Shape [N, D] -> [N, D]."""
        return neighbor_sums(self.store, x.cpu()).to(x.device)

    def means(self, x: Tensor) -> Tensor:
        """The same by the number of neighbours; 0 where there are none."""
        if self._degree is None:
            self._degree = self.store.degree(torch.arange(self.store.num_nodes)).clamp(min=1)[:, None]
        return self.sums(x) / self._degree.to(x)

    def normalised(self, x: Tensor) -> Tensor:
        """By weights and loops, as GCN has them."""
        if self._propagation is None:
            self._propagation = Propagation(self.store)
        return self._propagation.step(x.cpu()).to(x.device)


def _gcn(over: LayeredInference, conv: Any, x: Tensor) -> Tensor:
    return over.normalised(conv.lin(x)) + conv.bias


def _sage(over: LayeredInference, conv: Any, x: Tensor) -> Tensor:
    return conv.lin_l(over.means(x)) + conv.lin_r(x)


def _gin(over: LayeredInference, conv: Any, x: Tensor) -> Tensor:
    return conv.nn(over.sums(x) + (1 + conv.eps) * x)


def _gat(over: LayeredInference, conv: Any, x: Tensor) -> Tensor:
    width, parts = max(x.size(1), conv.heads * conv.out_channels), []
    for first, last, rowptr, col in edge_blocks(in_full(over.store, "LayeredInference"), _ATTENDED // width):
        own = torch.arange(first, last)
        node, place = torch.cat([own, col.long()]).unique(return_inverse=True)
        front = torch.full((len(node),), -1).index_copy_(0, place[: len(own)], torch.arange(len(own)))
        others = (front < 0).nonzero().view(-1)  # loops join the nodes that are first on both sides
        front[others] = torch.arange(len(own), len(node))
        index = torch.stack([front[place[len(own) :]], torch.repeat_interleave(rowptr.diff())])
        near = x[torch.cat([own, node[others]])]
        parts.append(conv((near, near[: len(own)]), index.to(x.device)))
    return torch.cat(parts)


_LAYERS: dict[type, Callable[[LayeredInference, Any, Tensor], Tensor]] = {
    GCNConv: _gcn,
    SAGEConv: _sage,
    GINConv: _gin,
    GATConv: _gat,
}
