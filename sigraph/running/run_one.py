"""One run: one arm, one seed; its folder, its lock, its record."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import socket
import time
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from sigraph.config import ArmConfig, ConfigError, ExperimentConfig, settings_hash
from sigraph.config.provenance import code_of, commit, environment, own_sources
from sigraph.files.atomic import atomic_file, is_disk_full
from sigraph.leaderboard.predictions import PREDICTIONS
from sigraph.leaderboard.records import FORMAT, NewerFormatError, Record
from sigraph.leaderboard.result_files import ENCODER, HEADS, MODELS, PRETRAIN_FOLDER, READER, RESULTS, SETTINGS
from sigraph.machines.trainer import TimeIsUp
from sigraph.running.found import found
from sigraph.running.kept_models import drop_links, drop_losers
from sigraph.running.kinds import build_kind, entries_of, kind_settings, kind_stage, kind_told, seen_by
from sigraph.running.leakage_check import told_by_edges, with_told, without_told
from sigraph.running.parts import CHANGE_NOTHING, build_parts, pretrain_hash
from sigraph.running.progress import Progress
from sigraph.running.records import read_record, refuse_newer
from sigraph.running.stages import LOCK, finetune_file, finetune_stage, pretrain_stage

KIND_FOLDER = "_kinds"
HOLDER = ".holder.json"
_MOST_OF_SETTINGS = 1 << 24  # bytes of config.yaml
_MOST_OF_HOLDER = 1000  # bytes
# What says how a result came about; a finished run keeps it when it is found again.
_ENVIRONMENT = ("peak_memory_mb", "versions", "device", "command", "wall_seconds")


class Busy(ValueError):
    """Another process works on the same run."""


def experiment_folder(config: ExperimentConfig) -> Path:
    """Where an experiment keeps everything."""
    return Path(config.output_dir) / config.name


def run_folder(config: ExperimentConfig, arm: ArmConfig, seed: int) -> Path:
    """Where one (arm, seed) keeps its settings, encoder and results."""
    entries = arm.to_dict()["finetune"]
    made_by = {"pretrain": pretrain_hash(arm.pretrain)} if arm.kind is None else kind_settings(arm)
    plain = {**made_by, "finetune": entries}
    return experiment_folder(config) / arm.name / settings_hash(plain) / f"seed-{seed}"


def pretrain_folder(config: ExperimentConfig, arm: ArmConfig, seed: int) -> Path:
    """Where the pre-training of one (arm, seed) is kept, shared by arms that pre-train the same.

    Of an arm of a kind, where its results are kept, of all seeds.
    """
    if arm.kind is not None:
        return experiment_folder(config) / KIND_FOLDER / settings_hash(kind_settings(arm))
    return experiment_folder(config) / PRETRAIN_FOLDER / pretrain_hash(arm.pretrain) / f"seed-{seed}"


def run_one(
    config: ExperimentConfig,
    arm: ArmConfig,
    seed: int,
    progress: Progress,
    deadline: float | None = None,
    about: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Pre-train and fine-tune one arm for one seed; the record that ``results.json`` holds.

    Args:
        config: The experiment.
        arm: The arm's settings, the choice of a search and of a grid included.
        seed: Of everything random.
        progress: Told what happens.
        deadline: When to save and stop, on the clock of :func:`time.time`.
        about: Further fields of the record: the baseline, the search, the grid.

    Returns:
        The record; with ``found`` True, which no file holds, if all of it had been done before.

    Raises:
        Busy: Another process holds the run; says which.
        ConfigError: A component does not fit.
        NewerFormatError: A newer sigraph wrote what is there.
        OSError: The disk is full, which would fail the other runs as well.
    """
    folder, shared = run_folder(config, arm, seed), pretrain_folder(config, arm, seed)
    folder.mkdir(parents=True, exist_ok=True)
    what = f"{arm.name}, seed {seed}"
    record = _begin(config, arm, seed, about)
    clock = time.perf_counter()
    with held(folder):
        refuse_newer(folder / RESULTS)
        try:
            if deadline is not None and time.time() > deadline:
                raise TimeIsUp
            if (done := found(arm, seed, folder, shared, config.save_models)) is not None:
                trials = {} if arm.kind is not None else {"trials": _trials(record)}
                progress.epochs(f"{what}: found", arm.num_epochs)
                record |= {"pretrain": done.pretrain, "tasks": done.tasks, "data": done.data}
                record |= {"visible": {**done.visible, **trials}, **code_of(*done.stages)}
                return _keep(record, config, arm, folder, shared)
            if arm.kind is None:
                _pretrain_and_fine_tune(record, arm, seed, shared, progress, deadline, config.save_models)
            else:
                _predict(record, arm, seed, shared, progress)
        except TimeIsUp:
            return {**record, "status": "unfinished", "reason": "the time was up; the same command resumes"}
        except NewerFormatError:
            raise
        except Exception as error:  # one failed run is a row with its reason; the others go on
            if isinstance(error, ConfigError) and arm.name not in config.reference_names:
                raise  # but of an arm that nobody asked for
            stop_without_room(error, shared)
            stop_when_ended(error)
            record |= _failure(arm, f"{type(error).__name__}: {error}")
            record["traceback"] = _sayable(traceback.format_exc())
        record.update(environment(arm.pretrain.trainer.accelerator))
        record["wall_seconds"] = time.perf_counter() - clock
        return _keep(record, config, arm, folder, shared)


