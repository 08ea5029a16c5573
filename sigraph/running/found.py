"""found: what a run left, if all of it is there; recognised from its files, before data are opened or graphs built."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from sigraph import __version__
from sigraph.config import ArmConfig, ConfigError, FinetuneConfig
from sigraph.config.provenance import own_sources
from sigraph.config.schema import NONE
from sigraph.files.atomic import sha256
from sigraph.leaderboard.kept import Kept
from sigraph.leaderboard.predictions import PREDICTIONS
from sigraph.leaderboard.records import PretrainInfo, Record, TaskResult
from sigraph.leaderboard.result_files import ENCODER, READER, RESULTS
from sigraph.running.data_source import fingerprint_of
from sigraph.running.fitting import PROGRESS
from sigraph.running.kept_models import is_linked, lost
from sigraph.running.kinds import entries_of, kind_settings, task_file, task_hashes
from sigraph.running.leakage_check import without_told
from sigraph.running.parts import pretrain_hash
from sigraph.running.records import plain
from sigraph.running.stages import PRETRAIN, finetune_file, finetune_hash


class Found(NamedTuple):
    """A finished run: the fields of its record that its stages gave."""

    pretrain: dict[str, Any] | None  # None: of an arm that pre-trains nothing
    tasks: list[dict[str, Any]]
    visible: dict[str, Any]
    data: str | None

    @property
    def stages(self) -> list[dict[str, Any]]:
        """The records of all stages."""
        return [*([] if self.pretrain is None else [self.pretrain]), *self.tasks]


def found(arm: ArmConfig, seed: int, folder: Path, shared: Path, save_models: str = NONE) -> Found | None:
    """A run that needs nothing done: same settings, seed, code and data, and every file as it was written.

    Whatever is missing, damaged or another is None, without a word: whoever does the work says it.

    Args:
        arm: Its settings.
        seed: Its seed.
        folder: The run's.
        shared: Of its pre-training.
        save_models: Which fine-tuned encoders have to be there.
    """
    record = _read(Record, folder / RESULTS)
    if record is None or record.get("status") != "ok" or not record.get("visible"):
        return None
    if arm.kind is not None:
        return _predicted(arm, seed, record, folder, shared)
    if not record.get("pretrain"):
        return None
    info, tasks = record["pretrain"], record["tasks"]
    try:
        data, sources = fingerprint_of(arm.pretrain.dataset), own_sources(arm.pretrain.to_dict())
    except ConfigError:
        return None
    asked = {"settings": pretrain_hash(arm.pretrain), "seed": seed, "version": __version__, "sources": sources}
    if not _is(info, asked | ({} if data is None else {"data": data})):
        return None
    if _read(PretrainInfo, shared / PRETRAIN) != info or (shared / PROGRESS).exists():
        return None
    for name, kept in ((ENCODER, info.get("encoder_sha256")), (READER, info.get("reader_sha256"))):
        if kept is not None and not all(_has(place / name, kept) for place in (folder, shared)):
            return None
    if len(tasks) != len(arm.finetune):
        return None
    each = zip(arm.finetune, tasks, strict=True)
    done = [_task(entry, task, info, folder, shared, save_models) for entry, task in each]
    if any(task is None for task in done):
        return None
    return Found(info, [task for task in done if task is not None], record["visible"], info["data"])


def _predicted(arm: ArmConfig, seed: int, record: dict[str, Any], folder: Path, shared: Path) -> Found | None:
    """A finished run of an arm that pre-trains nothing; its tasks are those that its kind applies to."""
    entries = {(entry.task, code): entry for entry in entries_of(arm) for code in task_hashes(arm, entry, seed)}
    tasks = []
    for task in record["tasks"]:
        entry = entries.get((task["task"], task.get("settings") or ""))
        if entry is None or record.get("data") is None:
            return None
        try:
            data = [fingerprint_of(source) for source in (entry.dataset or arm.pretrain.dataset, arm.pretrain.dataset)]
            sources = own_sources(kind_settings(arm))
        except ConfigError:
            return None
        named = zip(("data", "pretrain_data"), data, strict=True)
        asked = {"version": __version__, "sources": sources, **{name: one for name, one in named if one is not None}}
        alone = _read(TaskResult, shared / task_file(arm, entry, task["settings"]))
        (said,) = without_told([{key: value for key, value in task.items() if key != "primary"}])
        if alone is None or not _is(alone, asked) or without_told([alone])[0] != said:
            return None
        if not _has_predictions(task, folder, shared):
            return None
        tasks.append({**task, "primary": entry.primary})
    return Found(None, tasks, record["visible"], record["data"]) if tasks else None


def _task(
    entry: FinetuneConfig, task: dict[str, Any], info: dict[str, Any], folder: Path, shared: Path, save_models: str
) -> dict[str, Any] | None:
    """A fine-tuning as it stands in the record, if its own file says the same."""
    try:
        data = None if entry.dataset is None else fingerprint_of(entry.dataset, "finetune.dataset")
        sources = {**(info.get("sources") or {}), **(own_sources(entry.to_dict()) or {})} or None
    except ConfigError:
        return None
    asked = {
        "settings": finetune_hash(entry),
        "version": __version__,
        "sources": sources,
        "seed": info["seed"],
        "encoder_sha256": info["encoder_sha256"],
        "pretrain_data": info["data"],
    }
    alone = _read(TaskResult, shared / finetune_file(entry))
    (said,) = without_told([{key: value for key, value in task.items() if key != "primary"}])
    if alone is None or not _is(alone, asked | ({} if data is None else {"data": data})):
        return None
    if without_told([alone])[0] != said:
        return None
    if not _has_predictions(task, folder, shared) or not is_linked(folder, shared, task):
        return None
    return None if lost(shared, finetune_file(entry), task, save_models) else {**task, "primary": entry.primary}


def _has_predictions(task: dict[str, Any], folder: Path, shared: Path) -> bool:
    kept = task.get("predictions")
    return not kept or all(_has(place / PREDICTIONS / kept["file"], kept["sha256"]) for place in (folder, shared))


def _read(kind: type[Kept], file: Path) -> dict[str, Any] | None:
    try:
        return kind.read(file).to_dict()
    except (OSError, ValueError):
        return None


def _is(record: dict[str, Any], asked: dict[str, Any]) -> bool:
    return all(name in record and record[name] == value for name, value in plain(asked).items())


def _has(file: Path, digest: str) -> bool:
    return file.is_file() and sha256(file) == digest
