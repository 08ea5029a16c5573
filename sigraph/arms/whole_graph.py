"""A PyG graph network over all nodes of a graph, a layer at a time: what it predicts where no graph fits a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import GCNConv, GINConv, SAGEConv
from torch_geometric.nn.models.basic_gnn import BasicGNN

from sigraph.edges import EdgeStore
from sigraph.edges.neighborhood import neighbor_sums
from sigraph.edges.propagation import Propagation


class LayeredInference:
    """Evaluates a network on every node with all its neighbours, as its own forward pass without dropout would.

    Sums over neighbours are taken a block of edges at a time, on the CPU, and no edge's message is kept: memory is
    O(N D) for layers of width D, whatever the number of edges.

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
            model: PyG's GCN, GraphSAGE (means) or GIN, without norm or jumping knowledge. Only GCN reads weights.
            x: Features. Shape [N, F].

        Returns:
            Shape [N, out_channels], on the device of ``x``.
        """
        for number, conv in enumerate(model.convs):
            x = _LAYERS[type(conv)](self, conv, x)
            if number < len(model.convs) - 1:
                x = model.act(x)
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


_LAYERS: dict[type, Callable[[LayeredInference, Any, Tensor], Tensor]] = {GCNConv: _gcn, SAGEConv: _sage, GINConv: _gin}
