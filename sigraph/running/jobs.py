"""Which (arm, seed) of an experiment are run."""

from __future__ import annotations

from collections.abc import Sequence

from sigraph.config import ExperimentConfig
from sigraph.files.arguments import shown

Job = tuple[str, int]  # an arm's name and a seed


def all_jobs(config: ExperimentConfig) -> list[Job]:
    """Every (arm, seed), seed by seed, so that a comparison grows evenly."""
    return [(name, seed) for seed in config.seeds for name in config.arm_names]


def check_jobs(config: ExperimentConfig, only: Sequence[Job] | None) -> list[Job]:
    """The wanted (arm, seed), each once, in the order they run; None: all.

    Raises:
        ConfigError, ValueError: An arm or a seed is unknown.
    """
    every = all_jobs(config)
    if only is None:
        return every
    asked: set[Job] = set()
    for job in only if isinstance(only, Sequence) and not isinstance(only, str) else [only]:
        name, seed = job if isinstance(job, tuple | list) and len(job) == 2 else (None, None)
        if not isinstance(name, str) or not isinstance(seed, int):
            raise ValueError(f"'only' needs pairs (arm, seed) in 'run' (got {shown(only)})")
        if name not in config.arm_names:
            config.arm(name)  # raises, with the names there are
        if seed not in config.seeds:
            raise ValueError(f"seed {seed} is none of the experiment's seeds {config.seeds}; add it by an override")
        asked.add((name, seed))
    return [job for job in every if job in asked]
