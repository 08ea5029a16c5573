"""``sigraph prepare ... --halves TASK``: some columns of a task for a graph of labels, the others to be predicted."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sigraph.commands.target import check_target
from sigraph.files.counted import counted
from sigraph.files.paths import user_path

if TYPE_CHECKING:
    from sigraph.data import SampleDataset


def asked_halves(values: Sequence[str]) -> dict[str, float]:
    """Share of the columns that make a graph, by task, of ``TASK`` or ``TASK=SHARE``.

    Raises:
        ValueError: A share is no number, or a task is named twice.
    """
    found: dict[str, float] = {}
    for value in values:
        task, _, share = value.partition("=")
        try:
            number = float(share or 0.5)
        except ValueError as error:
            raise ValueError(f"--halves needs TASK or TASK=SHARE, such as assays=0.5 (got {value})") from error
        if task in found:
            raise ValueError(f"--halves names the task {task!r} twice; leave one out")
        found[task] = number
    return found


def halved(dataset: SampleDataset, asked: dict[str, float], seed: int) -> tuple[SampleDataset, list[str]]:
    """A data set whose tasks are halved where that is asked for, and what to say of it.

    Args:
        dataset: Of samples, graphs and tasks.
        asked: Share of the columns that make a graph, by task.
        seed: Of the draw of columns.

    Raises:
        ValueError: There is no such task, it cannot be halved, or the name of a half is taken.
    """
    from sigraph.tasks import Task, column_halves
    from sigraph.tasks.task import said_elsewhere

    tasks, lines = dict(dataset.tasks), []
    for name, share in asked.items():
        whole = dataset.task(name)
        if not isinstance(whole, Task):
            raise ValueError(f"--halves needs a task whose items are samples (those of {name!r} are {whole.item}s)")
        with said_elsewhere():
            for_graph, rest = column_halves(whole, share, seed)
        if for_graph.name in tasks:
            raise ValueError(f"--halves {name} would make the task {for_graph.name!r}, which is there; rename that one")
        tasks[rest.name], tasks[for_graph.name] = rest, for_graph
        for half in (rest, for_graph):
            names = ", ".join(map(str, half.classes or []))
            lines.append(
                f"task {half.name!r}  {half.num_outputs} of {counted(whole.num_outputs, 'column')} of {name!r}: {names}"
            )
        lines.append(
            f"  note     a graph of labels {for_graph.name} tells no label of {rest.name}, whoever takes part in it "
            "(allow_label_edges: true)"
        )
    return dataset.replace(tasks=tasks), lines


def prepare_halves(arguments: argparse.Namespace) -> int:
    """Write a prepared data set anew, with tasks halved."""
    from sigraph.data.stated import stated_tasks
    from sigraph.recipes import open_dataset
    from sigraph.recipes.prepare import prepared_folder

    if len(arguments.name) != 1 or not arguments.out:
        raise ValueError("--halves needs one data set and --out DIR, the folder to write it to with its tasks halved")
    folder, out = prepared_folder(arguments.name[0]), user_path(arguments.out)
    check_target(out, arguments.force, "sigraph-dataset", [str(folder)])
    dataset, lines = halved(open_dataset(folder), asked_halves(arguments.halves), arguments.seed)
    print("\n".join(lines))
    if arguments.dry_run:
        print("nothing was written (--dry-run)")
        return 0
    if dataset.card is not None:  # of another data set now
        dataset.card = replace(dataset.card, name=out.name, tasks=stated_tasks(dataset.tasks), measured=None)
    dataset.save(out, overwrite=arguments.force)
    print(out)
    return 0
