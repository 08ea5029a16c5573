"""What a graph's store costs: built in memory beside two peers, built out of core, opened, and sampled from.

    python experiments/speed/store.py              # 10^7 undirected edges, a few minutes
    python experiments/speed/store.py --full       # 10^8 undirected edges, 2 * 10^7 nodes
    python experiments/speed/store.py --quick      # 10^5, seconds

Random graphs of average degree 10, listed once each in a Parquet file of two int64 columns. One core. Peak memory is
what the kernel counted for a process of its own, imports included (VmHWM; where there is none, ru_maxrss).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from measure import one_core, peak_memory, table, timed
from scipy.sparse import coo_matrix

import sigraph as sg
from sigraph.edges import CSRStore
from sigraph.tables import build_store

DEGREE, BATCH, PIECE = 10, 4096, 10**6
IN_MEMORY = 25_000_000  # undirected edges at most, that is 5 * 10^7 directed ones


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10**7, help="undirected edges (default: 10^7)")
    parser.add_argument("--full", action="store_true", help="10^8 undirected edges")
    parser.add_argument("--quick", action="store_true", help="10^5 undirected edges")
    parser.add_argument("--memory-limit", default="2GB", help="of the build out of core (default: 2GB)")
    parser.add_argument("--folder", help="where files are written, about 40 bytes an edge (default: temporary)")
    parser.add_argument("--alone", nargs="+", help=argparse.SUPPRESS)  # what a process of its own does
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.alone:
        alone(*arguments.alone)
        return
    size = 10**8 if arguments.full else 10**5 if arguments.quick else arguments.size
    print(one_core() + "\n", flush=True)
    in_memory(min(size, IN_MEMORY))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        out_of_core(size, arguments.memory_limit, Path(folder))


def in_memory(size: int) -> None:
    num_nodes = max(size * 2 // DEGREE, 2)
    edges = random_edges(num_nodes, size, np.random.default_rng(0))
    edges = torch.from_numpy(np.concatenate([edges, edges[::-1]], axis=1))
    edges = edges[:, torch.randperm(edges.size(1), generator=torch.Generator().manual_seed(0))].contiguous()

    def scipy_csr() -> int:
        row, col = edges.numpy()
        data = np.ones(row.size, np.int8)
        return coo_matrix((data, (row, col)), shape=(num_nodes, num_nodes)).tocsr().nnz

    def torch_sort() -> int:
        keys = torch.sort(edges[0] * num_nodes + edges[1]).values.unique_consecutive()
        torch.bincount(keys // num_nodes, minlength=num_nodes).cumsum(0)
        return (keys % num_nodes).int().numel()

    store = CSRStore.from_edges(edges, num_nodes)
    if scipy_csr() != store.num_edges:
        raise SystemExit(f"the peers disagree on the number of edges: {scipy_csr()} and {store.num_edges}")
    kept = store.rowptr.nbytes + store.col.nbytes
    ways: list[tuple[str, Callable[[], object]]] = [
        ("sigraph: made undirected, loops and repeats dropped", lambda: CSRStore.from_edges(edges, num_nodes)),
        ("scipy coo_matrix.tocsr: repeats summed, as directed as given", scipy_csr),
        ("torch.sort of row * N + col: repeats dropped, as directed as given", torch_sort),
    ]
    times = [min(timed(function) for _ in range(3)) for _, function in ways]
    print(f"CSR in memory from {edges.size(1):,} directed edges, both ways, shuffled; {num_nodes:,} nodes\n")
    rows = [[name, f"{t:.2f} s", f"{t / times[0]:.1f} x"] for (name, _), t in zip(ways, times, strict=True)]
    table(["way", "time", "of sigraph's"], rows)
    print(
        f"Kept: {kept:,} bytes, {(kept - 8 * num_nodes) / store.num_edges:.2f} a directed edge + 8 a node\n", flush=True
    )


def out_of_core(size: int, limit: str, folder: Path) -> None:
    num_nodes = max(size * 2 // DEGREE, 2)
    file, out = folder / "edges.parquet", folder / "graph"
    generator = np.random.default_rng(1)
    with pq.ParquetWriter(file, pa.schema([("source", pa.int64()), ("target", pa.int64())])) as writer:
        for start in range(0, size, PIECE):
            u, v = random_edges(num_nodes, min(PIECE, size - start), generator)
            writer.write_table(pa.table({"source": u, "target": v}))
    imports = in_a_process("imports")
    built = in_a_process("build", file, out, num_nodes, limit)
    opened = in_a_process("open", out)
    drawn = in_a_process("draw", out)
    stored = sum(path.stat().st_size for path in out.iterdir())
    print(f"Out of core: {size:,} edges in Parquet ({file.stat().st_size / 1e9:.2f} GB), {num_nodes:,} nodes\n")
    rows = [
        ["imports alone", "", f"{imports['peak'] / 1e9:.2f} GB"],
        [f"build, limit {limit}", f"{built['seconds']:.1f} s", f"{built['peak'] / 1e9:.2f} GB"],
        ["open", f"{opened['seconds'] * 1e3:.1f} ms", f"{opened['peak'] / 1e9:.2f} GB"],
        ["open, verify=True", f"{opened['verified']:.2f} s", ""],
        [f"draw: {drawn['rate'] / 1e6:.2f} M triplets/s", f"{drawn['seconds']:.1f} s", f"{drawn['peak'] / 1e9:.2f} GB"],
    ]
    table(["what", "time", "peak memory"], rows)
    print(f"On disk: {stored:,} bytes; {built['edges']:,} undirected edges, {built['repeats']:,} repeats dropped")


def alone(what: str, *arguments: str) -> None:
    """One thing in a process of its own; says how long it took and the most memory."""
    told: dict[str, float] = {}
    start = time.perf_counter()
    if what == "build":
        file, out, num_nodes, limit = arguments
        read = build_store(file, out, int(num_nodes), memory_limit=limit)
        told.update(edges=read.num_edges, repeats=read.repeated_edges)
    elif what == "open":
        sg.PretrainGraph.open(arguments[0])
    elif what == "draw":
        store = sg.PretrainGraph.open(arguments[0]).store
        generator = torch.Generator().manual_seed(0)
        steps = [torch.randint(0, store.num_nodes, (BATCH,), generator=generator) for _ in range(500)]
        rates = []
        for seeds in steps:
            begin = time.perf_counter()
            store.draw_neighbors(seeds, 1, generator)
            store.draw_non_neighbors(seeds, 1, generator)
            rates.append(time.perf_counter() - begin)
        told.update(rate=BATCH / float(np.median(rates[len(rates) // 2 :])))  # the pages of the first half were cold
    told.update(seconds=time.perf_counter() - start, peak=peak_memory())
    if what == "open":
        start = time.perf_counter()
        sg.PretrainGraph.open(arguments[0], verify=True)
        told.update(verified=time.perf_counter() - start)
    print(json.dumps(told))


def in_a_process(*arguments: object) -> dict[str, float]:
    command = [sys.executable, __file__, "--alone", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def random_edges(num_nodes: int, size: int, generator: np.random.Generator) -> np.ndarray:
    """Pairs of different nodes. Shape [2, size] int64."""
    u, shift = generator.integers(0, num_nodes, size), generator.integers(1, num_nodes, size)
    return np.stack([u, (u + shift) % num_nodes])


if __name__ == "__main__":
    main()
