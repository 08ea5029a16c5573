"""The search of an arm's settings, kept trial by trial: found again, continued, and what its arm then runs with."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from sigraph import __version__
from sigraph.config import ExperimentConfig, settings_hash
from sigraph.config.provenance import commit, own_sources
from sigraph.config.search import Space, search_seeds
from sigraph.leaderboard.records import FORMAT, DrawnSearch, NewerFormatError
from sigraph.leaderboard.result_files import SEARCH_FOLDER
from sigraph.machines.trainer import TimeIsUp
from sigraph.running.data_source import fingerprint_of, open_data
from sigraph.running.parts import pretrain_hash
from sigraph.running.progress import Progress
from sigraph.running.records import read_record
from sigraph.running.run_one import experiment_folder, stop_when_ended, stop_without_room
from sigraph.running.searching.draws import next_settings, num_settings
from sigraph.running.searching.trial import primary_of, scored_trial, stated_values, task_of

TRIALS_FOLDER = "pretrained"  # in it: what trials pre-train, which arms share; nothing of a table needs it


class Asked(NamedTuple):
    """A search that an arm has."""

    file: Path  # where it is kept
    says: dict[str, Any]  # what its record has to say
    space: Space  # what is open for the arm
    whole: Space  # and for others


def asked_of(config: ExperimentConfig, name: str) -> Asked | None:
    """The search of an arm; None: nothing of the space is open for it.

    Its record is of these settings, data and code alone: of others there is another one, and none is overwritten.
    """
    space = config.search_of(name)
    if config.search is None or not space:
        return None
    arm = config.arm(name)
    entry = primary_of(arm)
    stated = {dotted: config.search.space[dotted] for dotted in space}
    tried = [config.arm(name, chosen={key: end}).to_dict() for key, one in space.items() for end in one.ends]
    says = {
        "arm": name,
        "data": _fingerprint(arm.pretrain.dataset),
        "task_data": _fingerprint(entry.dataset or arm.pretrain.dataset),
        "sources": own_sources(arm.to_dict(), tried),
        "version": __version__,
        "settings": settings_hash({"pretrain": pretrain_hash(arm.pretrain), "finetune": entry.to_dict()}),
        "space": stated,
        "seeds": search_seeds(config.search, config.seeds),
        "redraws": config.search.redraws,
    }
    file = experiment_folder(config) / SEARCH_FOLDER / f"{name}-{settings_hash(says)}.json"
    return Asked(file, says, space, config.search.dimensions)


def kept_search(config: ExperimentConfig, name: str) -> dict[str, Any] | None:
    """The record of an arm's search as far as it is; None: there is none."""
    asked = asked_of(config, name)
    return None if asked is None else _read(asked)


def is_complete(config: ExperimentConfig, name: str, number: int | None) -> bool:
    """Whether an arm needs no further trial.

    Args:
        config: The experiment.
        name: The arm.
        number: Trials that are asked for; None: none are.
    """
    if number is None or (asked := asked_of(config, name)) is None:
        return True
    record = _read(asked)
    return record is not None and len(record["tried"]) >= _most(asked, number)


def num_trials(config: ExperimentConfig, name: str, number: int) -> int:
    """How many trials of an arm are still to be made if so many are asked for."""
    if (asked := asked_of(config, name)) is None:
        return 0
    record = _read(asked)
    return max(_most(asked, number) - len(record["tried"] if record else ()), 0)


def search(
    config: ExperimentConfig,
    name: str,
    number: int | None,
    progress: Progress | None = None,
    deadline: float | None = None,
) -> dict[str, Any] | None:
    """What the search of an arm found, after so many trials; those that were made before are not made again.

    A trial is kept as soon as it is scored, so that a search that is killed goes on. Each is drawn from its number and
    the trials before it (:func:`~sigraph.running.searching.draws.next_settings`), so that interruptions change nothing.
    One process at a time searches for an arm; another waits, and finds it done.

    Args:
        config: The experiment.
        name: The arm.
        number: Trials in all; None: none are added.
        progress: Told what happens.
        deadline: When to save and stop, on the clock of :func:`time.time`.

    Returns:
        As in :class:`~sigraph.leaderboard.records.DrawnSearch`; None: nothing was tried, and the arm's own settings
        hold.

    Raises:
        TimeIsUp: The deadline passed; the same call resumes.
    """
    asked = asked_of(config, name)
    if asked is None:
        return None
    if number is None:
        return _read(asked)
    progress = progress or Progress()
    with _held(asked.file, name, progress):
        record, arm = _read(asked), config.arm(name)
        task, entry = task_of(arm), primary_of(arm)
        about = {
            **asked.says,
            "experiment": config.name,
            "format": FORMAT,
            "task": entry.task,
            "head": entry.head,
            "metric": task.metric,
            "greater_is_better": task.greater_is_better,
            "num_asked": max(number, record["num_asked"] if record else 0),
        }
        tried, stated = list(record["tried"]) if record else [], stated_values(arm, asked.space)
        while len(tried) < number:
            settings = next_settings(asked.whole, list(asked.space), stated, tried, task.greater_is_better)
            if settings is None:
                progress.say(f"{name}, search: all {len(tried)} settings of the space were tried")
                break
            shown = f"{name}, search {len(tried) + 1}/{number}: {said(settings)}"
            tried.append(_tried(config, asked, settings, shown, progress, deadline))
            chosen = best_of(tried, task.greater_is_better)["settings"]
            code = _joined(record["commit"] if record else None, commit())
            record = {**about, "commit": code, "chosen": chosen, "tried": tried}
            DrawnSearch.from_dict(record).write(asked.file)
        return record


