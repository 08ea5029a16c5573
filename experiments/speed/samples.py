"""What fetching a step's samples costs: rows of a sparse matrix against scipy's, graphs against PyG's own batches.

    python experiments/speed/samples.py            # under a minute
    python experiments/speed/samples.py --quick    # the smallest sizes, seconds

Rows: a random CSR matrix of 30,000 columns with 40 entries a row, as tf-idf of titles is; a fetch makes 256 of them
dense, against `torch.from_numpy(matrix[ids].toarray())`. Graphs: 10 to 50 nodes of 9 integers, 2 edges a node of 3
integers, as molecules are; a fetch is a `Batch` of 256, against `Batch.from_data_list([graphs[i] for i in ids])`, and
as PyG's `InMemoryDataset` has it, `Batch.from_data_list(list(dataset[ids]))`. Both give the same values, which is
checked. Times are medians of calls that take turns; ratios are the peer's time over sigraph's. Growth is the time of a
fetch among N samples over that among the fewest: a fetch of 256 should not know how many others there are.
"""

from __future__ import annotations

import argparse

import numpy as np
import scipy.sparse as sp
import torch
from measure import in_turn, one_core, table
from torch_geometric.data import Batch, Data, InMemoryDataset

from sigraph import SampleDataset

BATCH, COLUMNS, ENTRIES = 256, 30_000, 40
SIZES = {"rows": (1_000, 10_000, 100_000, 1_000_000), "graphs": (1_000, 10_000, 50_000)}


class InMemory(InMemoryDataset):
    """PyG's own way to hold graphs in few arrays."""

    def __init__(self, graphs: list[Data]) -> None:
        super().__init__()
        self.data, self.slices = self.collate(graphs)


def random_rows(num_samples: int) -> sp.csr_array:
    generator = np.random.default_rng(0)
    col = np.sort(generator.integers(COLUMNS // ENTRIES, size=(num_samples, ENTRIES)), axis=1)
    col += COLUMNS // ENTRIES * np.arange(ENTRIES)  # each entry in a column of its own
    value = generator.random((num_samples, ENTRIES), dtype=np.float32)
    rowptr = ENTRIES * np.arange(num_samples + 1)
    return sp.csr_array((value.ravel(), col.ravel(), rowptr), shape=(num_samples, COLUMNS))


def random_graphs(num_samples: int) -> list[Data]:
    generator = torch.Generator().manual_seed(0)
    out = []
    for size in torch.randint(10, 51, (num_samples,), generator=generator).tolist():
        out.append(
            Data(
                x=torch.randint(100, (size, 9), generator=generator),
                edge_index=torch.randint(size, (2, 2 * size), generator=generator),
                edge_attr=torch.randint(5, (2 * size, 3), generator=generator),
            )
        )
    return out


def some(num_samples: int, turn: list[int]) -> torch.Tensor:
    """Other samples at each call, the same for all that take turns."""
    turn[0] += 1
    return torch.randint(num_samples, (BATCH,), generator=torch.Generator().manual_seed(turn[0]))


def of_rows(num_samples: int, repeats: int) -> list[float]:
    """Seconds of sigraph's fetch and scipy's."""
    matrix = random_rows(num_samples)
    dataset = SampleDataset(matrix)
    turns = [[0], [0]]
    times, results = in_turn(
        [
            lambda: dataset.fetch(some(num_samples, turns[0])),
            lambda: torch.from_numpy(matrix[some(num_samples, turns[1]).numpy()].toarray()),
        ],
        repeats,
    )
    assert torch.equal(results[0], results[1])
    return times


def of_graphs(num_samples: int, repeats: int) -> list[float]:
    """Seconds of sigraph's fetch, of a list's batch and of an InMemoryDataset's."""
    graphs = random_graphs(num_samples)
    dataset, in_memory, turns = SampleDataset(graphs), InMemory(graphs), [[0], [0], [0]]
    times, results = in_turn(
        [
            lambda: dataset.fetch(some(num_samples, turns[0])),
            lambda: Batch.from_data_list([graphs[i] for i in some(num_samples, turns[1]).tolist()]),
            lambda: Batch.from_data_list(list(in_memory[some(num_samples, turns[2])])),
        ],
        repeats,
    )
    for name in ("x", "edge_index", "edge_attr", "batch", "ptr"):
        assert all(torch.equal(results[0][name].long(), other[name]) for other in results[1:])
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the two smallest sizes, few repetitions")
    arguments = parser.parse_args()
    repeats, last = (3, 2) if arguments.quick else (31, None)
    print(f"{one_core()}; {BATCH} samples a fetch\n")
    for kind, measure, peers in (
        ("rows", of_rows, ["scipy slice + toarray"]),
        ("graphs", of_graphs, ["Batch.from_data_list", "InMemoryDataset"]),
    ):
        lines, first = [], None
        for size in SIZES[kind][:last]:
            own, *others = measure(size, repeats)
            first = first or own
            ratios = [f"{other / own:.2f}" for other in others]
            lines.append([f"{size:,}", f"{1e3 * own:.2f}", f"{own / first:.2f}", *ratios])
        table([f"N {kind}", "sigraph, ms", "growth", *(f"{peer} / sigraph" for peer in peers)], lines)


if __name__ == "__main__":
    main()
