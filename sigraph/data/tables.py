"""Tables from files: CSV, TSV, JSONL, Parquet and ``.npy`` as pyarrow tables, with errors that name file and line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from sigraph.data.card import did_you_mean
from sigraph.data.columns import is_text, typed_column
from sigraph.data.text_faults import find_encoding_fault, find_json_fault, find_ragged_row, open_bytes

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
PARQUET = (".parquet", ".pq")
BLOCK = 1 << 24  # bytes parsed at a time; a row must fit

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
    """

    name: str
    table: pa.Table
    is_typed: bool = True
    is_positional: bool = False
    first_row: int = 0

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
        return cells if self.is_typed else typed_column(cells)


def read_table(source: Source, header: bool = True, name: str = "") -> TableFile:
    """Read a table.

    Args:
        source: A ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet`` file (text also as ``.gz``), or a pyarrow Table.
        header: Whether the first row of a CSV or TSV file names the columns; else they are column1, column2, ...
        name: How messages call a source that is no file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Unknown kind of file; not UTF-8 (the message names the line); ragged rows (the line); columns of
            the same name.
    """
    if isinstance(source, pa.Table):
        return TableFile(name or "the table", plain_table(source))
    path = Path(source).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    kind = file_kind(path)
    if kind in DELIMITERS:
        table = _read_delimited(path, DELIMITERS[kind], header)
    elif kind in (".jsonl", ".ndjson"):
        table = _read_json(path)
    elif kind in PARQUET:
        try:
            table = pq.ParquetFile(path).read()
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{path} is not a Parquet file ({error})") from error
    else:
        raise ValueError(f"{path} needs to be a .csv, .tsv, .jsonl, .parquet or .npy file (got {kind or 'no ending'})")
    check_names(path, table.column_names)
    return TableFile(str(path), plain_table(table), is_typed=kind not in DELIMITERS)


def is_array_file(source: Source) -> bool:
    """Whether a source is a ``.npy`` file."""
    return not isinstance(source, pa.Table) and Path(source).suffix.lower() == ".npy"


def read_array(source: Source) -> np.ndarray:
    """Map a ``.npy`` file of numbers; pickles are refused."""
    path = Path(str(source)).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, TypeError, EOFError) as error:
        raise ValueError(f"{path} is not a plain .npy array ({error})") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{path} needs numbers (got {array.dtype})")
    return array


def check_names(path: Path, names: list[str]) -> None:
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


def _read_delimited(path: Path, delimiter: str, header: bool) -> pa.Table:
    parse = pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)

    def options(block: int) -> pa_csv.ReadOptions:
        return pa_csv.ReadOptions(block_size=block, autogenerate_column_names=not header)

    def read(block: int) -> pa.Table:
        with open_bytes(path) as file, pa_csv.open_csv(file, options(min(block, 1 << 20)), parse) as start:
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
    except (pa.ArrowException, UnicodeDecodeError) as error:
        fault = find_encoding_fault(path) or find_ragged_row(path, delimiter, header)
        raise ValueError(fault or f"{path} cannot be read: {error}") from error
    names = [name if header and name else f"column{i}" for i, name in enumerate(table.column_names, start=1)]
    table = table.rename_columns(names)
    if table.num_rows and "\n" in table.column(-1)[-1].as_py():  # perhaps the rest of the file, behind an open quote
        fault = find_ragged_row(path, delimiter, header)
        if fault:
            raise ValueError(fault)
    if len(names) == 1 and (other := re.search("[;\t,|]", names[0])):
        raise ValueError(
            f"{path} has the single column {names[0]!r}: are its cells separated by {other.group()!r}? "
            "A .csv file needs ',', a .tsv file tabs"
        )
    if not header and table.num_rows > 1:
        head, *_ = table.slice(0, 1).to_pylist()
        below = [name for name in names if not _is_number(head[name]) and _is_number(table.column(name)[1].as_py())]
        if any(not is_text(typed_column(table.column(name).slice(1)).type) for name in below):
            raise ValueError(f"{path}: its first row, {', '.join(head.values())!r:.60}, is a header; drop --no-header")
    if header and all(_is_number(name) for name in names) and not all(name.isdigit() for name in names):
        raise ValueError(f"{path} names its columns {', '.join(names[:5])}: no header? Say so (--no-header)")
    return table


def _read_json(path: Path) -> pa.Table:
    def read(block: int, schema: pa.Schema | None = None) -> pa.Table:
        with open_bytes(path) as file:
            return pa_json.read_json(
                file, pa_json.ReadOptions(block_size=block), pa_json.ParseOptions(explicit_schema=schema)
            )

    try:
        table = _whole_rows(path, read)
        dates = [pa.field(field.name, pa.string()) for field in table.schema if pa.types.is_timestamp(field.type)]
        if dates:  # texts that look like dates stay texts
            names = table.column_names
            table = _whole_rows(path, lambda block: read(block, pa.schema(dates))).select(names)
        table.validate(full=True)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        fault = find_encoding_fault(path) or find_json_fault(path)
        raise ValueError(fault or f"{path} cannot be read: {error}") from error
    return table


def _whole_rows(path: Path, read: Callable[[int], T]) -> T:
    """Read with blocks of the usual size, and of the file's size where a row is longer than a block."""
    try:
        return read(BLOCK)
    except pa.ArrowInvalid as error:
        if "straddl" not in str(error):
            raise
    with open_bytes(path) as file:
        size = sum(len(piece) for piece in iter(lambda: file.read(BLOCK), b""))
    return read(min(size + 1, 2**31 - 1))


def plain_table(table: pa.Table) -> pa.Table:
    """Categories of pandas as what they stand for."""
    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(i, field.name, pc.cast(table.column(i), field.type.value_type))
        elif pa.types.is_string_view(field.type):
            table = table.set_column(i, field.name, pc.cast(table.column(i), pa.string()))
    return table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
