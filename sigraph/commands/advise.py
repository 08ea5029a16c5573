"""``sigraph advise``: should I pre-train on this graph? Answered by a short run, before anything long is trained."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import shlex
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigraph.commands.audit import describe_graph
from sigraph.commands.init import read_files, sorted_files, uses_of
from sigraph.commands.prepare import OF_FILES, add_own_data_options
from sigraph.config.trust import OPTION_HELP, trusting
from sigraph.files.paths import user_path

if TYPE_CHECKING:
    from sigraph.config import ArmConfig, ExperimentConfig
    from sigraph.data import SampleDataset
    from sigraph.proposal.advice import Findings
    from sigraph.proposal.conclusion import Conclusion
    from sigraph.proposal.experiment import Proposal
    from sigraph.tasks import Task
    from sigraph.theory import AuditReport

MINUTES = 30.0  # of the experiment that is proposed for files or a prepared folder, as ``sigraph init`` takes them
PICTURE = "learning-curve.png"
_OWN = tuple(name for name in (*OF_FILES, "own_name", "no_labels") if name not in ("task", "seed"))


def add_advise_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``sigraph advise``."""
    add = parser.add_argument
    add(
        "what",
        nargs="+",
        metavar="YAML|NAME|FOLDER|FILES",
        help="an experiment's YAML and KEY=VALUE overrides; a data set's name or prepared folder; or files of your "
        "own, samples first, as `sigraph init` takes them",
    )
    add("--minutes", type=float, default=2.0, help="of pre-training for the short run, of both arms (default: 2)")
    add("--draws", type=int, default=5, metavar="R", help="of labels, for each number of them (default: 5)")
    add("--arm", metavar="NAME", help="that is asked about (default: sipt, else the first that begins so)")
    add("--graph", metavar="NAME", help="the arm that pre-trains on this one, where there are several")
    add("--format", choices=("markdown", "json"), default="markdown")
    add("--out", metavar="DIR", help=f"a folder for {PICTURE} and, of a data set, the YAML of the experiment")
    add("--trust", action="append", default=[], metavar="NAME", help=f"with a YAML: {OPTION_HELP}")
    task = "a task to advise on (default: the primary, or first one); of files, NAME=FILE is one: id, label, ..."
    add_own_data_options(parser, of_init=True, writes=False, about_task=task)
    parser.set_defaults(no_labels=False)


def advise_run(arguments: argparse.Namespace) -> int:
    """Audit, pre-train for a short while, score with few labels and with many, conclude; returns 0 whatever it is."""
    if not 0 < arguments.minutes < math.inf:
        raise ValueError(f"--minutes needs to be above 0 (got {arguments.minutes:g})")
    if arguments.draws < 1:
        raise ValueError(f"--draws needs to be >= 1 (got {arguments.draws})")
    out = None if arguments.out is None else _checked_out(arguments.out)
    with _asked(arguments) as asked:
        _answer(arguments, asked, out)
    return 0


@dataclass
class _Asked:
    """What is asked about.

    Args:
        config: The experiment.
        arm, baseline: Its arms that are compared.
        task: The task's name; None: the primary one.
        command: What runs the experiment.
        proposal: What the experiment was made from here; to be written beside the picture.
    """

    config: ExperimentConfig
    arm: ArmConfig
    baseline: str
    task: str | None
    command: str
    proposal: Proposal | None = None


@contextlib.contextmanager
def _asked(arguments: argparse.Namespace) -> Iterator[_Asked]:
    """The experiment that was named, or the one that is proposed for the data; a folder of these is gone afterwards."""
    first, *others = arguments.what
    path = user_path(first)
    if path.suffix.lower() in (".yaml", ".yml"):
        _refuse_own(arguments, "an experiment's YAML")
        with trusting(arguments.trust, beside=path):
            yield _of_yaml(arguments, first, others)
        return
    if arguments.trust:
        raise ValueError(f"--trust is for an experiment's YAML, which may name modules (got {first})")
    if _is_prepared(first, path):
        _refuse_own(arguments, "a data set")
        if others:
            raise ValueError(f"a data set has its own tasks, so {others[0]!r} is one too many; choose by --task NAME")
        yield _of_dataset(arguments, first)
        return
    with tempfile.TemporaryDirectory(prefix="sigraph-advise-") as folder:
        yield _of_files(arguments, Path(folder) / "data")


def _is_prepared(name: str, path: Path) -> bool:
    """Whether a word names a data set: known by name, a prepared folder, or nothing at all, which is said then."""
    from sigraph.files.ownership import MANIFEST
    from sigraph.recipes.prepare import dataset_names

    return name in dataset_names() or (path / MANIFEST).is_file() or not (path.exists() or path.suffix)