def _pretrain_and_fine_tune(
    record: dict[str, Any],
    arm: ArmConfig,
    seed: int,
    shared: Path,
    progress: Progress,
    deadline: float | None,
    save_models: str,
) -> None:
    """Fill the record of a pre-trained arm, as far as it comes."""
    what = f"{arm.name}, seed {seed}"
    parts = build_parts(arm.pretrain, seed)
    record["visible"] = {**parts.visible, "trials": _trials(record)}
    told = told_by_edges(arm.pretrain, parts.whole, parts.graph, parts.ground.pairs)
    tick = partial(progress.epochs, f"{what}: pre-training")
    encoder, dataset, info = pretrain_stage(arm.pretrain, seed, shared, tick, deadline, parts)
    embeddings = parts.embeddings
    del parts
    for entry in arm.finetune:
        progress.epochs(f"{what}: {entry.task}, {entry.head}", 0)
        done = finetune_stage(
            entry,
            seed,
            encoder,
            dataset,
            shared,
            arm.pretrain.trainer.accelerator,
            pretrained=info,
            inductive=arm.pretrain.inductive,
            embeddings=embeddings,
            pretrained_on=arm.pretrain.dataset,
            save_models=save_models,
        )
        record["tasks"].append(with_told(done, told))
    record |= {"pretrain": info, "data": info["data"], **code_of(info, *record["tasks"])}


def _predict(record: dict[str, Any], arm: ArmConfig, seed: int, shared: Path, progress: Progress) -> None:
    """Fill the record of an arm of a kind, as far as it comes."""
    told, tasks = kind_told(arm, seed), record["tasks"]
    for entry in entries_of(arm):
        progress.epochs(f"{arm.name}, seed {seed}: {entry.task}", 0)
        if (done := kind_stage(arm, entry, seed, shared, progress.say)) is not None:
            tasks.append(with_told(done, told))
    data = tasks[0]["pretrain_data"] if tasks else None
    record |= {"visible": seen_by(arm, seed, tasks), "data": data, **code_of(*tasks)}


def _trials(record: dict[str, Any]) -> int:
    """Settings that were tried to choose an arm's."""
    return sum(len(record[how]["tried"]) for how in ("search", "grid") if record.get(how)) or 1


