"""What evaluation costs beside scikit-learn on dense matrices in the same run, on one core.

    python experiments/speed/evaluation.py            # several minutes, 3 GB for the peer
    python experiments/speed/evaluation.py --quick    # up to 2,000 samples, seconds

Random embeddings of width 128 (the worst case: neighbours are anywhere in the ranking), random graphs of average degree
10, hubs and nearly complete graphs. Each line is a process of its own. Times are the least of the repetitions (one
where it takes more than ten seconds), of the wall and, in brackets, of the processor: they differ where the machine has
other work. Memory is the peak on top of embeddings, graph and labels. What the two compute is compared first.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import measure
import numpy as np
import torch
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score, ndcg_score
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.neighbors import KNeighborsRegressor

import sigraph as sg
from sigraph.evaluation import graph_retrieval, neighbor_prediction

WIDTH, DEGREE, K = 128, 10, 10
LOO_SAMPLES, COLUMNS, NEIGHBORS, FITS = 3_000, 40, 3, 20
SECONDS, MOST = 10.0, 5  # of repetitions
Case = tuple[torch.Tensor, sg.PretrainGraph]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 2,000 samples")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # repeats among random edges
    print(measure.one_core() + "\n")
    agree()
    retrieval([1_000, 2_000] if arguments.quick else [1_000, 10_000, 100_000], 2_000 if arguments.quick else 10_000)
    leave_one_out(500 if arguments.quick else LOO_SAMPLES)


def agree() -> None:
    """Stop unless scikit-learn finds the same, up to the rounding of cosines."""
    z, graph = random_case(400)
    ours, theirs = graph_retrieval(z, graph, (K,), pooled=True), dense(z, graph, True)
    wrong = {name: (ours[name], theirs[name]) for name in theirs if abs(ours[name] / theirs[name] - 1) > 1e-4}
    z, y = labelled(300)
    ours, theirs = neighbor_prediction(z, y, NEIGHBORS).numpy(), one_search(z, y)
    if wrong or not np.allclose(ours, theirs):
        raise SystemExit(f"the two do not compute the same: {wrong or 'the predictions'}")


def retrieval(sizes: list[int], largest_peer: int) -> None:
    print(
        "Every sample's neighbours by cosine: LRAP, nDCG, MRR; precision, recall, hits and nDCG at 10; pooled: and the"
    )
    print("average precision of all pairs in one ranking. Seconds (of the processor), MB\n")
    head = ["graph", "N", "sigraph", "with pooled", "scikit-learn", "with pooled", "scikit-learn / sigraph"]
    rows = []
    for size in sizes:
        ours, pooled = in_a_process("ours", "random", size), None
        if size <= largest_peer:
            pooled = in_a_process("ours pooled", "random", size)
        theirs = (
            [in_a_process(name, "random", size) for name in ("dense", "dense pooled")] if size <= largest_peer else None
        )
        row = ["random", f"{size:,}", str(ours), "–" if pooled is None else str(pooled)]
        row += ["–"] * 3 if theirs is None else [*map(str, theirs), f"{theirs[0].wall / ours.wall:.0f} x"]
        rows.append(row)
    middle = sizes[min(1, len(sizes) - 1)]
    for kind, size in (("star", middle), ("nearly complete", min(middle, 3_000))):
        rows.append([kind, f"{size:,}", str(in_a_process("ours", kind, size)), *["–"] * 4])
    measure.table(head, rows)


def leave_one_out(size: int) -> None:
    print(f"Leave-one-out {NEIGHBORS}-NN, N = {size:,}, {COLUMNS} label columns; seconds (of the processor), MB\n")
    rows = [
        ["sigraph", str(in_a_process("loo", "complete", size))],
        ["sigraph, 30 % of the labels missing", str(in_a_process("loo", "missing", size))],
        ["scikit-learn, one search for all", str(in_a_process("loo one search", "complete", size))],
        [f"scikit-learn, one fit a sample ({FITS} of them, scaled)", str(in_a_process("loo fits", "complete", size))],
    ]
    measure.table(["", "time, memory"], rows)


# What is measured #####################################################################################################


def random_case(size: int) -> Case:
    generator = torch.Generator().manual_seed(0)
    edges = torch.randint(0, size, (2, size * DEGREE // 2), generator=generator)
    return torch.randn(size, WIDTH, generator=generator), sg.PretrainGraph(edges, size)


def star(size: int) -> Case:
    edges = torch.stack([torch.zeros(size - 1, dtype=torch.long), torch.arange(1, size)])
    return random_case(size)[0], sg.PretrainGraph(edges, size)


def nearly_complete(size: int) -> Case:
    edges = torch.combinations(torch.arange(size)).t()
    keep = torch.rand(edges.size(1), generator=torch.Generator().manual_seed(1)) > 0.01
    return random_case(size)[0], sg.PretrainGraph(edges[:, keep], size)


def labelled(size: int, missing: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(size, WIDTH, generator=generator)
    y = (torch.rand(size, COLUMNS, generator=generator) < 0.2).float()
    return z, y.where(torch.rand(y.shape, generator=generator) >= missing, torch.nan)


def dense(z: torch.Tensor, graph: sg.PretrainGraph, pooled: bool) -> dict[str, float]:
    """The same figures as a user of scikit-learn would: all similarities and the adjacency as matrices."""
    size = len(z)
    score, target = cosine_similarity(z.numpy()), np.zeros((size, size), dtype=bool)
    target[tuple(graph.edge_index.numpy())] = True
    asked = target.any(axis=1)
    away = ~np.eye(size, dtype=bool)
    figures = {}
    if pooled:
        once = np.triu(away) & (asked[:, None] | asked)
        figures["average_precision"] = average_precision_score(target[once], score[once])
    score, target = (m[away].reshape(size, size - 1)[asked] for m in (score, target))
    figures["lrap"] = label_ranking_average_precision_score(target, score)
    figures["ndcg"], figures[f"ndcg@{K}"] = ndcg_score(target, score), ndcg_score(target, score, k=K)
    hit = np.take_along_axis(target, (-score).argsort(axis=1), axis=1)
    figures["mrr"] = (1 / (1 + hit.argmax(axis=1))).mean()
    found = hit[:, :K].sum(axis=1)
    figures[f"precision@{K}"], figures[f"hits@{K}"] = found.mean() / K, (found > 0).mean()
    figures[f"recall@{K}"] = (found / hit.sum(axis=1)).mean()
    return figures


def one_search(z: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    near = KNeighborsRegressor(NEIGHBORS, metric="cosine").fit(z.numpy(), y.numpy()).kneighbors()[1]
    return y.numpy()[near].mean(axis=1)


def fits(z: torch.Tensor, y: torch.Tensor) -> None:
    for i in range(FITS):
        rest = torch.arange(len(z)) != i
        model = KNeighborsRegressor(NEIGHBORS, metric="cosine").fit(z[rest].numpy(), y[rest].numpy())
        model.predict(z[i : i + 1].numpy())


FUNCTIONS: dict[str, Callable] = {
    "ours": lambda z, graph: graph_retrieval(z, graph, (K,)),
    "ours pooled": lambda z, graph: graph_retrieval(z, graph, (K,), pooled=True),
    "dense": lambda z, graph: dense(z, graph, False),
    "dense pooled": lambda z, graph: dense(z, graph, True),
    "loo": lambda z, y: neighbor_prediction(z, y, NEIGHBORS),
    "loo one search": one_search,
    "loo fits": fits,
}
CASES: dict[str, Callable] = {
    "random": random_case,
    "star": star,
    "nearly complete": nearly_complete,
    "complete": labelled,
    "missing": lambda size: labelled(size, 0.3),
}


# How ##################################################################################################################


def in_a_process(name: str, kind: str, size: int) -> measure.Spent:
    """Measured in a process of its own."""
    found = measure.apart(alone, name, kind, size)
    return found.scaled(size / FITS) if name == "loo fits" else found


def alone(name: str, kind: str, size: int) -> measure.Spent:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    FUNCTIONS[name](*CASES[kind](100))  # imports and first calls
    case = CASES[kind](size)
    if isinstance(case[1], sg.PretrainGraph):
        len(case[1].csr())  # built once, not part of an evaluation
    return measure.spent(lambda: FUNCTIONS[name](*case), SECONDS, MOST)


if __name__ == "__main__":
    main()
