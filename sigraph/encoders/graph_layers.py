"""Layers of a graph encoder: PyG's, those of Hu et al. 2020, and what stands around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import GAT, GCN, GIN, MLP, PNA, GINEConv, GraphSAGE, JumpingKnowledge, MessagePassing
from torch_geometric.nn.aggr import Aggregation
from torch_geometric.nn.models.basic_gnn import BasicGNN
from torch_geometric.nn.resolver import normalization_resolver
from torch_geometric.utils import degree

from sigraph.encoders.graph_inputs import Input

NORMS: dict[str | None, tuple[str | None, dict[str, Any]]] = {
    "layer": ("layer_norm", {"mode": "node"}),  # a node by itself: an embedding does not depend on the batch
    "batch": ("batch_norm", {"allow_single_element": True}),
    None: (None, {}),
}
JUMPS = ("last", "cat", "max", "sum")


class IndexSum(Aggregation):
    """Sums by ``index_add``: the same figures as PyG's own sum, forwards and backwards faster than its scatter."""

    def forward(
        self,
        x: Tensor,
        index: Tensor | None = None,
        ptr: Tensor | None = None,
        dim_size: int | None = None,
        dim: int = -2,
    ) -> Tensor:
        if index is None:
            raise ValueError("'index' is needed in 'IndexSum' (got None)")
        size = [*x.shape]
        size[dim] = int(index.max()) + 1 if dim_size is None else dim_size
        return x.new_zeros(size).index_add(dim, index, x)


class HuGINConv(MessagePassing):
    r"""GIN with attributes of edges: :math:`\mathrm{MLP}\big(\sum_{j \in N(i) \cup \{i\}} (x_j + e_{ij})\big)`.

    Source: Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, appendix A.
    """

    def __init__(self, mlp: nn.Module) -> None:
        super().__init__(aggr=IndexSum())
        self.nn = mlp

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, loop: Tensor) -> Tensor:
        return self.nn(self.propagate(edge_index, x=x, edge_attr=edge_attr) + x + loop)

    def message(self, x_j: Tensor, edge_attr: Tensor) -> Tensor:
        return x_j + edge_attr


