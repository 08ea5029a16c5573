"""How long to pre-train so that an experiment fits into some minutes, from a few of its own steps."""

from __future__ import annotations

import math

from sigraph.config import ExperimentConfig
from sigraph.files.counted import counted
from sigraph.running.measured import measure

SHARE = 0.6  # of the time is pre-training; reading, fine-tuning and the references take the rest
ENOUGH_STEPS, MOST_EPOCHS, LEAST_EPOCHS = 3_000, 200, 3


def epochs_within(config: ExperimentConfig, minutes: float) -> tuple[int, str]:
    """Epochs of a pre-training, and why so many.

    The arms of ``config`` that pre-train are taken to cost as much as its first one, of which a few steps are timed.

    Args:
        config: The experiment, with as many epochs as its validations of pre-training are apart.
        minutes: All of it should take on this machine, > 0.
    """
    trained = [name for name in config.arm_names if _trains(config, name)]
    row = measure(config.arm(trained[0]), config.seeds[0])
    runs = len(trained) * len(config.seeds)
    timed = config.pretrain.trainer.max_epochs
    an_epoch, steps = max(row["seconds"] / timed, 1e-3), max(row["num_steps"] // timed, 1)
    within = SHARE * 60 * minutes / (runs * an_epoch)
    enough = max(10, math.ceil(ENOUGH_STEPS / steps))
    epochs = max(LEAST_EPOCHS, min(MOST_EPOCHS, enough, math.floor(within)))
    pre_training = runs * epochs * an_epoch / 60
    times = f"{counted(len(trained), 'arm')} x {counted(len(config.seeds), 'seed')}"
    cost = f"{an_epoch:.2g} s an epoch here, {times}: {pre_training:.1f} min"
    if within < LEAST_EPOCHS:
        said = f"more than {minutes:g} min allow; fewer seeds or arms, or a smaller encoder, take less"
    elif epochs < math.floor(within):
        said = f"{counted(epochs * steps, 'step is', 'steps are')} enough to begin with"
    else:
        said = f"of the {minutes:g} that you gave"
    return epochs, f"{cost}, {said}; fine-tuning comes on top"


def _trains(config: ExperimentConfig, name: str) -> bool:
    arm = config.arm(name)
    return arm.kind is None and arm.pretrain.trainer.max_epochs > 0
