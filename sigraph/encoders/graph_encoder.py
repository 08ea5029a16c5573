"""GraphEncoder: samples that are graphs -> z."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch_geometric.nn import GCN, GIN, GraphSAGE
from torch_geometric.nn.pool import global_add_pool, global_max_pool, global_mean_pool

from sigraph.data.dataset import SampleDataset
from sigraph.encoders.base import Encoder, Encoding, samples_of
from sigraph.files.arguments import MOST_LAYERS, check_integers, check_rates, is_one_of
from sigraph.files.memory import check_fits

_LAYERS = {"gin": GIN, "gcn": GCN, "sage": GraphSAGE}
_POOLINGS = {"mean": global_mean_pool, "sum": global_add_pool, "max": global_max_pool}


class GraphEncoder(Encoder):
    r"""Graph neural network over each sample's own graph, its nodes pooled; PyG's layers.

    .. math:: z_i = W\,\mathrm{pool}_{v \in V_i}\; h_v + b

    Edges count in the direction in which they are given. Attributes of edges are not read.

    Args:
        node_channels: Attributes of a node, >= 1.
        hidden_channels: Width of the layers and of the embeddings of nodes, >= 1.
        out_channels: D, width of the embedding, >= 1.
        num_layers: Layers, >= 1: how far a node sees.
        layer: ``gin`` (sum of neighbours, then a perceptron), ``gcn`` (normalised mean) or ``sage`` (mean, and itself).
        pooling: ``mean``, ``sum`` or ``max`` over the nodes of a sample.
        dropout: Share of hidden units dropped in training, in [0, 1).

    Shapes:
        - **inputs:** PyG batch of B graphs, V nodes in all  ->  **z:** [B, D], **h:** [V, hidden_channels]

    Source: Xu et al., "How Powerful are Graph Neural Networks?", ICLR 2019, Eq. 4.1 (``gin``); Kipf and Welling, ICLR
    2017 (``gcn``); Hamilton et al., NeurIPS 2017 (``sage``). Differs in: layer norm a node, so that a sample's
    embedding does not depend on the batch.

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
    ) -> None:
        super().__init__()
        name = "GraphEncoder"
        check_integers(name, 1, node_channels=node_channels, hidden_channels=hidden_channels)
        check_integers(name, 1, out_channels=out_channels)
        check_integers(name, 1, most=MOST_LAYERS, num_layers=num_layers)
        check_rates(name, dropout=dropout)
        for argument, value, known in (("layer", layer, _LAYERS), ("pooling", pooling, _POOLINGS)):
            if not is_one_of(value, list(known)):
                raise ValueError(f"{argument!r} needs to be one of {', '.join(known)} in {name!r} (got {value!r})")
        weights = 4.0 * hidden_channels * (2 * node_channels + 2 * hidden_channels * num_layers + out_channels)
        sizes = {"node_channels": node_channels, "hidden_channels": hidden_channels, "out_channels": out_channels}
        check_fits(name, weights, **sizes, num_layers=num_layers)
        self.node_channels, self.out_channels, self.pool = node_channels, out_channels, _POOLINGS[pooling]
        self.layers = _LAYERS[layer](
            node_channels,
            hidden_channels,
            num_layers,
            dropout=dropout,
            norm="layer_norm",
            norm_kwargs={"mode": "node"},
        )
        self.linear = nn.Linear(hidden_channels, out_channels)

    @property
    def part_channels(self) -> int:
        return self.linear.in_features

    def check_samples(self, dataset: SampleDataset) -> None:
        channels = dataset.sizes.get("node_channels")
        if channels != self.node_channels:
            way = "choose 'node_channels' so" if channels else "make graphs of them, or use another encoder"
            raise ValueError(
                f"'GraphEncoder' needs graphs with {self.node_channels} attributes of nodes, but {samples_of(dataset)} "
                f"are {dataset.store.describe()}; {way}"
            )

    def forward(self, inputs: Any) -> Encoding:
        x = getattr(inputs, "x", None)
        if not isinstance(x, Tensor) or not isinstance(getattr(inputs, "batch", None), Tensor):
            raise ValueError(f"'inputs' needs a PyG batch in 'GraphEncoder' (got {type(inputs).__name__})")
        if x.dim() != 2 or x.size(1) != self.node_channels:
            raise ValueError(f"'inputs' needs x [V, {self.node_channels}] in 'GraphEncoder' (got {list(x.shape)})")
        h = self.layers(x.to(self.linear.weight.dtype), inputs.edge_index)  # [V, hidden_channels]
        return Encoding(self.linear(self.pool(h, inputs.batch, inputs.num_graphs)), h, getattr(inputs, "ptr", None))
