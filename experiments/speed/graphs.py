"""How fast graphs of nearest neighbours and of label sets are made, beside peers in the same run, on one core.

    python experiments/speed/graphs.py            # about five minutes
    python experiments/speed/graphs.py --quick    # up to 10^4 samples, seconds

Gaussian vectors of 64 numbers, k = 10. `faiss alone` is the search of k + 1 neighbours of each vector, itself among
them, and no more; sigraph's figure is the whole constructor: checks, search, equal vectors, the undirected graph.
scikit-learn's is `NearestNeighbors(algorithm="brute")` without a graph. Up to 10^4 samples medians of three runs in
turn after one that is not counted; above, one run each. Inverted lists: one run, recall on 1,000 samples.
"""

from __future__ import annotations

import argparse
import time

import faiss
import numpy as np
import torch
from measure import in_turn, one_core, seconds, table, timed
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

import sigraph as sg
from sigraph.graphs import KNNGraph, LabelAgreement

K, WIDTH, WARM_LIMIT = 10, 64, 10_000
LABELS, DIFFERENCES = 1_024, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 10^4 samples")
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    sizes = [2_000, 10_000] if arguments.quick else [10_000, 100_000]
    print(f"{one_core()}, faiss {faiss.__version__}\n")
    exact, inexact = [], []
    with threadpool_limits(1):
        for size in sizes:
            dataset = vectors(size)
            cells, graph = row(dataset)
            exact.append(cells)
            if size == sizes[-1]:
                inexact = [inverted("without clusters", dataset, graph, 0.95)]
                dataset = clusters(size)
                inexact += [inverted("1,000 clusters", dataset, KNNGraph(K)(dataset), least) for least in (0.95, 0.99)]
        agreed = agreement(*((1_000, 5) if arguments.quick else (10_000, 2)))
    table(
        ["samples", "sigraph, graph", "faiss alone", "scikit-learn", "sigraph / faiss", "scikit-learn / sigraph"], exact
    )
    print("By inverted lists\n")
    head = ["vectors", "samples", "`min_recall`", "recall measured", "share of the exact graph's edges", "seconds"]
    table(head, inexact)
    print(f"Label agreement, {LABELS:,} labels, t = {DIFFERENCES}\n")
    table(["distinct label sets", "sigraph", "double loop in numpy, scaled", "joined pairs of sets"], [agreed])


def vectors(num_samples: int) -> sg.SampleDataset:
    return sg.SampleDataset(torch.randn(num_samples, WIDTH, generator=torch.Generator().manual_seed(0)))


def clusters(num_samples: int) -> sg.SampleDataset:
    generator = torch.Generator().manual_seed(0)
    center = torch.randn(1_000, WIDTH, generator=generator)[torch.randint(1_000, (num_samples,), generator=generator)]
    return sg.SampleDataset(center + 0.3 * torch.randn(num_samples, WIDTH, generator=generator))


def agreement(num_sets: int, repeats: int) -> list[str]:
    """Sets of some ten labels, a third of them a change of at most t labels from another one."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.rand(num_sets, LABELS, generator=generator) < 0.01
    for i in range(0, num_sets - 1, 3):
        labels[i + 1] = labels[i]
        labels[i + 1, torch.randint(LABELS, (DIFFERENCES,), generator=generator)] ^= True
    given, array = labels.long(), labels.numpy()
    constructor = LabelAgreement(max_differences=DIFFERENCES)
    store = constructor.from_labels(given).store
    asked = range(0, num_sets, max(1, num_sets // 20))

    def loop() -> int:
        return sum(int(np.count_nonzero(array[i] != other) <= DIFFERENCES) for i in asked for other in array)

    if loop() != int(store.degree(torch.tensor(asked)).sum()) + len(asked):
        raise SystemExit("the two disagree on which label sets agree")
    took = [seconds(lambda: constructor.from_labels(given), repeats), timed(loop) * num_sets / len(asked) / 2]
    return [f"{num_sets:,}", f"{took[0]:.2f} s", f"{took[1]:.0f} s", f"{store.num_edges // 2:,}"]


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

    seconds, (graph, found, _) = in_turn([ours, alone, theirs], 3 if len(x) <= WARM_LIMIT else 1)
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


def inverted(kind: str, dataset: sg.SampleDataset, exact: sg.PretrainGraph, least: float) -> list[str]:
    constructor = KNNGraph(K, exact=False, min_recall=least)
    start = time.perf_counter()
    graph = constructor(dataset, torch.Generator().manual_seed(1))
    took = time.perf_counter() - start
    found = [f"{constructor.recall:.4f}", f"{shared(graph, exact):.4f}", f"{took:.2f}"]
    return [kind, f"{len(dataset):,}", f"{least}", *found]


def shared(graph: sg.PretrainGraph, expected: sg.PretrainGraph) -> float:
    """Share of the expected edges that a graph has."""
    keys = [g.edge_index[0] * g.num_nodes + g.edge_index[1] for g in (graph, expected)]
    return float(torch.isin(keys[1], keys[0]).double().mean())


if __name__ == "__main__":
    main()
