"""``sigraph audit``: of a data set, of an experiment, or of one's own edges and labels."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigraph.config.trust import OPTION_HELP, trusting
from sigraph.files.paths import user_path

if TYPE_CHECKING:
    from torch import Tensor

    from sigraph.data import SampleDataset
    from sigraph.data.sample_graph import SampleGraph
    from sigraph.graphs import GraphConstructor
    from sigraph.tasks.base import BaseTask
    from sigraph.theory import AuditReport

_TABLES = (
    *(".csv", ".tsv", ".tab", ".txt", ".edges", ".edgelist", ".links", ".pairs", ".ppi"),
    *(".jsonl", ".ndjson", ".parquet", ".pq", ".npy", ".mtx", ".graphml"),
)
_PICTURES = {".png": (b"\x89PNG",), ".svg": (b"<?xml", b"<svg"), ".pdf": (b"%PDF",)}  # how their files begin
_OWN = ("id_column", "edge_columns", "no_header", "task_type", "edges")


def add_audit_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what is audited, and how."""
    add = parser.add_argument
    add(
        "what",
        metavar="NAME|FOLDER|YAML|EDGES",
        help="a data set's name or prepared folder; an experiment's YAML; a table of edges, or a graph's folder",
    )
    add(
        "more",
        nargs="*",
        metavar="LABELS|KEY=VALUE",
        help="with EDGES: tables of labels, each [NAME=]FILE with an id, labels, perhaps split; with a YAML: overrides",
    )
    add("--edges", action="append", default=[], metavar="NAME=FILE", help="further edges over the same ids")
    add("--graph", action="append", default=[], metavar="NAME", help="only this graph; repeat for more")
    add("--task", action="append", default=[], metavar="NAME", help="only this task; repeat for more")
    add(
        "--labels",
        choices=("seen", "train", "all"),
        default="seen",
        help="which labels of a task with a split are looked at; seen (default): of train and valid, so that a graph "
        "that is chosen by them was not chosen by the test set; all: to describe data, not to choose",
    )
    add("--null", choices=("permute", "rewire"), default="permute", help="what is chance (default: labels permuted)")
    add("--draws", type=int, default=100, metavar="N", help="of chance, where it is drawn (default: 100)")
    add("--seed", type=int, default=0, help="of all draws (default: 0)")
    add("--format", choices=("markdown", "json"), default="markdown")
    add("--trust", action="append", default=[], metavar="NAME", help=f"with a YAML: {OPTION_HELP}")
    add("--picture", metavar="FILE", help="LC against chance, by class or label, as FILE.png, .svg or .pdf")
    own = parser.add_argument_group("your own edges and labels").add_argument
    own("--id-column", metavar="COLUMN", help="of labels (default: id, else the first)")
    own("--edge-columns", metavar="COLUMN", nargs=2, help="the ends (default: source target, ..., else the first two)")
    own("--no-header", action="store_true", help="CSV and TSV files name no columns, but those that plainly do")
    own("--task-type", action="append", default=[], metavar="TASK=TYPE", help="classification or regression")


def audit_run(arguments: argparse.Namespace) -> int:
    """Audit and print; returns 0 whatever the verdict."""
    if arguments.picture:
        _check_replaced(user_path(arguments.picture))
    wanted = _wanted(arguments)
    wanted.only(arguments.graph, arguments.task)
    from sigraph.tasks.task import said_elsewhere
    from sigraph.theory.audit import audit

    rows = []
    for group in wanted.groups:
        with said_elsewhere():  # what may surprise about labels, where they were read
            found = audit(
                group.graphs,
                group.tasks,
                labels=arguments.labels,
                null=arguments.null,
                draws=arguments.draws,
                seed=arguments.seed,
                dataset=group.dataset,
                graph_labels={name: made for name, made in group.made_by.items() if name in group.graphs},
            )
        for row in found.rows:
            if not group.has_graph and row.verdict == "useless":
                row.reason = "there is no graph to judge"
        rows += found.rows
    report = type(found)(rows)
    _rename(report, wanted.names)
    if arguments.picture:
        from sigraph.report import audit_figure

        audit_figure(report, arguments.picture)
    if arguments.format == "json":
        print(json.dumps({**report.to_dict(), "notes": wanted.notes}, indent=1, allow_nan=False))
    else:
        print("\n".join([*wanted.notes, *([""] if wanted.notes else []), report.table()]))
    return 0


