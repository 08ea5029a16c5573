"""grid: settings chosen per arm by validation, on the first seed only; test scores of the losers never exist."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
from sigraph.machines.trainer import TimeIsUp
from sigraph.running.checks import Checked, check_arms, said_of_trial
from sigraph.running.data_source import fingerprint_of, open_data
from sigraph.running.found import found
from sigraph.running.jobs import Job
from sigraph.running.kinds import check_stated
from sigraph.running.parts import build_parts, pretrain_hash, said_of
from sigraph.running.progress import Progress
from sigraph.running.records import read_record
from sigraph.running.run_one import (
    experiment_folder,
    pretrain_folder,
    run_folder,
    stop_when_ended,
    stop_without_room,
)
from sigraph.running.stages import finetune_stage, pretrain_stage

GRID_FOLDER = "_grid"


def check_all(config: ExperimentConfig, names: Sequence[str]) -> Checked:
    """Check arms and all that their grids would try, as :func:`check_arms`; their baselines' grids are with them.

    Returns:
        What is worth saying of leakage, and of keys of the grid that change nothing; and which of the references that
        the file does not name are left out.
    """
    grids = {
        name: [(settings, config.arm(name, chosen=settings)) for settings in _combinations(open_keys)]
        for name in dict.fromkeys([*names, *filter(None, map(config.baseline_of, names))])
        if (open_keys := config.grid_of(name))
    }
    arms = [config.arm(name) for name in dict.fromkeys([*names, *grids])]
    idle = [key for key in config.grid if not any(key in config.grid_of(arm.name) for arm in arms)]
    said = [f"grid: {key!r} changes nothing in any of these arms, so its values are not tried" for key in idle]
    for arm in arms:
        if arm.kind is not None:
            with said_of(arm):
                check_stated(arm, config.arms.get(arm.name, {}))
    references = [arm for arm in arms if arm.name in config.reference_names]
    checked = check_arms([arm for arm in arms if arm not in references], config.seeds[0], grids, references)
    return checked._replace(lines=[*checked.lines, *said])


def own_baselines(config: ExperimentConfig, names: Sequence[str]) -> list[str]:
    """Which arms are compared with a twin of the baseline that sees what they see, a line for each twin."""
    compared: dict[str, list[str]] = {}
    for name in names:
        twin = config.baseline_of(name)
        alike = twin is not None and (config.arm(name).kind is None) == (config.arm(twin).kind is None)
        if twin is not None and alike and twin not in (config.baseline, name):
            compared.setdefault(twin, []).append(name)
    return [
        f"{', '.join(arms)} {'is' if len(arms) == 1 else 'are'} compared with {twin}: {config.baseline} with "
        f"pretrain.inductive {json.dumps(config.arm(twin).pretrain.inductive)}"
        for twin, arms in compared.items()
    ]


def choose(
    config: ExperimentConfig, name: str, progress: Progress | None = None, deadline: float | None = None
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

    Returns:
        The arm; and what was tried: ``{"chosen": {key: value}, "tried": [{"settings": ..., "valid": ...}], ...}``, None
        for an arm without open values.
    """
    open_keys = config.grid_of(name)
    if not open_keys:
        return config.arm(name), None
    progress = progress or Progress()
    primary, file, asked = _asked(config, name, open_keys)
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        record = read_record(file, GridSearch, asked, partial(_strange, open_keys))
        if record is None:
            searched = _search(config, name, open_keys, primary, progress, deadline)
            record = {**asked, "format": FORMAT, "commit": commit(), **searched}
            GridSearch.from_dict(record).write(file)
    return config.arm(name, chosen=record["chosen"]), record


def _asked(config: ExperimentConfig, name: str, open_keys: dict[str, list[Any]]) -> tuple[int, Path, dict[str, Any]]:
    """Which task a search looks at, where it is kept, and what its record has to say."""
    arm, seed = config.arm(name), config.seeds[0]
    primary = next(i for i, entry in enumerate(arm.finetune) if entry.primary)
    entry = arm.finetune[primary]
    code = settings_hash(
        {"pretrain": pretrain_hash(arm.pretrain), "finetune": entry.to_dict(), "grid": open_keys, "seed": seed}
    )
    settings = [config.arm(name, chosen=values).to_dict() for values in _combinations(open_keys)]
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


def finished_jobs(config: ExperimentConfig, jobs: Sequence[Job]) -> list[Job]:
    """Those of some (arm, seed) that need nothing done; no sample of a prepared data set is read."""
    done = []
    for name in dict.fromkeys(name for name, _ in jobs):
        try:
            arm = _settled(config, name)
        except ConfigError:  # it is said when the arm is looked at
            continue
        if arm is None:
            continue
        for seed in (seed for other, seed in jobs if other == name):
            folders = run_folder(config, arm, seed), pretrain_folder(config, arm, seed)
            if found(arm, seed, *folders, config.save_models) is not None:
                done.append((name, seed))
    return done


def _settled(config: ExperimentConfig, name: str) -> ArmConfig | None:
    """An arm with what its grid chose; None: it was not searched yet."""
    if not (open_keys := config.grid_of(name)):
        return config.arm(name)
    _, file, asked = _asked(config, name, open_keys)
    try:
        record = GridSearch.read(file).to_dict()
    except (OSError, ValueError):
        return None
    same = all(record.get(key) == value for key, value in asked.items()) and _strange(open_keys, record) is None
    return config.arm(name, chosen=record["chosen"]) if same else None


def _strange(open_keys: dict[str, list[Any]], record: dict[str, Any]) -> str | None:
    """What a kept search says that the grid does not."""
    tried = [_text(trial["settings"]) for trial in record["tried"]]
    if sorted(tried) != sorted(map(_text, _combinations(open_keys))):
        return "'tried' is not what the grid holds"
    return None if _text(record["chosen"]) in tried else "'chosen' was not tried"


def _text(settings: dict[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


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
    entry = config.arm(name).finetune[primary]
    about: dict[str, Any] = {"task": entry.task, "head": entry.head, "metric": None}
    stated = {key: _stated(config.arm(name).to_dict(), key) for key in open_keys}
    # Of equals the first wins: what the file states by itself, then the order of the grid.
    for settings in sorted(_combinations(open_keys), key=lambda settings: settings != stated):
        arm = config.arm(name, chosen=settings)
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


def _combinations(open_keys: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values, the last key fastest."""
    return [dict(zip(open_keys, values, strict=True)) for values in product(*open_keys.values())]


def _stated(settings: Any, dotted: str) -> Any:
    """The value at a dotted key of plain settings."""
    for part in dotted.split("."):
        settings = settings[int(part)] if isinstance(settings, list) else settings.get(part)
    return settings
