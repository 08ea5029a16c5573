"""What an experiment would do, before it does it: parameters, steps, an estimate of time and memory."""

from __future__ import annotations

import itertools
import resource
import statistics
import sys
import time
from dataclasses import replace
from typing import Any

from sigraph.collate import pretrain_loader
from sigraph.config import ArmConfig, ExperimentConfig
from sigraph.parts import Parts, build_parts, pretrain_hash

TIMED_STEPS = 3


def plan(config: ExperimentConfig) -> list[dict[str, Any]]:
    """One row an arm, from building it and timing a few real steps on the first seed; nothing is kept.

    ``seconds`` is the pre-training of one seed, ``trials`` what the grid tries on the first one, ``pretrainings`` how
    many different pre-trainings that takes. Arms that pre-train the same share it. Fine-tuning is not in it: how long
    it takes depends on when validation stops it.
    """
    rows: list[dict[str, Any]] = []
    timed: dict[str, dict[str, Any]] = {}
    for name in config.arm_names:
        arm = config.arm(name)
        code = pretrain_hash(arm.pretrain)
        shared = next((other for other, same in timed.items() if same["code"] == code), None)
        if shared is None:
            timed[name] = {"code": code, **_measure(arm, config.seeds[0])}
        rows.append({"arm": name, "shares": shared, **timed[shared or name], **_trials(config, name)})
    return rows


def plan_table(config: ExperimentConfig) -> str:
    """The rows of :func:`plan` as text, with the total."""
    rows = plan(config)
    lines = ["| arm | parameters | samples | edges | steps a seed | seconds a seed | grid |", "|" + " --- |" * 7]
    total = 0.0
    for row in rows:
        own = 0.0 if row["shares"] else row["seconds"]
        total += own * (len(config.seeds) - 1 + row["pretrainings"])
        shown = f"shares {row['shares']}'s" if row["shares"] else f"{row['seconds']:.0f}"
        grid = f"{row['trials']} trials" if row["trials"] else ""
        lines.append(
            f"| {row['arm']} | {row['num_parameters']:,} | {row['num_samples']:,} | {row['num_edges']:,} | "
            f"{row['num_steps']:,} | {shown} | {grid} |"
        )
    peak = max(row["peak_memory_mb"] for row in rows)
    runs = len(rows) * len(config.seeds)
    text = [
        *lines,
        "",
        f"{runs} runs ({len(rows)} arms x {len(config.seeds)} seeds), {len(config.finetune)} fine-tunings each",
        f"pre-training: about {_shown(total)} in all, from {TIMED_STEPS} timed steps an arm; fine-tuning comes on top",
        f"memory: about {peak:,.0f} MB a process",
    ]
    return "\n".join(text)


def _measure(arm: ArmConfig, seed: int) -> dict[str, Any]:
    parts = build_parts(replace(arm.pretrain, num_workers=0), seed)
    num_steps = parts.steps_per_epoch * arm.pretrain.trainer.max_epochs
    seconds = _seconds_a_step(parts) * num_steps if num_steps else 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    return {
        "num_parameters": sum(parameter.numel() for parameter in parts.module.parameters()),
        "num_samples": len(parts.dataset),
        "num_edges": parts.graph.num_edges // 2,
        "num_steps": num_steps,
        "seconds": seconds,
        "peak_memory_mb": peak,
    }


def _seconds_a_step(parts: Parts) -> float:
    """Median of a few whole steps after one that is not counted."""
    loader = pretrain_loader(parts.dataset, parts.sampler, parts.objective, parts.config.batch_size)
    configured = parts.module.configure_optimizers()
    optimizer = configured["optimizer"] if isinstance(configured, dict) else configured
    batches, times = itertools.chain.from_iterable(itertools.repeat(loader)), []
    for _ in range(TIMED_STEPS + 1):
        start = time.perf_counter()
        optimizer.zero_grad()
        parts.module.losses(next(batches))["loss"].backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _trials(config: ExperimentConfig, name: str) -> dict[str, int]:
    open_keys = config.grid_of(name)
    tried = [dict(zip(open_keys, values, strict=True)) for values in itertools.product(*open_keys.values())]
    codes = {pretrain_hash(config.arm(name, chosen=settings).pretrain) for settings in tried}
    return {"trials": len(tried) if open_keys else 0, "pretrainings": len(codes)}


def _shown(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
