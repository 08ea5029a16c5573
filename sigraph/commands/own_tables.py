"""What the options for one's own tables say, and the data set that they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sigraph.files.paths import user_path

if TYPE_CHECKING:
    from sigraph.data import SampleDataset
    from sigraph.tables import TableReport


def read_own(
    arguments: argparse.Namespace,
    report: TableReport,
    scratch: Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> SampleDataset:
    """The data set that the options of :func:`add_own_data_options` ask for; ``report`` says what was understood."""
    from sigraph.tables import from_tables

    try:
        rates = arguments.split_rates and tuple(float(rate) for rate in arguments.split_rates.split(","))
    except ValueError as error:
        raise ValueError(f"--split-rates needs numbers like 0.8,0.1,0.1 (got {arguments.split_rates})") from error
    tasks = sources("task", arguments.task)
    labels, types = _terms(arguments, tasks)
    dataset = from_tables(
        arguments.samples,
        sources("edges", arguments.edges),
        tasks,
        labels=labels,
        name=arguments.own_name,
        id_column=arguments.id_column,
        edge_columns=arguments.edge_columns,
        weight_column=arguments.weight_column,
        ignore=arguments.ignore,
        header=not arguments.no_header,
        split=arguments.split,
        split_rates=rates,
        seed=arguments.seed,
        metrics=metrics_by_task("--metric", arguments.metric),
        task_types=types,
        drop_unknown=arguments.drop_unknown,
        memory_limit=arguments.memory_limit,
        scratch=scratch,
        progress=progress,
        report=report,
        uses=asked_uses(arguments),
        gaps=True,
        lists_are_terms=arguments.lists_are_terms,
        **({} if arguments.min_count is None else {"min_count": arguments.min_count}),
    )
    if arguments.min_count is not None and not any(task.of_terms for task in report.tasks):
        raise ValueError("--min-count is for terms, and no labels are lists of them; --terms names a task or column")
    return dataset


def _terms(arguments: argparse.Namespace, tasks: Mapping[str, str]) -> tuple[list[str], str | dict[str, str]]:
    """Columns that are labels, and the type of each task, where ``--terms`` names tasks or further columns."""
    from sigraph.tables.import_tables import clean_name
    from sigraph.tables.term_lists import ANNOTATION, TERMS

    types = by_task("--task-type", arguments.task_type)
    if not types:
        types = {name: TERMS for name, file in tasks.items() if file.removesuffix(".gz").endswith(ANNOTATION)}
    if not arguments.terms:
        said = TERMS in (types if isinstance(types, str) else types.values())
        if arguments.min_count is not None and not said and not arguments.lists_are_terms:
            raise ValueError("--min-count is for terms: say which task or column holds them (--terms)")
        return arguments.label, types
    labels = list(arguments.label)
    labels += [name for name in arguments.terms if name not in (*tasks, *labels)]
    every = [*map(clean_name, labels), *tasks]
    found = dict.fromkeys(every, types) if isinstance(types, str) else dict(types)
    for name in map(clean_name, arguments.terms):
        if found.get(name, "") not in ("", TERMS):
            raise ValueError(f"the task {name!r} is to be {found[name]} (--task-type) and of --terms; say one of both")
        found[name] = TERMS
    return labels, found


def asked_uses(arguments: argparse.Namespace) -> dict[str, str]:
    """What columns were said to be for, by column: ``--text``, ``--sequence``, ``--smiles``, ``--category``.

    Raises:
        ValueError: A column is to be two things, or a sequence of another kind than there are.
    """
    from sigraph.tables.column_use import ALPHABETS

    said: dict[str, str] = {}
    for option in ("text", "sequence", "smiles", "category"):
        for value in getattr(arguments, option):
            column, use = value, option
            if option == "sequence" and "=" in value:
                column, _, use = value.rpartition("=")
                if use.lower() not in ALPHABETS:
                    raise ValueError(f"--sequence needs {', '.join(ALPHABETS)} behind '=' (got {value!r})")
            if column in said:
                raise ValueError(f"the column {column!r} is to be {said[column]} and {use}; say one of both")
            said[column] = use.lower()
    return said


def sources(kind: str, values: Sequence[str], option: str | None = None) -> dict[str, str]:
    """``NAME=FILE`` or ``FILE``, which is named after itself; ``option``: how each is said, if not by its kind."""
    from sigraph.tables.import_tables import clean_name, source_name

    option, out = f"--{kind} " if option is None else option, {}
    for value in values:
        name, equals, file = value.partition("=")
        if not equals or user_path(value).exists():
            name, file = source_name(value, kind), value
        if name in out or name != clean_name(name):
            problem = "is there twice" if name in out else "needs letters, digits, '.', '_' and '-' alone"
            raise ValueError(f"{option}{value}: the name {name!r} {problem}; write {option}NAME={file}")
        out[name] = file
    return out


def by_task(option: str, values: Sequence[str], way: str = "leave one out") -> str | dict[str, str]:
    """One value for all tasks, or one a task.

    Args:
        option: Its name, for messages.
        values: As given, ``VALUE`` or ``TASK=VALUE``.
        way: What helps who names a task twice; ``{}`` stands for the task and both values.

    Raises:
        ValueError: There are several values and one has no task, or a task has two.
    """
    pairs = [value.rpartition("=") for value in values]
    if len(pairs) == 1 and not pairs[0][1]:
        return pairs[0][2]
    for task, _, value in pairs:
        if not task:
            raise ValueError(f"{option} {value} needs the task it is for: {option} TASK={value}")
    found: dict[str, str] = {}
    for task, _, value in pairs:
        if task in found:
            said = way.format(f"{task}={found[task]},{value}")
            raise ValueError(f"{option} names the task {task!r} twice, {found[task]} and {value}; {said}")
        found[task] = value
    return found


def metrics_by_task(option: str, values: Sequence[str]) -> list[str] | dict[str, list[str]]:
    """Metrics for all tasks, or of each; separated by commas where there are several.

    Raises:
        ValueError: As :func:`by_task`; or nothing stands before or behind a comma.
    """
    named = by_task(option, values, f"give both at once, the one that decides first: {option} {{}}")
    return _names(option, named) if isinstance(named, str) else {task: _names(option, s) for task, s in named.items()}


def _names(option: str, text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ValueError(f"{option} needs names of metrics, separated by commas, such as rocauc,ap (got {text!r})")
    return names
