"""A PyG graph network as an encoder whose embedding of a sample is its prediction."""

from __future__ import annotations

from torch import Tensor, nn
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.nn.models import GCN, GIN, GraphSAGE

from sigraph.encoders import Encoder, Encoding
from sigraph.graph_networks.batches import Everything, NodeBatch

MODELS = {"gcn": GCN, "sage": GraphSAGE, "gin": GIN}


class GraphNetwork(Encoder):
    """Predicts the nodes that a batch asks about.

    Args:
        layer: A key of :data:`MODELS`. Only ``gcn`` reads weights of edges.
        in_channels: Features of a sample.
        hidden_channels: Width.
        num_layers: Layers.
        out_channels: Numbers of a prediction.
        dropout: Rate on the input of every layer.
    """

    def __init__(
        self, layer: str, in_channels: int, hidden_channels: int, num_layers: int, out_channels: int, dropout: float
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.dropout = nn.Dropout(dropout)
        self.model = MODELS[layer](in_channels, hidden_channels, num_layers, out_channels, dropout=dropout)

    def forward(self, inputs: NodeBatch | Everything) -> Encoding:
        if isinstance(inputs, Everything):
            return Encoding(inputs.over(self.model, inputs.x)[inputs.asked])
        if inputs.within:
            return Encoding(self._trimmed(inputs)[inputs.asked])
        weight = {"edge_weight": inputs.edge_weight} if self.model.supports_edge_weight else {}
        return Encoding(self.model(self.dropout(inputs.x), inputs.edge_index, **weight)[inputs.asked])

    def _trimmed(self, inputs: NodeBatch) -> Tensor:
        """The model's forward pass, each layer of the nodes alone that those after it read. [within[-1], D]"""
        x, index, norm = self.dropout(inputs.x), inputs.edge_index, None
        if self.model.supports_edge_weight:
            index, norm = gcn_norm(index, inputs.edge_weight, len(x))
        for number, (conv, within) in enumerate(zip(self.model.convs, inputs.within, strict=True)):
            into = index[1] < within
            index = index[:, into]
            if norm is None:
                x = conv((x, x[:within]), index)
            else:  # normalised above: edges from outside count
                norm = norm[into]
                x = conv.propagate(index, x=conv.lin(x), edge_weight=norm)[:within] + conv.bias
            if number < len(inputs.within) - 1:
                x = self.model.dropout(self.model.act(x))
        return x
