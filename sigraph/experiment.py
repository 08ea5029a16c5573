"""run(config): arms x seeds x tasks -> results."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml

from sigraph import __version__
from sigraph.config import ArmConfig, ConfigError, ExperimentConfig, settings_hash
from sigraph.evaluation.leaderboard import Leaderboard
from sigraph.progress import Progress
from sigraph.stages import ENCODER, check_arms, finetune_stage, pretrain_hash, pretrain_stage, write_json

PRETRAIN_FOLDER, RESULTS, SETTINGS = "_pretrain", "results.json", "config.yaml"


@dataclass
class Results:
    """What an experiment gave: one record per (arm, seed), as in their ``results.json``."""

    config: ExperimentConfig
    records: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The records of runs that failed; each says why."""
        return [record for record in self.records if record["status"] != "ok"]

    def leaderboard(self) -> Leaderboard:
        """Means and spreads over seeds."""
        return Leaderboard(self.records, baseline=self.config.baseline)


def run(config: ExperimentConfig, progress: Progress | None = None) -> Results:
    """Pre-train and fine-tune every arm for every seed; finished work is recognised, interrupted work resumed.

    A run that fails is a record with its reason and does not stop the others; settings that cannot work at all are an
    error before anything trains.

    Args:
        config: From :func:`sigraph.load_config`.
        progress: Told what happens.

    Raises:
        ConfigError, ValueError: An arm cannot be built: a component, the data set or the graph does not fit.
    """
    progress = progress or Progress()
    arms = [config.arm(name) for name in config.arm_names]
    check_arms(arms, config.seeds[0])
    results = Results(config)
    num_runs = len(arms) * len(config.seeds)
    progress.start(num_runs, len(config.seeds) * sum(arm.pretrain.trainer.max_epochs for arm in arms))
    try:
        for seed in config.seeds:
            for arm in arms:
                record = _run_one(config, arm, seed, progress)
                results.records.append(record)
                progress.say(f"[{len(results.records)}/{num_runs}] {_summary(record)}")
    finally:
        progress.close()
    return results


def run_folder(config: ExperimentConfig, arm: ArmConfig, seed: int) -> Path:
    """Where one (arm, seed) keeps its settings, encoder and results."""
    plain = {"pretrain": pretrain_hash(arm.pretrain), "finetune": arm.to_dict()["finetune"]}
    return Path(config.output_dir) / config.name / arm.name / settings_hash(plain) / f"seed-{seed}"


def _run_one(config: ExperimentConfig, arm: ArmConfig, seed: int, progress: Progress) -> dict[str, Any]:
    shared = Path(config.output_dir) / config.name / PRETRAIN_FOLDER / pretrain_hash(arm.pretrain) / f"seed-{seed}"
    folder = run_folder(config, arm, seed)
    what = f"{arm.name}, seed {seed}"
    record: dict[str, Any] = {
        "experiment": config.name,
        "arm": arm.name,
        "seed": seed,
        "hash": folder.parent.name,
        "baseline": config.baseline,
        "baseline_hash": _baseline_hash(config, seed),
        "status": "ok",
        "reason": None,
        "tasks": [],
    }
    clock = time.perf_counter()
    try:
        encoder, dataset, info = pretrain_stage(
            arm.pretrain, seed, shared, lambda count: progress.epochs(f"{what}: pre-training", count)
        )
        for entry in arm.finetune:
            progress.epochs(f"{what}: {entry.task}, {entry.head}", 0)
            accelerator = arm.pretrain.trainer.accelerator
            record["tasks"].append(finetune_stage(entry, seed, encoder, dataset, shared, accelerator))
        record["pretrain"] = info
        record["data"] = info["data"]
    except (ConfigError, KeyboardInterrupt):
        raise
    except Exception as error:  # one failed run is a row with its reason; the others go on
        record.update(status="failed", reason=f"{type(error).__name__}: {error}")
    record.update(_environment(arm.pretrain.trainer.accelerator))
    record["wall_seconds"] = time.perf_counter() - clock
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"name": config.name, "arm": arm.name, "seed": seed, **arm.to_dict()}
    (folder / SETTINGS).write_text(yaml.safe_dump(settings, sort_keys=False))
    if record["status"] == "ok":
        _link(shared / ENCODER, folder / ENCODER)
    write_json(folder / RESULTS, record)
    return record


def _baseline_hash(config: ExperimentConfig, seed: int) -> str | None:
    """Which settings of the baseline this run is to be compared with: those of the same file."""
    return run_folder(config, config.arm(config.baseline), seed).parent.name if config.baseline else None


def _link(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no links."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _environment(accelerator: str) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    return {
        "peak_memory_mb": peak / (1024 * 1024 if sys.platform == "darwin" else 1024),  # of the whole process so far
        "versions": {
            "sigraph": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "torch-geometric", "lightning")},
        },
        "commit": _commit(),
        "device": torch.cuda.get_device_name() if on_gpu else f"cpu, {torch.get_num_threads()} threads",
    }


def _commit() -> str | None:
    """The commit of a sigraph that runs from its checkout; None for an installed one."""
    top = Path(__file__).parent.parent
    if not (top / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "-C", str(top), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _summary(record: dict[str, Any]) -> str:
    if record["status"] != "ok":
        return f"{record['arm']}, seed {record['seed']}: FAILED, {record['reason']}"
    scores = ", ".join(f"{t['task']} ({t['head']}) test {t['metric']} {t['test']:.3f}" for t in record["tasks"])
    return f"{record['arm']}, seed {record['seed']}: {scores or 'pre-trained'} ({record['wall_seconds']:.0f} s)"
