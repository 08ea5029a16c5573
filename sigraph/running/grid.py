"""grid: settings chosen per arm by validation, on the first seed only; test scores of the losers never exist."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from filelock import FileLock

from sigraph import __version__
from sigraph.config import ArmConfig, ConfigError, ExperimentConfig, settings_hash
from sigraph.config.overlay import DataSource
from sigraph.config.provenance import commit, own_sources
from sigraph.leaderboard.records import FORMAT, GridSearch, NewerFormatError
from sigraph.leaderboard.result_files import GRID_FOLDER
from sigraph.machines.trainer import TimeIsUp
from sigraph.running.checks import said_of_trial
from sigraph.running.data_source import fingerprint_of, open_data
from sigraph.running.parts import build_parts, pretrain_hash, said_of
from sigraph.running.progress import Progress
from sigraph.running.records import read_record
from sigraph.running.run_one import (
    experiment_folder,
    pretrain_folder,
    stop_when_ended,
    stop_without_room,
)
from sigraph.running.stages import finetune_stage, pretrain_stage


def choose(
    config: ExperimentConfig,
    name: str,
    progress: Progress | None = None,
    deadline: float | None = None,
    searched: Mapping[str, Any] | None = None,
) -> tuple[ArmConfig, dict[str, Any] | None]:
    """An arm with the settings that its grid chose.

    Every combination of the values open for the arm (:meth:`ExperimentConfig.grid_of`) is pre-trained and fine-tuned on
    its primary task for the first seed; the best validation score wins, of equals what the file states without the
    grid, else the earlier. One that fails has no score but a reason; if all fail, the first is chosen, and the arm's
    runs will say why. The search is kept and found again. Its winner's pre-training is the first seed's.

    Args:
        config: The experiment.
        name: The arm's name.
        progress: Told what happens.
        deadline: When to save and stop, on the clock of :func:`time.time`.
        searched: What a search chose for the arm before.

    Returns:
        The arm; and what was tried: ``{"chosen": {key: value}, "tried": [{"settings": ..., "valid": ...}], ...}``, None
        for an arm without open values.
    """
    searched = searched or {}
    open_keys = config.grid_of(name, searched)
    if not open_keys:
        return config.arm(name, chosen=searched), None
    progress = progress or Progress()
    primary, file, asked = _asked(config, name, open_keys, searched)
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        record = read_record(file, GridSearch, asked, partial(_strange, open_keys))
        if record is None:
            found = _search(config, name, open_keys, searched, primary, progress, deadline)
            record = {**asked, "format": FORMAT, "commit": commit(), **found}
            GridSearch.from_dict(record).write(file)
    return config.arm(name, chosen={**searched, **record["chosen"]}), record


def _asked(
    config: ExperimentConfig, name: str, open_keys: dict[str, list[Any]], searched: Mapping[str, Any]
) -> tuple[int, Path, dict[str, Any]]:
    """Which task a search looks at, where it is kept, and what its record has to say."""
    arm, seed = config.arm(name, chosen=searched), config.seeds[0]
    primary = next(i for i, entry in enumerate(arm.finetune) if entry.primary)
    entry = arm.finetune[primary]
    code = settings_hash(
        {"pretrain": pretrain_hash(arm.pretrain), "finetune": entry.to_dict(), "grid": open_keys, "seed": seed}
    )
    settings = [config.arm(name, chosen={**searched, **values}).to_dict() for values in combinations(open_keys)]
    asked = {
        "data": _fingerprint(arm.pretrain.dataset),
        "task_data": _fingerprint(entry.dataset or arm.pretrain.dataset),
        "sources": own_sources(settings),
        "version": __version__,
        "settings": code,
        "seed": seed,
    }
    return primary, experiment_folder(config) / GRID_FOLDER / f"{name}-{code}.json", asked


def _fingerprint(source: DataSource) -> str:
    return fingerprint_of(source) or open_data(source).fingerprint


def settled(config: ExperimentConfig, name: str, searched: Mapping[str, Any] | None = None) -> ArmConfig | None:
    """An arm with what its grid chose; None: it was not searched yet.

    Args:
        config: The experiment.
        name: The arm's name.
        searched: What a search chose for the arm before.
    """
    searched = searched or {}
    if not (open_keys := config.grid_of(name, searched)):
        return config.arm(name, chosen=searched)
    _, file, asked = _asked(config, name, open_keys, searched)
    try:
        record = GridSearch.read(file).to_dict()
    except (OSError, ValueError):
        return None
    same = all(record.get(key) == value for key, value in asked.items()) and _strange(open_keys, record) is None
    return config.arm(name, chosen={**searched, **record["chosen"]}) if same else None


def _strange(open_keys: dict[str, list[Any]], record: dict[str, Any]) -> str | None:
    """What a kept search says that the grid does not."""
    tried = [_text(trial["settings"]) for trial in record["tried"]]
    if sorted(tried) != sorted(map(_text, combinations(open_keys))):
        return "'tried' is not what the grid holds"
    return None if _text(record["chosen"]) in tried else "'chosen' was not tried"


def _text(settings: dict[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


def _search(
    config: ExperimentConfig,
    name: str,
    open_keys: dict[str, list[Any]],
    searched: Mapping[str, Any],
    primary: int,
    progress: Progress,
    deadline: float | None,
) -> dict[str, Any]:
    seed, tried = config.seeds[0], []
    best: tuple[float, dict[str, Any]] | None = None
    base = config.arm(name, chosen=searched)
    entry = base.finetune[primary]
    about: dict[str, Any] = {"task": entry.task, "head": entry.head, "metric": None}
    stated = {key: _stated(base.to_dict(), key) for key in open_keys}
    # Of equals the first wins: what the file states by itself, then the order of the grid.
    for settings in sorted(combinations(open_keys), key=lambda settings: settings != stated):
        arm = config.arm(name, chosen={**searched, **settings})
        shown = f"{name}, grid: " + ", ".join(f"{key.split('.')[-1]} {value}" for key, value in settings.items())
        progress.epochs(shown, 0)
        try:
            with said_of(arm), said_of_trial(settings):
                task = _trial(arm, primary, seed, pretrain_folder(config, arm, seed), deadline)
        except (TimeIsUp, ConfigError, NewerFormatError):
            raise
        except Exception as error:  # e.g. a learning rate that diverges: the search goes on
            stop_without_room(error, experiment_folder(config))
            stop_when_ended(error)
            tried.append({"settings": settings, "valid": None, "reason": f"{type(error).__name__}: {error}"})
            progress.say(f"{shown}: FAILED, {tried[-1]['reason']}")
            continue
        tried.append({"settings": settings, "valid": task["valid"]})
        progress.say(f"{shown}: valid {task['metric']} {task['valid']:.4f}")
        about = {key: task[key] for key in about}
        sign = 1 if task["greater_is_better"] else -1
        if best is None or sign * task["valid"] > sign * best[0]:
            best = (task["valid"], settings)
    return {**about, "chosen": best[1] if best else tried[0]["settings"], "tried": tried}


def _trial(arm: ArmConfig, primary: int, seed: int, folder: Path, deadline: float | None) -> dict[str, Any]:
    parts = build_parts(arm.pretrain, seed)
    encoder, dataset, info = pretrain_stage(arm.pretrain, seed, folder, deadline=deadline, parts=parts)
    accelerator = arm.pretrain.trainer.accelerator
    return finetune_stage(
        arm.finetune[primary],
        seed,
        encoder,
        dataset,
        folder,
        accelerator,
        score_test=False,
        pretrained=info,
        embeddings=parts.embeddings,
        pretrained_on=arm.pretrain.dataset,
    )


def combinations(open_keys: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values, the last key fastest."""
    return [dict(zip(open_keys, values, strict=True)) for values in product(*open_keys.values())]


def _stated(settings: Any, dotted: str) -> Any:
    """The value at a dotted key of plain settings."""
    for part in dotted.split("."):
        settings = settings[int(part)] if isinstance(settings, list) else settings.get(part)
    return settings
