"""Lists of terms in a cell, or a term a row: a multi-label task with a column of 0 and 1 for each term."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.columns import is_text, type_name
from sigraph.files.counted import counted
from sigraph.tables.column_use import TERM_MARKS, term_mark
from sigraph.tables.labels import LabelTable, refuse_conflicts, split_parts
from sigraph.tables.report import some
from sigraph.tables.sample_table import SampleTable

TERMS = "terms"  # the type of a task whose cells are lists
ANNOTATION = ".anno"  # how a file ends that holds an id and its terms a line
MIN_COUNT = 5  # samples of a term, by default: rarer ones are neither learned nor told apart in a part of a split
LARGEST = 1 << 31  # cells of 0 and 1


def terms_as_columns(name: str, rows: LabelTable, table: SampleTable, min_count: int = MIN_COUNT) -> LabelTable:
    """One column of labels that holds lists of terms, as a column of 0 and 1 for each term.

    A cell is a list, or text whose terms are separated by ``;``, ``|`` or ``,``; rows of one sample add to each
    other. A blank cell is a missing label.

    Args:
        name: The task's name, for messages.
        rows: One column of labels.
        table: The samples.
        min_count: Samples that a term needs, >= 1; rarer terms are left out, and counted in a note.

    Raises:
        ValueError: There are several columns, cells of another kind, or no term on so many samples.
    """
    if min_count < 1:
        raise ValueError(f"--min-count needs an integer >= 1 (got {min_count})")
    (column, values), *more = rows.labels.items()
    if more:
        raise ValueError(
            f"task {name!r} ({rows.where}) needs one column of lists of terms (got {len(rows.labels)}: "
            f"{some([repr(one) for one in rows.labels])}); without --terms they are label columns of 0 and 1"
        )
    refuse_conflicts(name, replace(rows, labels={}, notes=[]), split_parts(rows.where, rows.split), table)
    lists, how = _lists(name, rows.where, column, values)
    sample = np.repeat(rows.position, pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False))
    flat = pc.utf8_trim_whitespace(pc.list_flatten(lists).cast(pa.large_string()))
    is_term = pc.fill_null(pc.not_equal(flat, ""), False).to_numpy(zero_copy_only=False)
    terms = pc.unique(flat.filter(pa.array(is_term)))
    terms = terms.take(pc.sort_indices(terms))
    code = pc.index_in(flat.filter(pa.array(is_term)), value_set=terms).to_numpy(zero_copy_only=False).astype(np.int64)
    pair = np.unique(sample[is_term] * max(len(terms), 1) + code)  # each term of a sample once
    sample, code = np.divmod(pair, max(len(terms), 1))
    count = np.bincount(code, minlength=len(terms))
    kept = np.flatnonzero(count >= min_count)
    if not kept.size:
        raise ValueError(
            f"task {name!r} ({rows.where}): none of {counted(len(terms), 'term')} is on "
            f"{counted(min_count, 'sample')} (--min-count)"
        )
    known = np.unique(sample)  # whose cells are not blank
    if kept.size * known.size > LARGEST:
        raise ValueError(
            f"task {name!r} ({rows.where}): {kept.size:,} terms on {known.size:,} samples are too many for columns of "
            "0 and 1; keep the more frequent ones (--min-count)"
        )
    place = np.full(len(terms), -1)
    place[kept] = np.arange(kept.size)
    cells = np.zeros((kept.size, known.size), np.int8)
    of_kept = place[code] >= 0
    cells[place[code][of_kept], np.searchsorted(known, sample[of_kept])] = 1
    names = terms.take(pa.array(kept)).to_pylist()
    row = _first_rows(rows.position, known)
    notes = [*rows.notes, f"{column!r} holds {how}: {counted(kept.size, 'term')}, each a label"]
    if kept.size < len(terms):
        notes.append(f"terms on fewer than {min_count} samples are left out: {len(terms) - kept.size:,} (--min-count)")
    if blank := len({*rows.position.tolist()}) - known.size:
        notes.append(f"{counted(blank, 'sample has', 'samples have')} no term and no label")
    return LabelTable(
        rows.where,
        known,
        {term: pa.chunked_array([pa.array(one)]) for term, one in zip(names, cells, strict=True)},
        None if rows.split is None else rows.split.take(pa.array(row)),
        None if rows.group is None else rows.group.take(pa.array(row)),
        notes,
        rows=np.array([rows.row(int(i)) for i in row]),
    )


def list_cells(name: str, rows: LabelTable) -> str:
    """That the single column of some labels plainly holds lists of terms, for people; empty: it does not."""
    (column, values), *more = rows.labels.items()
    kind = values.type
    if more:
        return ""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        how = "lists" if is_text(kind.value_type) or pa.types.is_integer(kind.value_type) else ""
    else:
        mark = term_mark(values) if is_text(kind) else None
        how = "" if mark is None else f"lists separated by {mark!r}"
    way = f"as --terms {name} asks for; --task-type {name}=classification makes each list a class of its own"
    return how and f"cells of {column!r} are {how}: each term is a label, {way}"


def _first_rows(position: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The first row of each sample."""
    at, first = np.unique(position, return_index=True)
    return first[np.searchsorted(at, known)]


def _lists(name: str, where: str, column: str, values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    """Cells as lists of text, and how they were written."""
    kind = values.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if is_text(kind.value_type) or pa.types.is_integer(kind.value_type):
            return values, "lists"
    elif pa.types.is_integer(kind):
        return pc.split_pattern(values.cast(pa.large_string()), ";"), "a term a row"
    elif is_text(kind):
        mark = term_mark(values) or next((mark for mark in TERM_MARKS if _has(values, mark)), None)
        how = "a term a row" if mark is None else f"lists separated by {mark!r}"
        return pc.split_pattern(values, mark or ";"), how
    raise ValueError(
        f"task {name!r} ({where}): column {column!r} needs lists of terms, or text such as 'a;b' (got "
        f"{type_name(kind)})"
    )


def _has(values: pa.ChunkedArray, mark: str) -> bool:
    return bool(pc.any(pc.match_substring(values, mark)).as_py())
