"""A trial of a search: settings of an arm, scored by validation on the search's own seeds, never by a test label."""

from __future__ import annotations

import inspect
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

import torch

from sigraph.config import ArmConfig, ConfigError, FinetuneConfig
from sigraph.config.build import resolve
from sigraph.config.search import Range, Space
from sigraph.config.type_hints import misfit
from sigraph.data import SampleDataset
from sigraph.evaluation.redraws import redrawn_scores
from sigraph.files.random import keyed_seed
from sigraph.leaderboard.statistics import spread
from sigraph.machines.trainer import TimeIsUp
from sigraph.running.asked_task import asked_task
from sigraph.running.data_source import open_data
from sigraph.running.optimizers import finetune_settings
from sigraph.running.parts import Parts, build_parts
from sigraph.running.reading import read_alike
from sigraph.running.stages import finetune_stage, pretrain_stage
from sigraph.tasks import Task
from sigraph.tasks.base import BaseTask, plural

REDRAWS = 5  # of the streams that a seed has, beside those of ground


def scored_trial(
    arm: ArmConfig,
    seeds: Sequence[int],
    redraws: int,
    folder: Callable[[int], Path],
    tick: Callable[[int], None] = lambda count: None,
    deadline: float | None = None,
) -> dict[str, Any]:
    """Pre-train an arm for each seed of a search, or find it done, and score it by the validation of its primary task.

    Args:
        arm: With the settings that are tried.
        seeds: Of the search.
        redraws: Redrawn splits of training and validation samples; 0: the given one, and the task is fine-tuned.
        folder: Of a seed's pre-training.
        tick: Called with the number of epochs that were done.
        deadline: When to save and stop, on the clock of :func:`time.time`.

    Returns:
        ``valid``, the mean over seeds; ``scores`` by seed; ``spread`` over them; with redrawn splits
        ``spread_redraws``, over these; ``seconds`` of training, whether it was found or not.

    Raises:
        TimeIsUp: The deadline passed; the same call resumes.
        Exception: Whatever keeps these settings from being trained or scored.
    """
    entry = primary_of(arm)
    scores, over_redraws, seconds = [], [], 0.0
    for seed in seeds:
        if deadline is not None and time.time() > deadline:
            raise TimeIsUp
        parts, place = build_parts(arm.pretrain, seed), folder(seed)
        encoder, dataset, info = pretrain_stage(arm.pretrain, seed, place, tick, deadline, parts)
        clock = time.perf_counter()
        if redraws:
            home, task = _look_up(arm, entry, dataset)
            found = redrawn_scores(
                _of_samples(task),
                encoder,
                parts.embeddings.of(home),
                finetune_settings(entry, "finetune", arm.pretrain.trainer.accelerator),
                redraws,
                keyed_seed(seed, REDRAWS),
                _hidden(parts, task) if home.fingerprint == dataset.fingerprint else None,
            )
            scores.append(statistics.fmean(found))
            over_redraws.append(spread(found))
        else:
            done = finetune_stage(
                entry,
                seed,
                encoder,
                dataset,
                place,
                arm.pretrain.trainer.accelerator,
                score_test=False,
                pretrained=info,
                embeddings=parts.embeddings,
                pretrained_on=arm.pretrain.dataset,
            )
            scores.append(done["valid"])
        seconds += info["seconds"] + time.perf_counter() - clock
    known = [one for one in over_redraws if one is not None]
    return {
        "valid": statistics.fmean(scores),
        "scores": scores,
        "spread": spread(scores),
        **({"spread_redraws": statistics.fmean(known)} if known else {}),
        "seconds": seconds,
    }


def primary_of(arm: ArmConfig) -> FinetuneConfig:
    """The entry that settings are chosen by."""
    return next(entry for entry in arm.finetune if entry.primary)


def task_of(arm: ArmConfig) -> BaseTask:
    """The task that settings are chosen by."""
    entry = primary_of(arm)
    return asked_task(open_data(entry.dataset or arm.pretrain.dataset, "finetune.dataset"), entry)


def check_trials(arm: ArmConfig, space: Space, seed: int, redraws: int) -> None:
    """Refuse, before anything trains, what no trial of an arm could do or would mean.

    Args:
        arm: As the file has it.
        space: What is open for it.
        seed: Of the ground that is looked at.
        redraws: Redrawn splits that score a trial.

    Raises:
        ConfigError: Redrawn splits ask for what the task is not, or for labels that pre-training learns; a range of
            whole numbers is that of an argument which takes any.
    """
    for dotted, one in space.items():
        if isinstance(one, Range) and one.whole and one.step is None and _takes_fractions(arm, dotted):
            raise ConfigError(
                f"search.space: {dotted!r} takes any number, and whole ones alone are drawn between {one.low} and "
                f"{one.high}; write {{low: {float(one.low)}, high: {float(one.high)}}}, or add 'step: 1' if that is "
                "meant"
            )
    if redraws:
        _of_samples(task_of(arm))
        if (labels := build_parts(arm.pretrain, seed).visible["labels"]) != "none":
            raise ConfigError(
                f"'search.redraws' draws training and validation samples anew, and pre-training learns the labels of "
                f"{labels}: it would be scored on labels that it has seen; set it to 0"
            )


def stated_values(arm: ArmConfig, keys: Iterable[str]) -> dict[str, Any]:
    """What the settings of an arm say of keys, or the constructors that these are arguments of, as far as they do."""
    found = {}
    for dotted in keys:
        place, name = _around(arm, dotted)
        if name in place:
            found[dotted] = place[name]
        elif "_target_" in place:
            known = inspect.signature(resolve(place["_target_"], object, dotted)).parameters
            if name in known and isinstance(known[name].default, int | float | str | NoneType):
                found[dotted] = known[name].default
    return found


def _takes_fractions(arm: ArmConfig, dotted: str) -> bool:
    """Whether what a key sets may be a half."""
    place, name = _around(arm, dotted)
    if "_target_" in place:
        return misfit(resolve(place["_target_"], object, dotted), {name: 0.5}) is None
    return isinstance(place.get(name), float)


def _around(arm: ArmConfig, dotted: str) -> tuple[dict[str, Any], str]:
    """The settings among which a key is, and what it is called there."""
    *path, name = dotted.split(".")
    place: Any = arm.to_dict()
    for part in path:
        if isinstance(place, list):
            place = place[int(part)]
        else:
            place = place.get(part) if isinstance(place, dict) else None
    if isinstance(place, list):
        place = {str(number): one for number, one in enumerate(place)}
    return (place if isinstance(place, dict) else {}), name


def _look_up(arm: ArmConfig, entry: FinetuneConfig, dataset: SampleDataset) -> tuple[SampleDataset, BaseTask]:
    own = entry.dataset is None or entry.dataset == arm.pretrain.dataset
    home = dataset if own or entry.dataset is None else open_data(entry.dataset, "finetune.dataset")
    home = read_alike(home, dataset)
    return home, asked_task(home, entry)


def _of_samples(task: BaseTask) -> Task:
    if not isinstance(task, Task):
        raise ConfigError(
            f"'search.redraws' draws samples anew, and the items of task {task.name!r} are {plural(task.item)}; set it "
            "to 0"
        )
    return task


def _hidden(parts: Parts, task: BaseTask) -> torch.Tensor | None:
    """The samples that may validate where pre-training hides the given validation samples: those that it hides too."""
    joined = parts.ground.sight.joined
    if joined is None or bool(torch.isin(task.split["valid"], joined).any()):
        return None
    hidden = torch.ones(task.num_samples, dtype=torch.bool)
    hidden[joined] = False
    return hidden