def record_failure(
    config: ExperimentConfig, arm: ArmConfig, seed: int, reason: str, about: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The record of a run whose process ended before it could write one; kept as :func:`run_one` keeps its own."""
    record = {**_begin(config, arm, seed, about), **_failure(arm, reason)}
    record["traceback"] = record["reason"]
    record |= {**environment(arm.pretrain.trainer.accelerator), "wall_seconds": 0.0}
    folder = run_folder(config, arm, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder):
        return _keep(record, config, arm, folder, pretrain_folder(config, arm, seed))


def _begin(config: ExperimentConfig, arm: ArmConfig, seed: int, about: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "experiment": config.name,
        "arm": arm.name,
        "seed": seed,
        "hash": run_folder(config, arm, seed).parent.name,
        "format": FORMAT,
        **({} if arm.kind is None else {"kind": build_kind(arm).kind, "pretrain": None}),
        **(about or {}),
        "status": "ok",
        "reason": None,
        "tasks": [],
    }


def _failure(arm: ArmConfig, reason: str) -> dict[str, Any]:
    code = code_of({"commit": commit(), "sources": own_sources(arm.to_dict())})
    return {"status": "failed", "reason": _sayable(reason), **code}


def _sayable(text: str) -> str:
    """Without halves of characters, as names of files can have them."""
    return text.encode(errors="backslashreplace").decode()


def _keep(
    record: dict[str, Any], config: ExperimentConfig, arm: ArmConfig, folder: Path, shared: Path
) -> dict[str, Any]:
    names = {name: record[name] for name in ("experiment", "arm", "seed", "hash")}
    before = read_record(folder / RESULTS, Record, names)
    same = before is not None and all(before.get(key) == record.get(key) for key in ("status", "pretrain"))
    if before and same:
        same = without_told(before.get("tasks") or []) == without_told(record["tasks"])
    if before and same:
        record.update({key: before[key] for key in _ENVIRONMENT if key in before})
    if before and before.get("status") == "ok" and record["status"] != "ok":
        return record  # a result that exists is not given up for a failure to make it again
    settings = {"name": config.name, "arm": arm.name, "seed": record["seed"], **arm.to_dict()}
    if not (before and same and _is_made_by(folder / SETTINGS, settings)):
        with atomic_file(folder / SETTINGS) as file:
            file.write_text(yaml.safe_dump(settings, sort_keys=False))
    if record["status"] == "ok":
        if record["pretrain"] is not None:
            _link(shared / ENCODER, folder / ENCODER)
        if "reader" in (record["pretrain"] or {}):
            _link(shared / READER, folder / READER)
        for place, name in _files_of(record["tasks"]):
            if place == MODELS and not (shared / place / name).exists():
                continue  # another seed's is better
            (folder / place).mkdir(exist_ok=True)
            try:
                _link(shared / place / name, folder / place / name)
            except FileNotFoundError:
                if place != MODELS:  # which may go at any moment
                    raise
    Record.from_dict(record).write(folder / RESULTS)
    if record["status"] == "ok" and arm.kind is None:
        for entry, task in zip(arm.finetune, record["tasks"], strict=True):
            if task.get("model"):
                drop_losers(shared, finetune_file(entry), task)
                drop_links(folder, shared, finetune_file(entry))
    return {**record, "found": True} if same and record["status"] == "ok" else record


def _files_of(tasks: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Files of fine-tunings: the folder that holds one, here and in the pre-training, and its name."""
    for task in tasks:
        if task.get("predictions"):
            yield PREDICTIONS, task["predictions"]["file"]
        if task.get("trained_head"):
            yield HEADS, task["trained_head"]["file"]
            yield HEADS, Path(task["trained_head"]["file"]).with_suffix(".safetensors").name
        if task.get("model"):
            yield MODELS, task["model"]["file"]


def _is_made_by(file: Path, settings: dict[str, Any]) -> bool:
    """Whether a file holds these settings, but for those that change no result: it says how the result came about."""
    if not file.is_file() or file.stat().st_size > _MOST_OF_SETTINGS:  # a pipe, a device, a book
        return False
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return False
    if not isinstance(found, dict) or not isinstance(found.get("pretrain"), dict):
        return False
    return _of_result(found) == _of_result(settings)


def _of_result(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without those that change no result."""
    kept = {key: value for key, value in settings["pretrain"].items() if key not in CHANGE_NOTHING}
    return {**settings, "pretrain": kept}


def stop_without_room(error: Exception, folder: Path) -> None:
    """Raise again what would fail every further run too: a disk that takes nothing more."""
    number = getattr(error, "errno", None) or errno.ENOSPC
    if is_disk_full(error) or (isinstance(error, OSError) and number == errno.EROFS):
        what = f"{os.strerror(number)}; make room, the same command resumes"
        raise OSError(number, what, getattr(error, "filename", None) or str(folder)) from error


def stop_when_ended(error: Exception) -> None:
    """Raise KeyboardInterrupt where a loader's worker heard SIGTERM first, which may reach all of a group."""
    if re.search(r"DataLoader worker .*(signal: Terminated|code:? 143)", str(error)):
        raise KeyboardInterrupt from error


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run's folder; the operating system lets go of it when the process ends, however it ends."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy(f"{folder} is worked on by {_holder(folder)}; wait for it, or use another output_dir") from None
    try:
        me = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        try:
            (folder / HOLDER).write_text(json.dumps(me))
        except OSError as error:
            stop_without_room(error, folder / HOLDER)
            raise
        yield
    finally:
        try:
            (folder / HOLDER).unlink(missing_ok=True)
        finally:
            lock.release()


def _holder(folder: Path) -> str:
    """Who holds a folder, as it says; what is being written, or is of somebody else, names nobody."""
    try:
        with (folder / HOLDER).open("rb") as file:
            me = json.loads(file.read(_MOST_OF_HOLDER))
        names = (me["pid"], me["host"], me["since"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"
    if not all(str(name).isprintable() for name in names):
        return "another process"
    return "process {} on {} since {}".format(*names)


def _link(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system has no links. At no moment half of one."""
    if target.exists() and source.samefile(target):
        return  # to rename one name of a file to another does nothing, and says nothing
    with atomic_file(target) as file:
        file.unlink()
        try:
            os.link(source, file)
        except OSError:
            shutil.copyfile(source, file)
