"""The stage of an arm that pre-trains nothing: its kind predicts each task, kept on disk and recognised."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from threadpoolctl import threadpool_limits

from sigraph import __version__
from sigraph.arms import ArmKind, Given, Prediction
from sigraph.config import ArmConfig, ConfigError, FinetuneConfig, settings_hash
from sigraph.config.build import build, working
from sigraph.config.provenance import commit, own_sources
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.random import keyed_seed
from sigraph.leaderboard.record_fields import NO_HEAD
from sigraph.leaderboard.records import FORMAT, TaskResult
from sigraph.running.asked_task import asked_task, draw_of
from sigraph.running.data_source import open_data
from sigraph.running.ground import HEAD, observe, observed_graph, seen_data, visible_of
from sigraph.running.leakage_check import scored_apart, told_by_edges, without_repeated
from sigraph.running.predicted import keep_predictions, lost_predictions
from sigraph.running.reading import read_alike
from sigraph.running.records import read_record
from sigraph.running.visible import hidden_test
from sigraph.tasks.base import BaseTask, plural, scores_of
from sigraph.tasks.metrics import UndefinedMetricError

LOCK = ".lock"
_OF_GRAPH = ("graph", "test_pairs")  # settings that nothing but the graph depends on
_LONGEST_NAME = 80  # of a task, in the name of a file


def build_kind(arm: ArmConfig) -> ArmKind:
    """The kind of an arm that has one.

    Raises:
        ConfigError: It cannot be built.
    """
    return build(arm.kind or {}, ArmKind, "kind")


def kind_settings(arm: ArmConfig) -> dict[str, Any]:
    """What shapes the predictions of an arm of a kind: no encoder, loss or head, and the graph only if it is read."""
    plain = arm.to_dict()
    if not build_kind(arm).reads_graph:
        plain["pretrain"] = {key: value for key, value in plain["pretrain"].items() if key not in _OF_GRAPH}
    return {"kind": plain["kind"], "pretrain": plain["pretrain"]}


def entries_of(arm: ArmConfig) -> list[FinetuneConfig]:
    """An entry for each different task: heads make no difference. The first of a task stands for all of them."""
    found: dict[str, FinetuneConfig] = {}
    for entry in arm.finetune:
        key = settings_hash([entry.dataset, entry.task, *draw_of(entry)])
        before = found.setdefault(key, entry)
        if entry.primary and not before.primary:
            found[key] = replace(before, primary=True)
    return list(found.values())


def task_hashes(arm: ArmConfig, entry: FinetuneConfig, seed: int) -> tuple[str, str]:
    """Hash of what shapes the result of a task: one that stands for all seeds, and that of one seed."""
    settings = kind_settings(arm)
    asked = [settings, entry.dataset, entry.task]
    every, own = (settings_hash([*asked, which, *draw_of(entry)]) for which in (None, seed))
    return every, own


def task_file(arm: ArmConfig, entry: FinetuneConfig, code: str) -> str:
    """Name of the file that a result is kept in, by its hash."""
    return f"{entry.task[:_LONGEST_NAME]}-{build_kind(arm).kind}-{code}.json"


def look_up(arm: ArmConfig, entry: FinetuneConfig, where: str = "finetune") -> tuple[SampleDataset, Any]:
    """The data set of a task, read as pre-training reads it, and the task."""
    whole = seen_data(arm.pretrain)[0]
    home = whole
    if entry.dataset is not None and entry.dataset != arm.pretrain.dataset:
        home = read_alike(open_data(entry.dataset, f"{where}.dataset"), whole)
    return home, asked_task(home, entry)


def given_to(arm: ArmConfig, home: SampleDataset, seed: int) -> Given:
    """What the kind of an arm may look at for tasks of a data set; graphs are made when they are asked for."""
    config = arm.pretrain
    whole, visible, sight = seen_data(config)

    def full_graph() -> PretrainGraph:
        return observed_graph(replace(config, inductive=False), seed)

    return Given(
        home,
        visible,
        sight.samples,
        home is whole or home.fingerprint == whole.fingerprint,
        lambda: observed_graph(config, seed),
        full_graph,
        config.trainer.accelerator,
    )


def as_pretrained(arm: ArmConfig) -> ArmConfig:
    """The pre-trained arm that lets as much of the graph reach its predictions, to look for leakage in."""
    kind, config = build_kind(arm), arm.pretrain
    inductive = False if kind.graph_at_inference else config.inductive
    trainer = replace(config.trainer, max_epochs=1)
    return replace(
        arm, pretrain=replace(config, structure_weight=float(kind.reads_graph), trainer=trainer, inductive=inductive)
    )


def kind_told(arm: ArmConfig, seed: int) -> dict[str, str]:
    """By task, how the graph that the kind reads tells the labels of test samples; nothing where it does not."""
    config = as_pretrained(arm).pretrain
    if not config.structure_weight:
        return {}
    return told_by_edges(config, seen_data(config)[0], observed_graph(config, seed), observe(config, seed).pairs)


def why_not(kind: ArmKind, given: Given, task: Any) -> str:
    """Why a kind cannot predict a task, in words; empty: it can."""
    if task.item not in kind.items:
        return f"predicts {' or '.join(map(plural, kind.items))} (the items of the task are {plural(task.item)})"
    return kind.applies(given, task)


def missing_of(arm: ArmConfig, seed: int) -> dict[str, str]:
    """By task, why the kind of an arm cannot predict it; nothing of those that it can.

    Raises:
        ConfigError: It cannot read the samples of one that it can.
    """
    kind, found = build_kind(arm), {}
    for entry in entries_of(arm):
        home, task = look_up(arm, entry)
        given = given_to(arm, home, seed)
        if reason := why_not(kind, given, task):
            found[entry.task] = reason
            continue
        with working(type(kind).__name__, arm.kind or {}, "kind"):
            kind.check(given, task)
    return found


def kind_stage(
    arm: ArmConfig, entry: FinetuneConfig, seed: int, folder: Path, say: Callable[[str], None]
) -> dict[str, Any] | None:
    """Predict one task and score it, or find it done.

    Args:
        arm: Of a kind.
        entry: The task.
        seed: Of everything random; where nothing is, one result stands for all seeds.
        folder: Of all results of these settings, whatever the task.
        say: Told what the metrics of the task cannot score.

    Returns:
        As of a fine-tuning, without metrics other than the first that cannot score what is predicted; None: the kind
        does not apply to this task, or the first metric cannot score it.

    Raises:
        ConfigError: The kind cannot be built, or says that something does not fit.
    """
    kind, config = build_kind(arm), arm.pretrain
    home, task = look_up(arm, entry)
    whole = seen_data(config)[0]
    differs = kind.draws or (kind.reads_graph and observe(config, seed).is_drawn)
    settings = kind_settings(arm)
    code = task_hashes(arm, entry, seed)[int(differs)]
    file = folder / task_file(arm, entry, code)
    asked = {
        "data": home.fingerprint,
        "pretrain_data": whole.fingerprint,
        "sources": own_sources(settings),
        "version": __version__,
        "settings": code,
        **({"seed": seed} if differs else {}),
        "task": entry.task,
        "dataset": home.name,
        "head": NO_HEAD,
        "metric": task.metric,
        "greater_is_better": task.greater_is_better,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / LOCK):
        record = read_record(file, TaskResult, asked, partial(lost_predictions, folder))
        if record is None:
            given = given_to(arm, home, seed)
            if why_not(kind, given, task):
                return None
            clock = time.perf_counter()
            try:
                with working(type(kind).__name__, settings["kind"], "kind"), threadpool_limits(torch.get_num_threads()):
                    found = kind.predict(given, task, keyed_seed(seed, HEAD) >> 1)
                scores = _scores(task, found, lambda text: say(f"arm {arm.name!r} leaves out {text}"))
            except (ConfigError, UndefinedMetricError) as error:
                cause = error.__cause__ if isinstance(error, ConfigError) else error
                if not isinstance(cause, UndefinedMetricError):
                    raise
                reason = f"{task.metric!r} cannot score what it predicts ({cause})"
                say(f"arm {arm.name!r} leaves out {entry.task}: {reason}")
                return None
            record = {
                **asked,
                "format": FORMAT,
                "commit": commit(),
                **scores,
                "best_epoch": found.best_epoch,
                "num_parameters": found.num_parameters,
                "trials": found.num_trials,
                "seconds": time.perf_counter() - clock,
                **scored_apart(task, found.test, hidden_test(whole, task, config.inductive) if given.own else None),
                **without_repeated(home, task, found.test, home.fingerprint),
            }
            record |= keep_predictions(folder, file.stem, home, task, [] if found.test is None else [found.test])
            TaskResult.from_dict(record).write(file)
    return {**record, "primary": entry.primary}


def seen_by(arm: ArmConfig, seed: int, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    """What shaped the predictions of an arm of a kind, as a record has it under ``visible``."""
    kind = build_kind(arm)
    return {
        **visible_of(arm.pretrain, seed, kind.reads_graph),
        "graph_at_inference": kind.graph_at_inference,
        "trials": max((task["trials"] for task in tasks), default=1),
        **({} if kind.reads_samples else {"reads_samples": False}),
    }


def check_stated(arm: ArmConfig, own: Mapping[str, Any]) -> None:
    """Refuse a graph that an arm states for a kind which looks at none.

    Args:
        arm: Of a kind.
        own: What the file states for it.

    Raises:
        ConfigError: Names key and kind.
    """
    stated = next(
        (dotted for dotted in own if f"{dotted}.".startswith(tuple(f"pretrain.{key}." for key in _OF_GRAPH))), None
    )
    if stated is not None and not (kind := build_kind(arm)).reads_graph:
        raise ConfigError(f"{stated!r} changes nothing: {type(kind).__name__!r} looks at no graph; leave it out")


def _scores(task: BaseTask, found: Prediction, left_out: Callable[[str], None]) -> dict[str, Any]:
    """Validation and test score; with them those of all metrics that can score both, and ``left_out`` told of others.

    Raises:
        UndefinedMetricError: The first metric cannot.
    """
    scores: dict[str, dict[str, float]] = {}
    parts = {"valid": found.valid, "test": found.test}
    for name in task.metrics:
        try:
            scores[name] = {
                part: scores_of(task, task.split[part], predicted, [name])[name]
                for part, predicted in parts.items()
                if predicted is not None
            }
        except UndefinedMetricError as error:
            if name == task.metric:
                raise
            left_out(f"{name!r} of {task.name}, which cannot score what it predicts ({error})")
    return {**scores[task.metric], "scores": scores}
