"""What a step's data cost beside its training: sample + fetch + collate as a share of a small transformer's step.

    python experiments/speed/data_path.py            # half a minute
    python experiments/speed/data_path.py --quick    # 10^4 samples, a smaller transformer, seconds

Random graph of average degree 10 over sequences of 48 to 80 tokens of 30,000. A step has 96 sequences: 32 seed samples,
each with a neighbour and a non-neighbour. Its data path is all that a DataLoader worker does, in the training process:
draw the samples and list their pairs, fetch and pad their tokens, hide some. Training is forward, backward and AdamW of
a transformer with InfoNCE and masked tokens. Medians, after a first repetition that is not counted, of steps that take
turns; one thread.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
import warnings
from collections import defaultdict

import torch

import sigraph as sg
from sigraph.data import SeedBatch
from sigraph.files.random import keyed_generator
from sigraph.samples import token_table

DEGREE, SEEDS, NUM_TOKENS, SHORTEST, LONGEST = 10, 32, 30_000, 48, 80
TARGET = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10^4 samples, a transformer of 2 layers of width 64")
    parser.add_argument("--steps", type=int, default=3, help="training steps that count")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")  # repeats among random edges
    num_samples, layers, width = (10_000, 2, 64) if arguments.quick else (100_000, 4, 256)
    dataset = random_dataset(num_samples)
    encoder = sg.encoders.TransformerEncoder(NUM_TOKENS, width, layers)
    objective = sg.objectives.MaskedToken(NUM_TOKENS, width)
    sampler = sg.samplers.NeighborPairSampler(dataset.graph())
    collator = sg.StructureCollator(dataset, sampler, objective)
    module = sg.PretrainModule(encoder, sg.losses.InfoNCELoss(), objective, 0.5)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4)

    order = torch.randperm(num_samples, generator=torch.Generator().manual_seed(1)).split(SEEDS)
    spent, size, length = defaultdict(list), [], []
    for step in range(arguments.steps + 1):
        for turn in range(20):  # data paths are short: more of them, of other samples each
            seeds = order[(20 * step + turn) % len(order)]
            generator = keyed_generator(0, step, turn)
            start = time.perf_counter()
            node, _ = sampler.sample(seeds, generator)
            sampled = time.perf_counter()
            inputs = dataset.fetch(node)
            fetched = time.perf_counter()
            objective.corrupt(inputs, node, SEEDS, generator)
            hidden = time.perf_counter()
            batch = collator(SeedBatch(seeds, step, turn))
            collated = time.perf_counter()
            spent["sample"].append(sampled - start)
            spent["fetch"].append(fetched - sampled)
            spent["hide"].append(hidden - fetched)
            spent["data path"].append(collated - hidden)
        start = time.perf_counter()
        optimizer.zero_grad()
        module.losses(batch)["loss"].backward()
        optimizer.step()
        spent["training"].append(time.perf_counter() - start)
        size.append(len(batch.node))
        length.append(float(batch.inputs.length.float().mean()))
        if step == 0:
            spent.clear()
    print(f"{platform.processor() or platform.machine()}, one thread, torch {torch.__version__}\n")
    print(
        f"N = {num_samples:,}; {statistics.mean(size):.0f} sequences a step of {statistics.mean(length):.0f} tokens on "
        f"average; {layers} layers x {width}\n"
    )
    ms = {name: 1e3 * statistics.median(values) for name, values in spent.items()}
    print("| sample, ms | fetch, ms | hide, ms | data path (collator), ms | training, ms | data path / training |")
    print("|" + " --- |" * 6)
    share = ms["data path"] / ms["training"]
    print(
        f"| {ms['sample']:.2f} | {ms['fetch']:.2f} | {ms['hide']:.2f} | {ms['data path']:.2f} | {ms['training']:.0f} | "
        f"{share:.2%} |"
    )
    if not arguments.quick:
        print(f"\nTarget: at most {TARGET:.0%}: {'reached' if share <= TARGET else 'missed'}")


def random_dataset(num_samples: int) -> sg.SampleDataset:
    generator = torch.Generator().manual_seed(0)
    edges = torch.randint(num_samples, (2, num_samples * DEGREE // 2), generator=generator)
    length = torch.randint(SHORTEST, LONGEST + 1, (num_samples,), generator=generator)
    offset = torch.cat([torch.zeros(1, dtype=torch.long), length.cumsum(0)])
    token = torch.randint(2, NUM_TOKENS, (int(offset[-1]),), generator=generator)
    graph = sg.PretrainGraph(edges, num_samples)
    return sg.SampleDataset(token_table((offset, token), NUM_TOKENS), {"random": graph}, name="random")


if __name__ == "__main__":
    main()
