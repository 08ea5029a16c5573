"""What a second process gives a pre-training: samples a second and the losses, on two cores.

    python experiments/speed/processes.py            # about two minutes; needs two idle cores
    python experiments/speed/processes.py --quick    # a small encoder, seconds

A perceptron with two hidden layers of 1,024 over 256 features, InfoNCE among B = 1,024 samples in groups of 32, AdamW.
Nothing is drawn but the order of the samples, so that one process and two compute the same up to rounding. Each way
takes turns with the others; a figure is the median over repetitions, of the epochs between the first and the last: no
start of processes and no validation is in it.
"""

from __future__ import annotations

import argparse
import csv
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

import sigraph as sg
from sigraph.config import PretrainConfig, config_from_dict
from sigraph.data import SampleDataset
from sigraph.running.fitting import fit_parts
from sigraph.running.parts import build_parts
from sigraph.training import quiet_libraries

CLIQUE, BATCH, EPOCHS = 32, 1024, 5
WAYS = {"one process, one thread": (1, 1), "one process, two threads": (1, 2), "two processes, a thread each": (2, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small encoder, one repetition")
    arguments = parser.parse_args()
    quiet_libraries()
    hidden, steps, repetitions = (64, 4, 1) if arguments.quick else (1024, 12, 3)
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    losses: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        config = settings(Path(folder), hidden, steps * BATCH)
        for repetition in range(repetitions):
            for name, (devices, threads) in WAYS.items():
                rate, losses[name] = train(config, devices, threads, Path(folder, f"{devices}-{threads}-{repetition}"))
                rates[name].append(rate)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    alone = next(iter(WAYS))
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, B = {BATCH:,}, {steps} steps\n")
    print("| | samples / s (least, most) | ratio | loss of each epoch | largest relative difference |")
    print("|" + " --- |" * 5)
    for name, median in medians.items():
        spread = f"{min(rates[name]):,.0f}, {max(rates[name]):,.0f}"
        shown = ", ".join(f"{loss:.5f}" for loss in losses[name])
        apart = max(abs(a - b) / b for a, b in zip(losses[name], losses[alone], strict=True))
        print(f"| {name} | {median:,.0f} ({spread}) | {median / medians[alone]:.2f} x | {shown} | {apart:.0e} |")


def settings(folder: Path, hidden: int, num_samples: int) -> PretrainConfig:
    """A pre-training on random rows around the centre of their group."""
    generator, group = torch.Generator().manual_seed(0), torch.arange(num_samples) // CLIQUE
    centre = torch.randn(num_samples // CLIQUE, 256, generator=generator)
    x = centre[group] + 2 * torch.randn(num_samples, 256, generator=generator)
    pairs = torch.combinations(torch.arange(CLIQUE)).t()
    edges = (pairs[:, None] + CLIQUE * torch.arange(num_samples // CLIQUE)[:, None]).flatten(1)
    SampleDataset(x, {"groups": sg.PretrainGraph(edges, num_samples)}, name="groups").save(folder / "data")
    return config_from_dict(
        {
            "name": "processes",
            "seeds": [0],
            "pretrain": {
                "dataset": str(folder / "data"),
                "graph": "groups",
                "encoder": {"_target_": "MLPEncoder", "hidden_channels": hidden, "num_layers": 3},
                "sampler": {"num_neighbors": 0, "num_negatives": 0},
                "structure_loss": {"_target_": "InfoNCELoss"},
                "batch_size": BATCH,
                "valid_edge_rate": 0.0,
                "valid_every": EPOCHS,
                "trainer": {"max_epochs": EPOCHS, "accelerator": "cpu"},
            },
        }
    ).pretrain


def train(config: PretrainConfig, devices: int, threads: int, folder: Path) -> tuple[float, list[float]]:
    """Seed samples a second, and the loss of each epoch."""
    torch.set_num_threads(threads)  # of all processes together
    parts = build_parts(replace(config, trainer=replace(config.trainer, devices=devices)), seed=0)
    ends: list[float] = []
    folder.mkdir()
    fit_parts(parts, folder, lambda count: ends.append(time.perf_counter()) if count else None, None)
    rows = csv.DictReader((folder / "log-0" / "metrics.csv").open())
    losses = [float(row["loss"]) for row in rows if row["loss"]]
    return (EPOCHS - 2) * len(parts.dataset) / (ends[-2] - ends[0]), losses


if __name__ == "__main__":
    main()
