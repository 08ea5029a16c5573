"""Tables larger than memory: Parquet, CSV and TSV read a piece at a time, with errors as in ``tables``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from sigraph.data.tables import BLOCK, DELIMITERS, PARQUET, TableFile, check_names, file_kind, plain_table
from sigraph.data.text_faults import find_encoding_fault, find_ragged_row, open_bytes

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

    def head(self) -> TableFile:
        """The columns, without a row."""
        if self.kind in PARQUET:
            table = self._parquet().schema_arrow.empty_table()
        else:
            with open_bytes(self.path) as file, self._open_csv(file, 1 << 20, None) as reader:
                names = reader.schema.names
            table = pa.table({name: pa.array([], pa.string()) for name in self._names(names)})
        check_names(self.path, table.column_names)
        return TableFile(str(self.path), plain_table(table), is_typed=self.kind in PARQUET)

    def pieces(self, columns: list[str]) -> Iterator[tuple[TableFile, float]]:
        """Some columns, piece after piece, and the share of the file that was read with each."""
        first_row = 0
        for table, share in self._parquet_pieces(columns) if self.kind in PARQUET else self._text_pieces(columns):
            yield TableFile(str(self.path), plain_table(table), self.kind in PARQUET, first_row=first_row), share
            first_row += table.num_rows

    def _parquet(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.path, buffer_size=1 << 20, pre_buffer=False)  # no whole row group in memory
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{self.path} is not a Parquet file ({error})") from error

    def _parquet_pieces(self, columns: list[str]) -> Iterator[tuple[pa.Table, float]]:
        done = 0
        with self._parquet() as file:
            try:
                for batch in file.iter_batches(self.rows, columns=columns, use_threads=False):
                    done += batch.num_rows
                    yield pa.Table.from_batches([batch]).select(columns), done / file.metadata.num_rows
            except (pa.ArrowException, OSError) as error:
                raise ValueError(f"{self.path} cannot be read after row {done:,} ({error})") from error

    def _text_pieces(self, columns: list[str]) -> Iterator[tuple[pa.Table, float]]:
        size = self.path.stat().st_size
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
                except (pa.ArrowException, UnicodeDecodeError) as error:
                    raise self._fault(error) from error
                yield pa.Table.from_batches([batch]).rename_columns(columns), min(raw.tell() / max(size, 1), 1.0)

    def _open_csv(self, file: pa.NativeFile, block: int, columns: list[str] | None) -> pa_csv.CSVStreamingReader:
        read = pa_csv.ReadOptions(block_size=block, autogenerate_column_names=not self.header, use_threads=False)
        parse = pa_csv.ParseOptions(delimiter=DELIMITERS[self.kind], newlines_in_values=True)
        convert = pa_csv.ConvertOptions(strings_can_be_null=False, quoted_strings_can_be_null=False)
        if columns is not None:
            convert.include_columns = self._written(columns)
            convert.column_types = dict.fromkeys(self._written(columns), pa.string())
        try:
            return pa_csv.open_csv(file, read, parse, convert)
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise self._fault(error) from error

    def _compression(self) -> str | None:
        return "gzip" if self.path.suffix.lower() == ".gz" else None

    def _fault(self, error: Exception) -> ValueError:
        fault = find_encoding_fault(self.path) or find_ragged_row(self.path, DELIMITERS[self.kind], self.header)
        return ValueError(fault or f"{self.path} cannot be read: {error}")

    def _names(self, written: list[str]) -> list[str]:
        """Columns as sigraph calls them, where pyarrow calls them f0, f1, ..."""
        if self.header:
            return list(written)
        return [f"column{int(name[1:]) + 1}" for name in written]

    def _written(self, names: list[str]) -> list[str]:
        return list(names) if self.header else [f"f{int(name.removeprefix('column')) - 1}" for name in names]
