"""Rows of a leaderboard beside each other: against the baseline, ranked, and why two of them are two."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sigraph.leaderboard.interval import difference_interval
from sigraph.leaderboard.predictions import PREDICTIONS, Predictions, PredictionsError, read_predictions
from sigraph.leaderboard.record_fields import CLOSED_FORM, NO_HEAD, REFERENCE
from sigraph.leaderboard.records import Record, TaskResult
from sigraph.leaderboard.statistics import (
    error_reduction_interval,
    holm,
    paired_t,
    ranks,
    relative_error_reduction,
    wilcoxon,
)

# Equal where two arms' scores may be subtracted, and ranked.
COMPARABLE = ("experiment", "dataset", "task", "head", "entry", "metric", "data", "version", "commit")
_OF_HEAD = ("head", "entry")  # what a result without a head has none of
_COMPARED = (
    *("difference", "difference_low", "difference_high", "compared_with", "num_pairs", "rre", "rre_low", "rre_high"),
    *("p_value", "p_wilcoxon", "p_holm", "rank"),
)


@dataclass
class Group:
    """The runs behind one row.

    Args:
        row: What the table shows; :func:`annotate` completes it.
        scores: Seed -> test score.
        greater_is_better: Which way the metric is better.
        record: The latest of the runs.
        runs: Finished ones: the record, and in it the task.
        failed: Records of runs that did not finish.
    """

    row: dict[str, Any]
    scores: dict[int, float]
    greater_is_better: bool
    record: Record
    runs: list[tuple[Record, TaskResult]]
    failed: list[Record] = field(default_factory=list)

    @property
    def written(self) -> float:
        """When its latest run was, in seconds since 1970; 0 if not known."""
        return self.record.written or 0.0

    def key(self, parts: tuple[str, ...]) -> tuple:
        """Some of its fields."""
        return tuple(self.row[part] for part in parts)


def annotate(groups: list[Group], baselines: dict[str, str | None]) -> None:
    """Complete the rows: differences, RRE, p-values, ranks, and a status.

    Args:
        groups: In the order of the table, the newest runs of an arm's task first.
        baselines: Experiment -> its baseline.
    """
    notes: list[list[str]] = []
    for i, group in enumerate(groups):
        group.row.update(dict.fromkeys(_COMPARED), num_failed=len(group.failed))
        told = group.row["label_edges"]
        found = [f"suspicious: {told}"] if told else []
        found += [_unfinished(group.failed)] if group.failed else [] if told else ["ok"]
        above = next((g for g in reversed(groups[:i]) if _same_cell(g, group)), None)
        if above is not None:
            found += _differs(group, above)
        baseline = group.row["baseline"] = baselines[group.row["experiment"]]
        is_baseline = baseline in (group.row["arm"], group.record.baseline_of)
        if group.runs and baseline is not None and not is_baseline:
            found += _compare(group, groups, baseline)
        notes.append(found)
    _correct(groups)
    _rank(groups)
    for group, found in zip(groups, notes, strict=True):
        group.row["status"] = "; ".join(found)


def _same_cell(a: Group, b: Group) -> bool:
    """Whether a reader would take both for the same thing; a row without tasks is the same as any of its arm."""
    names = ("experiment", "arm", *(("dataset", "task", "head", "entry", "metric") if a.runs and b.runs else ()))
    return a.key(names) == b.key(names)


def _same_task(a: Group, b: Group) -> bool:
    names = ("experiment", "dataset", "task", "head", "entry", "metric")
    return a.key(names) == b.key(names)


def _differs(group: Group, above: Group) -> list[str]:
    row, other = group.row, above.row
    found = []
    if row["hash"] != other["hash"]:
        found.append(f"other settings ({row['hash']})")
    if row["data"] != other["data"] and group.runs and above.runs:
        found.append("other data than row above")
    if row["version"] != other["version"]:
        found.append(f"other code (sigraph {row['version'] or 'unknown'})")
    if row["commit"] != other["commit"]:
        found.append(f"other code (commit {_short(row['commit'])})")
    if row["sources"] != other["sources"]:
        found.append(f"other code ({row['sources'] or 'own parts unknown'})")
    return found


def _short(commits: str | None) -> str:
    parts = [name.partition("-") for name in (commits or "unknown").split(" + ")]
    return " + ".join(name[:7] + dirty + what for name, dirty, what in parts)


def _unfinished(records: list[Record]) -> str:
    """``2 failed: reason``, or several reasons with how often each came."""
    reasons = Counter((r.status, r.reason or "no reason given") for r in records)
    parts = []
    for status in dict.fromkeys(status for status, _ in reasons):
        texts = {text: count for (which, text), count in reasons.items() if which == status}
        each = [text if len(texts) == 1 or count == 1 else f"{text} ({count} times)" for text, count in texts.items()]
        parts.append(f"{sum(texts.values())} {status}: {', '.join(each)}")
    return "; ".join(parts)


def _compare(group: Group, groups: list[Group], baseline: str) -> list[str]:
    """Fill in the comparison with the baseline's row of the same task, data, code and experiment settings.

    Of the arms that do what the baseline does, it is the one that saw the same; if none did, the row says so. A
    baseline without a head is that of every head.
    """
    same = [g for g in groups if g.runs and (_is_alike(g, group) or _is_alike(g, group, without_head=True))]
    notes = []
    for name, rows in _stand_ins(group, same, baseline).items():
        seeds = [seed for seed in group.scores if len(rows) == 1 and seed in rows[0].scores]
        if not rows and group.record.kind in (CLOSED_FORM, REFERENCE) and _has_heads(name, group, groups):
            notes.append(f"not compared: {name} predicts through a head")
        elif len(rows) != 1:
            which = "no finished run" if not rows else "more than one set of runs"
            notes.append(f"not compared: {which} of {name} on the same task, data, code and settings")
        elif not seeds:
            notes.append(f"not compared: no seed in common with {name}")
        elif differs := next(filter(None, (_differ(group, rows[0], seed, name) for seed in seeds)), None):
            notes.append(f"not compared: {differs}")
        else:
            return _fill_in(group, rows[0], seeds, groups)
    return notes[:1]


def _has_heads(name: str, group: Group, groups: list[Group]) -> bool:
    """Whether an arm has results on a row's task, each through a head."""
    parts = ("experiment", "dataset", "task", "metric")
    same = [g for g in groups if g.runs and g.row["arm"] == name and g.key(parts) == group.key(parts)]
    return bool(same) and all(g.row["head"] != NO_HEAD for g in same)


