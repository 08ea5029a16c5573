"""LayeredInference gives what PyG's own forward pass gives."""

from functools import partial

import pytest
import torch
from torch_geometric.nn.models import GAT

from sigraph.data import PretrainGraph
from sigraph.edges import LabelSetStore
from sigraph.graph_networks.layered import LayeredInference
from sigraph.graph_networks.network import MODELS


@pytest.mark.parametrize("layer", [*MODELS, "gat"])
@pytest.mark.parametrize("kind", ["plain", "weighted", "two-level"])
def test_it_is_the_forward_pass(layer, kind, monkeypatch):
    monkeypatch.setattr("sigraph.edges.neighborhood.BLOCK", 30)  # several blocks
    monkeypatch.setattr("sigraph.graph_networks.layered._ATTENDED", 30 * 8)
    draw = torch.Generator().manual_seed(0)
    edges = torch.randint(0, 38, (2, 90), generator=draw).sort(dim=0).values.unique(dim=1)  # 38 and 39 are isolated
    edges = edges[:, edges[0] != edges[1]]
    weight = torch.rand(edges.size(1), generator=draw) + 0.1 if kind == "weighted" else None
    graph = PretrainGraph(edges, 40, weight)
    if kind == "two-level":
        graph = PretrainGraph.from_store(LabelSetStore.from_sets(torch.arange(40) // 7 - 1))
    torch.manual_seed(0)
    model = {**MODELS, "gat": partial(GAT, heads=2)}[layer](5, 8, 3, 2, dropout=0.5).eval()
    x = torch.randn(40, 5, generator=draw)
    reads = {"edge_weight": graph.store.weight} if model.supports_edge_weight and kind == "weighted" else {}
    with torch.no_grad():
        found = LayeredInference(graph.store)(model, x)
        torch.testing.assert_close(found, model(x, graph.edge_index, **reads))
