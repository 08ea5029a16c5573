"""What is audited: graphs and tasks by name, and the labels that are looked at."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from sigraph.data.foreign import way_from
from sigraph.data.sample_graph import SampleGraph
from sigraph.files.arguments import as_tensor
from sigraph.files.row_index import check_index
from sigraph.tasks.base import BaseTask
from sigraph.tasks.kinds import KINDS
from sigraph.tasks.label_values import labels_said
from sigraph.tasks.task import label_type

LABELS = {"seen": ("train", "valid"), "train": ("train",), "all": ("train", "valid", "test")}
Graphs = SampleGraph | Mapping[str, SampleGraph]
Tasks: TypeAlias = Any  # a Task, or what `label_values` takes; several in a list (tasks alone) or by name
_ACCEPTED = "a Task, several in a list or by name, or labels (a tensor, an array, a list, a column), also by name"


def named_graphs(graph: Graphs) -> dict[str, SampleGraph]:
    graphs = {"graph": graph} if isinstance(graph, SampleGraph) else dict(graph) if isinstance(graph, Mapping) else {}
    wrong = [value for value in graphs.values() if not isinstance(value, SampleGraph)]
    if not graphs or wrong:
        way = way_from(wrong[0]) if wrong else "" if isinstance(graph, Mapping) else way_from(graph)
        if not wrong and isinstance(graph, str | Path):
            way = "open it: sigraph.audit(sigraph.open_dataset(...)), or a graph by PretrainGraph.open(...)"
        raise ValueError(
            f"'graph' needs a PretrainGraph, or some by name, or a SampleDataset, in 'audit' (got {_say(graph)}"
            f"{' with a ' + type(wrong[0]).__name__ if wrong else ''}){way and '; ' + way}"
        )
    return graphs


def named_tasks(tasks: Tasks | None) -> dict[str, BaseTask | Tensor]:
    if isinstance(tasks, BaseTask):
        return {tasks.name: tasks}
    if isinstance(tasks, Mapping):
        named: dict[str, Any] = dict(tasks)
    elif isinstance(tasks, list | tuple) and (not tasks or any(isinstance(one, BaseTask) for one in tasks)):
        listed = [task for task in tasks if isinstance(task, BaseTask)]
        if len(listed) < len(tasks):
            kinds = ", ".join(dict.fromkeys(type(task).__name__ for task in tasks))
            raise ValueError(f"'tasks' needs {_ACCEPTED}, in 'audit' (got a list of {kinds})")
        named = {task.name: task for task in listed}
        if len(named) < len(listed):
            raise ValueError("'tasks' holds two tasks of the same name in 'audit'; give them as a mapping")
    elif tasks is None or isinstance(tasks, str | numbers.Number | SampleGraph):
        raise ValueError(f"'tasks' needs {_ACCEPTED}, in 'audit' (got {_say(tasks)})")
    else:
        named = {"task": tasks}
    if not named:
        raise ValueError("'tasks' needs at least one task in 'audit' (got none)")
    return {
        name: value
        if isinstance(value, BaseTask)
        else checked_labels(f"task {name!r}", value, "a Task or labels", "audit")
        for name, value in named.items()
    }


def checked_labels(what: str, value: Any, needed: str, owner: str) -> Tensor:
    """Labels as a tensor of one of the three types; ``what``, ``needed`` and ``owner`` are for messages."""
    if value is None or isinstance(value, str | Mapping | SampleGraph):
        raise ValueError(f"{what} needs {needed} in {owner!r} (got {_say(value)})")
    return labels_said(value, f"{what} in {owner!r}", is_dense=False).y


def as_numbers(what: str, value: Any, needed: str, owner: str) -> Tensor:
    """Tensor, array or list of numbers, row i of sample i, as a tensor; the rest is for messages."""
    check_index(value, f"{what} in {owner!r}")
    try:
        out = as_tensor(value)
    except ValueError as error:
        raise ValueError(f"{what} needs {needed} as numbers in {owner!r} (got {_say(value)})") from error
    if out.is_complex() or out.layout != torch.strided:
        raise ValueError(f"{what} needs {needed} as dense real numbers in {owner!r} (got {out.dtype}, {out.layout})")
    return out


def check_made_from(graph_labels: Any, graphs: Mapping[str, SampleGraph]) -> dict[str, Any]:
    """What graphs were made from, by their names."""
    if graph_labels is None:
        return {}
    if not isinstance(graph_labels, Mapping):
        raise ValueError(f"'graph_labels' needs a mapping by the names of graphs in 'audit' (got {_say(graph_labels)})")
    unknown = [name for name in graph_labels if name not in graphs]
    if unknown:
        raise ValueError(
            f"'graph_labels' needs names of graphs in 'audit' (got {unknown[0]!r:.60}; there are: {', '.join(graphs)})"
        )
    return dict(graph_labels)


def check_fit(key: str, graph: SampleGraph, name: str, task: BaseTask | Tensor) -> None:
    count = task.num_samples if isinstance(task, BaseTask) else task.size(0)
    if count != graph.store.num_nodes:
        raise ValueError(
            f"task {name!r} needs one label a node of graph {key!r}, {graph.store.num_nodes:,}, in 'audit' "
            f"(got {count:,}); mark missing ones (-1, or NaN) rather than leaving them out"
        )


def _say(value: Any) -> str:
    return type(value).__name__ + (f" of {len(value)}" if isinstance(value, Mapping) else "")


def used_labels(task: BaseTask | Tensor, labels: str = "seen") -> Tensor | None:
    """The labels that an audit looks at; the others are marked missing. Shape as the labels.

    None: the task has no label a sample. A sample that is tested in one item is not looked at for another.
    """
    if isinstance(task, Tensor):
        return task
    y = task.sample_labels()
    if y is None or labels == "all":
        return y
    shown = torch.cat([task.part_samples(part) for part in LABELS[labels]])
    return KINDS[label_type(y)].hidden(y, shown[~torch.isin(shown, task.part_samples("test"))])


def compact_classes(y: Tensor) -> tuple[Tensor, list[int]]:
    """Classes numbered 0, 1, ... as they occur, missing ones -1, and what each number stands for.

    Class ids may be any integers >= 0; what is counted by class needs room for those that occur alone.
    """
    values, place = y.unique(return_inverse=True)
    num_missing = int((values < 0).sum())
    return (place - num_missing).clamp(min=-1), values[num_missing:].tolist()
