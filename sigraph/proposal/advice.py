"""What is asked before anything long is trained: which arm, which task, and what a short run of both says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

from sigraph.arms import RawFeatures, Ridge
from sigraph.arms.mapped import MappedRows
from sigraph.config import ArmConfig, ExperimentConfig, FinetuneConfig
from sigraph.config.build import build
from sigraph.data import SampleDataset
from sigraph.files.suggestions import did_you_mean
from sigraph.graphs import GraphConstructor
from sigraph.graphs.label_graph import labels_read
from sigraph.proposal.label_subsets import without_test
from sigraph.proposal.learning_curve import LearningCurve, closed_form, learning_curve, probe
from sigraph.proposal.short_run import ShortRun, short_runs
from sigraph.running.kinds import build_kind, given_to, look_up
from sigraph.running.learnt_labels import learns_labels
from sigraph.tasks import Task
from sigraph.tasks.base import plural

RAW, RIDGE = "raw-features", "ridge"
_ARM = "sipt"

Kind = TypeVar("Kind", bound=MappedRows)


@dataclass
class Findings:
    """What a short look at an experiment gave.

    Args:
        config: The experiment.
        arm, baseline: Its arms that were compared.
        curve: Scores with few labels and many: of both arms, ``raw-features`` and ``ridge``.
        runs: The short pre-trainings, by arm.
        left_out: Why a closed form was left out, by its name.
        notes: What to know of the curve.
    """

    config: ExperimentConfig
    arm: str
    baseline: str
    curve: LearningCurve
    runs: dict[str, ShortRun]
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Whose differences have an interval: (ours, theirs)."""
        return _pairs(self.arm, self.baseline, self.left_out)

    @property
    def shown_pairs(self) -> list[tuple[str, str]]:
        """Those that a table shows: what the graph gives to a pre-training, and to a closed form."""
        return [pair for pair in self.pairs if pair in ((self.arm, self.baseline), (RIDGE, RAW))]


def _pairs(arm: str, baseline: str, left_out: Mapping[str, str]) -> list[tuple[str, str]]:
    every = [(arm, baseline), (RIDGE, RAW), (arm, RIDGE), (arm, RAW)]
    return [pair for pair in every if not set(pair) & set(left_out)]


def pick_arm(config: ExperimentConfig, name: str | None = None, graph: str | None = None) -> tuple[ArmConfig, str]:
    """The arm that is asked about, and the baseline that it is compared with.

    Args:
        config: The experiment.
        name: Of the arm; None: ``sipt``, else the first whose name begins so.
        graph: That it pre-trains on; None: any.

    Raises:
        ValueError: There is no such arm, it pre-trains nothing, or nothing is there to compare it with.
    """
    trained = [one for one in config.arms if config.arm(one).num_epochs]
    if name is None:
        called = [one for one in trained if one.startswith(_ARM)]
        found = [one for one in called if graph in (None, config.arm(one).pretrain.graph.get("name"))]
        name = next((one for one in found if one == _ARM), found[0] if found else None)
        if name is None:
            of = "" if graph is None else f" on the graph {graph!r}"
            raise ValueError(
                f"{config.name!r} has no arm {_ARM!r}, nor one that begins so, that pre-trains{of}; name one by --arm; "
                f"arms that pre-train: {', '.join(trained) or 'none'}"
            )
    elif graph is not None:
        raise ValueError("the graph is that of the arm: give --arm or --graph, not both")
    if name not in trained:
        there = f"{did_you_mean(name, trained)}; arms that do: {', '.join(trained) or 'none'}"
        raise ValueError(f"--arm {name}: {config.name!r} has no arm of this name that pre-trains{there}")
    baseline = config.baseline_of(name)
    if baseline is None or baseline == name or config.arm(baseline).kind is not None:
        raise ValueError(
            f"{config.name!r} names no arm that pre-trains without the graph to compare {name!r} with ('baseline' is "
            f"{baseline!r}); add one, such as objective-only: {{pretrain.structure_weight: 0.0}}, and name it there"
        )
    return config.arm(name), baseline


