"""What a target costs: spreading numbers over a graph, beside PyG's APPNP, and a training step that regresses onto it.

    python experiments/speed/targets.py            # about five minutes, two cores
    python experiments/speed/targets.py --quick    # 10^4 nodes, seconds

Random graphs of ten undirected edges a node; 128 channels of float32 are spread by ten steps of personalised PageRank.
The peer is `torch_geometric.nn.APPNP` on a sparse matrix of torch, normalised before the clock starts, the same
formula; both agree to 1e-4, or the script stops. Each figure is a process of its own, memory its peak on top of graph
and input. A step is forward, loss, backward and AdamW of an MLP of 1,433 features, 512 and 256 channels, on samples
that have been fetched; the least of 30.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import measure
import torch
from torch import Tensor

import sigraph as sg
from sigraph.data import Pairs
from sigraph.edges.propagation import Propagation
from sigraph.losses import TargetLoss

CHANNELS, STEPS, RESTART, DEGREE, MB = 128, 10, 0.15, 20, 2**20
FEATURES, HIDDEN, WIDTH, REPEATS = 1433, 512, 256, 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10^4 nodes alone")
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    agree()
    rows, before = [], None
    for size in [10_000] if arguments.quick else [10_000, 100_000, 1_000_000]:
        ours, peer = (measure.apart(spreading, name, size) for name in ("sigraph", "APPNP"))
        growth = "" if before is None else f"{ours[0] / before:.1f} x"
        cells = [f"{size:,}", f"{size * DEGREE // 2:,}", *(f"{s:.1f} s, {m / MB:,.0f} MB" for s, m in (ours, peer))]
        rows.append([*cells, f"{peer[0] / ours[0]:.2f}", growth])
        before = ours[0]
    heads = ["nodes", "edges", "sigraph", "PyG's APPNP", "APPNP / sigraph", "growth"]
    measure.table(heads, rows)
    print("A step, least of 30\n")
    steps = []
    for size in [256] if arguments.quick else [1024, 4096]:
        alone, cosine, relational = measure.apart(step_seconds, size)
        cells = [f"{1e3 * value:.2f} ms" for value in (alone, cosine, relational)]
        steps.append([f"{size:,}", *cells, f"{cosine / alone:.3f}", f"{relational / alone:.3f}"])
    heads = ["B", "encoder alone", "cosine", "relational", "cosine / alone", "relational / alone"]
    measure.table(heads, steps)


def graph(size: int) -> sg.PretrainGraph:
    generator = torch.Generator().manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few pairs are drawn twice
        return sg.PretrainGraph(torch.randint(size, (2, size * DEGREE // 2), generator=generator), size)


def value(size: int) -> Tensor:
    return torch.randn(size, CHANNELS, generator=torch.Generator().manual_seed(1))


def sigraph_spread(data: sg.PretrainGraph) -> Callable[[Tensor], Tensor]:
    return Propagation(data.store, RESTART, STEPS)


def appnp(data: sg.PretrainGraph) -> Callable[[Tensor], Tensor]:
    from torch_geometric.nn import APPNP
    from torch_geometric.nn.conv.gcn_conv import gcn_norm
    from torch_geometric.utils import to_torch_csr_tensor

    index, weight = gcn_norm(data.edge_index, num_nodes=data.num_nodes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's sparse matrices are in beta
        matrix = to_torch_csr_tensor(index, weight, size=(data.num_nodes, data.num_nodes))
    layer = APPNP(STEPS, RESTART, normalize=False)
    return lambda x: layer(x, matrix)


def spreading(name: str, size: int) -> tuple[float, int]:
    """Seconds, and bytes on top of graph and input."""
    with torch.no_grad():
        x, spread = value(size), {"sigraph": sigraph_spread, "APPNP": appnp}[name](graph(size))
        held = measure.start_peak()
        start = time.perf_counter()
        spread(x)
        return time.perf_counter() - start, measure.peak_memory() - held


def agree() -> None:
    """Stop unless both compute the same, the sum that APPNP folds into its steps included."""
    data, x = graph(1_000), value(1_000)
    with torch.no_grad():
        # APPNP's last step carries what the sum beyond K steps would: M x + (1 - r)^{K + 1} P^K x
        ours = sigraph_spread(data)(x) + (1 - RESTART) ** (STEPS + 1) * Propagation(data.store, None, STEPS)(x)
        far = (ours - appnp(data)(x)).abs().max()
    if far > 1e-4:
        raise SystemExit(f"they do not compute the same: {far:.2g} apart")


def step_seconds(size: int) -> list[float]:
    """Of the encoder alone under a loss that costs nothing, and of TargetLoss in both measures."""
    torch.manual_seed(0)
    x, rows = torch.rand(size, FEATURES), torch.randn(100_000, WIDTH)
    node = torch.randperm(len(rows))[:size]
    pairs = Pairs.square(torch.empty(2, 0, dtype=torch.long), size, anchor_id=node, candidate_id=node)
    losses = [TargetLoss(rows, measure) for measure in ("cosine", "relational")]
    encoder = sg.encoders.MLPEncoder(FEATURES, HIDDEN, WIDTH)
    optimizer = torch.optim.AdamW(encoder.parameters(), 1e-3)

    def step(loss: Callable[[Tensor], Tensor]) -> None:
        optimizer.zero_grad()
        loss(encoder(x).z).backward()
        optimizer.step()

    cases = [lambda z: z.mean(), *(lambda z, loss=loss: loss(z, pairs) for loss in losses)]
    times = [[measure.timed(lambda case=case: step(case)) for case in cases] for _ in range(REPEATS + 2)][2:]
    return [min(column) for column in zip(*times, strict=True)]


if __name__ == "__main__":
    main()