@contextlib.contextmanager
def _held(file: Path, name: str, progress: Progress) -> Iterator[None]:
    """Hold a search; the operating system lets go of it when the process ends, however it ends."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.say(f"{name}: another process searches for its settings; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _joined(before: str | None, now: str | None) -> str | None:
    """The commits that trials were made by."""
    names = dict.fromkeys([*(before or "").split(" + "), now or ""])
    return " + ".join(filter(None, names)) or None


def best_of(tried: Sequence[Mapping[str, Any]], greater_is_better: bool) -> Mapping[str, Any]:
    """The trial that validation prefers, of equals the earlier; the first where all failed."""
    sign = 1 if greater_is_better else -1
    scored = [trial for trial in tried if trial["valid"] is not None]
    return max(scored, key=lambda trial: sign * trial["valid"]) if scored else tried[0]


def said(settings: Mapping[str, Any]) -> str:
    """Settings in a line for people."""
    return ", ".join(f"{key.split('.')[-1]} {value}" for key, value in settings.items())


def _tried(
    config: ExperimentConfig,
    asked: Asked,
    settings: dict[str, Any],
    shown: str,
    progress: Progress,
    deadline: float | None,
) -> dict[str, Any]:
    """A trial, scored; or with the reason why it could not be."""
    folder = experiment_folder(config)
    progress.epochs(shown, 0)
    try:
        arm = config.arm(asked.says["arm"], chosen=settings)
        home = folder / SEARCH_FOLDER / TRIALS_FOLDER / pretrain_hash(arm.pretrain)
        found = scored_trial(
            arm,
            asked.says["seeds"],
            asked.says["redraws"],
            lambda seed: home / f"seed-{seed}",
            lambda count: progress.epochs(shown, 0),  # they are not of the table's, which are counted
            deadline,
        )
    except (TimeIsUp, NewerFormatError):
        raise
    except Exception as error:  # e.g. a learning rate that diverges, sizes that do not fit together: the search goes on
        stop_without_room(error, folder)
        stop_when_ended(error)
        reason = f"{type(error).__name__}: {error}".encode(errors="backslashreplace").decode()
        progress.say(f"{shown}: FAILED, {reason}")
        return {"settings": settings, "valid": None, "reason": reason}
    progress.say(f"{shown}: valid {found['valid']:.4f}")
    return {"settings": settings, **found}


def _read(asked: Asked) -> dict[str, Any] | None:
    return read_record(asked.file, DrawnSearch, asked.says, partial(_strange, asked.space))


def _strange(space: Space, record: dict[str, Any]) -> str | None:
    """What a kept search says that the space does not."""
    if not record["tried"] or record.get("num_asked") is None or record.get("greater_is_better") is None:
        return "'tried', 'num_asked' or 'greater_is_better' is missing"
    for i, trial in enumerate(record["tried"]):
        settings = trial["settings"]
        if settings.keys() != space.keys() or not all(space[key].holds(value) for key, value in settings.items()):
            return f"'tried.{i}' is not of the space"
    if len({json.dumps(trial["settings"], sort_keys=True) for trial in record["tried"]}) < len(record["tried"]):
        return "'tried' holds a trial twice"
    best = best_of(record["tried"], record["greater_is_better"])
    return None if record["chosen"] == best["settings"] else "'chosen' is not the best of 'tried'"


def _most(asked: Asked, number: int) -> int:
    return int(min(number, num_settings(asked.space, list(asked.space))))


def _fingerprint(source: Any) -> str:
    return fingerprint_of(source) or open_data(source).fingerprint