def _refuse_own(arguments: argparse.Namespace, what: str) -> None:
    given = next((name for name in _OWN if getattr(arguments, name)), None)
    if given is not None:
        raise ValueError(f"{_option(given)} is for tables of your own, not for {what} ({arguments.what[0]})")
    if len(arguments.task) > 1:
        raise ValueError(f"--task names one task of {what} (got {', '.join(arguments.task)})")


def _of_yaml(arguments: argparse.Namespace, file: str, overrides: list[str]) -> _Asked:
    from sigraph.config import load_config
    from sigraph.proposal.advice import pick_arm

    config = load_config(file, overrides)
    arm, baseline = pick_arm(config, arguments.arm, arguments.graph)
    command = shlex.join(["sigraph", "run", file, *overrides])
    return _Asked(config, arm, baseline, next(iter(arguments.task), None), command)


def _of_dataset(arguments: argparse.Namespace, name: str) -> _Asked:
    from sigraph.recipes import open_dataset
    from sigraph.recipes.prepare import dataset_names

    dataset = open_dataset(name)
    uses = {column.name: column.use for column in uses_of(dataset) or ()}
    asked = _proposed(arguments, dataset, name, uses, next(iter(arguments.task), None))
    asked.command = f"sigraph run {shlex.quote(str(Path(arguments.out or 'advice') / f'{asked.config.name}.yaml'))}"
    if arguments.out is None:  # the experiment is written by the same command, or by init
        is_known = name in dataset_names()
        first = ["sigraph", "advise", name, "--out", "advice"] if is_known else ["sigraph", "init", name, "--run"]
        asked.command = f"{shlex.join(first)}{' && ' + asked.command if is_known else ''}"
    return asked


def _of_files(arguments: argparse.Namespace, folder: Path) -> _Asked:
    named = [one for one in arguments.task if "=" not in one and not user_path(one).exists()]
    if len(named) > 1:
        raise ValueError(
            f"--task names one task to advise on (got {', '.join(named)}); NAME=FILE gives a file of labels"
        )
    arguments.task = [one for one in arguments.task if one not in named]
    arguments.files, typed = arguments.what, _typed(arguments)
    with contextlib.redirect_stdout(sys.stderr):
        dataset, uses, _ = read_files(arguments, sorted_files(arguments))
    dataset.save(folder)
    asked = _proposed(arguments, dataset, str(folder), uses, *named)
    asked.proposal = None  # its data set is gone in a moment
    asked.command = shlex.join(["sigraph", "init", *arguments.what, *typed, "--run"])
    return asked


def _option(name: str) -> str:
    return "--name" if name == "own_name" else f"--{name.replace('_', '-')}"


def _typed(arguments: argparse.Namespace) -> list[str]:
    """The options for tables of one's own as they were given."""
    out: list[str] = []
    for name in (*_OWN, "task", "seed"):
        value = getattr(arguments, name)
        if name == "edge_columns" and value:
            out += [_option(name), *value]
        elif isinstance(value, list):
            out += [word for one in value for word in (_option(name), one)]
        elif value:
            out += [_option(name)] if value is True else [_option(name), str(value)]
    return out


def _proposed(
    arguments: argparse.Namespace, dataset: SampleDataset, folder: str, uses: dict[str, str], task: str | None = None
) -> _Asked:
    """The experiment that ``sigraph init`` would write, as long as it would be here."""
    from sigraph.config import config_from_dict
    from sigraph.proposal.advice import pick_arm
    from sigraph.proposal.budget import length_within
    from sigraph.proposal.experiment import propose
    from sigraph.tasks.base import BaseTask
    from sigraph.theory.audit import audit

    if not dataset.tasks:
        raise ValueError(f"data set {dataset.name!r} has no task to advise on: labels are needed (--label COLUMN)")
    found: AuditReport | None = None
    if len(dataset.held_graphs) > 1:
        tasks: dict[str, BaseTask] = {**dataset.tasks}
        found = audit(dataset.held_graphs, tasks if task not in tasks else {task: tasks[task]}, dataset=dataset)
    proposal = propose(dataset, folder, uses, found)
    _say("measuring how long the experiment would be ...")
    once = config_from_dict(proposal.settings)
    timed = {"pretrain.trainer.max_epochs": once.pretrain.valid_every}
    proposal.with_length(length_within(config_from_dict(proposal.settings, timed), MINUTES))
    config = config_from_dict(proposal.settings)
    arm, baseline = pick_arm(config, arguments.arm, arguments.graph)
    return _Asked(config, arm, baseline, task, "", proposal)