def _is_alike(other: Group, group: Group, without_head: bool = False) -> bool:
    """Whether the scores of two rows may be subtracted; ``without_head``: the other's, which has none."""
    if without_head and other.row["head"] != NO_HEAD:
        return False
    parts = tuple(part for part in COMPARABLE if not (without_head and part in _OF_HEAD))
    return other.key(parts) == group.key(parts)


def _stand_ins(group: Group, same: list[Group], baseline: str) -> dict[str, list[Group]]:
    """Arms that do what the baseline does, and their rows: the one that the record names, the baseline, others."""
    record = group.record
    own = record.baseline_arm or baseline if record.baseline == baseline else baseline
    added = [g.row["arm"] for g in same if g.record.baseline_of == baseline and g.record.baseline == baseline]
    found = {}
    for name in dict.fromkeys([own, baseline, *added]):
        rows = [g for g in same if g.row["arm"] == name]
        if name == own and record.baseline == baseline and record.baseline_hash is not None:
            rows = [g for g in rows if g.row["hash"] == record.baseline_hash]
            if record.says("baseline_sources"):  # own parts that the arm itself need not have
                rows = [g for g in rows if g.record.sources == record.baseline_sources]
        if rows or name in (own, baseline):
            found[name] = rows
    return found


def _differ(group: Group, other: Group, seed: int, name: str) -> str | None:
    """Whether the run of a seed saw something else than that of the baseline, in few words."""
    ours, theirs = (next(record for record, _ in g.runs if record.seed == seed) for g in (group, other))
    return ours.differs(theirs, name)


