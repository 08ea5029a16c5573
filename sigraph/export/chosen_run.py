"""Which run a folder stands for: a run's own, or the best of those below that of an experiment, an arm or settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sigraph.export.load import METHOD, SAVED, runs_below
from sigraph.export.trained_heads import chosen_entry
from sigraph.files.paths import user_path
from sigraph.leaderboard.record_fields import PRETRAINED
from sigraph.leaderboard.records import Record
from sigraph.leaderboard.result_files import RESULTS, read_records
from sigraph.tasks.metrics import LOWER_IS_BETTER

_SHOWN = 5


class ChosenRun(NamedTuple):
    """A run's folder.

    Args:
        path: The folder.
        note: Which run it is, of which, and why, for people; empty: it is the one that was asked for.
    """

    path: Path
    note: str = ""


def chosen_run(folder: str | os.PathLike[str], task: str | None = None, head: str | None = None) -> ChosenRun:
    """The run that a folder stands for.

    Below the folder of one experiment that is its first arm whose name begins with ``sipt`` (else its first that
    pre-trains), and of this arm's runs the one that validation prefers, of equal ones the smaller seed.

    Args:
        folder: A run's, ``<output_dir>/<experiment>/<arm>/<hash>/seed-<s>``, or one above it; of an encoder that was
            saved, as it is.
        task, head: By whose validation; as of :func:`~sigraph.predict`.

    Raises:
        ValueError: Several experiments are below the folder, or runs that validation cannot compare; or none that left
            an encoder. The message says what to name.
    """
    path = user_path(folder)
    if not path.is_dir() or (path / RESULTS).is_file() or (path / SAVED).is_file() or not runs_below(path):
        return ChosenRun(path)  # whoever opens it says what is wrong with it
    records = read_records(path)
    homes = {(_home(record), record.experiment): None for record in records if record.folder}
    if len(homes) > 1:
        listed = ", ".join(home for home, _ in list(homes)[:_SHOWN]) + (", ..." if len(homes) > _SHOWN else "")
        raise ValueError(f"{path} holds runs of {len(homes)} experiments; name one: {listed}")
    arms = _arms(path, records)
    found = [record for record in records if record.arm == arms[0] and _left_encoder(record)]
    best, said = _best(path, found, task, head)
    many = f" of {len(found)}" if len(found) > 1 else ""
    others = [arm for arm in arms[1:] if arm.startswith(METHOD)]
    more = f"; other arms that use the graph: {', '.join(others[:_SHOWN])}" if others else ""
    return ChosenRun(Path(best.folder or ""), f"run {best.folder}: arm {best.arm}, seed {best.seed}{many}{said}{more}")


def _home(record: Record) -> str:
    """The folder of a run's experiment, from where one stands if it is below."""
    around = Path(record.folder or "").absolute().parents
    home = around[min(2, len(around) - 1)]
    return str(home.relative_to(Path.cwd()) if home.is_relative_to(Path.cwd()) else home)


def _left_encoder(record: Record) -> bool:
    return record.finished and record.kind in (None, PRETRAINED) and record.pretrain is not None


def _arms(path: Path, records: Sequence[Record]) -> list[str]:
    """Arms that left an encoder: those that use the graph first, each kind in the order of the file."""
    order = next((list(record.arms) for record in records if record.arms), [])
    there = {str(record.arm): None for record in records if _left_encoder(record)}
    if not there:
        kinds = sorted({record.kind for record in records if record.finished and record.kind})
        reason = next((f"{one.status} ({one.reason})" for one in records if not one.finished), None)
        why = f"the first run {reason}" if reason else f"its arm pre-trains nothing ({', '.join(kinds)})"
        home = next((_home(record) for record in records if record.folder), str(path))
        raise ValueError(f"{path} holds no encoder: {why}; name another arm below {home}, or run the experiment again")
    known = [arm for arm in order if arm in there]
    return sorted([*known, *(arm for arm in there if arm not in known)], key=lambda arm: not arm.startswith(METHOD))


def _best(path: Path, records: Sequence[Record], task: str | None, head: str | None) -> tuple[Record, str]:
    """The run that validation prefers, and how that is said."""
    if len(records) == 1:
        return records[0], ""
    scored: list[tuple[Record, dict[str, Any]]] = []
    for record in records:
        if record.tasks:
            entry, _ = chosen_entry(record.folder or "", record.to_dict()["tasks"], task, head)
            scored.append((record, entry))
    if not scored:
        return min(records, key=lambda record: record.seed or 0), ", the first"
    if len({(entry["metric"], entry.get("data")) for _, entry in scored}) > 1:
        settings = ", ".join(sorted({str(Path(record.folder or "").parent) for record, _ in scored}))
        raise ValueError(
            f"{path} holds runs of arm {records[0].arm!r} on different data, which validation cannot compare; name "
            f"one: {settings}"
        )
    sign = -1 if _rises(scored[0][1]) else 1
    best, entry = min(scored, key=lambda one: (sign * one[1]["valid"], one[0].seed or 0))
    name = f"{entry['metric']} {entry['valid']:.4g} of task {entry['task']} ({entry['head']})"
    return best, f", which validation prefers: {name}"


def _rises(entry: dict[str, Any]) -> bool:
    found = entry.get("greater_is_better")
    return entry["metric"] not in LOWER_IS_BETTER if found is None else found
