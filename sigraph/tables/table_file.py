"""Tables from files: CSV, TSV, JSONL, Parquet and ``.npy`` as pyarrow tables, with errors that name file and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from sigraph.files.columns import decimal_marks, is_number, is_number_text, typed_column
from sigraph.files.fasta import fasta_records
from sigraph.files.free_memory import free_memory, refuse_more
from sigraph.files.paths import user_path
from sigraph.files.suggestions import did_you_mean
from sigraph.files.sums import NOT_PLAIN
from sigraph.tables.dialect import DELIMITERS, Dialect, find_dialect, find_ragged_row, header_alone
from sigraph.tables.text_faults import (
    find_encoding_fault,
    find_json_fault,
    lines_of,
    longest_row,
    one_line,
    open_bytes,
    refuse_deep_rows,
    refuse_long_lines,
)
from sigraph.tables.text_folder import read_text_folder

PARQUET = (".parquet", ".pq")
GRAPHS = (".mtx", ".graphml")  # read as edges alone
FASTA = (".fasta", ".fa", ".faa", ".fna", ".fas")
_LOOKED_AT = 1 << 8  # rows of Parquet, to know what all of them take
BLOCK = 1 << 24  # bytes parsed at a time; a row must fit

_PANDAS = re.compile(r"Unnamed: \d+(\.\d+)*|__index_level_\d+__|index")

Source: TypeAlias = str | Path | pa.Table
T = TypeVar("T")


@dataclass(frozen=True)
class TableFile:
    """A table and the file it came from.

    Args:
        name: The file, for messages.
        table: Its columns; those of CSV and TSV are text as written.
        is_typed: Whether the file itself says what is a number and what is text.
        is_positional: Whether row i is sample i (``.npy``), so that no column of ids is needed.
        first_row: Rows of the file before these, where it is read in pieces; messages count them.
        unnamed: Columns without a name in the file.
        decimal_comma: Whether 0,5 is a number where the file does not say what is one.
        notes: What is worth saying of how the file is written.
    """

    name: str
    table: pa.Table
    is_typed: bool = True
    is_positional: bool = False
    first_row: int = 0
    unnamed: tuple[str, ...] = ()
    decimal_comma: bool = False
    notes: tuple[str, ...] = ()

    def find(self, column: str) -> str:
        """A column's name as written in the file, upper and lower case apart.

        Raises:
            ValueError: There is none; the message lists those there are.
        """
        names = self.table.column_names
        alike = [name for name in names if name.lower() == column.lower()]
        if column not in names and len(alike) != 1:
            there = ", ".join(repr(name) for name in names)
            raise ValueError(f"{self.name} has no column {column!r}{did_you_mean(column, names)}; there are: {there}")
        return column if column in names else alike[0]

    def first_of(self, *columns: str) -> str | None:
        """The first of some names that is a column, upper and lower case apart; None if none is."""
        lower = {name.lower(): name for name in reversed(self.table.column_names)}
        return next((lower[column] for column in columns if column in lower), None)

    def values(self, column: str) -> pa.ChunkedArray:
        """A column as integers, numbers, true/false or text."""
        cells = self.table.column(column)
        if self.is_typed:
            return cells
        if self.decimal_comma:
            marks = self.marks(column)
            refuse_both_marks(self.name, {**self._comma, **marks} if "." in marks else marks)
        return typed_column(cells, self.decimal_comma)

    def marks(self, column: str) -> dict[str, str]:
        """The first number of a column with ``,`` and the first with ``.``, in words."""
        cells = self.table.column(column)
        return {
            mark: f"{cells[row].as_py()!r:.40} (column {column!r}, row {self.first_row + row + 1:,})"
            for mark, row in decimal_marks(cells).items()
        }

    @cached_property
    def _comma(self) -> dict[str, str]:
        """The first number with a decimal comma."""
        found = ({",": self.marks(c).get(",", "")} for c in self.table.column_names if self._has_commas(c))
        return next(found, {})

    def _has_commas(self, column: str) -> bool:
        cells = self.table.column(column)
        return "," in decimal_marks(cells) and is_number(typed_column(cells, True).type)

    def index_columns(self) -> list[str]:
        """Columns that have no name, or the one that pandas gives to the number of a row."""
        return [name for name in self.table.column_names if name in self.unnamed or _PANDAS.fullmatch(name)]


def refuse_both_marks(name: str, marks: Mapping[str, str]) -> None:
    """Refuse numbers with ``.`` beside numbers with ``,``: where 0,5 is a number nobody knows what 1.005 is.

    Args:
        name: The file.
        marks: By mark, the first number with it.
    """
    if len(marks) > 1:
        raise ValueError(
            f"{name} has ',' in the number {marks[',']} and '.' in {marks['.']}: which is the decimal mark? Write all "
            "numbers with one of them, and no marks of thousands"
        )


def read_table(source: Source, header: bool = True, name: str = "") -> TableFile:
    """Read a table.

    Args:
        source: A ``.csv``, ``.tsv``, ``.txt``, ``.jsonl``, ``.fasta`` or ``.parquet`` file (text also as ``.gz``), or a
            pyarrow Table. Lines above a text table that begin with ``#`` or ``%`` are comments; the last of them names
            the columns if it has as many cells as a row. A folder of ``.txt`` files is a table of a row a file.
        header: Whether the first row of a CSV or TSV file names the columns; else they are column1, column2, ... unless
            it plainly names them.
        name: How messages call a source that is no file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Unknown kind of file; not UTF-8 (the message names the line); ragged rows (the line); columns of
            the same name.
    """
    if isinstance(source, pa.Table):
        return _table_file(name or "the table", source)
    if not isinstance(source, str | Path):
        raise ValueError(
            f"{name or 'a table'} needs to be a file or a pyarrow Table (got a {type(source).__name__}); a pandas "
            "DataFrame becomes one by pyarrow.Table.from_pandas(frame, preserve_index=False)"
        )
    path = user_path(source)
    if path.is_dir():
        return TableFile(str(path), read_text_folder(path))
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    kind = file_kind(path)
    if kind in DELIMITERS:
        return _read_delimited(path, DELIMITERS[kind], header)
    if kind in (".jsonl", ".ndjson"):
        return _table_file(str(path), _read_json(path))
    if kind in PARQUET:
        return _table_file(str(path), _read_parquet(path))
    if kind in FASTA:
        return TableFile(str(path), _read_fasta(path))
    if kind in GRAPHS:
        raise ValueError(f"{path} is a graph, no table: give it as edges (--edges)")
    packed = f"{kind} packed as .gz, which is for text: unpack it" if path.suffix.lower() == ".gz" and kind else kind
    raise ValueError(
        f"{path} needs to be a .csv, .tsv, .jsonl, .parquet or .npy file (got {packed or 'no ending'}); .txt is read "
        "too, .fasta for samples, .mtx and .graphml for edges"
    )


def is_array_file(source: Source) -> bool:
    """Whether a source is a ``.npy`` file."""
    return isinstance(source, str | Path) and Path(source).suffix.lower() == ".npy"


def read_array(source: Source, text: bool = False) -> np.ndarray:
    """Map a ``.npy`` file of numbers, or of ``text`` too; pickles are refused."""
    path = user_path(str(source))
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        with np.errstate(over="ignore"):  # a shape that no memory holds
            array = np.lib.format.open_memmap(path, mode="r")  # no pickle, no archive of several
    except (*NOT_PLAIN, OSError) as error:
        if "Python objects" in str(error):
            way = "np.asarray(y, dtype=str) for text, with '' where missing, or a numeric dtype"
            raise ValueError(f"{path} holds Python objects, a pickle, which is not opened; save it as {way}") from error
        raise ValueError(f"{path} is not a plain .npy array ({one_line(error)})") from error
    if array.dtype.kind not in ("biufUS" if text else "biuf"):
        raise ValueError(f"{path} needs numbers{' or text' if text else ''} (got {array.dtype})")
    return array


def check_names(path: Path | str, names: list[str]) -> None:
    """Refuse columns of the same name."""
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ValueError(
            f"{path} names several columns {', '.join(map(repr, sorted(repeated)))}; rename them, or say --no-header"
        )


def file_kind(path: Path) -> str:
    """The ending that says how to read a file, ``.gz`` aside, in lower case."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return (suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else "".join(suffixes[-1:])) or ""


