"""Labels from a user's tables: which sample each row is about, and what the labels are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.files.columns import is_number, is_text, missing_as_null, type_name
from sigraph.files.counted import counted
from sigraph.tables.float_digits import lost_digits
from sigraph.tables.ids import read_ids
from sigraph.tables.label_hints import classes_alike, lists_of_terms
from sigraph.tables.row_numbers import row_number_columns, say_unnamed
from sigraph.tables.sample_table import SampleTable
from sigraph.tables.table_file import Source, is_array_file, read_array, read_table
from sigraph.tasks.given_split import PARTS
from sigraph.tasks.label_values import label_values


@dataclass
class LabelTable:
    """Rows of labels, each of a known sample.

    Args:
        where: File (and column), for messages.
        position: Sample of each row. Shape [R].
        labels: The label columns; missing labels are null.
        split: Part of each row, if given.
        group: Group of each row, if there is one.
        is_array: Whether the labels come from an array, where -1 marks a missing class.
        rows: Row of the file of each label, counted from 1 below the header. Shape [R]; None: they are in order.
    """

    where: str
    position: np.ndarray
    labels: dict[str, pa.ChunkedArray]
    split: pa.ChunkedArray | None = None
    group: pa.ChunkedArray | None = None
    notes: list[str] = field(default_factory=list)
    is_array: bool = False
    rows: np.ndarray | None = None

    def row(self, i: int) -> int:
        """Row of the file of label i, counted from 1 below the header; of an array from 0, as its index."""
        return i if self.is_array else i + 1 if self.rows is None else int(self.rows[i])

    def at(self, i: int) -> str:
        """Where label i stands, for messages."""
        return f"row {self.row(i):,}"


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
    if header and not file.is_typed and found.lower() not in own and table.index.holds([found]):
        unnamed = read_labels(source, table, name, None, group, False, drop_unknown)
        unnamed.notes.append(f"its first row names the sample {found!r}, so that no row names the columns")
        return unnamed
    ids = read_ids(file, found)
    position = table.index.find(ids)
    known, notes = position >= 0, list(file.notes)
    if not known.all():
        said = table.index.say_unknown(ids, position, ~known, "row")
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
        rows=np.flatnonzero(known) + file.first_row + 1,
    )


def encode_labels(name: str, rows: LabelTable, kind: str, least: int = 2) -> tuple[Tensor, list[str | int] | None]:
    """Labels of the rows as a tensor, and what each class id stands for; ``least``: classes that there have to be.

    What is a label :func:`~sigraph.tasks.label_values.label_values` says. Integers of a table are what its classes are
    called, -1 too; in an array -1 is missing.
    """
    if kind not in ("", "classification", "regression"):
        raise ValueError(
            f"--task-type ('task_types') needs classification, regression or terms for task {name!r} (got {kind!r})"
        )
    (column, values), *more = rows.labels.items()
    if least and len(values) and all(cells.null_count == len(cells) for cells in rows.labels.values()):
        raise ValueError(
            f"task {name!r} ({rows.where}) needs labels (got {counted(len(values), 'row')}, all of them blank)"
        )
    what = rows.where if more or rows.where.endswith(f"column {column!r}") else f"{rows.where}: column {column!r}"
    table: pa.Table | pa.ChunkedArray = pa.table(rows.labels) if more else values
    is_whole = pa.types.is_integer(values.type) or pa.types.is_boolean(values.type)
    is_whole_float = kind == "classification" and pa.types.is_floating(values.type)
    if not more and kind != "regression" and (is_whole or is_whole_float):
        try:
            table, is_whole = pc.cast(values, pa.int64()), True
        except pa.ArrowInvalid:
            is_whole = False  # and refused below
    classes: list[str | int] | None
    if not more and is_whole and kind != "regression" and not rows.is_array:
        classes, index = _numbered(table)
    else:
        if not more and is_text(values.type):
            rows.notes += [*classes_alike(values), *lists_of_terms(name, column, values)]
        elif not more and is_number(values.type) and (lost := lost_digits(values, np.float64)):
            rows.notes.append(f"targets are float64: {lost}; subtract an offset")
        found = label_values(table, what, kind, at=rows.at, is_dense=False)
        rows.notes += found.notes
        if found.type != "classification":
            return found.y.float() if found.type == "multilabel" else found.y, None
        index, classes = found.y, found.classes
        if (
            is_whole
            and not more
            and not found.notes
            and (minus := pc.sum(pc.equal(values.cast(pa.int64()), -1)).as_py())
        ):
            rows.notes.append(
                f"-1 stands for {counted(minus, 'label')} and is taken for missing; a table of ids has -1 as a class"
            )
        if classes is None:
            classes, index = _numbered(pa.chunked_array([pa.array(index.numpy(), mask=(index < 0).numpy())]))
    if -1 in classes:
        rows.notes.append("-1 is taken for a class; leave the cell of a missing label empty")
    if len(classes) < least:
        raise ValueError(f"task {name!r} ({rows.where}) needs at least two classes (got {classes})")
    return index, classes


def _numbered(values: pa.ChunkedArray) -> tuple[list[str | int], Tensor]:
    """The different integers of a column, rising, and which of them each row holds; -1 where it is empty."""
    classes = pc.unique(values.combine_chunks()).drop_null()
    classes = classes.take(pc.sort_indices(classes))
    index = pc.fill_null(pc.index_in(values, value_set=classes), -1).to_numpy().astype(np.int64)
    return classes.to_pylist(), torch.from_numpy(index)


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
    conflict = again & differ
    ids = np.unique(rows.position[order][1:][conflict])
    if ids.size:
        shown = table.index.column.show(table.index.column.text.take(pa.array(ids)))
        first = int(conflict.argmax())
        is_term = parts is None and len(rows.labels) == 1 and all(is_text(one.type) for one in rows.labels.values())
        way = f"; if each is a label of its own: --terms {name}" if is_term else ""
        pair = " and ".join(f"{rows.row(int(i)):,}" for i in order[first : first + 2])
        raise ValueError(
            f"task {name!r} ({rows.where}): {counted(ids.size, 'id has', 'ids have')} rows that disagree about label "
            f"or split ({shown}; such as rows {pair}); keep one row an id, or give each task a table{way}"
        )
    rows.notes.append(f"{counted(int(again.sum()), 'row repeats', 'rows repeat')} another one")


def _labels_of_array(source: Source, table: SampleTable) -> LabelTable:
    array, name = read_array(source, text=True), str(source)
    if array.ndim not in (1, 2) or (array.dtype.kind in "US" and array.ndim > 1):
        raise ValueError(
            f"{name} needs labels in one dimension, or label columns of 0 and 1 in two (got {array.dtype} of shape "
            f"{list(array.shape)})"
        )
    if len(array) != len(table.index):
        raise ValueError(
            f"{name} needs one row of labels a sample, {len(table.index):,} (got shape {list(array.shape)}); "
            "row i is sample i"
        )
    _check_positions(name, table)
    plain = np.asarray(array)
    plain = np.char.decode(plain, "utf-8") if plain.dtype.kind == "S" else plain
    columns = plain.reshape(len(array), -1).T
    cells = {
        f"column{i + 1}": pa.chunked_array([pa.array(column, from_pandas=True)]) for i, column in enumerate(columns)
    }
    notes = [] if table.id_column is None else [f"row i is taken for row i of {table.name}"]
    return LabelTable(name, np.arange(len(array)), cells, notes=notes, is_array=True)


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
