"""How fast a nearest-neighbour graph is made, beside faiss alone and scikit-learn in the same run, on one core.

    python experiments/speed/graphs.py            # about five minutes
    python experiments/speed/graphs.py --quick    # up to 10^4 samples, seconds

Gaussian vectors of 64 numbers, k = 10. `faiss alone` is the search of k + 1 neighbours of each vector, itself among
them, and no more; sigraph's figure is the whole constructor: checks, search, equal vectors, the undirected graph.
scikit-learn's is `NearestNeighbors(algorithm="brute")` without a graph. Up to 10^4 samples medians of three runs in
turn after one that is not counted; above, one run each. Inverted lists: one run, recall on 1,000 samples.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import faiss
import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

import sigraph as sg
from sigraph.graphs import KNNGraph

K, WIDTH, WARM_LIMIT = 10, 64, 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 10^4 samples")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    sizes = [2_000, 10_000] if arguments.quick else [10_000, 100_000]
    print(f"{platform.processor() or platform.machine()}, one thread, faiss {faiss.__version__}\n")
    exact, inexact = [], []
    with threadpool_limits(1):
        for size in sizes:
            dataset = vectors(size)
            cells, graph = row(dataset)
            exact.append(cells)
            if size == sizes[-1]:
                inexact = [inverted(dataset, graph, least) for least in (0.9, 0.95, 0.99)]
    table(
        ["samples", "sigraph, graph", "faiss alone", "scikit-learn", "sigraph / faiss", "scikit-learn / sigraph"], exact
    )
    print("By inverted lists\n")
    table(["samples", "`min_recall`", "recall measured", "share of the exact graph's edges", "seconds"], inexact)


def vectors(num_samples: int) -> sg.SampleDataset:
    return sg.SampleDataset(torch.randn(num_samples, WIDTH, generator=torch.Generator().manual_seed(0)))


def row(dataset: sg.SampleDataset) -> tuple[list[str], sg.PretrainGraph]:
    x = dataset.samples.numpy()

    def ours() -> sg.PretrainGraph:
        return KNNGraph(K)(dataset)

    def alone() -> np.ndarray:
        index = faiss.IndexFlatL2(WIDTH)
        index.add(x)
        return index.search(x, K + 1)[1]

    def theirs() -> np.ndarray:
        return NearestNeighbors(n_neighbors=K, algorithm="brute", n_jobs=1).fit(x).kneighbors(return_distance=False)

    seconds, (graph, found, _) = in_turn([ours, alone, theirs], len(x))
    same(graph, found)
    took = [f"{value:.2f} s" for value in seconds]
    return [f"{len(x):,}", *took, f"{seconds[0] / seconds[1]:.2f} x", f"{seconds[2] / seconds[0]:.1f} x"], graph


def same(graph: sg.PretrainGraph, found: np.ndarray) -> None:
    """The graph holds what faiss found, but for neighbours that float32 cannot tell apart."""
    index = torch.from_numpy(found)
    own = torch.arange(len(index))[:, None]
    other = index != own
    pairs = torch.stack([own.expand_as(index)[other], index[other]]).sort(dim=0).values.unique(dim=1)
    share = shared(graph, sg.PretrainGraph(pairs, len(index)))
    if share < 0.9999:
        raise SystemExit(f"the two disagree on the graph: {share:.4%} of the edges are shared")


def inverted(dataset: sg.SampleDataset, exact: sg.PretrainGraph, least: float) -> list[str]:
    constructor = KNNGraph(K, exact=False, min_recall=least)
    start = time.perf_counter()
    graph = constructor(dataset, torch.Generator().manual_seed(1))
    took = time.perf_counter() - start
    return [f"{len(dataset):,}", f"{least}", f"{constructor.recall:.4f}", f"{shared(graph, exact):.4f}", f"{took:.2f}"]


def shared(graph: sg.PretrainGraph, expected: sg.PretrainGraph) -> float:
    """Share of the expected edges that a graph has."""
    keys = [g.edge_index[0] * g.num_nodes + g.edge_index[1] for g in (graph, expected)]
    return float(torch.isin(keys[1], keys[0]).double().mean())


def in_turn(functions: list[Callable[[], object]], size: int) -> tuple[list[float], list[object]]:
    """Median seconds of each function, called one after the other, so that a busy moment hits all; their results."""
    times: list[list[float]] = [[] for _ in functions]
    results: list[object] = [None] * len(functions)
    for repeat in range(4 if size <= WARM_LIMIT else 1):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            results[i] = function()
            if repeat or size > WARM_LIMIT:
                times[i].append(time.perf_counter() - start)
    return [statistics.median(mine) for mine in times], results


def table(head: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for cells in rows:
        print("| " + " | ".join(cells) + " |")
    print(flush=True)


if __name__ == "__main__":
    main()
