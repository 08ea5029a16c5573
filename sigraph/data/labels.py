"""Labels from a user's tables: which sample each row is about, and what the labels are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.data.columns import (
    as_numbers,
    first_odd,
    is_number,
    is_text,
    missing_as_null,
    type_name,
)
from sigraph.data.float_digits import lost_digits
from sigraph.data.ids import read_ids
from sigraph.data.label_hints import classes_alike, lists_of_terms, words_for_missing
from sigraph.data.row_numbers import row_number_columns, say_unnamed
from sigraph.data.sample_table import SampleTable
from sigraph.data.tables import Source, is_array_file, read_array, read_table

PARTS = {"train": 0, "training": 0, "valid": 1, "val": 1, "validation": 1, "dev": 1, "test": 2, "testing": 2}


@dataclass
class LabelTable:
    """Rows of labels, each of a known sample.

    Args:
        where: File (and column), for messages.
        position: Sample of each row. Shape [R].
        labels: The label columns; missing labels are null.
        split: Part of each row, if given.
        group: Group of each row, if there is one.
    """

    where: str
    position: np.ndarray
    labels: dict[str, pa.ChunkedArray]
    split: pa.ChunkedArray | None = None
    group: pa.ChunkedArray | None = None
    notes: list[str] = field(default_factory=list)


def labels_of_samples(table: SampleTable, column: str, group: str = "") -> LabelTable:
    """A column of the samples' own table as labels."""
    apart = {name.lower(): values for name, values in table.apart.items()}
    split = table.apart[table.split_column] if table.split_column else None
    rows = np.arange(len(table.index))
    where = f"{table.name}, column {column!r}"
    values = missing_as_null(apart[column.lower()])
    return LabelTable(where, rows, {column: values}, split, apart.get(group.lower()))


def read_labels(
    source: Source,
    table: SampleTable,
    name: str,
    id_column: str | None = None,
    group: str = "",
    header: bool = True,
    drop_unknown: bool = False,
) -> LabelTable:
    """Read a file of labels: a column of ids, one or several of labels, perhaps ``split`` and a group.

    Raises:
        ValueError: Labels of ids that no sample has, unless ``drop_unknown``; no label column.
    """
    if is_array_file(source):
        return _labels_of_array(source, table)
    file = read_table(source, header, f"task {name!r}")
    own = [column.lower() for column in (id_column, "id", table.id_column) if column]
    found = file.first_of(*own) or file.table.column_names[0]
    if not file.is_typed and found.lower() not in own and table.index.holds([found]):
        raise ValueError(
            f"{file.name}: its first row names the sample {found!r}: no header? Add a first line such as 'id,label', "
            "or say so (--no-header) if no table has one"
        )
    ids = read_ids(file, found)
    position = table.index.find(ids)
    known, notes = position >= 0, list(file.notes)
    if not known.all():
        said = table.index.say_unknown(ids, position, ~known, "rows")
        if not drop_unknown:
            raise ValueError(f"{ids.where}: labels for {said}; drop them by --drop-unknown, or add the samples")
        notes.append(f"dropped {said}")
    split, grouped = file.first_of("split"), file.first_of(group.lower()) if group else None
    numbers = [column for column in row_number_columns(file) if column not in (found, split, grouped)]
    notes += say_unnamed(file, numbers)
    columns = [c for c in file.table.column_names if c not in (found, split, grouped, *numbers)]
    if not columns:
        raise ValueError(f"{file.name} needs a column of labels besides {found!r} (there is none)")
    keep = pa.array(known)

    def values(column: str) -> pa.ChunkedArray:
        return missing_as_null(file.values(column).filter(keep))

    return LabelTable(
        file.name,
        position[known],
        {column: values(column) for column in columns},
        values(split) if split else None,
        values(grouped) if grouped else None,
        notes,
    )


