"""Layers of a graph encoder: by formula with dense matrices, PyG's own as oracle, what stands around them."""

import copy
import subprocess
import sys

import pytest
import torch
from torch_geometric.nn import GINEConv, SumAggregation
from torch_geometric.utils import degree

from sigraph.encoders.graph_inputs import LinearInput
from sigraph.encoders.graph_layers import ADD_LOOPS, LAYERS, GraphLayers, IndexSum

V, D = 7, 4
EDGES = torch.tensor([[0, 1, 1, 2, 0, 3, 3, 4], [1, 0, 2, 1, 3, 0, 4, 3]])  # nodes 5 and 6 are isolated
BATCH = torch.tensor([0, 0, 0, 0, 0, 1, 2])


def stack(layer: str = "gin", with_edges: bool = False, num_layers: int = 2, **more) -> GraphLayers:
    torch.manual_seed(0)
    edges = [LinearInput(3, D, layer in ADD_LOOPS) for _ in range(num_layers)] if with_edges else []
    for edge in edges:
        if edge.loop is not None:
            torch.nn.init.normal_(edge.loop)
    around = {"norm": None, "last_norm": False, "jump": "last", "residual": False, "virtual_node": False, **more}
    return GraphLayers(layer, D, D, num_layers, 0.0, **around, num_heads=2, edges=edges).eval()


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return torch.randn(V, D, generator=draw), torch.randn(EDGES.size(1), 3, generator=draw)


def run(layers: GraphLayers, x: torch.Tensor, attributes: torch.Tensor | None = None) -> torch.Tensor:
    return layers(x, EDGES, attributes, None, BATCH, 3)


@pytest.mark.parametrize("size", [9, None])
def test_sums_are_those_of_pyg(size):
    draw = torch.Generator().manual_seed(0)
    one, index = torch.randn(50, 3, generator=draw), torch.randint(9, (50,), generator=draw)
    index[0] = 8
    found = []
    for aggregate in (IndexSum(), SumAggregation()):
        value = one.clone().requires_grad_()
        out = aggregate(value, index, dim_size=size, dim=0)
        out.sin().sum().backward()
        found.append((out, value.grad))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def by_formula(layer: str, layers: GraphLayers, x: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
    """One layer, a node and a neighbour at a time."""
    conv, edge = layers.convs[0], layers.edges[0]
    e, loop = edge.linear(attributes), edge.loop_row() if layer in ADD_LOOPS else None
    d = degree(EDGES[0], V) + 1
    rows = []
    for i in range(V):
        near = [(int(EDGES[0, k]), e[k]) for k in range(EDGES.size(1)) if EDGES[1, k] == i]
        if layer == "gin":
            total = sum((x[j] + attribute for j, attribute in near), x[i] + loop)
        elif layer == "gine":
            total = sum(((x[j] + attribute).relu() for j, attribute in near), x[i])
        else:
            wx = x @ conv.linear.weight.t() + conv.linear.bias
            rows.append(sum(((wx[j] + a) / (d[i] * d[j]).sqrt() for j, a in near), (wx[i] + loop) / d[i]))
            continue
        first, second = conv.nn.lins
        rows.append((total @ first.weight.t() + first.bias).relu() @ second.weight.t() + second.bias)
    return torch.stack(rows)


@pytest.mark.parametrize("layer", ["gin", "gine", "gcn"])
def test_layers_of_hu_et_al_by_formula(layer):
    layers, (x, attributes) = stack(layer, True, num_layers=1), inputs()
    torch.testing.assert_close(run(layers, x, attributes), by_formula(layer, layers, x, attributes))


def test_gine_is_pygs():
    layers, (x, attributes) = stack("gine", True, num_layers=1), inputs()
    pygs = GINEConv(copy.deepcopy(layers.convs[0].nn))
    pygs.load_state_dict(layers.convs[0].state_dict())
    torch.testing.assert_close(run(layers, x, attributes), pygs(x, EDGES, layers.edges[0](attributes)))


@pytest.mark.parametrize("with_edges", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_reads_what_it_says(layer, with_edges):
    """Neighbours, two steps away; attributes of edges only if asked for; nothing of another graph."""
    if LAYERS[layer][with_edges] is None:
        return
    layers, (x, attributes) = stack(layer, with_edges), inputs()
    before = run(layers, x, attributes)
    other = x.clone()
    other[2] += 9
    moved = (run(layers, other, attributes) != before).any(dim=1)
    assert moved.tolist() == [True, True, True, False, False, False, False]
    attributes[0] += 9  # of the edge to node 1
    moved = (run(layers, x, attributes) != before).any(dim=1)
    assert bool(moved[1]) == with_edges and not moved[[5, 6]].any() and not moved[4]


def test_jumps_are_made_of_all_layers():
    x, _ = inputs()
    single = stack(num_layers=3)
    rows = []
    for i, conv in enumerate(single.convs):
        x = conv(x, EDGES).relu() if i < 2 else conv(x, EDGES)
        rows.append(x)
    together = torch.stack(rows)
    expected = {"last": rows[-1], "cat": torch.cat(rows, 1), "max": together.amax(0), "sum": together.sum(0)}
    for jump, value in expected.items():
        layers = stack(num_layers=3, jump=jump)
        out = run(layers, inputs()[0])
        torch.testing.assert_close(out, value)
        assert layers.out_channels == out.size(1)


def test_residual_adds_what_came_in():
    x, _ = inputs()
    layers, plain = stack("gcn", residual=True), stack("gcn")
    h = plain.convs[0](x, EDGES).relu() + x
    torch.testing.assert_close(run(layers, x), plain.convs[1](h, EDGES) + h)


def test_a_virtual_node_passes_on_the_sum_of_its_graph():
    x, _ = inputs()
    layers = stack("gcn", virtual_node=True)
    torch.nn.init.normal_(layers.virtual)
    h = x + layers.virtual
    per_graph = torch.stack([h[i == BATCH].sum(0) for i in range(3)]) + layers.virtual
    h = layers.convs[0](h, EDGES).relu() + layers.between[0](per_graph)[BATCH]
    torch.testing.assert_close(run(layers, x), layers.convs[1](h, EDGES))


@pytest.mark.parametrize(("last_norm", "number"), [(False, 1), (True, 2)])
def test_norms_stand_behind_layers(last_norm, number):
    layers = stack(norm="batch", last_norm=last_norm)
    assert sum(name.startswith("norms") and name.endswith("running_mean") for name in layers.state_dict()) == number
    out = run(layers.train(), inputs()[0])
    assert bool((out.mean(dim=0).abs() < 1e-5).all()) == last_norm


def test_pygs_own_layers_can_still_multiply_sparse_matrices():
    """In a process of its own: PyG compiles a class's propagation once, for its first instance."""
    code = """
import torch
from torch_geometric.nn import GCNConv
from sigraph.encoders.graph_layers import GraphLayers
GraphLayers("gcn", 4, 4, 1, dropout=0.0, norm=None, last_norm=False, jump="last", residual=False, virtual_node=False,
            num_heads=1, edges=[])
print(GCNConv(3, 2, normalize=False)(torch.rand(5, 3), torch.eye(5).to_sparse_csr()).shape)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