def pick_entry(arm: ArmConfig, task: str | None = None) -> FinetuneConfig:
    """The fine-tuning whose task is asked about: the primary one, or a linear one of the task that is named.

    Raises:
        ValueError: There is no such task, or none at all.
    """
    if not arm.finetune:
        raise ValueError("there is no task to advise on: labels are needed; without any, the audit and a run are left")
    names = list(dict.fromkeys(entry.task for entry in arm.finetune))
    primary = next(entry for entry in arm.finetune if entry.primary)
    if task is not None and task not in names:
        raise ValueError(f"--task {task}: there is none{did_you_mean(task, names)}; there are: {', '.join(names)}")
    task = primary.task if task is None else task
    entries = [entry for entry in arm.finetune if entry.task == task]
    return next((entry for entry in entries if entry.head == "linear"), entries[0])


def find_out(
    config: ExperimentConfig,
    arm: ArmConfig,
    baseline: str,
    entry: FinetuneConfig,
    minutes: float = 2.0,
    draws: int = 5,
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> Findings:
    """Pre-train an arm and its baseline for a short while; score both and the closed forms with few labels and many.

    Args:
        config: The experiment.
        arm: One of its arms.
        baseline: The name of the arm that it is compared with.
        entry: The task; ``normalize`` and ``class_weight`` act on the probes.
        minutes: For both pre-trainings together, > 0.
        draws: Of labels, >= 1.
        seed: Of these draws; pre-training takes the experiment's first.
        say: Told what happens.

    Raises:
        ConfigError, ValueError: Something does not fit; before anything trains.
    """
    home, task = asked_task(arm, entry)
    without_test(task, seed)  # refuses what cannot be scored, before anything trains
    notes, only_all = _labels_seen(config, arm, baseline)
    given = given_to(arm, home, config.seeds[0])
    kinds: dict[str, MappedRows] = {RAW: _kind(config, RAW, RawFeatures), RIDGE: _kind(config, RIDGE, Ridge)}
    left_out = {name: reason for name, kind in kinds.items() if (reason := kind.applies(given, task))}
    runs = short_runs(config, [arm.name, baseline], home, minutes, say)
    methods = [closed_form(name, kind, given) for name, kind in kinds.items() if name not in left_out]
    for name in (baseline, arm.name):
        methods.append(probe(name, runs[name].z, entry.normalize, entry.class_weight))
    say("scoring with few labels and with many ...")
    with threadpool_limits(torch.get_num_threads()):
        pairs = _pairs(arm.name, baseline, left_out)
        curve = learning_curve(task, methods, pairs, draws, seed, only_all)
    return Findings(config, arm.name, baseline, curve, runs, left_out, notes)


def asked_task(arm: ArmConfig, entry: FinetuneConfig) -> tuple[SampleDataset, Task]:
    """The data set of a task, read as pre-training reads it, and the task.

    Raises:
        ValueError: Its labels are not of samples.
    """
    home, task = look_up(arm, entry)
    if not isinstance(task, Task):
        raise ValueError(
            f"advise does tasks of samples: classes, label columns, numbers; not of pairs or parts (the items of task "
            f"{task.name!r} are {plural(task.item)}): sigraph audit and sigraph run do"
        )
    return home, task


def _kind(config: ExperimentConfig, name: str, default: type[Kind]) -> Kind:
    """A closed form as the experiment states it, where an arm of that name is one."""
    if name in config.arms and config.arm(name).kind is not None:
        found = build_kind(config.arm(name))
        if isinstance(found, default):
            return found
    return default()


def _labels_seen(config: ExperimentConfig, arm: ArmConfig, baseline: str) -> tuple[list[str], bool]:
    """What pre-training knows of labels, in words, and whether few of them would therefore be none the fewer."""
    notes = []
    for one in (arm, config.arm(baseline)):
        constructor: GraphConstructor = build(one.pretrain.graph, GraphConstructor, "pretrain.graph")
        read = labels_read(constructor) if one.pretrain.structure_weight else "none"
        if read == "none" and not learns_labels(one.pretrain):
            continue
        notes.append(
            f"{one.name} reads labels of training samples in pre-training: with fewer of them it would be another, so "
            "that all of them are the only point"
        )
        if read == "all":
            notes.append(
                f"the graph of {one.name} is made of labels outside the training split as well; where they are those "
                "of this task, its score says nothing"
            )
    return notes, bool(notes)
