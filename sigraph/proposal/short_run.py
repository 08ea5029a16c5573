"""Two arms of an experiment, pre-trained for the same few steps: what these give, and what all of them would take."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from sigraph.config import ArmConfig, ExperimentConfig
from sigraph.data import SampleDataset
from sigraph.running.fitting import fit_parts
from sigraph.running.measured import measure
from sigraph.running.parts import build_parts, said_of


@dataclass
class ShortRun:
    """A pre-training that was cut short, or that takes no longer.

    Args:
        epochs, num_steps: Done; 0 of an arm that stays as initialised.
        whole_epochs: Of the experiment.
        whole_seconds: Pre-training of one seed for as long, on this machine, from a few timed steps.
        z: Embeddings of all samples of the task's data set. Shape [N, D].
    """

    epochs: int
    num_steps: int
    whole_epochs: int
    whole_seconds: float
    z: Tensor


def short_runs(
    config: ExperimentConfig,
    names: Sequence[str],
    home: SampleDataset,
    minutes: float,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, ShortRun]:
    """Pre-train arms with the first seed for as many steps each as fit into the time of the slowest; nothing is kept.

    At least one epoch is trained, however long that takes, and never more than the experiment asks for.

    Args:
        config: The experiment.
        names: Its arms; they pre-train.
        home: The task's data set, read as pre-training reads it.
        minutes: For all of them together, > 0.
        say: Told what happens.
    """
    arms = {name: config.arm(name) for name in names}
    seed, limit = config.seeds[0], 60 * minutes / len(arms)
    say("timing a few steps ...")
    measured = {}
    for name, arm in arms.items():
        with said_of(arm):
            measured[name] = measure(arm, seed)
    trained = [row for row in measured.values() if row["num_steps"]]
    steps = min((_within(row, limit) for row in trained), default=0)
    out = {}
    for name, arm in arms.items():
        whole, row = arm.pretrain.trainer.max_epochs, measured[name]
        epochs = max(1, steps * whole // row["num_steps"]) if whole else 0
        seconds = row["seconds"] * epochs / max(whole, 1)
        say(f"pre-training {name}: {epochs} of {whole} epochs, about {seconds:.0f} s ..." if whole else f"{name} ...")
        num_steps, z = _trained(arm, seed, epochs, home)
        out[name] = ShortRun(epochs, num_steps, whole, row["seconds"], z)
    return out


def _within(row: dict, seconds: float) -> int:
    """Steps that fit into some seconds."""
    return min(row["num_steps"], math.floor(row["num_steps"] * seconds / max(row["seconds"], 1e-3)))


def _trained(arm: ArmConfig, seed: int, epochs: int, home: SampleDataset) -> tuple[int, Tensor]:
    config = arm.pretrain
    trainer = replace(config.trainer, max_epochs=epochs)
    config = replace(config, trainer=trainer, valid_every=max(epochs, 1), logger=None)
    with said_of(arm):
        parts = build_parts(config, seed)
    if not epochs:
        return 0, parts.embeddings.of(home)
    with tempfile.TemporaryDirectory(prefix="sigraph-advise-") as folder:
        num_steps = fit_parts(parts, Path(folder), lambda count: None, None).num_steps
    return num_steps, parts.embeddings.of(home)
