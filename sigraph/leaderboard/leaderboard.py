"""Leaderboard: one row per arm, task and head; runs that differ in anything but the seed are never averaged."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from sigraph.leaderboard.comparison import Group, annotate
from sigraph.leaderboard.ogb_form import ogb_record
from sigraph.leaderboard.ogb_rules import by_validation
from sigraph.leaderboard.record_fields import COUNT, OK, TEXT, UNREADABLE, UNREADABLE_RUN, shown
from sigraph.leaderboard.records import Record, TaskResult
from sigraph.leaderboard.result_files import read_records
from sigraph.leaderboard.statistics import spread
from sigraph.leaderboard.tables import render

FAMILY = ("experiment", "arm", "dataset", "task", "head", "entry", "metric")  # what a row measures
CODE = ("version", "commit", "sources")
ORIGIN = ("hash", "data", *CODE)  # what its runs were made from
_LOWER_IS_BETTER = ("rmse", "mae")  # in records that do not say


class Leaderboard:
    """Means and spreads over seeds, compared with the baseline.

    Runs are averaged only if they share settings, data, sigraph's version and commit and the user's own parts; others
    stand in a row of their own, the newest first, and ``status`` says what differs. A run that did not finish is
    counted and named in ``status``, never in ``n``. A seed that ran twice counts once, the later one.

    Args:
        records: As in ``results.json``, one per (arm, seed). One with a field that does not fit is a row with the
            reason, as a file that cannot be read is.
        baseline: The arm that the others are compared with; None: the one that the records of an experiment name.

    Raises:
        ValueError: The records are no list, or the baseline is no text.

    Example:
        >>> print(Leaderboard.from_folder("runs").table())
    """

    def __init__(self, records: list[dict[str, Any]], baseline: str | None = None) -> None:
        if not isinstance(records, list | tuple):
            raise ValueError(f"'records' needs a list of records in 'Leaderboard' (got {shown(records)})")
        if baseline is not None and not isinstance(baseline, str):
            raise ValueError(f"'baseline' needs the name of an arm in 'Leaderboard' (got {shown(baseline)})")
        self._records, self.baseline = [_checked(record, i) for i, record in enumerate(records)], baseline
        self._task: str | None = None

    @classmethod
    def from_folder(cls, path: str | Path) -> Leaderboard:
        """Of all runs below a folder: the ``output_dir`` of experiments, or one experiment's folder in it.

        Experiments are in alphabetical order, their arms in that of the file. A ``results.json`` that cannot be read is
        a row with the reason.

        Raises:
            FileNotFoundError, NotADirectoryError, ValueError: There is no such folder, or no run in it.
        """
        records = read_records(path)
        arms = {r.experiment: list(r.arms) for r in sorted(records, key=_when) if r.arms is not None}

        def place(record: Record) -> tuple:
            arm, experiment = record.arm, record.experiment
            known = arms.get(experiment, [])
            return (experiment is None, experiment or "", known.index(arm) if arm in known else len(known), arm or "")

        return cls._of(sorted(records, key=place))

    @classmethod
    def _of(cls, records: list[Record], baseline: str | None = None) -> Leaderboard:
        board = cls([], baseline)
        board._records = records
        return board

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records as plain values."""
        return [record.to_dict() for record in self._records]

    @property
    def baselines(self) -> dict[str, str | None]:
        """Experiment -> its baseline; the latest record decides."""
        latest = sorted((record for record in self._records if record.baseline), key=_when)
        named = {record.experiment: record.baseline for record in latest}
        return {r.experiment: self.baseline or named.get(r.experiment) for r in self._records}  # type: ignore[misc]

    def only(self, experiment: str | None = None, task: str | None = None) -> Leaderboard:
        """The same leaderboard showing one experiment or task; corrected p-values still count all tasks.

        Raises:
            ValueError: There is none of that name.
        """
        experiments = list(dict.fromkeys(r.experiment for r in self._records if r.experiment is not None))
        if experiment is not None and experiment not in experiments:
            raise ValueError(f"no experiment {experiment!r} among the runs (there are: {', '.join(experiments)})")
        kept = [r for r in self._records if experiment is None or r.experiment in (experiment, None)]
        tasks = list(dict.fromkeys(entry.task for record in kept for entry in record.tasks))
        if task is not None and task not in tasks:
            raise ValueError(f"no task {task!r} among the runs (there are: {', '.join(tasks)})")
        board = self._of(kept, self.baseline)
        board._task = task
        return board

    def rows(self) -> list[dict[str, Any]]:
        """One dictionary per row: experiments, in them tasks and heads, in them arms, in the order of the records.

        Scores, their spreads and ``difference`` with its interval are fractions, ``rre`` and its interval percent; what
        is not known is None. ``difference_low`` and ``difference_high`` are over test items and seeds together
        (:func:`~sigraph.leaderboard.interval.difference_interval`), the others over seeds.
        """
        return [dict(group.row) for group in self._groups]

    def table(self, format: str = "markdown") -> str:
        """The rows as text.

        Args:
            format: ``markdown``: for people, with mean ranks below where there are several tasks. ``csv``, ``json``:
                every field. ``ogb``: the fields of OGB's submission form.

        Raises:
            ValueError: There is no such format.
        """
        return render(self.rows(), self.ogb_records() if format == "ogb" else [], format)

    def ogb_records(self, official: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """The fields of OGB's submission form for every row with a finished run; see :func:`ogb_record`.

        Args:
            official: Fingerprints of prepared official data by name, as far as they are there.
        """
        return self._ogb_records(self._groups, official)

    def ogb_entries(self, official: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """As :meth:`ogb_records`, of each arm the head that validation chooses."""
        return self._ogb_records(by_validation(self._groups), official)

    def _ogb_records(self, chosen: list[Group], official: Mapping[str, str] | None) -> list[dict[str, Any]]:
        place = ("experiment", "arm", "dataset", "task")
        found = []
        for group in chosen:
            if group.runs:
                others = [one for one in self._groups if one.runs and one.key(place) == group.key(place)]
                found.append(ogb_record(group, others, (official or {}).get(group.row["dataset"])))
        return found

    @cached_property
    def _groups(self) -> list[Group]:
        found: dict[tuple, list[tuple[Record, TaskResult]]] = {}
        finished, failed = self._latest()
        for record in finished:
            repeated: Counter[tuple] = Counter()
            for task in record.tasks:
                what = (task.dataset, task.task, task.head)
                repeated[what] += 1  # entries may differ in settings of fine-tuning alone
                family = (record.experiment, record.arm, *what, repeated[what], task.metric)
                found.setdefault((*family, *_origin(record, task)), []).append((record, task))
        groups = _in_order([_group(key, runs) for key, runs in found.items()])
        for record in sorted(failed, key=lambda record: record.status != UNREADABLE):
            if not _joined(record, groups):  # the first of its kind makes a row, the others join it
                groups.append(_empty_group(record))
                _joined(record, groups[-1:])
        experiments = list(dict.fromkeys(record.experiment for record in self._records))
        groups.sort(key=lambda group: experiments.index(group.row["experiment"]))
        annotate(groups, self.baselines)
        return [group for group in groups if self._task is None or group.row["task"] in (self._task, None)]

    def _latest(self) -> tuple[list[Record], list[Record]]:
        """Finished and failed runs, a seed once; one that failed and also finished has finished."""
        done: dict[tuple, Record] = {}
        failed: dict[tuple, Record] = {}
        for record in self._records:
            run = (record.experiment, record.arm, record.hash, *record.code, record.seed)
            place, key = (done, (*run, record.data)) if record.status == OK else (failed, run)
            if key not in place or _when(record) >= _when(place[key]):
                place[key] = record
        finished = {key[:-1] for key in done}
        return list(done.values()), [r for run, r in failed.items() if run not in finished or r.seed is None]


def _checked(record: Any, place: int) -> Record:
    """The record; or one that says why it is none, under what is known of its names."""
    known = record if isinstance(record, dict) else {}
    wrong = UNREADABLE_RUN(record, "") if known.get("status") == UNREADABLE else Record.wrong(record)
    if wrong is None:
        return Record.of_checked(record)
    names = {name: None if TEXT(known.get(name), name) else known[name] for name in ("experiment", "arm", "hash")}
    seed = None if COUNT(known.get("seed"), "seed") else known["seed"]
    return Record.unreadable(f"record {place}: {wrong}", **names, seed=seed)


def _when(record: Record) -> float:
    """When it was written; what does not know it is the oldest."""
    return record.written or 0.0


def _origin(record: Record, task: TaskResult) -> tuple:
    data = dict.fromkeys(value for value in (record.data, task.data) if value is not None)
    return (record.hash, " + ".join(data) or None, *record.code)


def _group(key: tuple, runs: list[tuple[Record, TaskResult]]) -> Group:
    record, task = max(runs[::-1], key=lambda run: _when(run[0]))
    runs = sorted(runs, key=lambda run: _seed(run[0]))
    valid, test = [float(task.valid) for _, task in runs], [float(task.test) for _, task in runs]
    pretrain, visible = record.pretrain, record.visible
    sizes = {"encoder": 0, "other": 0} if pretrain is None else pretrain.num_parameters
    row = {
        **dict(zip((*FAMILY, *ORIGIN), key, strict=True)),
        "primary": task.primary,
        "n": len(runs),
        "num_failed": 0,
        "seeds": [r.seed for r, _ in runs],
        "test_mean": statistics.fmean(test),
        "test_std": spread(test),
        "valid_mean": statistics.fmean(valid),
        "valid_std": spread(valid),
        "num_parameters": sizes["encoder"] + sizes["other"] + task.num_parameters,
        "num_steps": None if pretrain is None else pretrain.num_steps,
        "seconds": statistics.fmean((r.pretrain.seconds if r.pretrain else 0.0) + e.seconds for r, e in runs),
        "scores": _scores([task for _, task in runs]),
        **_repeats([task for _, task in runs]),
        "transductive": record.is_transductive,
        "kind": record.kind,
        "visible": record.reach,
        "trials": None if visible is None else visible.trials,
        **_leakage([entry.leakage for _, entry in runs]),
    }
    better = task.metric not in _LOWER_IS_BETTER if task.greater_is_better is None else task.greater_is_better
    return Group(row, {_seed(r): score for (r, _), score in zip(runs, test, strict=True)}, better, record, runs)


def _scores(tasks: list[TaskResult]) -> dict[str, dict[str, float | None]]:
    """By metric of the task, mean and spread on both parts; None where a run has none of it."""
    found: dict[str, dict[str, float | None]] = {}
    all_scores = [task.scores or {task.metric: {"valid": task.valid, "test": task.test}} for task in tasks]
    for metric in dict.fromkeys(name for scores in all_scores for name in scores):
        found[metric] = {}
        for part in ("valid", "test"):
            values = [scores.get(metric, {}).get(part) for scores in all_scores]
            known = [float(value) for value in values if value is not None]
            whole = len(known) == len(tasks)
            found[metric] |= {
                f"{part}_mean": statistics.fmean(known) if whole else None,
                f"{part}_std": spread(known) if whole else None,
            }
    return found


def _repeats(tasks: list[TaskResult]) -> dict[str, Any]:
    """Fine-tunings of a seed, and the spread of their test scores, pooled over seeds; None where there is one."""
    found = [[float(one["test"]) for one in task.repeats or []] for task in tasks]
    variances = [statistics.variance(scores) for scores in found if len(scores) > 1]
    return {
        "repeats": max(1, *map(len, found)),
        "repeats_std": math.sqrt(statistics.fmean(variances)) if len(variances) == len(found) else None,
    }


def _seed(record: Record) -> int:
    return -1 if record.seed is None else record.seed  # finished runs have one


def _leakage(found: list[Any]) -> dict[str, Any]:
    """Test samples that also occur in training, and the mean test score without them; None where a run lacks it.

    With them ``label_edges``: how the graph tells labels of test samples; None: it does not, or no record says so.
    """
    known = [one for one in found if one is not None]
    scores = [one["test_without"] for one in known if one.get("test_without") is not None]
    without = statistics.fmean(scores) if len(scores) == len(found) else None
    return {
        "num_affected": max((one.get("num_affected", 0) for one in known), default=0),
        "test_without": without,
        "label_edges": next((one["label_edges"] for one in known if one.get("label_edges")), None),
    }


def _empty_group(record: Record) -> Group:
    """Of an arm none of whose runs finished: which tasks it would have had is not known."""
    names = (*FAMILY, *ORIGIN, "test_mean", "test_std", "valid_mean", "valid_std", "num_parameters", "num_steps")
    more = (
        "seconds",
        "transductive",
        "kind",
        "visible",
        "trials",
        "num_affected",
        "test_without",
        "label_edges",
        "scores",
        "repeats",
        "repeats_std",
    )
    row: dict[str, Any] = dict.fromkeys((*names, *more))
    row |= {"primary": False, "n": 0, "num_failed": 0, "seeds": []}
    row |= {"experiment": record.experiment, "arm": record.arm, "hash": record.hash}
    row |= dict(zip(CODE, record.code, strict=True))
    return Group(row, {}, True, record, [])


def _joined(record: Record, groups: list[Group]) -> bool:
    """Note a failed run in the rows of its settings and code; one of unknown code in the newest of its settings."""
    run = (record.experiment, record.arm, record.hash)
    same = [group for group in groups if run == tuple(group.row[part] for part in ("experiment", "arm", "hash"))]
    if record.status == UNREADABLE:
        homes = list({tuple(group.row[part] for part in FAMILY): group for group in reversed(same)}.values())
    else:
        homes = [group for group in same if group.key(CODE) == record.code]
    for group in homes:
        group.failed.append(record)
    return bool(homes)


def _in_order(groups: list[Group]) -> list[Group]:
    """Experiments, in them tasks, in them arms, by first appearance; then the newest runs first."""
    tasks: dict[tuple, int] = {}
    arms: dict[tuple, int] = {}
    for group in groups:
        tasks.setdefault(_task(group), len(tasks))
        arms.setdefault((group.row["experiment"], group.row["arm"]), len(arms))

    def place(item: tuple[int, Group]) -> tuple:
        at, group = item
        return (tasks[_task(group)], arms[group.row["experiment"], group.row["arm"]], -group.written, -at)

    return [group for _, group in sorted(enumerate(groups), key=place)]


def _task(group: Group) -> tuple:
    return tuple(group.row[part] for part in FAMILY if part != "arm")