def _check_replaced(picture: Path) -> None:
    """Refuse to draw what is no picture, or over anything but one."""
    if picture.suffix.lower() not in _PICTURES:
        raise ValueError(f"--picture needs a file ending in {', '.join(_PICTURES)} (got {picture})")
    if picture.is_dir():
        raise ValueError(f"--picture needs a file ({picture} is a folder)")
    if picture.is_file():
        with picture.open("rb") as file:
            head = file.read(8)
        if head and not head.startswith(_PICTURES[picture.suffix.lower()]):
            raise ValueError(f"--picture would replace {picture}, which is no {picture.suffix[1:]}; name another file")


@dataclass
class _Group:
    """Graphs and tasks over the same samples."""

    graphs: dict[str, SampleGraph]
    tasks: dict[str, BaseTask | Tensor]
    dataset: SampleDataset | None = None
    made_by: dict[str, GraphConstructor] = field(default_factory=dict)
    has_graph: bool = True


@dataclass
class _Wanted:
    groups: list[_Group]
    notes: list[str] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)  # by task: its classes or label columns

    def only(self, graphs: list[str], tasks: list[str]) -> None:
        """Keep some graphs and tasks, if any are named."""
        for kind, names in (("graph", graphs), ("task", tasks)):
            there = dict.fromkeys(name for group in self.groups for name in getattr(group, f"{kind}s"))
            unknown = [name for name in names if name not in there]
            if unknown:
                raise ValueError(f"--{kind} {unknown[0]}: there is none; there are: {', '.join(there)}")
            for group in self.groups:
                kept = {name: value for name, value in getattr(group, f"{kind}s").items() if not names or name in names}
                setattr(group, f"{kind}s", kept)
        self.groups = [group for group in self.groups if group.graphs and group.tasks]
        if not self.groups:
            raise ValueError("there is no graph with a task: nothing to audit")


def _wanted(arguments: argparse.Namespace) -> _Wanted:
    what, path = arguments.what, user_path(arguments.what)
    if path.suffix.lower() in (".yaml", ".yml"):
        _refuse(arguments, "an experiment's YAML")
        with trusting(arguments.trust, beside=path):
            return _of_experiment(what, arguments.more)
    if arguments.trust:
        raise ValueError(f"--trust is for an experiment's YAML, which may name modules (got {what})")
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    edges = "=" in what or suffixes[-1:] in [[suffix] for suffix in _TABLES] or (path / "header.json").is_file()
    if edges and not (path.is_dir() and not (path / "header.json").is_file()):
        return _of_files(arguments)
    if path.is_file():
        raise ValueError(f"{what} is no table of edges: that ends in {', '.join(_TABLES)} (text also in .gz)")
    _refuse(arguments, "a data set")
    if arguments.more:
        raise ValueError(
            f"a data set has its own tasks, so {arguments.more[0]!r} is one too many; choose by --task NAME"
        )
    from sigraph.recipes import open_dataset

    return _of_dataset(open_dataset(what))


def _refuse(arguments: argparse.Namespace, what: str) -> None:
    given = [name for name in _OWN if getattr(arguments, name)]
    if given:
        raise ValueError(f"--{given[0].replace('_', '-')} is for tables of your own, not for {what} ({arguments.what})")


def _of_dataset(dataset: SampleDataset) -> _Wanted:
    from sigraph.data.sample_graph import StoredGraph
    from sigraph.tables.giveaways import say_giveaways
    from sigraph.tasks import Task

    if not dataset.tasks:
        raise ValueError(f"data set {dataset.name!r} has no task: nothing to audit")
    notes = []
    graphs = dict(dataset.held_graphs)
    if not graphs:
        notes.append(f"data set {dataset.name!r} has no graph: only leakage between its samples is looked at")
        graphs = {"none": StoredGraph.from_edges([[], []], len(dataset))}
    names = {name: [str(c) for c in task.classes or []] for name, task in dataset.tasks.items()}
    for name, task in dataset.tasks.items():
        if not isinstance(task, Task):
            continue
        found = say_giveaways(dataset.store, dataset.feature_names, task, is_given="split drawn" not in task.about)
        notes += [f"task {name!r}: {note} when it is prepared" for note in found]
    return _Wanted([_Group(graphs, {**dataset.tasks}, dataset, has_graph=bool(dataset.graphs))], notes, names)


