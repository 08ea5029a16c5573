"""One multi-label task as two: columns that make a graph, and columns that are predicted."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from sigraph.files.arguments import check_integers, is_number, shown
from sigraph.files.random import keyed_generator
from sigraph.tasks.task import Task, is_labelled

GRAPH = "-graph"  # behind the name of the task whose labels make edges


def column_halves(task: Task, share: float = 0.5, seed: int = 0) -> tuple[Task, Task]:
    """Some columns of a multi-label task for a label graph, the others to be predicted: no label is both.

    A graph of the first task's labels then tells none of the second's: ``allow_label_edges: true`` is right for it if
    the labels of test samples in its columns are known when it is used, as those of older assays are.

    Args:
        task: Of at least two columns.
        share: Of the columns, for the graph, in (0, 1); as nearly as it goes, one at least on either side.
        seed: Of the draw of columns. Columns that are equal go together: each would tell the other.

    Returns:
        The task ``<name>-graph``, and the task of the same name and metric with the other columns. Both have the split
        of the task, without the samples that have no label left; columns keep their order and their names.

    Raises:
        ValueError: The task has no two different columns, or a part of the split has no label in the columns of one of
            the two.

    Example:
        >>> graph, task = column_halves(dataset.task("assays"))
        >>> dataset = dataset.replace(tasks={task.name: task, graph.name: graph})  # labels: assays-graph
    """
    if task.type != "multilabel" or task.num_outputs < 2:
        got = f"{task.num_outputs} column" if task.type == "multilabel" else task.type
        raise ValueError(f"'task' needs to have several label columns in 'column_halves' (got {task.name!r}, {got})")
    if not is_number(share) or not 0 < share < 1:
        raise ValueError(f"'share' needs to be in (0, 1) in 'column_halves' (got {shown(share)})")
    check_integers("column_halves", 0, seed=seed)
    _, kind, size = task.labels.double().nan_to_num(-1).unique(dim=1, return_inverse=True, return_counts=True)
    if len(size) < 2:
        raise ValueError(f"'task' needs columns that differ in 'column_halves' (all of {task.name!r} are equal)")
    order = torch.randperm(len(size), generator=keyed_generator(seed))
    wanted = share * task.num_outputs
    first = int((size[order].cumsum(0) - wanted).abs()[:-1].argmin()) + 1  # kinds of columns
    in_graph = torch.isin(kind, order[:first])
    given, rest = in_graph.nonzero().view(-1), (~in_graph).nonzero().view(-1)
    words = f"of {task.num_outputs} columns of {task.name!r}, share {share}, seed {seed}"
    for_graph = _with_columns(task, given, task.name + GRAPH, f"{len(given)} {words}, for a graph")
    return for_graph, _with_columns(task, rest, task.name, f"{len(rest)} {words}; the others are {for_graph.name!r}")


def _with_columns(task: Task, columns: Tensor, name: str, about: str) -> Task:
    labels = task.labels[:, columns]
    labelled = is_labelled(labels)
    split = {part: ids[labelled[ids]] for part, ids in task.split.items()}
    if empty := [part for part, ids in split.items() if not len(ids)]:
        raise ValueError(
            f"no sample of {empty[0]!r} has a label in the {len(columns)} columns of {name!r}; take another 'seed' or "
            "'share' in 'column_halves'"
        )
    classes = None if task.classes is None else [task.classes[i] for i in columns.tolist()]
    words = f"{task.about.rstrip('.')}; {about}." if task.about else f"{about[0].upper()}{about[1:]}."
    return replace(task, name=name, labels=labels, split=split, classes=classes, about=words)
