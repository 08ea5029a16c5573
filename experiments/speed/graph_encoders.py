"""What a training step on graphs costs: GINE of 3 layers, 128 wide, against PyG's DataLoader with the same GINE.

    python experiments/speed/graph_encoders.py            # about a minute
    python experiments/speed/graph_encoders.py --quick    # few repetitions, seconds

Graphs: 10 to 40 nodes of OGB's 9 attributes, 2 edges a node of its 3, as molecules are. A step takes 256 of 2,000 at
random: batch, forward, mean of the nodes, backward, AdamW. The peer is what one writes with PyG: a `DataLoader` over
the list of `Data`, OGB's encoders of atoms and bonds (an `Embedding` for each attribute), `GINEConv` as it comes,
`LayerNorm` and `global_mean_pool`. It has the same weights, and gives the same loss, which is checked. The last rows
take the step apart: the batch alone, the encoders of atoms and bonds alone, and the sum of messages at their nodes,
forward and backward, against PyG's `scatter` and, where torch-scatter is installed, its `scatter_sum`. Times are
medians of calls that take turns; ratios are the peer's time over sigraph's.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import torch
from measure import in_turn, one_core, table
from torch import Tensor, nn
from torch.utils.data import BatchSampler
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import MLP, GINEConv, LayerNorm, global_mean_pool
from torch_geometric.utils import scatter

from sigraph import SampleDataset
from sigraph.encoders import GraphEncoder
from sigraph.encoders.graph_layers import IndexSum
from sigraph.samples.categories import EDGES, NODES, Categories

NUM, BATCH, WIDTH, LAYERS = 2_000, 256, 128, 3


def random_graphs() -> list[Data]:
    generator, out = torch.Generator().manual_seed(0), []

    def kinds(number: int, categories: Categories) -> Tensor:
        return torch.stack([torch.randint(size, (number,), generator=generator) for size in categories.known], dim=1)

    for size in torch.randint(10, 41, (NUM,), generator=generator).tolist():
        edge_index = torch.randint(size, (2, 2 * size), generator=generator)
        out.append(Data(x=kinds(size, NODES["ogb"]), edge_index=edge_index, edge_attr=kinds(2 * size, EDGES["ogb"])))
    return out


class Embeddings(nn.Module):
    """As OGB's encoders of atoms and bonds."""

    def __init__(self, weights: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding.from_pretrained(rows.clone(), freeze=False) for rows in weights)

    def forward(self, value: Tensor) -> Tensor:
        out: Any = 0
        for i, rows in enumerate(self.tables):
            out = out + rows(value[:, i])
        return out


class Peer(nn.Module):
    """The same network as one writes it with PyG, with the weights of ours."""

    def __init__(self, ours: GraphEncoder) -> None:
        super().__init__()
        self.atoms = Embeddings(ours.node_encoder.table.weight.data.split(list(NODES["ogb"].rows)))
        bonds = [edge.table.weight.data.split(list(EDGES["ogb"].rows)) for edge in ours.layers.edges]
        self.bonds = nn.ModuleList(Embeddings(weights) for weights in bonds)
        self.convs = nn.ModuleList(GINEConv(MLP([WIDTH, 2 * WIDTH, WIDTH], norm=None)) for _ in range(LAYERS))
        self.norms = nn.ModuleList([*(LayerNorm(WIDTH, mode="node") for _ in range(LAYERS - 1)), nn.Identity()])
        self.linear = nn.Linear(WIDTH, WIDTH)
        state = ours.state_dict()
        for name, part in (("layers.convs.", self.convs), ("layers.norms.", self.norms), ("linear.", self.linear)):
            part.load_state_dict(
                {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)}
            )

    def forward(self, batch: Batch) -> Tensor:
        x = self.atoms(batch.x)
        for i, (conv, norm, bonds) in enumerate(zip(self.convs, self.norms, self.bonds, strict=True)):
            x = norm(conv(x, batch.edge_index, bonds(batch.edge_attr)))
            x = x.relu() if i < LAYERS - 1 else x
        return self.linear(global_mean_pool(x, batch.batch))


def endless(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


def step(module: nn.Module, embedded: Callable[[Any], Tensor], batches: Iterator[Any]) -> Callable[[], float]:
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)

    def one() -> float:
        optimizer.zero_grad()
        loss = (embedded(next(batches)) - 1).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return one


def backward(function: Callable[[], Tensor]) -> Callable[[], None]:
    return lambda: function().sum().backward()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    repeats = 3 if parser.parse_args().quick else 15
    machine, graphs = one_core(), random_graphs()
    dataset = SampleDataset(graphs)
    torch.manual_seed(0)
    ours = GraphEncoder(9, WIDTH, WIDTH, LAYERS, layer="gine", node_encoder="ogb", edge_encoder="ogb")
    peer = Peer(ours)
    order = [torch.randperm(NUM, generator=torch.Generator().manual_seed(seed)).tolist() for seed in range(9)]
    listed = BatchSampler([i for epoch in order for i in epoch], BATCH, drop_last=True)
    own_batches = endless(torch.utils.data.DataLoader(range(NUM), batch_sampler=listed, collate_fn=_fetch(dataset)))
    peer_batches = endless(DataLoader(graphs, batch_sampler=listed))
    batch = dataset.fetch(torch.arange(BATCH))
    torch.testing.assert_close(ours(batch).z, peer(Batch.from_data_list(graphs[:BATCH])))
    steps = [step(ours, lambda inputs: ours(inputs).z, own_batches), step(peer, peer, peer_batches)]
    for _ in range(3):
        one, other = (function() for function in steps)
        assert abs(one - other) < 1e-3 * abs(other), (one, other)

    message = torch.randn(batch.num_edges, WIDTH, requires_grad=True)
    to, total = batch.edge_index[1], IndexSum()
    sums = [lambda: total(message, to, dim_size=len(batch.x), dim=0), lambda: scatter(message, to, 0, len(batch.x))]
    names = ["PyG's scatter"]
    if importlib.util.find_spec("torch_scatter"):
        from torch_scatter import scatter_sum

        sums.append(lambda: scatter_sum(message, to, 0, dim_size=len(batch.x)))
        names.append("torch-scatter")
    reads = [lambda: ours.node_encoder(batch.x).sum() + ours.layers.edges[0](batch.edge_attr).sum()]
    reads.append(lambda: peer.atoms(batch.x).sum() + peer.bonds[0](batch.edge_attr).sum())
    lines = []
    for what, functions, peers in (
        ("training step", steps, ["PyG"]),
        ("the batch", [lambda: next(own_batches), lambda: next(peer_batches)], ["PyG"]),
        ("attributes, once each", [backward(function) for function in reads], ["OGB's encoders"]),
        ("sum of messages, once", [backward(function) for function in sums], names),
    ):
        own, *others = in_turn(functions, repeats)[0]
        for name, other in zip(peers, others, strict=True):
            lines.append([what, name, f"{1e3 * own:.2f}", f"{1e3 * other:.2f}", f"{other / own:.2f}"])
    print(f"{machine}; {BATCH} graphs a step, {batch.num_nodes:,} nodes and {batch.num_edges:,} edges in the first\n")
    table(["what", "peer", "sigraph, ms", "peer, ms", "peer / sigraph"], lines)


def _fetch(dataset: SampleDataset) -> Callable[[list[int]], Batch]:
    return lambda ids: dataset.fetch(torch.tensor(ids))


if __name__ == "__main__":
    main()
