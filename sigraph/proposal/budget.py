"""How long to pre-train so that an experiment fits into some minutes, from a few of its own steps."""

from __future__ import annotations

import math
from typing import NamedTuple

from sigraph.config import ExperimentConfig
from sigraph.files.counted import counted
from sigraph.running.measured import measure

SHARE = 0.6  # of the time is pre-training; reading, fine-tuning and the references take the rest
ENOUGH_STEPS, MOST_EPOCHS, LEAST_EPOCHS, LEAST_STEPS = 3_000, 200, 3, 30


class Length(NamedTuple):
    """How long is pre-trained.

    Args:
        epochs: How many.
        steps_per_epoch: Steps of one, where a whole pass over the samples does not fit; None: a pass.
        why: Why so long, for people.
    """

    epochs: int
    steps_per_epoch: int | None
    why: str


def length_within(config: ExperimentConfig, minutes: float, shorter: str = "") -> Length:
    """How long to pre-train, and why.

    The arms of ``config`` that pre-train are taken to cost as much as its first one, of which a few steps are timed.
    Where fewer than three passes over the samples fit it is as many as do, or a part of one, but 30 steps at least.

    Args:
        config: The experiment, with as many epochs as its validations of pre-training are apart.
        minutes: All of it should take on this machine, > 0.
        shorter: What takes less time besides fewer seeds and arms, in words, for where nothing fits.
    """
    trained = [name for name in config.arm_names if _trains(config, name)]
    row = measure(config.arm(trained[0]), config.seeds[0])
    runs = len(trained) * len(config.seeds)
    timed = config.pretrain.trainer.max_epochs
    an_epoch, steps = max(row["seconds"] / timed, 1e-3), max(row["num_steps"] // timed, 1)
    within = SHARE * 60 * minutes / (runs * an_epoch)
    enough = max(10, math.ceil(ENOUGH_STEPS / steps))
    epochs, of_epoch = min(MOST_EPOCHS, enough, math.floor(within)), None
    if within < LEAST_EPOCHS:
        asked = max(LEAST_STEPS, math.floor(within * steps))
        whole = max(math.floor(within), math.ceil(LEAST_STEPS / steps))
        epochs, of_epoch = (1, asked) if asked < steps else (whole, None)
    share = epochs if of_epoch is None else of_epoch / steps
    pre_training = runs * share * an_epoch / 60
    times = f"{counted(len(trained), 'arm')} x {counted(len(config.seeds), 'seed')}"
    a_pass = f"{an_epoch:.0f}" if an_epoch >= 10 else f"{an_epoch:.2g}"
    cost = f"{a_pass} s a pass over the samples here, {times}: {pre_training:.1f} min"
    if share > within:
        ways = ["seeds=[0]", "fewer arms (--arm)", *([shorter] if shorter else ["a smaller encoder"])]
        said = f"more than {minutes:g} min allow; these take less: {', '.join(ways)}"
    elif epochs < math.floor(within):
        said = f"{counted(epochs * steps, 'step is', 'steps are')} enough to begin with"
    else:
        said = f"of the {minutes:g} that you gave"
    return Length(epochs, of_epoch, f"{cost}, {said}; fine-tuning comes on top")


def _trains(config: ExperimentConfig, name: str) -> bool:
    arm = config.arm(name)
    return arm.kind is None and arm.pretrain.trainer.max_epochs > 0
