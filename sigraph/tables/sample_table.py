"""The samples of a user's table: ids, features or records, and the columns that are neither."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.files.columns import as_numbers, first_odd, is_mostly_numbers, is_number, is_text, list_width, type_name
from sigraph.files.counted import counted
from sigraph.files.foreign_text import quoted
from sigraph.files.free_memory import free_memory, refuse_more
from sigraph.samples.tokens import TOKENS, VOCABULARY, TokenColumn, has_tokens
from sigraph.tables.column_use import checked_uses, guess_use, set_apart
from sigraph.tables.float_digits import as_float32, lost_digits
from sigraph.tables.gaps import columns_with_gaps, say_gaps, words_as_gaps
from sigraph.tables.ids import IdColumn, IdIndex, read_ids
from sigraph.tables.report import ColumnUse, SamplesRead
from sigraph.tables.row_numbers import row_number_columns, say_unnamed
from sigraph.tables.table_file import Source, TableFile, is_array_file, read_array, read_table


class MissingCellsError(ValueError):
    """A column of features has cells that are missing or not finite.

    Args:
        column: Its name.
        found: What is wrong, without the way out.
    """

    def __init__(self, column: str, found: str) -> None:
        super().__init__(f"{found}; fill them, or leave the column out (--ignore {column})")
        self.column, self.found = column, found


@dataclass
class SampleTable:
    """Samples, their ids, and the columns set apart (labels, split, groups). Row i is sample i."""

    name: str
    index: IdIndex
    samples: Tensor | pa.Table
    apart: dict[str, pa.ChunkedArray] = field(default_factory=dict)
    split_column: str | None = None
    id_column: str | None = None
    feature_names: list[str] | None = None  # of feature rows that have names


def read_samples(
    source: Source,
    id_column: str | None = None,
    labels: Sequence[str] = (),
    group: str = "",
    ignore: Sequence[str] = (),
    header: bool = True,
    content: Sequence[str] = (),
    uses: Mapping[str, str] | None = None,
    gaps: bool = False,
) -> tuple[SampleTable, SamplesRead]:
    """Read the samples.

    Args:
        source: A table, or a ``.npy`` file of feature rows, whose ids are 0 ... N - 1.
        id_column: By default the column named ``id``, else the first one if it can be one.
        labels: Columns that are labels and no features.
        group: A column that splits by group and is no feature; it may be absent.
        ignore: Columns to leave out.
        header: Whether a text file names its columns.
        content: Columns that are known to describe a sample: none of them is taken for the id for being the first one.
            If the first column is one of them, and none is called ``id``, rows are numbered from 0 on.
        uses: What columns are for, where it is not to be guessed: text, sequence, protein, dna, rna, smiles or
            category, by column. Numbers that are to be text or categories become text.
        gaps: Whether numbers may be missing, blank or by a word such as NA: the samples are records then, for a reader.

    Raises:
        ValueError: No column can be the id, ids occur twice, features are missing or not finite, nothing is left.
    """
    if is_array_file(source):
        return _from_array(source, [*labels, *ignore, *([id_column] if id_column else []), *(uses or {})])
    file = read_table(source, header, "samples")
    if file.table.num_rows == 0:
        raise ValueError(f"{file.name} holds no samples")
    uses = checked_uses(uses or {}, file.table.column_names, file.name)
    id_column = file.find(id_column) if id_column else _guess_id_column(file, [*content, *uses])
    ids = _row_numbers(file.name, file.table.num_rows) if id_column is None else read_ids(file, id_column)
    index = IdIndex(ids)
    ignored = {file.find(column) for column in ignore}
    id_cells = {} if id_column is None else {id_column: ids.ids}
    split = _split_column(file, {*id_cells, *ignored, *map(file.find, labels)})
    apart = list(dict.fromkeys(file.find(column) for column in labels))
    apart += [column for column in (split, file.first_of(group.lower()) if group else None) if column]
    taken = {*id_cells, *ignored, *apart}
    numbers = [column for column in row_number_columns(file) if column not in taken]
    kept = [column for column in file.table.column_names if column not in {*taken, *numbers}]
    unused = [column for column in uses if column not in kept]
    if unused:
        raise ValueError(
            f"{file.name}: column {unused[0]!r} is to be {uses[unused[0]]}, and is the id, a label, the split or left "
            "out, too; say one of both"
        )
    if not kept:
        raise ValueError(f"{file.name} has no column left to describe a sample (besides {id_column!r} and labels)")
    asked = [column for column in kept if column in uses]
    values = {column: file.values(column) for column in kept}
    said_gaps: list[str] = []
    if gaps:
        values, said_gaps = words_as_gaps(values, file.decimal_comma)
    values |= {column: _as_asked(file, column) for column in asked}
    missing = columns_with_gaps(values) if gaps else {}
    blocks = {column: _is_block(column_values) for column, column_values in values.items()}
    notes = [*file.notes, *([f"left out: {', '.join(map(repr, sorted(ignored)))}"] if ignored else [])]
    notes += [*say_unnamed(file, numbers), *said_gaps]
    samples: Tensor | pa.Table
    features, is_read = None, True
    if has_tokens(file.table) and TOKENS in kept:  # also where all have one length
        kind, samples = "records", _token_samples(file, {**id_cells, **values})
        notes += [f"token sequences over a vocabulary of {TokenColumn(samples).num_tokens}"]
    elif all(blocks.values()) and not missing:
        kind, samples = "features", torch.from_numpy(_feature_rows(file, values))
        notes += _lost_in_float32(values)
        features = [each for column, cells in values.items() for each in _feature_names(column, list_width(cells))]
    else:
        kind, samples, is_read = "records", pa.table({**id_cells, **values}), False
        notes += [say_gaps(missing)] if all(blocks.values()) else _why_records(values, blocks)
    table = SampleTable(file.name, index, samples, {c: file.values(c) for c in apart}, split, id_column, features)
    described = f"column {id_column!r}, {ids.kind}, such as {ids.show(ids.text[:1])}"
    if id_column is None:
        described = _said_numbers(len(ids))
    columns = _uses(file, table, values, uses, ignored, group)
    return table, SamplesRead(file.name, len(index), described, kind, columns, notes, is_read, kept)


def _as_asked(file: TableFile, column: str) -> pa.ChunkedArray:
    """Cells of a column that is said to be text, sequences, molecules or categories: as they are written."""
    cells = file.table.column(column)
    return cells.cast(pa.large_string()) if is_number(cells.type) else cells


def _uses(
    file: TableFile,
    table: SampleTable,
    values: Mapping[str, pa.ChunkedArray],
    asked: Mapping[str, str],
    ignored: set[str],
    group: str,
) -> list[ColumnUse]:
    """What each column is for, in the order of the file."""
    out = []
    for name in file.table.column_names:
        if name in values:
            out.append(guess_use(name, values[name], asked.get(name, "")))
        elif name == table.id_column:
            out.append(set_apart(name, file.values(name), "id", "--id-column names another"))
        elif name == table.split_column:
            out.append(set_apart(name, file.values(name), "split", "by its name; --split draws another"))
        elif name in table.apart:
            use = "group" if name.lower() == group.lower() else "label"
            why = "as asked" if use == "group" else "a task is made of it"
            out.append(set_apart(name, file.values(name), use, why))
        else:
            out.append(set_apart(name, file.values(name), "left out", "as asked" if name in ignored else "row numbers"))
    return out


def _split_column(file: TableFile, taken: set[str]) -> str | None:
    """The column that says which part a sample is in, if there is one."""
    split = file.first_of("split")
    if split is None or split in taken:
        return None
    kind = file.values(split).type
    if not is_text(kind) and not pa.types.is_null(kind):
        raise ValueError(
            f"{file.name}: column {split!r} needs train, valid or test (got {type_name(kind)}); rename it if it is a "
            f"feature, or leave it out (--ignore {split})"
        )
    return split


def _from_array(source: Source, columns: Sequence[str]) -> tuple[SampleTable, SamplesRead]:
    name, array = str(source), read_array(source)
    if columns:
        raise ValueError(f"{name} has no columns (got {', '.join(map(repr, columns))}); labels need a --task file")
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} needs feature rows of shape [N, F] (got {list(array.shape)})")
    index = IdIndex(_row_numbers(name, len(array)))
    refuse_more(name, 4 * array.size, free_memory())
    samples = torch.from_numpy(np.ascontiguousarray(as_float32(array)))  # a copy: a mapped file is read-only
    wrong = np.flatnonzero(~torch.isfinite(samples).all(dim=1).numpy())
    if wrong.size:
        raise ValueError(f"{name}: {_bad_rows(wrong, np.isfinite(array[wrong]).all())}; fill them")
    notes = _lost_in_float32({f"column{i}": column for i, column in enumerate(array.T, start=1)})
    kept = [f"column{i}" for i in range(1, array.shape[1] + 1)]
    uses = [ColumnUse(column, "number") for column in kept]
    read = SamplesRead(name, len(index), _said_numbers(len(array)), "features", uses, notes, kept=kept)
    return SampleTable(name, index, samples), read


def _row_numbers(name: str, count: int) -> IdColumn:
    return IdColumn(name, pa.array(np.arange(count)).cast(pa.large_string()), is_integer=True, is_typed=True)


def _said_numbers(count: int) -> str:
    return f"row numbers, 0 to {count - 1:,}"


def _guess_id_column(file: TableFile, content: Sequence[str]) -> str | None:
    """The column of ids; None: rows are numbered."""
    named = file.first_of("id")
    if named is not None and named not in content:
        return named
    first = file.table.column_names[0]
    if first in content:
        return None
    cells = file.values(first)
    if not pa.types.is_integer(cells.type) and not is_text(cells.type):
        raise ValueError(
            f"{file.name} has no column 'id', and the first one, {first!r}, holds {type_name(cells.type)}; "
            "name the column of ids (--id-column), or add one of row numbers"
        )
    repeats = len(cells) - pc.count_distinct(cells).as_py()
    if repeats:
        raise ValueError(
            f"{file.name} has no column 'id', and the first one, {first!r}, repeats {counted(repeats, 'value')}; "
            "name the column of ids (--id-column)"
        )
    return first


def _is_block(column: pa.ChunkedArray) -> bool:
    return is_number(column.type) or list_width(column) is not None


def _feature_names(column: str, width: int | None) -> list[str]:
    return [column] if width is None else [f"{column}.{i}" for i in range(width)]


def _feature_rows(file: TableFile, values: dict[str, pa.ChunkedArray]) -> np.ndarray:
    """All columns side by side, as float32 [N, F]; lists take a column an item."""
    widths = {name: list_width(column) or 1 for name, column in values.items()}
    out = np.empty((file.table.num_rows, sum(widths.values())), dtype=np.float32)
    start = 0
    for name, column in values.items():
        if list_width(column):
            flat = pc.list_flatten(column)
            given = as_numbers(flat).reshape(-1, widths[name])
        else:
            given = as_numbers(column)[:, None]
        block = as_float32(given)
        wrong = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if wrong.size:
            found = _bad_rows(wrong, bool(np.isfinite(given[wrong]).all()))
            raise MissingCellsError(name, f"{file.name}, column {name!r}: {found}")
        out[:, start : start + widths[name]] = block
        start += widths[name]
    return out


def _bad_rows(rows: np.ndarray, too_large: bool) -> str:
    """How many cells are no features, and the first of them."""
    what = "too large for float32 (3.4e38)" if too_large else "missing or not finite"
    first = ", ".join(str(row + 1) for row in rows[:10])
    return f"{counted(rows.size, 'cell is', 'cells are')} {what} (row {first}{', ...' if rows.size > 10 else ''})"


def _lost_in_float32(values: Mapping[str, pa.ChunkedArray | np.ndarray]) -> list[str]:
    """Notes on features that are not told apart any more, since features are float32."""
    lost = {}
    for name, column in values.items():
        flat = column if isinstance(column, np.ndarray) or not list_width(column) else pc.list_flatten(column)
        if found := lost_digits(flat):
            lost[name] = found
    if not lost:
        return []
    name, found = next(iter(lost.items()))
    more = f"; and so in {len(lost) - 1:,} more" if len(lost) > 1 else ""
    return [f"features are float32: {found} in {name!r}{more}; subtract an offset, or leave it out (--ignore {name})"]


def _token_samples(file: TableFile, columns: dict[str, pa.Array]) -> pa.Table:
    """Token sequences, with the vocabulary that the file states."""
    stated = (file.table.schema.metadata or {}).get(VOCABULARY)
    table = pa.table(columns)
    samples = table if stated is None else table.replace_schema_metadata({VOCABULARY: stated})
    try:
        TokenColumn(samples)
    except ValueError as error:
        raise ValueError(f"{file.name}: {error} (or leave it out: --ignore {TOKENS})") from error
    return samples


def _why_records(values: dict[str, pa.ChunkedArray], blocks: dict[str, bool]) -> list[str]:
    """Which columns keep the others from being features."""
    others = [name for name, fits in blocks.items() if not fits]
    rest = f"; without {', '.join(map(repr, others[:3]))} (--ignore) the rest are features"
    if len(others) == len(blocks):  # nothing but text, unless a few cells alone are
        others = [name for name in others if is_text(values[name].type) and is_mostly_numbers(values[name])]
        rest = "; if all its cells were numbers or blank it would be a feature"
    if not others:
        return []
    name = others[0]
    note = f"records, since {name!r} holds no numbers"
    if is_text(values[name].type) and (row := first_odd(values[name])) >= 0:
        cell = values[name][row].as_py()
        comma = ", a decimal comma?" if re.fullmatch(r"[+-]?\d+,\d+", cell.strip()) else ""
        note += f" (row {row + 1}: {quoted(cell)}{comma})"
    return [note + rest]