def encode_labels(name: str, rows: LabelTable, kind: str, least: int = 2) -> tuple[Tensor, list[str | int] | None]:
    """Labels of the rows as a tensor, and what each class id stands for.

    Args:
        name: The task's name.
        rows: The labels.
        kind: classification or regression; empty: as the cells say.
        least: Classes that there have to be.

    Returns:
        Class ids (-1 missing), numbers in float64 (NaN missing), or 0 and 1 in several columns (NaN missing); and the
        classes, None for the others.
    """
    if kind not in ("", "classification", "regression"):
        raise ValueError(f"'task_types' needs classification or regression for task {name!r} (got {kind!r})")
    types = {column: values.type for column, values in rows.labels.items()}
    if len(types) > 1:
        if kind == "regression":
            raise ValueError(f"{rows.where} has {len(types)} columns of labels; regression needs one")
        columns = _encode_columns(name, rows)
        return _chosen_columns(name, rows, columns, least) if kind else (columns, None)
    (column, values), (dtype,) = next(iter(rows.labels.items())), types.values()
    if not is_text(dtype) and not is_number(dtype) and not pa.types.is_null(dtype):
        raise ValueError(f"{rows.where}: labels in {column!r} need to be text or numbers (got {dtype})")
    kind = kind or ("regression" if pa.types.is_floating(dtype) else "classification")
    if kind == "regression":
        if not is_number(dtype):
            came = f"{type_name(dtype)}{_such_as(values)}"
            way = "leave the cell of a missing label blank"
            raise ValueError(f"{rows.where}: regression needs numbers in {column!r} (got {came}); {way}")
        if lost := lost_digits(values, np.float64):
            rows.notes.append(f"targets are float64: {lost}; subtract an offset")
        return torch.from_numpy(as_numbers(values, np.float64).copy()), None
    if not is_text(dtype):
        try:
            values = pc.cast(values, pa.int64())
        except pa.ArrowInvalid as error:
            raise ValueError(f"{rows.where}: classes in {column!r} need to be text or integers ({error})") from error
    else:
        rows.notes += [*words_for_missing(values), *classes_alike(values), *lists_of_terms(column, values)]
    classes = pc.unique(values.combine_chunks()).drop_null()
    classes = classes.take(pc.sort_indices(classes))
    if len(classes) < least:
        raise ValueError(f"task {name!r} ({rows.where}) needs at least two classes (got {classes.to_pylist()})")
    index = pc.fill_null(pc.index_in(values, value_set=classes), -1).to_numpy().astype(np.int64)
    return torch.from_numpy(index), classes.to_pylist()


def split_parts(where: str, split: pa.ChunkedArray | None) -> np.ndarray | None:
    """Part 0, 1 or 2 of each row, -1 where none is given."""
    if split is None:
        return None
    if not is_text(split.type) and not pa.types.is_null(split.type):
        raise ValueError(f"{where}: column 'split' needs train, valid or test (got {type_name(split.type)})")
    text = pc.utf8_lower(pc.utf8_trim_whitespace(split.cast(pa.string())))
    text = pc.fill_null(text, "")
    part = pc.fill_null(pc.index_in(text, value_set=pa.array(list(PARTS))), -1).to_numpy()
    odd = pc.unique(text.filter(pa.array(part < 0)).filter(pc.not_equal(text.filter(pa.array(part < 0)), "")))
    if len(odd):
        there = ", ".join(f"{value!r:.40}" for value in odd[:5].to_pylist())
        raise ValueError(f"{where}: column 'split' needs train, valid (val, dev) or test, or nothing (got {there})")
    return np.array([*PARTS.values(), -1], dtype=np.int64)[part]


def refuse_conflicts(name: str, rows: LabelTable, parts: np.ndarray | None, table: SampleTable) -> None:
    """Refuse samples whose rows disagree about label or part, as the file has them; rows that agree may repeat."""
    order = np.argsort(rows.position, kind="stable")
    again = rows.position[order][1:] == rows.position[order][:-1]
    if not again.any():
        return
    differ = np.zeros(again.size, bool)
    for values in rows.labels.values():
        cells = missing_as_null(values)  # codes, not numbers: nothing is rounded
        codes = pc.fill_null(pc.index_in(cells, value_set=pc.unique(cells).drop_null()), -1).to_numpy()[order]
        differ |= codes[1:] != codes[:-1]
    if parts is not None:
        differ |= parts[order][1:] != parts[order][:-1]
    ids = np.unique(rows.position[order][1:][again & differ])
    if ids.size:
        shown = table.index.column.show(table.index.column.text.take(pa.array(ids)))
        raise ValueError(
            f"task {name!r} ({rows.where}): {ids.size:,} ids have rows that disagree about label or split ({shown})"
        )
    rows.notes.append(f"{int(again.sum()):,} rows repeat another one")


