"""What a structure loss costs beside the matrix products it cannot do without, beside three peers in the same run.

    python experiments/speed/losses.py             # about a quarter of an hour, one core
    python experiments/speed/losses.py --quick     # B = 256, seconds
    python experiments/speed/losses.py --compile   # whether torch.compile helps the dense formula
    python experiments/speed/losses.py --threads   # what two threads give; needs two idle cores
    python experiments/speed/losses.py --device cuda    # on a GPU: up to B = 65,536, float32 and bfloat16

Forward and backward, float32, D = 256; the graph joins samples five by five, so an anchor has four positives, and every
other pair is a negative. The floor is the time of
three matrix products: similarities, and two for the gradient. Each line is a process of its own, where floor and loss
take turns; times are the least of the repetitions, after larger tensors have come and gone as in any training process
(glibc then gives less memory back, which would be half a floor at B = 1,024); memory is the peak on top of embeddings
and pairs, measured before that.

Peers: pytorch-metric-learning with its miner, which gets the fives as class labels; the formula written
densely with autograd; a Python loop over anchors.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable

import measure
import torch
from torch import Tensor

import sigraph as sg
from sigraph.data import Pairs

WIDTH, CLIQUE, EPSILON, MB = 256, 5, 0.1, 2**20
SECONDS, MOST, LEAST = 6.0, 30, 3  # of repetitions
Function = Callable[[], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="B = 256 alone")
    parser.add_argument("--compile", action="store_true", help="only: whether torch.compile helps the dense formula")
    parser.add_argument("--threads", action="store_true", help="only: how much faster two threads are")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    arguments = parser.parse_args()
    if arguments.device != "cpu":
        gpu(arguments.device, [1024] if arguments.quick else [1024, 4096, 16384, 65536])
        return
    sizes = [256] if arguments.quick else [1024, 4096, 16384]
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, one thread unless said\n")
    if arguments.threads:
        threads(sizes[min(1, len(sizes) - 1)])
        return
    if arguments.compile:
        names = ("dense", "dense, compiled", "multi-similarity")
        measure.table(
            ["B", *names], [[f"{size:,}", *(cell(apart(name, size)) for name in names)] for size in sizes[:2]]
        )
        return
    agree()
    mining(sizes)
    others(sizes)


def agree() -> None:
    """Stop unless the peers compute the same (pytorch-metric-learning: but for anchors that mining leaves nothing)."""
    z, pairs = case(128)
    names = ["multi-similarity", *(name for name in PEERS if "compiled" not in name)]
    values = {name: step(name, z, pairs)().item() for name in names}
    if max(values.values()) > 1.01 * min(values.values()):
        raise SystemExit(f"they do not compute the same: {values}")


def mining(sizes: list[int]) -> None:
    print("Multi-similarity with mining\n")
    rows, before = [], None
    for size in sizes:
        ours = apart("multi-similarity", size)
        growth = "" if before is None else f"{ours[0] / before[0]:.1f} x, {ours[2] / before[2]:.1f} x"
        row = [f"{size:,}", f"{1e3 * ours[1]:.1f}", cell(ours), growth]
        for peer, limit in (("pytorch-metric-learning", 4096), ("dense", 4096), ("loop", 1024)):
            row.append(cell(apart(peer, size)) if size <= limit else "–")
        rows.append(row)
        before = ours
    head = ["B", "floor, ms", "sigraph: time / floor, memory", "growth of time, memory"]
    measure.table([*head, "pytorch-metric-learning", "dense autograd", "Python loop"], rows)


def others(sizes: list[int]) -> None:
    print("Every loss of sigraph: time / floor, memory\n")
    names = [name for name in LOSSES if name != "multi-similarity"]
    measure.table(
        ["loss", *(f"B = {size:,}" for size in sizes)], [[n, *(cell(apart(n, s)) for s in sizes)] for n in names]
    )


def threads(size: int) -> None:
    one, two = apart("multi-similarity", size), apart("multi-similarity", size, 2)
    print(f"Two threads, multi-similarity with mining, B = {size:,}: {one[0] / two[0]:.2f} x as fast as one\n")


def cell(measured: tuple[float, float, float]) -> str:
    taken, floor, memory = measured
    return f"{taken / floor:.2f}, {memory:.0f} MB"


def apart(name: str, size: int, num_threads: int = 1) -> tuple[float, float, float]:
    """Seconds of the loss, of the floor, and MB, measured in a process of its own."""
    return measure.apart(alone, name, size, num_threads)


def alone(name: str, size: int, num_threads: int) -> tuple[float, float, float]:
    torch.set_num_threads(num_threads)
    step(name, *case(64))()  # imports and first calls
    z, pairs = case(size)
    run = step(name, z, pairs)
    memory = peak_memory(run)
    torch.empty(2**22).fill_(0)  # 16 MB
    products = floor(z)
    best, least, spent, count = float("inf"), float("inf"), 0.0, 0
    while count < LEAST or (spent < SECONDS and count < MOST):
        taken = measure.timed(run)
        best, least = min(best, taken), min(least, measure.timed(products))
        spent, count = spent + taken, count + 1
    return best, least, memory


def case(size: int, device: str = "cpu") -> tuple[Tensor, Pairs]:
    z = torch.randn(size, WIDTH, generator=torch.Generator().manual_seed(size)).to(device).requires_grad_()
    ends = torch.cartesian_prod(torch.arange(size), torch.arange(CLIQUE))
    index = torch.stack([ends[:, 0], ends[:, 0] // CLIQUE * CLIQUE + ends[:, 1]])
    return z, Pairs.square(index[:, (index[0] != index[1]) & (index[1] < size)], size).to(device)


def step(name: str, z: Tensor, pairs: Pairs) -> Function:
    """Forward and backward of a loss."""
    loss = PEERS[name](pairs) if name in PEERS else LOSSES[name]()

    def run() -> Tensor:
        z.grad = None
        value = loss(z) if name in PEERS else loss(z, pairs)
        value.backward()
        return value

    return run


LOSSES: dict[str, Callable[[], sg.losses.StructureLoss]] = {
    "multi-similarity": lambda: sg.losses.MultiSimilarityLoss(epsilon=EPSILON),
    "multi-similarity without mining": lambda: sg.losses.MultiSimilarityLoss(),
    "contrastive": lambda: sg.losses.ContrastiveLoss(),
    "InfoNCE": lambda: sg.losses.InfoNCELoss(),
    "triplet": lambda: sg.losses.TripletLoss(),
    "triplet, semi-hard": lambda: sg.losses.TripletLoss(mining="semi-hard"),
    "N-pair": lambda: sg.losses.NPairLoss(),
    "link prediction": lambda: sg.losses.LinkPredictionLoss(),
    "smoothness": lambda: sg.losses.SmoothnessLoss(),
}


def metric_learning(pairs: Pairs) -> Callable[[Tensor], Tensor]:
    from pytorch_metric_learning.losses import MultiSimilarityLoss
    from pytorch_metric_learning.miners import MultiSimilarityMiner

    loss, miner = MultiSimilarityLoss(2, 40, 0.5), MultiSimilarityMiner(EPSILON)
    labels = torch.arange(pairs.num_anchors) // CLIQUE
    return lambda z: loss(z, labels, miner(z, labels))


def dense(pairs: Pairs) -> Callable[[Tensor], Tensor]:
    positive, negative = masks(pairs)
    low = torch.tensor(-torch.inf)

    def loss(z: Tensor) -> Tensor:
        z = torch.nn.functional.normalize(z)
        s = z @ z.t()
        hardest = torch.where(negative, s, low).amax(dim=1, keepdim=True)
        farthest = -torch.where(positive, -s, low).amax(dim=1, keepdim=True)
        pull, push = positive & (s - EPSILON < hardest), negative & (s + EPSILON > farthest)
        valid = pull.any(dim=1) & push.any(dim=1)
        a = torch.where(pull, -2 * (s - 0.5), low)[valid]
        b = torch.where(push, 40 * (s - 0.5), low)[valid]
        zero = a.new_zeros(a.size(0), 1)
        return (torch.cat([a, zero], 1).logsumexp(1) / 2 + torch.cat([b, zero], 1).logsumexp(1) / 40).mean()

    return loss


def loop(pairs: Pairs) -> Callable[[Tensor], Tensor]:
    positive, negative = masks(pairs)

    def loss(z: Tensor) -> Tensor:
        z = torch.nn.functional.normalize(z)
        total, count = z.new_zeros(()), 0
        for i in range(z.size(0)):
            s = z @ z[i]
            p, n = s[positive[i]], s[negative[i]]
            if not len(p) or not len(n):
                continue
            p, n = p[p - EPSILON < n.max()], n[n + EPSILON > p.min()]
            if len(p) and len(n):
                total = total + (1 + (-2 * (p - 0.5)).exp().sum()).log() / 2
                total, count = total + (1 + (40 * (n - 0.5)).exp().sum()).log() / 40, count + 1
        return total / max(count, 1)

    return loss


def masks(pairs: Pairs) -> tuple[Tensor, Tensor]:
    positive = torch.zeros(pairs.num_anchors, pairs.num_candidates, dtype=torch.bool)
    positive[pairs.positive_index[0], pairs.positive_index[1]] = True
    return positive, ~positive & ~torch.eye(len(positive), dtype=torch.bool)


PEERS: dict[str, Callable[[Pairs], Callable[[Tensor], Tensor]]] = {
    "pytorch-metric-learning": metric_learning,
    "dense": dense,
    "dense, compiled": lambda pairs: torch.compile(dense(pairs)),
    "loop": loop,
}


def floor(z: Tensor) -> Function:
    """Three products of the loss's shapes, into memory that is there, in blocks that need little of it."""
    z = z.detach()
    rows = min(len(z), 1024)
    s, g = z.new_empty(rows, len(z)), torch.empty_like(z)

    def run() -> Tensor:
        for start in range(0, len(z), rows):
            block = z[start : start + rows]
            torch.mm(block, z.t(), out=s)
            torch.mm(s, z, out=g[start : start + rows])
            torch.mm(s.t(), block, out=g)
        return g

    return run


