"""What a certificate costs beside dense matrices of torch and scikit-learn in the same run, on one thread.

    python experiments/speed/certify.py            # some minutes, 2 GB for the peer
    python experiments/speed/certify.py --quick    # up to 2,000 samples, seconds

Embeddings of width 128 around centres of 20 samples, five of whose others each is joined to. Each line is a process of
its own. Times are of the wall and, in brackets, of the processor: they differ where the machine has other work. Memory
is the peak on top of embeddings, graph and labels. What the two compute is compared first.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import measure
import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.preprocessing import normalize

import sigraph as sg
from sigraph.losses import ContrastiveLoss
from sigraph.theory.certificates import certify

WIDTH, GROUP, DRAWN = 128, 20, 5
NEAR, FAR = 0.3, 1.0  # margins
Case = tuple[torch.Tensor, sg.PretrainGraph]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 2,000 samples")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # repeats among random edges
    print(measure.one_core() + "\n")
    agree()
    print(
        "All pairs: recovered anchors, hit rate, AUC, best radius; for the margin loss also its bounds. Seconds (of the"
    )
    print("processor), MB\n")
    rows = []
    for size in [1_000, 2_000] if arguments.quick else [1_000, 4_000, 20_000, 100_000]:
        names = ["margins", "labels", *(["cosine"] if size <= 20_000 else []), *(["dense"] if size <= 4_000 else [])]
        found = {name: measure.apart(alone, name, size) for name in names}
        row = [f"{size:,}", *(str(found[name]) if name in found else "–" for name in FUNCTIONS)]
        rows.append([*row, f"{found['dense'].busy / found['margins'].busy:.0f} x" if "dense" in found else "–"])
    head = ["N", "sigraph", "with a margin loss", "and labels", "dense, with margins", "dense / sigraph"]
    measure.table(head, rows)


def agree() -> None:
    """Stop unless dense matrices give the same."""
    case = random_case(500)
    ours, theirs = certify(*case, ContrastiveLoss(NEAR, FAR)), dense(*case)
    got = (ours.recovered, ours.hit_rate, ours.auc, ours.overlap, ours.bound.positive_loss, ours.bound.negative_loss)
    if not np.allclose(got, theirs, rtol=1e-5, atol=1e-9):
        raise SystemExit(f"the two do not compute the same: {got} and {theirs}")


# What is measured #####################################################################################################


def random_case(size: int) -> Case:
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(size) // GROUP
    z = torch.randn(size // GROUP + 1, WIDTH, generator=generator)[group]
    z += 0.3 * torch.randn(size, WIDTH, generator=generator)
    node = torch.arange(size).repeat(DRAWN)
    other = node // GROUP * GROUP + torch.randint(0, GROUP, node.shape, generator=generator)
    return z, sg.PretrainGraph(torch.stack([node, other.clamp(max=size - 1)]), size)


def dense(z: torch.Tensor, graph: sg.PretrainGraph) -> tuple[float, ...]:
    """The same figures from whole matrices, as one would write them."""
    size = len(z)
    distance, is_edge = euclidean_distances(normalize(z.double().numpy())), np.zeros((size, size), dtype=bool)
    is_edge[tuple(graph.edge_index.numpy())] = True
    others = ~is_edge & ~np.eye(size, dtype=bool)
    asks = is_edge.any(axis=1) & others.any(axis=1)
    nearest = np.where(others, distance, np.inf).min(axis=1)[asks]
    farthest = np.where(is_edge, distance, -np.inf).max(axis=1)[asks]
    closest = np.where(is_edge, distance, np.inf).min(axis=1)[asks]
    upper = np.triu_indices(size, 1)
    distance, is_edge = distance[upper], is_edge[upper]
    order = distance.argsort()
    hit = is_edge[order].cumsum()
    overlap = (hit / (np.arange(1, len(hit) + 1) + hit[-1] - hit)).max()
    a = np.maximum(distance[is_edge] - NEAR, 0).mean()
    b = np.maximum(FAR - distance[~is_edge], 0).mean()
    auc = roc_auc_score(is_edge, -distance)
    return (farthest < nearest).mean(), (closest < nearest).mean(), auc, overlap, a, b


FUNCTIONS: dict[str, Callable] = {
    "cosine": certify,
    "margins": lambda z, graph: certify(z, graph, ContrastiveLoss(NEAR, FAR)),
    "labels": lambda z, graph: certify(z, graph, ContrastiveLoss(NEAR, FAR), torch.arange(len(z)) // GROUP % 7),
    "dense": dense,
}


# How ##################################################################################################################


def alone(name: str, size: int) -> measure.Spent:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    FUNCTIONS[name](*random_case(100))  # imports and first calls
    case = random_case(size)
    len(case[1].csr())  # built once, not part of it
    return measure.spent(lambda: FUNCTIONS[name](*case))


if __name__ == "__main__":
    main()