class HuGCNConv(MessagePassing):
    r"""GCN with attributes of edges: :math:`\sum_{j \in N(i) \cup \{i\}} (W x_j + b + e_{ij}) / \sqrt{d_i d_j}`, d the
    edges that leave a node, its loop among them.

    Source: as :class:`HuGINConv`; their published code.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(aggr=IndexSum())
        self.linear = nn.Linear(in_channels, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, loop: Tensor) -> Tensor:
        row, col = edge_index
        scale = (degree(row, len(x), x.dtype) + 1).rsqrt()
        x = self.linear(x)
        norm = (scale[row] * scale[col])[:, None]
        own = scale.square()[:, None] * (x + loop)
        return self.propagate(edge_index, x=x, edge_attr=edge_attr, norm=norm) + own

    def message(self, x_j: Tensor, edge_attr: Tensor, norm: Tensor) -> Tensor:
        return norm * (x_j + edge_attr)


class _HuGIN(BasicGNN):
    supports_edge_weight, supports_edge_attr = False, True

    def init_conv(self, in_channels: int, out_channels: int, **kwargs: Any) -> MessagePassing:
        return HuGINConv(MLP([in_channels, 2 * out_channels, out_channels], norm=None))


class _HuGCN(BasicGNN):
    supports_edge_weight, supports_edge_attr = False, True

    def init_conv(self, in_channels: int, out_channels: int, **kwargs: Any) -> MessagePassing:
        return HuGCNConv(in_channels, out_channels)


class _GINE(BasicGNN):
    supports_edge_weight, supports_edge_attr = False, True

    def init_conv(self, in_channels: int, out_channels: int, **kwargs: Any) -> MessagePassing:
        return GINEConv(MLP([in_channels, 2 * out_channels, out_channels], norm=None), aggr=IndexSum())


# By name: without attributes of edges, and with them; None: there is no such layer.
LAYERS: dict[str, tuple[type[BasicGNN] | None, type[BasicGNN] | None]] = {
    "gin": (GIN, _HuGIN),
    "gine": (None, _GINE),
    "gcn": (GCN, _HuGCN),
    "sage": (GraphSAGE, None),
    "gat": (GAT, GAT),
    "pna": (PNA, PNA),
}
ADD_LOOPS = ("gin", "gcn")  # that read attributes of edges, and join each node to itself
_PNA = {
    "aggregators": ["mean", "min", "max", "std"],
    "scalers": ["identity", "amplification", "attenuation"],
    "train_norm": True,
}


class GraphLayers(nn.Module):
    """A stack of layers over the nodes of a batch of graphs.

    Args:
        layer: One of :data:`LAYERS`.
        in_channels: Width of a node's row.
        channels: D, width of the layers.
        num_layers: Layers, >= 1.
        dropout: In [0, 1).
        norm: One of :data:`NORMS`, after each layer but the last one.
        last_norm: After the last one too.
        jump: One of :data:`JUMPS`: what of the layers a node's embedding is.
        residual: Whether a layer's input is added to what it makes, where both are of one width.
        virtual_node: Whether a node that all nodes of a graph are joined to passes on their sum.
        num_heads: Of ``gat``.
        edges: What reads attributes of edges, a module for each layer; empty: they are not read.

    Shapes:
        - **x:** [V, in_channels], **edge_index:** [2, E], **edge_attr:** [E, G], **edge_hidden:** bool [E],
          **batch:** [V]  ->  [V, out_channels]
    """

    def __init__(
        self,
        layer: str,
        in_channels: int,
        channels: int,
        num_layers: int,
        dropout: float,
        norm: str | None,
        last_norm: bool,
        jump: str,
        residual: bool,
        virtual_node: bool,
        num_heads: int,
        edges: Sequence[Input],
    ) -> None:
        super().__init__()
        model = LAYERS[layer][1 if edges else 0]
        if model is None:
            raise ValueError(f"{layer!r} is no layer {'with' if edges else 'without'} attributes of edges")
        word, options = NORMS[norm]
        more: dict[str, Any] = {"aggr": IndexSum()} if layer in ("gin", "gcn") else {}
        if "aggr" in more:
            _compile_plain(model)
        if layer == "gat":
            more = {"heads": num_heads, **({"edge_dim": channels} if edges else {})}
        elif layer == "pna":  # degrees are scaled by that of two neighbours, and it is learnt from there
            more = {"deg": torch.tensor([0, 0, 1]), **_PNA, **({"edge_dim": channels} if edges else {})}
        made = model(in_channels, channels, num_layers, dropout=dropout, norm=word, norm_kwargs=options, **more)
        if layer == "pna":
            for conv in made.convs:  # DDP waits for a gradient of every parameter, and no scaler reads this one
                conv.aggr_module.avg_deg_lin.requires_grad_(False)
        self.convs, self.norms, self.dropout = made.convs, made.norms, nn.Dropout(dropout)
        if last_norm and word is not None:
            self.norms[-1] = normalization_resolver(word, channels, **options)
        self.edges = nn.ModuleList(edges)
        self.takes_loop = bool(edges) and layer in ADD_LOOPS
        self.residual, self.jump = residual, jump
        self.jumps = JumpingKnowledge(jump) if jump in ("cat", "max") else None
        self.virtual = None
        if virtual_node:
            self.virtual = nn.Parameter(torch.zeros(channels))
            sizes = [channels, 2 * channels, channels]
            self.between = nn.ModuleList(
                MLP(sizes, norm=word, norm_kwargs=options, plain_last=False, dropout=dropout)
                for _ in range(num_layers - 1)
            )
        self.sum = IndexSum()
        self.out_channels = num_layers * channels if jump == "cat" else channels

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor | None,
        edge_hidden: Tensor | None,
        batch: Tensor,
        num_graphs: int,
    ) -> Tensor:
        virtual = None if self.virtual is None else self.virtual.expand(num_graphs, -1)
        found, last = [], len(self.convs) - 1
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            if virtual is not None:
                x = x + virtual[batch]
                if i < last:
                    virtual = self.between[i](self.sum(x, batch, dim_size=num_graphs, dim=0) + virtual)
            out = norm(conv(x, edge_index, **self._edges(i, edge_attr, edge_hidden)))  # [V, D]
            if i < last:
                out = self.dropout(out.relu())
            x = out + x if self.residual and out.shape == x.shape else out
            found.append(x)
        if self.jumps is not None:
            return self.jumps(found)
        return torch.stack(found).sum(dim=0) if self.jump == "sum" else x

    def _edges(self, i: int, edge_attr: Tensor | None, edge_hidden: Tensor | None) -> dict[str, Tensor]:
        if not self.edges:
            return {}
        edge: Any = self.edges[i]
        read = {"edge_attr": edge(edge_attr, edge_hidden)}
        return {**read, "loop": edge.loop_row()} if self.takes_loop else read


_compiled: set[Any] = set()


def _compile_plain(model: Callable[..., BasicGNN]) -> None:
    """Have PyG compile a layer's propagation for its own sum first.

    It does so once a class, for the first instance: after one with another aggregation no instance of the class could
    multiply sparse matrices, as :mod:`sigraph.graph_networks` does.
    """
    if model not in _compiled:
        with torch.random.fork_rng(devices=[]):  # what is drawn afterwards stays what it was
            model(1, 1, 1)
        _compiled.add(model)
