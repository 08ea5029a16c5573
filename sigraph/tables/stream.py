"""Tables larger than memory: Parquet, CSV and TSV read a piece at a time, with errors as in ``tables``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from sigraph.tables.dialect import DELIMITERS, Dialect, find_dialect, find_ragged_row, header_alone
from sigraph.tables.table_file import BLOCK, PARQUET, TableFile, check_names, file_kind, plain_table
from sigraph.tables.text_faults import find_encoding_fault, one_line, open_bytes, refuse_long_lines

ROWS = 1 << 20  # of Parquet at a time


@dataclass(frozen=True)
class TableStream:
    """A table that is read in pieces.

    Args:
        path: A ``.parquet``, ``.csv`` or ``.tsv`` file (text also as ``.gz``).
        header: Whether the first row of a CSV or TSV file names the columns.
        rows: Rows of Parquet at a time.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Another kind of file; columns of the same name.
    """

    path: Path
    header: bool = True
    rows: int = ROWS

    def __post_init__(self) -> None:
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path}: there is no such file")
        if self.kind not in (*DELIMITERS, *PARQUET):
            raise ValueError(
                f"{self.path} needs to be a .parquet, .csv or .tsv file to be read in pieces "
                f"(got {self.kind or 'no ending'}); convert it, or read it in memory: without a memory limit"
            )

    @property
    def kind(self) -> str:
        """The ending that says how to read the file, such as ``.csv``."""
        return file_kind(self.path)

    @cached_property
    def dialect(self) -> Dialect:
        """How the cells of a text file are told apart."""
        return find_dialect(self.path, DELIMITERS[self.kind], self.header)

    def head(self) -> TableFile:
        """The columns, without a row."""
        if self.kind in PARQUET:
            table = self._parquet().schema_arrow.empty_table().rename_columns(list(self._written))
        else:
            table = pa.table({name: pa.array([], pa.string()) for name in self._written})
        return self._file(table, 0)

    def pieces(self, columns: list[str]) -> Iterator[tuple[TableFile, float]]:
        """Some columns, piece after piece, and the share of the file that was read with each."""
        first_row = 0
        for table, share in self._parquet_pieces(columns) if self.kind in PARQUET else self._text_pieces(columns):
            yield self._file(table, first_row), share
            first_row += table.num_rows

    def _file(self, table: pa.Table, first_row: int) -> TableFile:
        name, plain = str(self.path), plain_table(table)
        if self.kind in PARQUET:
            return TableFile(name, plain, first_row=first_row)
        unnamed = tuple(column for column, written in self._written.items() if not written.strip())
        comma, notes = self.dialect.decimal_comma, self.dialect.notes
        return TableFile(name, plain, False, False, first_row, unnamed, comma, notes)

    @cached_property
    def _written(self) -> dict[str, str]:
        """Columns as sigraph calls them, and as pyarrow does."""
        if self.kind in PARQUET:
            written = self._parquet().schema_arrow.names
            names = [name.strip() or name for name in written]
        else:
            written = self._text_columns()
            names = self.dialect.columns(written)
        check_names(self.path, names)
        return dict(zip(names, written, strict=True))

    def _text_columns(self) -> list[str]:
        try:
            with open_bytes(self.path) as file, self._open_csv(file, 1 << 20, None) as reader:
                return reader.schema.names
        except ValueError:
            alone = header_alone(self.path, self.dialect) if self.dialect.has_header else None
            if alone is None:
                raise
            return alone

    def _parquet(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.path, buffer_size=1 << 20, pre_buffer=False)  # no whole row group in memory
        except (pa.ArrowException, OSError, MemoryError) as error:
            raise ValueError(f"{self.path} is not a Parquet file that can be read ({one_line(error)})") from error

    def _parquet_pieces(self, columns: list[str]) -> Iterator[tuple[pa.Table, float]]:
        done, written = 0, [self._written[column] for column in columns]
        with self._parquet() as file:
            try:
                for batch in file.iter_batches(self.rows, columns=written, use_threads=False):
                    done += batch.num_rows
                    table = pa.Table.from_batches([batch]).select(written).rename_columns(columns)
                    yield table, done / file.metadata.num_rows
            except (pa.ArrowException, OSError, MemoryError) as error:
                raise ValueError(f"{self.path} cannot be read after row {done:,} ({one_line(error)})") from error

    def _text_pieces(self, columns: list[str]) -> Iterator[tuple[pa.Table, float]]:
        size = self.path.stat().st_size
        if self.dialect.has_header and header_alone(self.path, self.dialect):
            return
        with (
            self.path.open("rb") as raw,
            pa.input_stream(raw, compression=self._compression()) as file,
            self._open_csv(file, BLOCK, columns) as reader,
        ):
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
                except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
                    raise self._fault(error) from error
                yield pa.Table.from_batches([batch]).rename_columns(columns), min(raw.tell() / max(size, 1), 1.0)

    def _open_csv(self, file: pa.NativeFile, block: int, columns: list[str] | None) -> pa_csv.CSVStreamingReader:
        read = pa_csv.ReadOptions(
            block_size=block,
            skip_rows=self.dialect.skip,
            autogenerate_column_names=not self.dialect.has_header,
            use_threads=False,
        )
        convert = pa_csv.ConvertOptions(strings_can_be_null=False, quoted_strings_can_be_null=False)
        if columns is not None:
            convert.include_columns = [self._written[column] for column in columns]
            convert.column_types = dict.fromkeys(convert.include_columns, pa.string())
        try:
            return pa_csv.open_csv(file, read, self.dialect.parse_options, convert)
        except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
            raise self._fault(error) from error

    def _compression(self) -> str | None:
        return "gzip" if self.path.suffix.lower() == ".gz" else None

    def _fault(self, error: Exception) -> ValueError:
        if "straddl" in str(error):
            refuse_long_lines(self.path, BLOCK)
        fault = find_encoding_fault(self.path) or find_ragged_row(self.path, self.dialect)
        return ValueError(fault or f"{self.path} cannot be read: {one_line(error)}")