def _of_files(arguments: argparse.Namespace) -> _Wanted:
    from sigraph.commands.own_tables import by_task, sources
    from sigraph.tables.labelled_graph import read_labelled_graphs

    edges, tasks = sources("edges", [arguments.what, *arguments.edges], ""), sources("task", arguments.more, "")
    if not tasks:
        raise ValueError(f"edges ({arguments.what}) need a table of labels: sigraph audit {arguments.what} LABELS.csv")
    kinds = by_task("--task-type", arguments.task_type)
    unknown = [name for name in kinds if name not in tasks] if isinstance(kinds, dict) else []
    if unknown:
        raise ValueError(f"--task-type names the task {unknown[0]!r}; there are: {', '.join(tasks)}")
    found = read_labelled_graphs(
        edges,
        tasks,
        id_column=arguments.id_column,
        edge_columns=arguments.edge_columns,
        header=not arguments.no_header,
        task_types=dict.fromkeys(tasks, kinds) if isinstance(kinds, str) else kinds,
    )
    return _Wanted([_Group({**found.graphs}, {**found.tasks})], found.notes, found.names)


def _of_experiment(file: str, overrides: list[str]) -> _Wanted:
    """Every graph that an arm pre-trains on, with the tasks of its data set; for the first seed."""
    from sigraph.config import load_config
    from sigraph.config.inductive import arm_suffix
    from sigraph.running.data_source import open_data
    from sigraph.running.ground import whole_graph
    from sigraph.running.parts import said_of
    from sigraph.synthetic.generated import shown
    from sigraph.theory.leakage.label_edges import labels_in_edges

    config = load_config(file, overrides)
    arms: dict[str, list[str]] = {}
    groups: dict[str, _Group] = {}
    datasets: dict[str, SampleDataset] = {}
    wanted = _Wanted([])
    for arm in (config.arm(name) for name in config.arm_names if name not in config.reference_names):
        settings = arm.pretrain
        home = json.dumps(settings.dataset, sort_keys=True)
        dataset = datasets[home] = datasets.get(home) or open_data(settings.dataset)
        group = groups.setdefault(home, _Group({}, {}, dataset))
        for entry in arm.finetune:
            if entry.dataset == settings.dataset:
                group.tasks[entry.task] = dataset.task(entry.task)
            else:
                wanted.notes.append(
                    f"task {entry.task!r} is of {shown(entry.dataset or settings.dataset)}, whose samples are no nodes "
                    "of a graph here"
                )
        key = describe_graph(settings.graph) + (f", {arm_suffix(settings.inductive)}" if settings.inductive else "")
        arms.setdefault(key, []).append(arm.name)
        if key in group.graphs:
            continue
        with said_of(arm):
            group.graphs[key], constructor = whole_graph(settings, dataset, config.seeds[0])
        group.made_by[key] = constructor
        for made in labels_in_edges(constructor, dataset):
            wanted.notes.append(f"graph {key} is made of {made.what}: LC with these labels is high by construction")
    wanted.groups = list(groups.values())
    wanted.notes = [*dict.fromkeys(wanted.notes), *(f"graph {key}: arms {', '.join(arms[key])}" for key in arms)]
    for group in wanted.groups:
        wanted.names |= {
            name: [str(c) for c in getattr(task, "classes", None) or []] for name, task in group.tasks.items()
        }
    return wanted


def describe_graph(component: dict[str, Any]) -> str:
    """A graph of a YAML in a few words: its name, or its class, and the other arguments given."""
    given = {
        key: value for key, value in component.items() if key not in ("_target_", "name") and value not in (None, 0)
    }
    name = component.get("name") or component["_target_"].rpartition(".")[2]
    said = []
    for key, value in given.items():
        nested = isinstance(value, dict) and "_target_" in value
        said.append(
            describe_graph(value) if nested else f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}"
        )
    return name + (f" ({', '.join(said)})" if said else "")


def _rename(report: AuditReport, names: dict[str, list[str]]) -> None:
    """Classes and label columns as the user calls them, where the labels came without a Task's names."""
    for row in report.rows:
        called = dict(enumerate(names.get(row.task) or [])) if row.labels == "given" else {}
        for part in row.parts:
            if part.name.isdigit():
                part.name = called.get(int(part.name), part.name)
        row.notes = [_renamed(note, called) for note in row.notes]


def _renamed(note: str, called: dict[int, str]) -> str:
    """Quoted numbers of classes as their names."""
    return re.sub(r"'(\d+)'", lambda found: repr(called.get(int(found[1]), found[1])), note)
