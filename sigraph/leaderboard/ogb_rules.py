"""OGB's rules for an entry, each with a name: which of them the runs behind a row break.

Source: ogb.stanford.edu/docs/leader_overview and leader_rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sigraph.data.ogb_facts import OGBFacts, ogb_facts, ogb_names
from sigraph.leaderboard.comparison import Group
from sigraph.leaderboard.external_data import run_settings
from sigraph.leaderboard.records import Record, TaskResult

SEEDS = {"ogbn-papers100M": 3}  # runs that OGB asks for; 10 elsewhere


class Broken(NamedTuple):
    """A rule that is broken, and how."""

    rule: str
    why: str


def num_seeds(dataset: str) -> int:
    """How many seeds OGB asks for."""
    return SEEDS.get(dataset, 10)


def broken_rules(group: Group, others: Iterable[Group] = (), official: str | None = None) -> list[Broken]:
    """The rules that keep the runs of a row from being an entry, in a fixed order.

    - ``ten-seeds``, ``seeds-from-0``: they are of seeds 0 to 9 (three of ``ogbn-papers100M``), and all ended well.
    - ``official-data``: of a data set of OGB, and of its own task.
    - ``official-split``: of its official split, and scored by its official metric.
    - ``chosen-by-validation``: no setting, and no head, was chosen by the test score.
    - ``no-test-labels``: no label of a test or validation sample is an input.
    - ``no-test-edges``: the pre-training graph tells no answer: it holds no link that is tested or validated, and is
      not made from labels of test samples.
    - ``clean-commit``: all were made by one commit of sigraph, with no file changed.

    Args:
        group: The runs behind a row.
        others: Rows of the same arm and task, with other heads.
        official: Fingerprint of the prepared official data, where they are there to be compared with; runs that asked
            for them by their name need none.
    """
    row = group.row
    facts = ogb_facts(row["dataset"]) if row["dataset"] in ogb_names() else None
    found = [*_seeds(group), *_official(group, facts, official), *_chosen(group, others)]
    asked = [entry for entry in run_settings(group.record).get("finetune") or () if isinstance(entry, dict)]
    same = [one for one in asked if (one.get("task"), one.get("head")) == (row["task"], row["head"])]
    if any(one.get("leave_one_out") for one in same):
        found.append(Broken("no-test-labels", "leave_one_out: labels of other test samples are neighbours"))
    if any(one.get("max_scored_samples") for one in same):
        found.append(Broken("official-split", "max_scored_samples: some official validation and test items alone"))
    if row["label_edges"]:
        found.append(Broken("no-test-edges", f"suspicious: {row['label_edges']}"))
    commit = row["commit"]
    if commit is not None and (commit.endswith("-dirty") or " + " in commit or "unknown" in commit):
        found.append(Broken("clean-commit", f"commit {commit}; commit what changed and run them again"))
    return found


def _official(group: Group, facts: OGBFacts | None, official: str | None) -> list[Broken]:
    row = group.row
    if facts is None:
        return [Broken("official-data", f"{row['dataset']} is no OGB data set")]
    if row["task"] != facts.name:
        return [Broken("official-data", f"task {row['task']!r} is not that of {facts.name}, {facts.name!r}")]
    found = []
    is_known = official is not None and all(task.data == official for _, task in group.runs)
    if not is_known and not all(_is_by_name(record, task, facts.name) for record, task in group.runs):
        found.append(Broken("official-split", f"{facts.name} was not asked for by its name; its files may be others"))
    if row["metric"] != facts.our_metric:
        found.append(Broken("official-split", f"{facts.name} is scored by {facts.our_metric} (got {row['metric']})"))
    return found


def _is_by_name(record: Record, task: TaskResult, name: str) -> bool:
    """Whether the task's data were asked for by OGB's name, which only official files are prepared under."""
    asked = None if record.pretrain is None else record.pretrain.dataset
    if asked is None:  # of an arm that pre-trains nothing
        settings = run_settings(record).get("pretrain")
        asked = settings.get("dataset") if isinstance(settings, dict) else None
    return asked == name and task.data is not None and task.data == (task.pretrain_data or record.data)


def _seeds(group: Group) -> list[Broken]:
    row = group.row
    needed, found = num_seeds(row["dataset"] or ""), []
    if row["n"] < needed:
        found.append(Broken("ten-seeds", f"n = {row['n']} seeds; OGB asks for {needed}"))
    if group.failed:
        found.append(Broken("ten-seeds", f"{len(group.failed)} runs did not end well; run them again"))
    if row["seeds"] != list(range(row["n"])):
        listed = ", ".join(str(seed) for seed in row["seeds"])
        found.append(Broken("seeds-from-0", f"seeds {listed}; OGB asks for 0 to {needed - 1}, not chosen ones"))
    return found


def _chosen(group: Group, others: Iterable[Group]) -> list[Broken]:
    """Settings and heads that another choice beats by validation, though not by test."""
    row, sign, found = group.row, 1 if group.greater_is_better else -1, []
    searches = [(word, getattr(record, word)) for record, _ in group.runs for word in ("grid", "search")]
    for word, tried in [(word, one) for word, one in searches if one]:
        valid = [(sign * one["valid"], one["settings"]) for one in tried.tried if one.get("valid") is not None]
        best = max((score for score, _ in valid), default=None)
        ours = [score for score, settings in valid if settings == dict(tried.chosen)]
        if best is not None and (not ours or max(ours) < best):
            found.append(Broken("chosen-by-validation", f"{dict(tried.chosen)} is not the best of the {word} by it"))
    for other in (one.row for one in others):
        if not other["n"] or sign * other["valid_mean"] <= sign * row["valid_mean"]:
            continue
        if sign * other["test_mean"] < sign * row["test_mean"]:
            why = f"head {other['head']!r} is better by validation, {row['head']!r} by test alone"
            found.append(Broken("chosen-by-validation", why))
    return list(dict.fromkeys(found))


def by_validation(groups: Sequence[Group]) -> list[Group]:
    """Of each arm's rows on a task, the one that validation chooses among its heads; in the order of the rows."""
    best: dict[tuple, Group] = {}
    for group in groups:
        if not group.runs:
            continue
        key = group.key(("experiment", "arm", "dataset", "task"))
        sign = 1 if group.greater_is_better else -1
        if key not in best or sign * group.row["valid_mean"] > sign * best[key].row["valid_mean"]:
            best[key] = group
    return [group for group in groups if any(group is one for one in best.values())]
