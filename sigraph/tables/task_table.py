"""Tasks from a user's labels: over all samples, with a split that is given or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.files.columns import first_odd, is_text, missing_as_null
from sigraph.files.counted import counted
from sigraph.readers.base import text_column
from sigraph.samples.given import as_samples
from sigraph.samples.molecules import murcko_scaffolds, need_rdkit
from sigraph.tables.column_use import term_mark
from sigraph.tables.giveaways import say_giveaways
from sigraph.tables.label_hints import integers_as_classes, numbers_as_classes, rare_classes
from sigraph.tables.labels import LabelTable, encode_labels, refuse_conflicts, split_parts
from sigraph.tables.report import TaskRead, some
from sigraph.tables.sample_table import SampleTable
from sigraph.tables.term_lists import MIN_COUNT, TERMS, list_cells, terms_as_columns
from sigraph.tasks.scorable import check_scorable, score_notes
from sigraph.tasks.splits import SplitRule
from sigraph.tasks.task import SPLITS, Task, is_labelled, said_elsewhere


def make_task(
    name: str,
    rows: LabelTable,
    table: SampleTable,
    rule: SplitRule,
    kind: str = "",
    metric: str | Sequence[str] = "",
    min_count: int = MIN_COUNT,
    lists_are_terms: bool = False,
) -> tuple[Task, TaskRead]:
    """Labels over all samples, and their split.

    Args:
        name: The task's name.
        rows: Labels, each of a known sample.
        table: The samples; their ``split`` and group columns serve tasks that have none.
        rule: How the split is drawn if none is given, or if it was asked for.
        kind: classification, regression or terms (lists of them, a label each); by default integers and text are
            classes, other numbers regression.
        metric: Of several in a list the first decides; by default the usual one of the type.
        min_count: With terms, samples that each needs, >= 1; rarer ones are left out.
        lists_are_terms: Whether cells that plainly are lists are terms where no type is said.

    Raises:
        ValueError: Conflicting labels of a sample, labels that are no labels, an empty part, a class absent from train.
    """
    found = list_cells(name, rows) if lists_are_terms and not kind else ""
    of_terms = kind == TERMS or bool(found)
    if of_terms:
        rows, kind = terms_as_columns(name, rows, table, min_count), ""
        rows.notes += [found] if found else []
    given = None if rule.is_asked else split_parts(rows.where, rows.split)
    refuse_conflicts(name, rows, given, table)
    labels, classes = encode_labels(name, rows, kind)
    count = len(table.index)
    y = labels.new_full((count, *labels.shape[1:]), -1 if labels.dtype == torch.long else float("nan"))
    position = torch.from_numpy(rows.position)
    y[position] = labels
    labelled = is_labelled(y)
    if not bool(labelled.any()):
        raise ValueError(f"task {name!r} ({rows.where}) has no labels")
    notes = list(rows.notes)
    if given is not None:
        part = torch.full((count,), -1)
        part[position] = torch.from_numpy(given)
    elif table.split_column and not rule.is_asked:
        given = split_parts(table.name, table.apart[table.split_column])
        part = torch.from_numpy(given)
    if given is not None:
        how = "as given by column 'split'"
        unlabelled, alone = int(((part >= 0) & ~labelled).sum()), int(((part < 0) & labelled).sum())
        if unlabelled:
            notes.append(f"{_which(unlabelled, 'a split but no label')} in no part")
        if alone:
            notes.append(f"{_which(alone, 'a label but no split')} in no part")
        split = {p: ((part == i) & labelled).nonzero().view(-1) for i, p in enumerate(SPLITS)}
    else:
        if rule.is_asked and (rows.split is not None or table.split_column):
            notes.append("column 'split' is not used, since --split or --split-rates asks for another split")
        rule = _settled(rule, name, y)
        ids = labelled.nonzero().view(-1)
        groups = None
        if rule.column:
            of = _scaffolds(table, rule.column) if rule.how == "scaffold" else _groups(name, rows, table, rule.column)
            groups = of[ids]
        split, how = rule.draw(ids, y[ids] if y.dim() == 1 else None, groups), f"drawn: {rule}"
    _check_parts(name, rows, split, y, classes, how)
    about = f"From {rows.where.rsplit('/', 1)[-1]}; split {how}."
    columns: list[str | int] = [*rows.labels]
    with said_elsewhere():
        metrics = (metric,) if isinstance(metric, str) else tuple(metric)
        task = Task(name, y, split, about=about, classes=columns if y.dim() == 2 else classes, metrics=metrics)
    try:
        check_scorable(task)
    except ValueError as error:
        drawn = "draw another by --seed, --split or --split-rates"
        way = drawn if given is None else "mend that column, or leave it out and have one drawn"
        raise ValueError(f"{error} ({rows.where}; split {how}: {way})") from error
    described = _describe(y, classes, columns)
    notes += score_notes(task)
    if not kind:
        notes += [*integers_as_classes(name, y, classes), *numbers_as_classes(name, y)]
    if classes is not None:
        notes += rare_classes(y, split, classes)
    notes += say_giveaways(as_samples(table.samples), table.feature_names, task, given is not None)
    sizes = {p: split[p].numel() for p in SPLITS}
    counts = (int(labelled.sum()), count, how, sizes)
    return task, TaskRead(name, rows.where, task.type, task.metrics, described, *counts, notes, of_terms)


def _which(count: int, what: str) -> str:
    return counted(count, f"sample with {what} is", f"samples with {what} are")


def _settled(rule: SplitRule, name: str, y: Tensor) -> SplitRule:
    """The rule for these labels: stratified where nothing was asked and there are classes."""
    is_classes = y.dim() == 1 and not y.is_floating_point()
    if rule.how == "stratified" and not is_classes:
        raise ValueError(
            f"task {name!r} has no classes to stratify; its split needs to be random, group:COLUMN or scaffold:COLUMN"
        )
    return rule if rule.how else replace(rule, how="stratified" if is_classes else "random")


def _groups(name: str, rows: LabelTable, table: SampleTable, column: str) -> Tensor:
    """Group of each sample."""
    own = {key.lower(): values for key, values in table.apart.items()}.get(column.lower())
    groups, position = (rows.group, rows.position) if rows.group is not None else (own, np.arange(len(table.index)))
    if groups is None:
        raise ValueError(f"neither {rows.where} nor {table.name} has the column {column!r} to split by")
    groups = missing_as_null(groups)
    if groups.null_count:
        raise ValueError(
            f"column {column!r}, which splits task {name!r}, is empty in {counted(groups.null_count, 'row')}"
        )
    codes = pc.index_in(groups, value_set=pc.unique(groups)).to_numpy()
    out = torch.full((len(table.index),), -1)
    out[torch.from_numpy(position)] = torch.from_numpy(codes.astype(np.int64))
    return out


def _scaffolds(table: SampleTable, column: str) -> Tensor:
    """Scaffold of each sample, stereochemistry included; below 0: it cannot be read."""
    if not isinstance(table.samples, pa.Table):
        raise ValueError(f"{table.name} has no column of text {column!r}, of molecules, to split by their scaffolds")
    text = text_column(table.samples, column, "scaffold split")
    need_rdkit("scaffold split")
    scaffold = murcko_scaffolds(text, chirality=True).dictionary_encode().indices.fill_null(-1)
    return torch.from_numpy(scaffold.to_numpy(zero_copy_only=False).astype(np.int64))


def _check_parts(
    name: str, rows: LabelTable, split: dict[str, Tensor], y: Tensor, classes: list[str | int] | None, how: str
) -> None:
    where, columns = rows.where, list(rows.labels)
    notes = "".join(f"; {note}" for note in rows.notes)  # perhaps why: words for missing labels make classes of numbers
    sizes = ", ".join(f"{part} {ids.numel():,}" for part, ids in split.items())
    several = _several_samples(name, rows, y, classes)
    for part, ids in split.items():
        if ids.numel() == 0:
            if several:
                raise ValueError(several + notes)
            raise ValueError(
                f"task {name!r} ({where}): the split {how} leaves {part!r} empty ({sizes}); give every part samples, "
                f"or have it drawn by --split with other --split-rates{notes}"
            )
    if classes is not None:
        seen = torch.zeros(len(classes), dtype=torch.bool)
        seen[y[split["train"]]] = True
        absent = [repr(classes[i]) for i in (~seen).nonzero().view(-1).tolist()]
    elif y.dim() == 2:
        absent = [repr(columns[i]) for i in (~(y[split["train"]] == 1).any(dim=0)).nonzero().view(-1).tolist()]
    else:
        return
    if absent:
        if several:
            raise ValueError(several + notes)
        what = "classes" if classes is not None else "label columns"
        way = "; a stratified split has all in train (--split stratified)" if classes is not None else ""
        raise ValueError(
            f"task {name!r} ({where}): {len(absent)} {what} do not occur in train: {some(absent)}; "
            f"split {how}{way}{notes}"
        )


def _several_samples(name: str, rows: LabelTable, y: Tensor, classes: list[str | int] | None) -> str:
    """That classes need several samples each, where most have a single one, as ids and numbers do; else empty."""
    labelled = int((y >= 0).sum())
    if classes is None or len(classes) < 3 or 2 * len(classes) <= labelled:
        return ""
    ((_, values),) = rows.labels.items()
    row = first_odd(values) if is_text(values.type) else -1
    kind = f"text (such as {values[row].as_py()!r:.40})" if row >= 0 else "integers"
    way = "write numbers as 1000 or 0.05" if row >= 0 else f"if they are numbers: --task-type {name}=regression"
    if is_text(values.type) and term_mark(values):
        return (
            f"task {name!r} ({rows.where}): {len(classes):,} classes of {labelled:,} samples, since each list of terms "
            f"(such as {values[row].as_py()!r:.40}) is a class of its own; to have each term be a label: --terms {name}"
        )
    return (
        f"task {name!r} ({rows.where}): {len(classes):,} classes of {labelled:,} samples, since the labels are {kind}, "
        f"and each different one is a class, which needs several samples; {way}; if they are ids, they are no labels"
    )


def _describe(y: Tensor, classes: list[str | int] | None, columns: Sequence[str | int]) -> str:
    """Labels in words."""
    if classes is not None:
        sizes = y[y >= 0].bincount(minlength=len(classes)).tolist()
        each = [f"{name!r} {size:,}" for name, size in zip(classes, sizes, strict=True)]
        return f"{len(classes):,} classes, {some(each)}"
    known = y[~torch.isnan(y)]
    if y.dim() == 2:
        ones = (y == 1).sum(dim=0).tolist()
        each = [f"{name!r} {number:,} x 1" for name, number in zip(columns, ones, strict=True)]
        return f"{counted(len(columns), 'column')}, {some(each)}"
    return f"numbers from {float(known.min()):.15g} to {float(known.max()):.15g}"