def _fill_in(group: Group, other: Group, seeds: list[int], groups: list[Group]) -> list[str]:
    ours, theirs = ([scores[seed] for seed in seeds] for scores in (group.scores, other.scores))
    means = statistics.fmean(ours), statistics.fmean(theirs)
    low, high = error_reduction_interval(ours, theirs, group.greater_is_better) or (None, None)
    found, notes = _interval(group, other, seeds)
    group.row.update(
        difference=means[0] - means[1],
        difference_low=found[0] if found else None,
        difference_high=found[1] if found else None,
        compared_with=other.row["arm"],
        num_pairs=len(seeds),
        rre=relative_error_reduction(*means, group.greater_is_better),
        rre_low=low,
        rre_high=high,
        p_value=paired_t(ours, theirs),
        p_wilcoxon=wilcoxon(ours, theirs),
    )
    name = other.row["arm"]
    if other is not next(g for g in groups if g.runs and g.row["arm"] == name and _same_task(g, other)):
        notes.append(f"compared with an older row of {name}, of the same code")
    if name != group.row["baseline"]:
        notes.append(f"compared with {name}, which saw the same")
    if len(seeds) < max(len(group.scores), len(other.scores)):
        notes.append(f"compared on {len(seeds)} common seeds")
    return notes


def _interval(group: Group, other: Group, seeds: list[int]) -> tuple[tuple[float, float] | None, list[str]]:
    """Over test items and seeds together, where all runs kept their predictions; and what is wrong with those."""
    ours: list[Predictions] = []
    theirs: list[Predictions] = []
    together: list[int] = []  # by fine-tuning, the seed of its pre-training
    mine, its = ({record.seed: (record, task) for record, task in side.runs} for side in (group, other))
    for seed in seeds:
        pair: list[list[Predictions]] = []
        for record, task in (mine[seed], its[seed]):
            if record.folder is None:
                return None, []
            try:
                predictions = read_predictions(Path(record.folder) / PREDICTIONS, task)
            except PredictionsError:
                which = f"{record.arm}, seed {record.seed}"
                return None, [f"no interval: predictions of {which}, are missing or damaged; run it again"]
            if predictions is None:
                return None, []
            pair.append(predictions.each())
        number = max(map(len, pair))
        if any(len(one) not in (1, number) for one in pair):
            counts = " and ".join(str(len(one)) for one in pair)
            return None, [f"no interval: {counts} fine-tunings of seed {seed}"]
        for kept, one in zip((ours, theirs), pair, strict=True):
            kept += one * (number // len(one))
        together += [seed] * number
    return difference_interval(group.row["metric"], ours, theirs, together=together), []


def _correct(groups: list[Group]) -> None:
    """Holm's correction over the tasks and heads of an arm under the same settings and code."""
    families: dict[tuple, list[Group]] = {}
    for group in groups:
        families.setdefault(group.key(("experiment", "arm", "hash", "version", "commit", "sources")), []).append(group)
    for family in families.values():
        for group, p in zip(family, holm([g.row["p_value"] for g in family]), strict=True):
            group.row["p_holm"] = p


def _rank(groups: list[Group]) -> None:
    """Ranks among the arms of a task, by mean test score; only the newest row of an arm takes part."""
    newest: dict[tuple, dict[str, Group]] = {}
    seen = set()
    for group in groups:
        cell = group.key(("experiment", "arm", "dataset", "task", "head", "entry", "metric"))
        if group.runs and cell not in seen:
            seen.add(cell)
            newest.setdefault(group.key(COMPARABLE), {})[group.row["arm"]] = group
    for arms in newest.values():
        if len(arms) > 1:
            first = next(iter(arms.values()))
            means = {arm: group.row["test_mean"] for arm, group in arms.items()}
            for arm, rank in ranks(means, first.greater_is_better).items():
                arms[arm].row["rank"] = rank