def _read_fasta(path: Path) -> pa.Table:
    """Columns ``id``, ``sequence`` and, if there is any, ``description``."""
    refuse_long_lines(path, longest_row())
    fault = find_encoding_fault(path)
    if fault:
        raise ValueError(fault)
    records = list(fasta_records((line.encode("latin-1").decode() for line in lines_of(path)), str(path)))
    columns = {"id": [one.accession for one in records], "sequence": [one.sequence for one in records]}
    if any(one.description for one in records):
        columns["description"] = [one.description for one in records]
    return pa.table({name: pa.array(cells, pa.large_string()) for name, cells in columns.items()})


def _read_parquet(path: Path) -> pa.Table:
    try:
        file = pq.ParquetFile(path)
        first = next(file.iter_batches(_LOOKED_AT), None)
        if first is not None:  # a text that is kept once and meant a million times
            refuse_more(path, first.nbytes * file.metadata.num_rows // max(first.num_rows, 1), free_memory())
        return file.read()
    except (pa.ArrowException, OSError, MemoryError) as error:
        raise ValueError(f"{path} is not a Parquet file that can be read ({one_line(error)})") from error


def _table_file(name: str, table: pa.Table) -> TableFile:
    """A table that says itself what is a number."""
    names = [column.strip() or column for column in table.column_names]
    table = table if names == table.column_names else table.rename_columns(names)
    check_names(name, table.column_names)
    return TableFile(name, plain_table(table))


def _read_delimited(path: Path, usual: str, header: bool) -> TableFile:
    dialect = find_dialect(path, usual, header, free_memory())

    def options(block: int) -> pa_csv.ReadOptions:
        unnamed = not dialect.has_header
        return pa_csv.ReadOptions(block_size=block, skip_rows=dialect.skip, autogenerate_column_names=unnamed)

    def read(block: int) -> pa.Table:
        start_options, parse = options(min(block, 1 << 20)), dialect.parse_options
        with open_bytes(path) as file, pa_csv.open_csv(file, start_options, parse) as start:
            names = start.schema.names
        as_text = pa_csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
        )
        with open_bytes(path) as file:
            return pa_csv.read_csv(file, options(block), parse, as_text)

    try:
        table = _whole_rows(path, read)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        fault = find_encoding_fault(path) or find_ragged_row(path, dialect)
        alone = header_alone(path, dialect) if dialect.has_header and not fault else None
        if alone is None:
            raise ValueError(fault or f"{path} cannot be read: {one_line(error)}") from error
        table = pa.table([pa.array([], pa.string())] * len(alone), names=alone)
    names = dialect.columns(table.column_names)
    unnamed = tuple(name for name, written in zip(names, table.column_names, strict=True) if not written.strip())
    table = table.rename_columns(names)
    if table.num_rows and "\n" in table.column(-1)[-1].as_py():  # perhaps the rest of the file, behind an open quote
        fault = find_ragged_row(path, dialect)
        if fault:
            raise ValueError(fault)
    _check_header(path, table, dialect)
    check_names(path, names)
    return TableFile(
        str(path),
        table,
        is_typed=False,
        unnamed=unnamed,
        decimal_comma=dialect.decimal_comma,
        notes=dialect.notes,
    )