def peak_memory(run: Function) -> float:
    """MB that one call takes on top of what is there, as the system counts it."""
    before = measure.start_peak()
    run()
    return (measure.peak_memory() - before) / 2**20


def gpu(device: str, sizes: list[int]) -> None:
    print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}\n")
    print("Time / floor, memory; the floor is in the same number format, bfloat16 is that of the embeddings\n")
    rows = []
    for name in LOSSES:
        for dtype in (torch.float32, torch.bfloat16):
            row = [name, str(dtype).removeprefix("torch.")]
            for size in sizes:
                z, pairs = case(size, device)
                z = z.detach().to(dtype).requires_grad_()
                run, products = step(name, z, pairs), floor(z)
                times = [1e-3 * min(gpu_ms(function) for _ in range(7)) for function in (run, products)]
                torch.cuda.reset_peak_memory_stats(device)
                before = torch.cuda.memory_allocated(device)
                run()
                memory = (torch.cuda.max_memory_allocated(device) - before) / MB
                row.append(f"{cell((*times, memory))} ({1e3 * times[0]:.2f} ms)")
            rows.append(row)
    measure.table(["loss", "embeddings", *(f"B = {size:,}" for size in sizes)], rows)


def gpu_ms(run: Function) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


if __name__ == "__main__":
    main()