def _answer(arguments: argparse.Namespace, asked: _Asked, out: Path | None) -> None:
    from sigraph.machines.trainer import quiet_libraries
    from sigraph.proposal.advice import asked_task, find_out, pick_entry
    from sigraph.proposal.conclusion import conclude
    from sigraph.proposal.curve_shown import curve_table, findings_dict

    quiet_libraries()
    entry = pick_entry(asked.arm, asked.task)
    _, task = asked_task(asked.arm, entry)
    _say(f"auditing {describe_graph(asked.arm.pretrain.graph)} for {task.name} ...")
    report = _audited(asked.config, asked.arm, task)
    row = report.rows[0] if report is not None else None
    found = find_out(
        asked.config, asked.arm, asked.baseline, entry, arguments.minutes, arguments.draws, arguments.seed, _say
    )
    suspicious = row.reason if row is not None and row.verdict == "suspicious" else ""
    conclusion = conclude(found, suspicious)
    following = _next(asked, conclusion)
    written = [] if out is None else _write(out, asked, found)
    if arguments.format == "json":
        whole: dict[str, Any] = {"audit": None if report is None else report.to_dict()["rows"][0]}
        whole |= findings_dict(found)
        whole |= {"verdict": conclusion.verdict, "conclusion": conclusion.sentences, "next": following}
        print(json.dumps(whole, indent=1, allow_nan=False))
        return
    blocks = [] if report is None else report.table().split("\n\n")[:2]
    valid = f"{task.metric} on {found.curve.num_valid:,} validation samples of {task.name}; mean ± std over draws"
    blocks += ["\n".join(f"- {note}" for note in found.notes)] * bool(found.notes)
    blocks += [curve_table(found), valid, "\n".join(f"- {sentence}" for sentence in conclusion.sentences)]
    blocks += [f"**{conclusion.verdict}**: {following}", *(f"written: {file}" for file in written)]
    print("\n\n".join(blocks))


def _audited(config: ExperimentConfig, arm: ArmConfig, task: Task) -> AuditReport | None:
    """The audit of the arm's graph and the task; None where the task is of another data set."""
    from sigraph.running.ground import seen_data, whole_graph
    from sigraph.running.parts import said_of
    from sigraph.tasks.task import said_elsewhere
    from sigraph.theory.audit import audit

    dataset = seen_data(arm.pretrain)[0]
    if dataset.tasks.get(task.name) is not task:
        return None
    with said_of(arm):
        graph, constructor = whole_graph(arm.pretrain, dataset, config.seeds[0])
    name = describe_graph(arm.pretrain.graph)
    with said_elsewhere():
        return audit({name: graph}, {task.name: task}, dataset=dataset, graph_labels={name: constructor})


def _next(asked: _Asked, conclusion: Conclusion) -> str:
    """What to type next."""
    from sigraph.proposal.conclusion import CLOSED_FORM, LOOK_FIRST, NO

    if conclusion.verdict == LOOK_FIRST:
        return "see docs/leakage.md for what the audit found; sigraph audit shows all of it"
    if conclusion.verdict == CLOSED_FORM:
        passed = "whether more epochs pass it, says the test set:"
        return f"the graph helps, and ridge has that in seconds; {passed} `{asked.command}`"
    if conclusion.verdict == NO:
        return f"not shown to be worth it for this task; the whole experiment, to be sure: `{asked.command}`"
    return f"worth it; next: `{asked.command}`"


def _checked_out(folder: str) -> Path:
    out = user_path(folder)
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file, and --out needs a folder; choose another --out")
    return out


def _write(out: Path, asked: _Asked, found: Findings) -> list[Path]:
    """The picture and, where the experiment was proposed here, its YAML."""
    from sigraph.files.atomic import atomic_file
    from sigraph.proposal.curve_shown import lines_of
    from sigraph.report import learning_curve_figure

    out.mkdir(parents=True, exist_ok=True)
    scores, gains = lines_of(found)
    curve = found.curve
    title = f"{found.config.name}: {curve.task.name} with few labels and with many"
    labels = [point.size.num_labels for point in curve.points]
    written = [learning_curve_figure(out / PICTURE, labels, scores, gains, curve.task.metric, title)]
    if asked.proposal is not None:
        file = out / f"{found.config.name}.yaml"
        with atomic_file(file) as own:
            own.write_text(asked.proposal.text(), encoding="utf-8")
        written.append(file)
    return written


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
