"""grid: settings chosen per arm by validation, on the first seed only; test scores of the losers never exist."""

from __future__ import annotations

from itertools import product
from typing import Any

from filelock import FileLock

from sigraph.config import ArmConfig, ExperimentConfig, settings_hash
from sigraph.data import open_dataset
from sigraph.parts import pretrain_hash
from sigraph.progress import Progress
from sigraph.run_one import experiment_folder, pretrain_folder
from sigraph.stages import finetune_stage, pretrain_stage, read_record, write_json

GRID_FOLDER = "_grid"


def choose(
    config: ExperimentConfig, name: str, progress: Progress | None = None, deadline: float | None = None
) -> tuple[ArmConfig, dict[str, Any] | None]:
    """An arm with the settings that its grid chose.

    Every combination of the values open for the arm (:meth:`ExperimentConfig.grid_of`) is pre-trained and fine-tuned on
    its primary task for the first seed; the best validation score wins, the earlier of equals. The search is kept and
    found again. Its winner's pre-training is the first seed's.

    Args:
        config: The experiment.
        name: The arm's name.
        progress: Told what happens.
        deadline: When to save and stop, on the clock of :func:`time.time`.

    Returns:
        The arm; and what was tried: ``{"chosen": {key: value}, "tried": [{"settings": ..., "valid": ...}], ...}``, None
        for an arm without open values.
    """
    open_keys = config.grid_of(name)
    if not open_keys:
        return config.arm(name), None
    seed, progress = config.seeds[0], progress or Progress()
    arm = config.arm(name)
    primary = next(i for i, entry in enumerate(arm.finetune) if entry.primary)
    plain = {
        "pretrain": pretrain_hash(arm.pretrain),
        "finetune": arm.finetune[primary].to_dict(),
        "grid": open_keys,
        "seed": seed,
    }
    folder = experiment_folder(config) / GRID_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{settings_hash(plain)}.json"
    with FileLock(file.with_suffix(".lock")):
        record = read_record(file, open_dataset(arm.pretrain.dataset).fingerprint)
        if record is None:
            record = _search(config, name, open_keys, primary, progress, deadline)
            write_json(file, record)
    return config.arm(name, chosen=record["chosen"]), record


def _search(
    config: ExperimentConfig,
    name: str,
    open_keys: dict[str, list[Any]],
    primary: int,
    progress: Progress,
    deadline: float | None,
) -> dict[str, Any]:
    seed, tried = config.seeds[0], []
    best: tuple[float, dict[str, Any]] | None = None
    record: dict[str, Any] = {}
    for values in product(*open_keys.values()):
        settings = dict(zip(open_keys, values, strict=True))
        arm = config.arm(name, chosen=settings)
        shared = pretrain_folder(config, arm, seed)
        shown = ", ".join(f"{key.split('.')[-1]} {value}" for key, value in settings.items())
        progress.epochs(f"{name}, grid: {shown}", 0)
        encoder, dataset, info = pretrain_stage(arm.pretrain, seed, shared, deadline=deadline)
        accelerator = arm.pretrain.trainer.accelerator
        entry = arm.finetune[primary]
        task = finetune_stage(entry, seed, encoder, dataset, shared, accelerator, score_test=False)
        tried.append({"settings": settings, "valid": task["valid"]})
        progress.say(f"{name}, grid: {shown}: valid {task['metric']} {task['valid']:.4f}")
        sign = 1 if task["greater_is_better"] else -1
        if best is None or sign * task["valid"] > sign * best[0]:
            best = (task["valid"], settings)
        record = {
            "data": info["data"],
            "version": info["version"],
            "seed": seed,
            "task": task["task"],
            "head": task["head"],
            "metric": task["metric"],
            "chosen": best[1],
            "tried": tried,
        }
    return record
