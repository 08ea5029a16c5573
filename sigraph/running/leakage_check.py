"""Leakage in a run: looked for before anything trains, and scores without the test samples that training knows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sigraph.config import ArmConfig, ConfigError, PretrainConfig
from sigraph.config.build import build
from sigraph.config.inductive import hides_for, share_of
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.graphs import GraphConstructor
from sigraph.running.learnt_labels import check_learnt_labels
from sigraph.running.visible import lifted, sight
from sigraph.tasks import Task
from sigraph.tasks.base import BaseTask
from sigraph.theory.leakage.label_edges import labels_in_edges
from sigraph.theory.leakage.leakage import leakage, look_at_graph, repeated_in_training
from sigraph.theory.leakage.report import LeakageReport

_KEPT = 64  # tasks of which the repeated samples are remembered
_repeated: dict[tuple[str, str, str], Tensor] = {}  # by data, task, and what it says of its split


class LeakageCheck:
    """Looks at each task and graph of an experiment once."""

    def __init__(self) -> None:
        self._reports: dict[tuple[str, str, str, str], LeakageReport] = {}
        self._lines: dict[tuple[Any, ...], str] = {}

    def look(
        self,
        arm: ArmConfig,
        whole: SampleDataset,
        home: SampleDataset,
        task: BaseTask,
        graph: PretrainGraph | None,
        pairs: Mapping[str, int] | None = None,
    ) -> None:
        """Look at one task of one arm.

        Args:
            arm: Its settings.
            whole: What is pre-trained on.
            home: The task's data set.
            task: What is tested.
            graph: What is trained on, node i is sample i of ``whole``; None: it was looked at before.
            pairs: By task of ``whole``, pairs that it tests and the graph has from the data set.

        Raises:
            ConfigError: The graph is made from labels that are those of test samples, or holds pairs that are tested,
                which nobody allowed.
        """
        own = home is whole or home.fingerprint == whole.fingerprint
        if own:
            check_learnt_labels(arm.pretrain, whole, task)
        key = (whole.fingerprint, home.fingerprint, task.name, task.about)
        if key not in self._reports:
            self._reports[key] = leakage(home, None, task, pretraining=None if own else whole)
        report = dataclasses.replace(self._reports[key], label_edges=[])
        if own and _trains_on_graph(arm.pretrain, task.name):
            _count_pairs(report, task, pairs)
            if isinstance(task, Task):
                _look_at_edges(report, arm.pretrain, whole, task, graph)
        if report.pairs_in_graph and arm.pretrain.test_pairs == "refuse":
            raise ConfigError(
                f"pretrain.graph: it holds {report.pairs_in_graph:,} of {report.num_pairs:,} test pairs of task "
                f"{task.name!r}; take them out (pretrain.test_pairs: leave-out), hide their samples "
                "(pretrain.inductive: test), or say that it is meant (pretrain.test_pairs: allow)"
            )
        for made in report.label_edges:
            if made["test"] and not made["allowed"]:
                raise ConfigError(
                    f"pretrain.graph: {made['made_from']} makes edges from labels that are those of "
                    f"{made['test']:,} test samples of task {task.name!r}; leave that task or this graph out, or say "
                    "that it is meant: allow_label_edges: true"
                )
        if line := report.line():
            found = (home.name, task.name, *report.reasons, *report.notes)
            what = "leakage" if report.reasons else "note"  # what is no danger is not called one
            self._lines[found] = f"{what}: {home.name}, {line}" if home.name else f"{what}: {line}"

    def lines(self) -> list[str]:
        """What is worth saying, a line for each task; where an arm's graph says more than another's, the most."""
        items = self._lines.items()
        inside = [found for found, _ in items if any(set(found) < set(other) for other, _ in items)]
        return [line for found, line in items if found not in inside]


def told_by_edges(
    config: PretrainConfig, dataset: SampleDataset, graph: PretrainGraph, pairs: Mapping[str, int] | None = None
) -> dict[str, str]:
    """By task of the pre-training data set, how the graph that is trained on tells the labels of test samples.

    Args:
        config: Of the pre-training.
        dataset: All that it is given.
        graph: What is trained on; node i is the i-th sample that pre-training sees.
        pairs: By task, pairs that it tests and the graph has from the data set.

    Returns:
        The reasons, in words; nothing of tasks that the graph does not give away.
    """
    found: dict[str, str] = {}
    for name, task in dataset.tasks.items():
        if _trains_on_graph(config, name):
            report = LeakageReport(name, {part: rows.numel() for part, rows in task.split.items()})
            _count_pairs(report, task, pairs)
            if isinstance(task, Task):
                _look_at_edges(report, config, dataset, task, graph)
            if report.suspicious:
                found[name] = "; ".join(report.reasons)
    return found


def _count_pairs(report: LeakageReport, task: BaseTask, held: Mapping[str, int] | None) -> None:
    report.pairs_in_graph, tested = (held or {}).get(task.name, 0), task.edges()
    report.num_pairs = 0 if tested is None else tested.size(1)


def _trains_on_graph(config: PretrainConfig, task: str) -> bool:
    """Whether edges of samples that are tested reach the encoder."""
    hides = config.inductive and hides_for(config.inductive, task)
    joins_tested = not hides or share_of(config.inductive) is not None
    return bool(joins_tested and config.structure_weight and config.trainer.max_epochs)


def _look_at_edges(
    report: LeakageReport, config: PretrainConfig, whole: SampleDataset, task: Task, graph: PretrainGraph | None
) -> None:
    constructor: GraphConstructor = build(config.graph, GraphConstructor, "pretrain.graph")
    seen = sight(whole, config.inductive).samples
    if graph is not None and seen is not None:
        graph = lifted(graph, seen, len(whole))
    look_at_graph(report, graph, task, labels_in_edges(constructor, whole))


def without_repeated(dataset: SampleDataset, task: BaseTask, predicted: Tensor | None, data: str) -> dict[str, Any]:
    """The test score without the samples that also occur in training, as a field of a record.

    Args:
        dataset: The task's samples.
        task: Labels, split and metric.
        predicted: Of the test samples, in their order; None: the test set was not scored.
        data: The data set's fingerprint.

    Returns:
        Nothing if no test sample occurs in training; else under ``leakage`` the numbers ``num_affected`` and
        ``num_test``, and ``test_without``: None, with a ``reason``, where the score of the others is not defined.
    """
    if predicted is None or task.edges() is not None:
        return {}
    key = data, task.name, task.about
    if key not in _repeated:
        if len(_repeated) >= _KEPT:
            _repeated.pop(next(iter(_repeated)))
        _repeated[key] = repeated_in_training(dataset, task)
    affected = _repeated[key]
    if not affected.numel():
        return {}
    test = task.split["test"]
    keep = ~torch.isin(test, affected)
    found: dict[str, Any] = {"num_affected": affected.numel(), "num_test": test.numel(), "test_without": None}
    if not bool(keep.any()):
        return {"leakage": {**found, "reason": "every test sample also occurs in training"}}
    try:
        score = task.evaluate(test[keep], predicted[keep[task.row_items(test)]], [task.metric])[task.metric]
    except ValueError as error:  # a metric may need two classes
        return {"leakage": {**found, "reason": str(error)}}
    if math.isnan(score):
        return {"leakage": {**found, "reason": f"{task.metric} is not defined on the others"}}
    return {"leakage": {**found, "test_without": score}}


def scored_apart(task: BaseTask, predicted: Tensor | None, hidden: Tensor | None) -> dict[str, float | None]:
    """The scores of the test samples that pre-training did not see and of those that it saw, as fields of a record.

    Args:
        task: Labels, split and metric.
        predicted: Of the test samples, in their order; None: the test set was not scored.
        hidden: Which of them were hidden, as :func:`~sigraph.running.visible.hidden_test` gives it. Shape [n].

    Returns:
        Nothing where nothing was hidden apart; else ``test_hidden`` and ``test_seen``, None where the metric is not
        defined on them.
    """
    if predicted is None or hidden is None:
        return {}
    items, scores = task.split["test"], {}
    for name, part in (("test_hidden", hidden), ("test_seen", ~hidden)):
        try:
            found = task.evaluate(items[part], predicted[part[task.row_items(items)]], [task.metric])
            score = found[task.metric]
        except ValueError:  # a metric may need two classes
            score = math.nan
        scores[name] = None if math.isnan(score) else score
    return scores


def with_told(task: dict[str, Any], told: dict[str, str]) -> dict[str, Any]:
    """A fine-tuning's record with what :func:`told_by_edges` found of its task under ``leakage``, ``label_edges``."""
    reason = told.get(task["task"]) if task["data"] == task["pretrain_data"] else None
    return {**task, "leakage": {**task.get("leakage", {}), "label_edges": reason}} if reason else task


def without_told(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same records before :func:`with_told`, which older ones are."""
    plain = []
    for task in tasks:
        found = task.get("leakage")
        rest = {key: value for key, value in found.items() if key != "label_edges"} if isinstance(found, dict) else None
        plain.append({**task, "leakage": rest or None})
    return plain
