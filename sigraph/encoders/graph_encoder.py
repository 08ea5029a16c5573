"""GraphEncoder: samples that are graphs -> z."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from sigraph.data.dataset import SampleDataset
from sigraph.encoders.base import Encoder, Encoding, samples_of
from sigraph.encoders.graph_inputs import Input, inputs_of
from sigraph.encoders.graph_layers import ADD_LOOPS, JUMPS, LAYERS, NORMS, GraphLayers
from sigraph.encoders.graph_pooling import POOLINGS, Pooling
from sigraph.files.arguments import (
    MOST_LAYERS,
    check_choices,
    check_flags,
    check_integers,
    check_rates,
    is_one_of,
    shown,
)
from sigraph.files.memory import check_fits
from sigraph.samples.categories import Categories
from sigraph.samples.graphs import Graphs


class GraphEncoder(Encoder):
    r"""Graph neural network over each sample's own graph, its nodes pooled; PyG's layers.

    .. math:: z_i = W\,\mathrm{pool}_{v \in V_i}\; h_v + b

    Edges count in the direction in which they are given.

    Args:
        node_channels: Attributes of a node, >= 1.
        hidden_channels: Width of the layers and of the embeddings of nodes, >= 1.
        out_channels: D, width of the embedding, >= 1.
        num_layers: Layers, >= 1: how far a node sees.
        layer: ``gin`` (sum of neighbours, then a perceptron), ``gine`` (the same with attributes of edges, rectified),
            ``gcn`` (normalised mean), ``sage`` (mean, and itself), ``gat`` (a mean with learnt weights) or ``pna``
            (mean, smallest, largest and spread, scaled by the degree).
        pooling: ``mean``, ``sum``, ``max``, ``attention`` (a mean with learnt weights) or ``set2set`` over the nodes of
            a sample.
        dropout: Share of hidden units dropped in training, in [0, 1).
        edge_channels: Attributes of an edge; None: there are none.
        node_encoder: What reads attributes of nodes before the layers: ``linear``; ``ogb``, ``hu2020`` or a list of
            numbers of kinds: an embedding for each attribute, integers, as OGB's ``AtomEncoder`` and Hu et al. have
            them. None: the first layer does, and ``linear`` where edges are read or there is a virtual node.
        edge_encoder: What reads attributes of edges in every layer, of the same names (``BondEncoder``); None: they are
            not read, but for ``gine``, which reads them by ``linear``. ``sage`` reads none. With them ``gin`` and
            ``gcn`` are those of Hu et al.
        norm: ``layer`` (of a node by itself) or ``batch``, after each layer but the last; None: none.
        last_norm: Whether the last layer has one too.
        jump: What an embedding of a node is made of: the ``last`` layer, or all of them: ``cat``, ``max``, ``sum``.
        residual: Whether each layer's input is added to what it makes.
        virtual_node: Whether all nodes of a sample are joined to one more, of its own.
        num_heads: Of ``gat``; divides ``hidden_channels``.

    Shapes:
        - **inputs:** PyG batch of B graphs, V nodes in all  ->  **z:** [B, D], **h:** [V, hidden_channels], with
          ``cat`` as many times wider as there are layers

    Nodes and edges whose attributes an objective hides (``node_mask``, ``edge_mask`` of the batch) are read as hidden,
    by an embedding of their own, where there is a ``node_encoder``.

    Source: Xu et al., "How Powerful are Graph Neural Networks?", ICLR 2019, Eq. 4.1 (``gin``); Hu et al., "Strategies
    for Pre-training Graph Neural Networks", ICLR 2020 (``gine``; ``gin`` and ``gcn`` with attributes of edges); Kipf
    and Welling, ICLR 2017 (``gcn``); Hamilton et al., NeurIPS 2017 (``sage``); Velickovic et al., ICLR 2018 (``gat``);
    Corso et al., NeurIPS 2020 (``pna``); Xu et al., "Representation Learning on Graphs with Jumping Knowledge
    Networks", ICML 2018; virtual node as in OGB. Differs in: layer norm a node by default, so that a sample's embedding
    does not depend on the batch in training either; ``pna`` learns its scale, from degree 2 on.

    Guide:
        reads: graphs
    """

    def __init__(
        self,
        node_channels: int,
        hidden_channels: int = 128,
        out_channels: int = 128,
        num_layers: int = 3,
        layer: str = "gin",
        pooling: str = "mean",
        dropout: float = 0.0,
        edge_channels: int | None = None,
        node_encoder: str | list[int] | None = None,
        edge_encoder: str | list[int] | None = None,
        norm: str | None = "layer",
        last_norm: bool = False,
        jump: str = "last",
        residual: bool = False,
        virtual_node: bool = False,
        num_heads: int = 1,
    ) -> None:
        super().__init__()
        name = "GraphEncoder"
        check_integers(name, 1, node_channels=node_channels, hidden_channels=hidden_channels)
        check_integers(name, 1, out_channels=out_channels, num_heads=num_heads)
        check_integers(name, 1, most=MOST_LAYERS, num_layers=num_layers)
        check_integers(name, 1, edge_channels=1 if edge_channels is None else edge_channels)
        check_rates(name, dropout=dropout)
        check_flags(name, last_norm=last_norm, residual=residual, virtual_node=virtual_node)
        check_choices(name, list(LAYERS), layer=layer)
        check_choices(name, POOLINGS, pooling=pooling)
        check_choices(name, JUMPS, jump=jump)
        if not is_one_of(norm, list(NORMS)):
            raise ValueError(f"'norm' needs to be one of layer, batch or null in {name!r} (got {shown(norm)})")
        if layer == "gat" and hidden_channels % num_heads:
            raise ValueError(
                f"'num_heads' needs to divide 'hidden_channels', {hidden_channels}, in {name!r} (got {num_heads})"
            )
        if layer == "gine" and edge_encoder is None:
            edge_encoder = "linear"
        if edge_encoder is not None and LAYERS[layer][1] is None:
            reading = ", ".join(word for word, (_, with_edges) in LAYERS.items() if with_edges is not None)
            raise ValueError(
                f"'edge_encoder' needs a layer that reads attributes of edges in {name!r}: {reading} (got {layer!r})"
            )
        if node_encoder is None and (edge_encoder is not None or virtual_node):
            node_encoder = "linear"
        weights = 4.0 * hidden_channels * (2 * node_channels + 2 * hidden_channels * num_layers + out_channels)
        sizes = {"node_channels": node_channels, "hidden_channels": hidden_channels, "out_channels": out_channels}
        check_fits(name, weights, **sizes, num_layers=num_layers)
        self.node_channels, self.out_channels, self.num_layers = node_channels, out_channels, num_layers
        self.edge_channels: int | None = None  # that are read
        self.virtual_node = virtual_node
        categories: list[Categories | None] = [None, None]  # of nodes and edges
        self.node_encoder: Input | None = None
        edges: list[Input] = []
        if node_encoder is not None:
            read = inputs_of(node_encoder, node_channels, hidden_channels, name)
            (self.node_encoder,), _, categories[0] = read
        if edge_encoder is not None:
            read = inputs_of(edge_encoder, edge_channels, hidden_channels, name, num_layers, layer in ADD_LOOPS)
            edges, self.edge_channels, categories[1] = read
        self.categories = tuple(categories)
        in_channels = node_channels if self.node_encoder is None else hidden_channels
        around = (norm, last_norm, jump, residual, virtual_node)
        self.layers = GraphLayers(layer, in_channels, hidden_channels, num_layers, dropout, *around, num_heads, edges)
        self.pool = Pooling(pooling, self.layers.out_channels)
        self.linear = nn.Linear(self.pool.out_channels, out_channels)

    @property
    def part_channels(self) -> int:
        """Width of a node's embedding, h."""
        return self.layers.out_channels

    def check_samples(self, dataset: SampleDataset) -> None:
        needed = {"node_channels": self.node_channels, "edge_channels": self.edge_channels}
        for size, what in (("node_channels", "nodes"), ("edge_channels", "edges")):
            channels = dataset.sizes.get(size)
            if needed[size] not in (None, channels):
                way = f"choose {size!r} so" if channels else "make graphs of them, or use another encoder"
                if not channels and "node_channels" in dataset.sizes:
                    way = "give all graphs edge_attr, or choose layers that do not read it"
                raise ValueError(
                    f"'GraphEncoder' needs graphs with {needed[size]} attributes of {what}, but {samples_of(dataset)} "
                    f"are {dataset.store.describe()}; {way}"
                )
        if isinstance(dataset.store, Graphs):
            held = (("x", "node_encoder"), ("edge_attr", "edge_encoder"))
            for (name, argument), categories in zip(held, self.categories, strict=True):
                if categories is not None:
                    _check_kinds_of(dataset, name, argument, categories)

    def forward(self, inputs: Any) -> Encoding:
        x, edge_attr = (getattr(inputs, name, None) for name in ("x", "edge_attr"))
        if not isinstance(x, Tensor) or not isinstance(getattr(inputs, "batch", None), Tensor):
            raise ValueError(f"'inputs' needs a PyG batch in 'GraphEncoder' (got {type(inputs).__name__})")
        if x.dim() != 2 or x.size(1) != self.node_channels:
            raise ValueError(f"'inputs' needs x [V, {self.node_channels}] in 'GraphEncoder' (got {list(x.shape)})")
        if self.edge_channels is not None:
            shape = None if edge_attr is None else list(edge_attr.shape)
            if shape is None or shape[1:] != [self.edge_channels]:
                got = "none" if shape is None else shape
                raise ValueError(f"'inputs' needs edge_attr [E, {self.edge_channels}] in 'GraphEncoder' (got {got})")
        if self.node_encoder is None:
            x = x.to(self.linear.weight.dtype)
        else:
            x = self.node_encoder(x, getattr(inputs, "node_mask", None))
        edges = (edge_attr, getattr(inputs, "edge_mask", None))
        h = self.layers(x, inputs.edge_index, *edges, inputs.batch, inputs.num_graphs)  # [V, part_channels]
        z = self.linear(self.pool(h, inputs.batch, inputs.num_graphs))
        return Encoding(z, h, getattr(inputs, "ptr", None))


def _check_kinds_of(dataset: SampleDataset, name: str, argument: str, categories: Categories) -> None:
    """Refuse attributes that are no kinds, or are of a kind that the encoder does not know."""
    held = getattr(dataset.store, name)
    value = held.whole()
    if value.is_floating_point():
        raise ValueError(
            f"{argument!r} reads kinds in 'GraphEncoder', but {name} of {samples_of(dataset)} are real numbers; make "
            "them integers (data.x.long()), or use linear"
        )
    if not len(value):
        return
    low, high = value.amin(dim=0).tolist(), value.amax(dim=0).tolist()
    for column, (least, most, rows) in enumerate(zip(low, high, categories.rows, strict=True)):
        if least < 0 or most >= rows:
            raise ValueError(
                f"{argument!r} knows kinds 0 to {categories.known[column] - 1} of attribute {column} in "
                f"'GraphEncoder', but {name} of {samples_of(dataset)} go from {least} to {most}"
            )
