"""What an audit costs, beside permuting the labels and measuring again, in the same run.

    python experiments/speed/audit.py                       # 10^7 edges, 40 labels: a minute or two
    python experiments/speed/audit.py --edges 100_000       # seconds

A random graph of average degree 20; labels of three kinds: 40 columns of which a sample carries one in twenty, 10
classes, and a number. Times are of the wall and, in brackets, of the processor; memory is the peak on top of graph and
labels, in MB; each cell is a process of its own. The peer measures local consistency of permuted labels by `--draws`
permutations, of which it does a few and is scaled; what it finds is compared with the closed form first.
"""

from __future__ import annotations

import argparse
import platform
import warnings

import measure
import torch

import sigraph as sg
from sigraph.data.consistency import node_agreement
from sigraph.theory.audit.null import permutation_null

DEGREE, COLUMNS, RATE, CLASSES, PEER = 20, 40, 0.05, 10, 3
KINDS = ("labels", "classes", "number")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, default=10_000_000, help="undirected edges (default: 10^7)")
    parser.add_argument("--draws", type=int, default=100, help="of chance, where it is drawn (default: 100)")
    parser.add_argument("--threads", type=int, default=2, help="of torch (default: 2)")
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {arguments.threads} threads, torch {torch.__version__}\n")
    agree()
    print(f"{arguments.edges:,} edges, {2 * arguments.edges // DEGREE:,} nodes, {arguments.draws} draws\n")
    print("| labels | audit | chance | peer: permuted draws | peer / audit |")
    print("| --- | --- | --- | --- | --- |")
    for kind in KINDS:
        ours, how = measure.apart(alone, "audit", kind, arguments)
        peer, _ = measure.apart(alone, "peer", kind, arguments)
        print(f"| {kind} | {ours} | {how} | {peer} | {peer.wall / ours.wall:.1f} x |", flush=True)


def agree() -> None:
    """Stop unless many draws find what the closed form says."""
    graph = case(2_000)
    for kind in KINDS[:2]:
        y = labels(kind, graph.num_nodes)
        null = permutation_null(graph.store, y, node_agreement(graph.store, y))
        value = torch.tensor([drawn(graph, y, draw) for draw in range(500)], dtype=torch.double)
        if abs(value.mean() - null.mean) > 5 * null.std / 500**0.5 or abs(value.std() / null.std - 1) > 0.15:
            raise SystemExit(f"draws and closed form differ: {value.mean()}, {value.std()}; {null.mean}, {null.std}")


def case(num_edges: int) -> sg.PretrainGraph:
    warnings.simplefilter("ignore")  # repeats among random edges
    num_nodes = 2 * num_edges // DEGREE
    return sg.PretrainGraph(torch.randint(num_nodes, (2, num_edges), generator=seeded(0)), num_nodes)


def labels(kind: str, num_nodes: int) -> torch.Tensor:
    if kind == "labels":
        return (torch.rand(num_nodes, COLUMNS, generator=seeded(1)) < RATE).float()
    if kind == "classes":
        return torch.randint(CLASSES, (num_nodes,), generator=seeded(1))
    return torch.randn(num_nodes, generator=seeded(1))


def drawn(graph: sg.PretrainGraph, y: torch.Tensor, draw: int) -> float:
    """What a user would do: the labels of samples with an edge, permuted and measured again."""
    node = graph.csr()[0].diff().nonzero().view(-1)
    shuffled = y.clone()
    shuffled[node] = y[node[torch.randperm(node.numel(), generator=seeded(draw))]]
    return graph.local_consistency(shuffled)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def alone(what: str, kind: str, arguments: argparse.Namespace) -> tuple[measure.Spent, str]:
    """What it takes, and how chance was found."""
    torch.set_num_threads(arguments.threads)
    small = case(100)
    sg.audit(small, labels(kind, small.num_nodes))  # imports and first calls
    graph, how = case(arguments.edges), []
    y = labels(kind, graph.num_nodes)
    if what == "audit":
        spent = measure.spent(lambda: how.append(sg.audit(graph, y, draws=arguments.draws).rows[0].null or ""))
        return spent, how[0]
    spent = measure.spent(lambda: [drawn(graph, y, draw) for draw in range(PEER)])
    return spent.scaled(arguments.draws / PEER), ""


if __name__ == "__main__":
    main()
