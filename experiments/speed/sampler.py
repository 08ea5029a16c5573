"""How fast steps are drawn from a pre-training graph, beside two peers in the same run, on one core.

    python experiments/speed/sampler.py            # about four minutes
    python experiments/speed/sampler.py --quick    # up to 10^4 nodes, seconds

Random graphs of average degree 10, and graphs with hubs. A triplet is (anchor, neighbour, non-neighbour). Each figure
is the median of several repetitions after one that is not counted; rates are per second of wall time with one thread.
"""

from __future__ import annotations

import argparse
import random
import warnings
from collections.abc import Callable
from functools import partial

import networkx as nx
import torch
from measure import one_core, rate, seconds, table
from torch_geometric.utils import structured_negative_sampling

import sigraph as sg

DEGREE, BATCH = 10, 4096
SEEDS = 512  # of a step on the graphs with hubs
PYG_LIMIT = 1_000_000  # beyond, it takes minutes
NETWORKX_LIMIT = 100_000  # its graph of 10^6 nodes takes gigabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 10^4 nodes")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # repeats among random edges
    sizes = [1_000, 10_000] if arguments.quick else [10_000, 100_000, 1_000_000, 5_000_000]
    print(one_core() + "\n")
    graphs = {n: random_graph(n) for n in sizes}
    triplets(graphs)
    steps(graphs)
    between(graphs[sizes[min(1, len(sizes) - 1)]])
    power_laws(2_000 if arguments.quick else 100_000, 300 if arguments.quick else 2_000)