def _such_as(values: pa.ChunkedArray) -> str:
    """The first cell that is no number, if that is what is wrong."""
    row = first_odd(values) if is_text(values.type) else -1
    return f", such as {values[row].as_py()!r:.40}" if row >= 0 else ""


def _labels_of_array(source: Source, table: SampleTable) -> LabelTable:
    array, name = read_array(source), str(source)
    if array.ndim not in (1, 2) or len(array) != len(table.index):
        raise ValueError(
            f"{name} needs one row of labels a sample, {len(table.index):,} (got shape {list(array.shape)}); "
            "row i is sample i"
        )
    _check_positions(name, table)
    columns = {}
    for i, column in enumerate(np.asarray(array).reshape(len(array), -1).T):
        mask = (column < 0) if array.ndim == 1 and array.dtype.kind == "i" else None  # -1: missing
        columns[f"column{i + 1}"] = pa.chunked_array([pa.array(column, mask=mask, from_pandas=True)])
    notes = [] if table.id_column is None else [f"row i is taken for row i of {table.name}"]
    if array.ndim == 1 and array.dtype.kind == "i" and (missing := int((array < 0).sum())):
        notes.append(f"{missing:,} labels are below 0, which is missing in an array")
    return LabelTable(name, np.arange(len(array)), columns, notes=notes)


def _check_positions(name: str, table: SampleTable) -> None:
    """Refuse an array beside ids that are row numbers in another order: nobody knows which of both it follows."""
    if table.id_column is None or not table.index.column.is_integer:
        return
    ids, rows = table.index.column.ids.to_numpy(), np.arange(len(table.index))
    if not np.array_equal(ids, rows) and np.array_equal(np.sort(ids), rows):
        row = int(np.flatnonzero(ids != rows)[0])
        raise ValueError(
            f"{name} has labels in some order and no ids, but the ids of {table.name} are not in order (row "
            f"{row + 1:,} is {ids[row]}); give the labels as a table with ids, or sort the samples"
        )


def _chosen_columns(name: str, rows: LabelTable, labels: Tensor, least: int) -> tuple[Tensor, list[str | int] | None]:
    """Several columns of 0 and 1 as classes: of each row the column with the 1."""
    missing = torch.isnan(labels).all(dim=1)
    wrong = (~missing & ((labels == 1).sum(dim=1) != 1)).nonzero().view(-1)
    if wrong.numel():
        raise ValueError(
            f"{rows.where}: classes in {len(rows.labels)} columns need exactly one 1 a row (got "
            f"{int((labels[wrong[0]] == 1).sum())} in row {int(wrong[0]) + 1:,}, and {wrong.numel():,} such rows); "
            f"without --task-type {name}=classification they are multi-label"
        )
    y = torch.where(missing, -1, labels.nan_to_num().argmax(dim=1))
    found = y[y >= 0].unique().tolist()
    if len(found) < least:
        raise ValueError(f"task {name!r} ({rows.where}) needs at least two classes (got {len(found)})")
    return y, list(rows.labels)


def _encode_columns(name: str, rows: LabelTable) -> Tensor:
    out = np.empty((len(rows.position), len(rows.labels)), dtype=np.float32)
    for i, (column, values) in enumerate(rows.labels.items()):
        fits = is_number(values.type) or pa.types.is_null(values.type)
        cells = as_numbers(values.cast(pa.float64(), safe=False)) if fits else np.empty(0)
        if not fits or not (np.isnan(cells) | (cells == 0) | (cells == 1)).all():
            raise ValueError(
                f"{rows.where} has {len(rows.labels)} columns of labels, so task {name!r} is multi-label and each "
                f"needs to hold 0, 1 or nothing; {column!r} does not{_such_as(values)}. A task of classes or numbers "
                "needs one column"
            )
        out[:, i] = cells
    return torch.from_numpy(out)
