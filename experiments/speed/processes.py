"""What a second process gives a pre-training: samples a second and the losses, on two cores.

    python experiments/speed/processes.py            # about six minutes; needs two idle cores
    python experiments/speed/processes.py --quick    # small encoders, seconds

Two encoders: a transformer (4 layers x 256, B = 96 sequences of 64 letters of 25, as proteins have), whose steps
compute much with few weights, and a perceptron (two hidden layers of 1,024 over 256 features, B = 1,024), whose steps
are short beside what its weights cost: every process has all of them, and all gradients are sent. InfoNCE in groups of
32, AdamW. Nothing is drawn but the order of the samples, so that one process and two compute the same up to rounding.
Each way takes turns with the others; a figure is the median over repetitions, of the epochs between the first and the
last: no start of processes and no validation is in it.
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
from typing import Any

import torch

import sigraph as sg
from sigraph.config import PretrainConfig, config_from_dict
from sigraph.data import SampleDataset
from sigraph.machines.trainer import quiet_libraries
from sigraph.running.fitting import fit_parts
from sigraph.running.parts import build_parts
from sigraph.samples import token_table

CLIQUE, EPOCHS = 32, 5
WAYS = {"one process, one thread": (1, 1), "one process, two threads": (1, 2), "two processes, a thread each": (2, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small encoders, one repetition")
    arguments = parser.parse_args()
    quiet_libraries()
    repetitions = 1 if arguments.quick else 3
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}\n")
    print("| encoder | | samples / s (least, most) | ratio | loss of each epoch | largest relative difference |")
    print("|" + " --- |" * 6)
    for kind in (transformer, perceptron):
        with tempfile.TemporaryDirectory() as folder:
            print_ways(kind.__name__, kind(Path(folder), arguments.quick), repetitions, Path(folder))


def print_ways(kind: str, config: PretrainConfig, repetitions: int, folder: Path) -> None:
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    losses: dict[str, list[float]] = {}
    for repetition in range(repetitions):
        for name, (devices, threads) in WAYS.items():
            rate, losses[name] = train(config, devices, threads, folder / f"{devices}-{threads}-{repetition}")
            rates[name].append(rate)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    alone = next(iter(WAYS))
    for name, median in medians.items():
        spread = f"{min(rates[name]):,.0f}, {max(rates[name]):,.0f}"
        shown = ", ".join(f"{loss:.5f}" for loss in losses[name])
        apart = max(abs(a - b) / b for a, b in zip(losses[name], losses[alone], strict=True))
        ratio = median / medians[alone]
        print(f"| {kind} | {name} | {median:,.0f} ({spread}) | {ratio:.2f} x | {shown} | {apart:.0e} |", flush=True)


def transformer(folder: Path, quick: bool) -> PretrainConfig:
    """A pre-training on sequences of which those of a group have most letters in common."""
    generator, letters, length, batch, steps = torch.Generator().manual_seed(0), 25, 64, 96, 4
    width, layers = (32, 1) if quick else (256, 4)
    group = torch.arange(steps * batch) // CLIQUE
    shape = (len(group), length)
    common = torch.randint(2, letters, (steps * batch // CLIQUE, length), generator=generator)[group]
    noise = torch.randint(2, letters, shape, generator=generator)
    token = torch.where(torch.rand(shape, generator=generator) < 0.7, common, noise)
    table = token_table((torch.arange(len(group) + 1) * length, token.flatten()), letters)
    encoder = {"_target_": "TransformerEncoder", "out_channels": width, "num_layers": layers, "dropout": 0.0}
    return settings(folder, table, batch, encoder)


def perceptron(folder: Path, quick: bool) -> PretrainConfig:
    """A pre-training on random rows around the centre of their group."""
    generator, batch, steps = torch.Generator().manual_seed(0), 1024, 4 if quick else 12
    group = torch.arange(steps * batch) // CLIQUE
    centre = torch.randn(steps * batch // CLIQUE, 256, generator=generator)
    x = centre[group] + 2 * torch.randn(len(group), 256, generator=generator)
    encoder = {"_target_": "MLPEncoder", "hidden_channels": 64 if quick else 1024, "num_layers": 3}
    return settings(folder, x, batch, encoder)


def settings(folder: Path, samples: Any, batch_size: int, encoder: dict[str, Any]) -> PretrainConfig:
    num_samples = len(samples)
    pairs = torch.combinations(torch.arange(CLIQUE)).t()
    edges = (pairs[:, None] + CLIQUE * torch.arange(num_samples // CLIQUE)[:, None]).flatten(1)
    SampleDataset(samples, {"groups": sg.PretrainGraph(edges, num_samples)}, name="groups").save(folder / "data")
    return config_from_dict(
        {
            "name": "processes",
            "seeds": [0],
            "pretrain": {
                "dataset": str(folder / "data"),
                "graph": "groups",
                "encoder": encoder,
                "sampler": {"num_neighbors": 0, "num_negatives": 0},
                "structure_loss": {"_target_": "InfoNCELoss"},
                "batch_size": batch_size,
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