def random_graph(num_nodes: int) -> sg.PretrainGraph:
    generator = torch.Generator().manual_seed(0)
    edges = torch.randint(0, num_nodes, (2, num_nodes * DEGREE // 2), generator=generator)
    return sg.PretrainGraph(edges, num_nodes)


def triplets(graphs: dict[int, sg.PretrainGraph]) -> None:
    print("Triplets a second (4,096 anchors a step)\n")
    rows = []
    for num_nodes, graph in graphs.items():
        generator = torch.Generator().manual_seed(1)
        steps = [torch.randint(0, num_nodes, (BATCH,), generator=generator) for _ in range(50)]

        def ours(store=graph.store, steps=steps, generator=generator) -> int:
            for seeds in steps:
                store.draw_neighbors(seeds, 1, generator)
                store.draw_non_neighbors(seeds, 1, generator)
            return BATCH * len(steps)

        def pyg(edge_index=graph.edge_index, num_nodes=num_nodes) -> int:
            return structured_negative_sampling(edge_index, num_nodes, contains_neg_self_loops=False)[0].numel()

        rates = [rate(ours), rate(pyg, 3) if num_nodes <= PYG_LIMIT else None]
        rates.append(rate(networkx_triplets(graph), 3) if num_nodes <= NETWORKX_LIMIT else None)
        rows.append([f"{num_nodes:,}", *(shown(r, "M", 1e6) for r in rates), *(ratio(rates[0], r) for r in rates[1:])])
    table(["nodes", "sigraph", "PyG", "networkx + rejection", "sigraph / PyG", "sigraph / networkx"], rows)


def networkx_triplets(graph: sg.PretrainGraph) -> Callable[[], int]:
    g = nx.Graph()
    g.add_nodes_from(range(graph.num_nodes))
    g.add_edges_from(graph.edge_index.t().tolist())
    neighbors = {node: list(g[node]) for node in g}  # as a careful user would: lists made once
    number = graph.num_nodes
    generator = random.Random(0)
    anchors = [generator.randrange(number) for _ in range(100_000)]

    def draw() -> int:
        count = 0
        for anchor in anchors:
            mine = neighbors[anchor]
            if not mine:
                continue
            generator.choice(mine)
            other = generator.randrange(number)
            while other == anchor or other in g[anchor]:
                other = generator.randrange(number)
            count += 1
        return count

    return draw


def steps(graphs: dict[int, sg.PretrainGraph]) -> None:
    print("Whole steps: sampler.sample with all edges among the batch, seed samples a second\n")
    rows, reference = [], None
    for num_nodes, graph in graphs.items():
        sampler = sg.samplers.NeighborPairSampler(graph)
        generator = torch.Generator().manual_seed(2)
        seeds = [torch.randperm(num_nodes, generator=generator)[:BATCH] for _ in range(20)]

        def ours(sampler=sampler, seeds=seeds, generator=generator) -> int:
            for ids in seeds:
                sampler.sample(ids, generator)
            return sum(ids.numel() for ids in seeds)

        node, pairs = sampler.sample(seeds[0], generator)
        got = rate(ours)
        rows.append([f"{num_nodes:,}", f"{node.numel():,}", f"{pairs.num_positives:,}", shown(got, "M", 1e6)])
        if num_nodes == 100_000:
            reference = got
        rows[-1].append("" if reference is None or num_nodes == 100_000 else f"{reference / got:.2f} x")
    table(
        ["nodes", "unique samples a step", "positives a step", "seed samples a second", "slower than at 100,000"], rows
    )


def between(graph: sg.PretrainGraph) -> None:
    number = graph.num_nodes
    print(f"All edges among B of {number:,} nodes, milliseconds\n")
    g = nx.Graph(graph.edge_index.t().tolist())
    g.add_nodes_from(range(number))
    rows = []
    for size in (2_048, 8_192):
        nodes = torch.randperm(number, generator=torch.Generator().manual_seed(3))[:size]
        listed = nodes.tolist()
        place = {node: i for i, node in enumerate(listed)}

        def ours(nodes=nodes) -> int:
            return graph.edges_between(nodes, nodes).size(1)

        def theirs(listed=listed, place=place) -> int:
            return len([(i, place[v]) for i, u in enumerate(listed) for v in g[u] if v in place])

        if ours() != theirs():
            raise SystemExit(f"the two disagree on the number of edges: {ours()} and {theirs()}")
        ms = [1e3 * seconds(ours, 20), 1e3 * seconds(theirs, 5)]
        rows.append([f"{size:,}", f"{ms[0]:.2f}", f"{ms[1]:.2f}", f"{ms[1] / ms[0]:.0f} x"])
    table(["B", "sigraph", "networkx loop", "networkx / sigraph"], rows)


def power_laws(size: int, dense_size: int) -> None:
    """Steps on graphs with hubs beside those on a random graph of as many nodes."""
    dense = torch.combinations(torch.arange(dense_size)).t()
    kept = torch.rand(dense.size(1), generator=torch.Generator().manual_seed(0)) > 0.01
    leaves = torch.arange(1, size + 1)
    graphs = {
        f"random, {size:,}": random_graph(size),
        f"star, {size:,} leaves": sg.PretrainGraph(torch.stack([torch.zeros_like(leaves), leaves])),
        f"Barabási–Albert, {size:,}": sg.PretrainGraph(barabasi_albert(size, DEGREE // 2), size),
        f"random, {dense_size:,}": random_graph(dense_size),
        f"complete but 1 %, {dense_size:,}": sg.PretrainGraph(dense[:, kept], dense_size),
    }
    kinds = {
        "pairs": sg.samplers.NeighborPairSampler,
        "pairs, `exclude_hops: 2`, no negatives": partial(
            sg.samplers.NeighborPairSampler, num_negatives=0, exclude_hops=2
        ),
        "walks": sg.samplers.RandomWalkSampler,
        "subgraphs": sg.samplers.SubgraphSampler,
        "degree-balanced": sg.samplers.DegreeBalancedSampler,
    }
    print(f"A step of {SEEDS} seed samples on graphs with hubs: milliseconds (positives)\n")
    rows = []
    for name, graph in graphs.items():
        generator = torch.Generator().manual_seed(4)
        seeds = torch.randperm(graph.num_nodes, generator=generator)[:SEEDS]
        rows.append([name, f"{int(graph.csr()[0].diff().max()):,}"])
        for kind in kinds.values():
            sampler = kind(graph)
            positives = sampler.sample(seeds, generator)[1].num_positives
            took = seconds(partial(sampler.sample, seeds, generator), 5)
            rows[-1].append(f"{1e3 * took:.1f} ({positives:,})")
    table(["graph", "largest degree", *kinds], rows)


def barabasi_albert(num_nodes: int, m: int) -> torch.Tensor:
    """Each node sends m edges to ends of earlier edges, that is by degree. Shape [2, num_nodes * m]."""
    generator = torch.Generator().manual_seed(0)
    source = torch.arange(num_nodes).repeat_interleave(m)
    place = (torch.rand(source.numel(), generator=generator) * (2 * torch.arange(source.numel()) + 1)).long()
    ends = [0] * (2 * source.numel())
    for i, (node, at) in enumerate(zip(source.tolist(), place.tolist(), strict=True)):
        ends[2 * i] = node
        ends[2 * i + 1] = ends[at]
    return torch.tensor(ends).view(-1, 2).t()


def shown(value: float | None, unit: str, factor: float) -> str:
    return "–" if value is None else f"{value / factor:.2f} {unit}"


def ratio(ours: float, theirs: float | None) -> str:
    return "–" if theirs is None else f"{ours / theirs:.1f} x"


if __name__ == "__main__":
    main()
