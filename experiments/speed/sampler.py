"""How fast steps are drawn from a pre-training graph, beside two peers in the same run, on one core.

    python experiments/speed/sampler.py            # about two minutes
    python experiments/speed/sampler.py --quick    # up to 10^4 nodes, seconds

Random graphs of average degree 10. A triplet is (anchor, neighbour, non-neighbour). Each figure is the median of
several repetitions after one that is not counted; rates are per second of wall time with one thread.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import time
import warnings
from collections.abc import Callable

import networkx as nx
import torch
from torch_geometric.utils import structured_negative_sampling

import sigraph as sg

DEGREE, BATCH = 10, 4096
NETWORKX_LIMIT = 100_000  # its graph of 10^6 nodes takes gigabytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 10^4 nodes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # repeats among random edges
    sizes = [1_000, 10_000] if arguments.quick else [10_000, 100_000, 1_000_000]
    print(f"{platform.processor() or platform.machine()}, one thread, torch {torch.__version__}\n")
    graphs = {n: random_graph(n) for n in sizes}
    triplets(graphs)
    steps(graphs)
    between(graphs[sizes[min(1, len(sizes) - 1)]])


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

        rates = [rate(ours), rate(pyg, 3)]
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


def seconds(function: Callable[[], int], repeats: int = 7) -> float:
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def rate(function: Callable[[], int], repeats: int = 7) -> float:
    """Things made a second; ``function`` returns how many it made."""
    return function() / seconds(function, repeats)


def shown(value: float | None, unit: str, factor: float) -> str:
    return "–" if value is None else f"{value / factor:.2f} {unit}"


def ratio(ours: float, theirs: float | None) -> str:
    return "–" if theirs is None else f"{ours / theirs:.1f} x"


def table(head: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


if __name__ == "__main__":
    main()