def _check_header(path: Path, table: pa.Table, dialect: Dialect) -> None:
    """Refuse a file whose first row is taken for what it is not."""
    names = table.column_names
    if len(names) == 1 and (other := re.search("[;\t,|]", names[0])):
        raise ValueError(
            f"{path} has the single column {names[0]!r}: are its cells separated by {other.group()!r}? "
            "A .csv file needs ',', a .tsv file tabs"
        )
    if dialect.has_header and all(is_number_text(name) for name in names) and not all(name.isdigit() for name in names):
        raise ValueError(f"{path} names its columns {', '.join(names[:5])}: no header? Say so (--no-header)")


def _read_json(path: Path) -> pa.Table:
    def read(block: int, schema: pa.Schema | None = None) -> pa.Table:
        with open_bytes(path) as file:
            return pa_json.read_json(
                file, pa_json.ReadOptions(block_size=block), pa_json.ParseOptions(explicit_schema=schema)
            )

    refuse_deep_rows(path, free_memory())  # pyarrow would end the process
    try:
        table = _whole_rows(path, read)
        dates = [pa.field(field.name, pa.string()) for field in table.schema if pa.types.is_timestamp(field.type)]
        if dates:  # texts that look like dates stay texts
            names = table.column_names
            table = _whole_rows(path, lambda block: read(block, pa.schema(dates))).select(names)
        table.validate(full=True)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        fault = find_encoding_fault(path) or find_json_fault(path)
        raise ValueError(fault or f"{path} cannot be read: {one_line(error)}") from error
    return table


def _whole_rows(path: Path, read: Callable[[int], T]) -> T:
    """Read with blocks of the usual size, and with larger ones where a row is longer than a block."""
    size = BLOCK
    while True:
        try:
            return read(size)
        except pa.ArrowInvalid as error:
            if "straddl" not in str(error):
                raise
            if size > longest_row():
                raise
            if size == BLOCK:
                refuse_long_lines(path, longest_row())
        size *= 4


def plain_table(table: pa.Table) -> pa.Table:
    """Categories of pandas as what they stand for."""
    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(i, field.name, pc.cast(table.column(i), field.type.value_type))
        elif pa.types.is_string_view(field.type):
            table = table.set_column(i, field.name, pc.cast(table.column(i), pa.string()))
    return table
