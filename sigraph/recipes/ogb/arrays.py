"""Arrays of OGB's raw files, compressed text or ``.npz``, written to disk as they come and mapped from there."""

from __future__ import annotations

import csv
import gzip
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from sigraph.files.sums import NOT_PLAIN

BLOCK = 1 << 24  # bytes of text read at a time
Kind = Literal["ids", "numbers", "labels"]
_WAY = "truncated or altered; get the official files again"


def read_blocks(path: Path, kind: Kind) -> Iterator[np.ndarray]:
    """The rows of a compressed table without header, a block at a time. Shape [rows, columns].

    Args:
        path: A ``.csv.gz``.
        kind: ``ids``: integers; ``numbers``: int64 where all of the first block are integers, else float32;
            ``labels``: float64, NaN where a cell is empty.

    Raises:
        ValueError: It is no such table, or it is cut short.
    """
    column: pa.DataType | None = {"ids": pa.int64(), "numbers": None, "labels": pa.float64()}[kind]
    convert, width = pc.ConvertOptions(null_values=["", "nan", "NaN", "NA"]), 0
    try:
        if column is not None:
            width = _width(path)
            convert.column_types = {f"f{i}": column for i in range(width)}
        with pa.input_stream(str(path), compression="gzip") as stream:
            options = pc.ReadOptions(autogenerate_column_names=True, block_size=BLOCK, use_threads=False)
            for batch in pc.open_csv(stream, options, convert_options=convert):
                columns = [_numbers(part, path) for part in batch.columns]
                block = np.stack(columns, axis=1) if columns else np.empty((0, 0))
                if kind == "ids" and block.dtype.kind == "f":
                    raise ValueError(f"{path} needs integers (got an empty cell)")
                wide = kind == "labels" or block.dtype.kind == "i"
                yield block if wide else block.astype(np.float32)
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return
        raise ValueError(f"{path} is no table of numbers ({error}); {_WAY}") from error
    except OSError as error:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there, which OGB's release holds; {_WAY}") from error
        raise ValueError(f"{path} cannot be unpacked ({error}); {_WAY}") from error


def read_table(path: Path, kind: Kind) -> np.ndarray:
    """All rows of a compressed table, in memory. Shape [rows, columns]."""
    blocks = list(read_blocks(path, kind))
    return np.concatenate(blocks) if blocks else np.empty((0, 1), np.int64 if kind == "ids" else np.float64)


def read_column(path: Path, kind: Kind = "ids") -> np.ndarray:
    """The only column of a compressed table. Shape [rows]."""
    table = read_table(path, kind)
    if table.shape[1] != 1:
        raise ValueError(f"{path} needs one column (got {table.shape[1]}); {_WAY}")
    return table[:, 0]


def read_header(path: Path) -> dict[str, Any]:
    """The names of a compressed table and its first row, by name."""
    rows = read_text_table(path)
    if len(rows) < 2 or len(rows[0]) != len(rows[1]):
        raise ValueError(f"{path} needs names and a row (got {len(rows)} rows); {_WAY}")
    return dict(zip(rows[0], rows[1], strict=True))


def read_text_table(path: Path) -> list[list[str]]:
    """The cells of a small compressed table, all of them."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            return [row for row in csv.reader(file) if row]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is not there, which OGB's release holds; {_WAY}") from error
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be unpacked ({error}); {_WAY}") from error


def map_table(path: Path, kind: Kind, num_rows: int, out: Path, twice: bool = False, flip: bool = False) -> np.ndarray:
    """A compressed table as a mapped ``.npy`` file; memory is that of a block.

    Args:
        path: A ``.csv.gz``.
        kind: See :func:`read_blocks`.
        num_rows: Rows it has.
        out: The file to write.
        twice: Every row stands there twice, one after the other, as OGB adds the other direction of an edge.
        flip: The second one is turned round.

    Shapes:
        - **returns:** [num_rows, columns], or twice as many
    """
    found: np.memmap | None = None
    done = 0
    for block in read_blocks(path, kind):
        if found is None:
            shape = (num_rows * (2 if twice else 1), block.shape[1])
            found = np.lib.format.open_memmap(out, mode="w+", dtype=block.dtype, shape=shape)
        if twice:
            block = np.repeat(block, 2, axis=0)
            if flip:
                block[1::2] = block[1::2, ::-1]
        if done + len(block) > len(found):
            raise _wrong_rows(path, num_rows, "more")
        found[done : done + len(block)] = block
        done += len(block)
    if found is None:
        if num_rows:
            raise _wrong_rows(path, num_rows, 0)
        np.save(out, np.empty((0, 2 if kind == "ids" else 1), np.int64 if kind == "ids" else np.float32))
    elif done != len(found):
        raise _wrong_rows(path, num_rows, done // (2 if twice else 1))
    else:
        found.flush()
    return _mapped(out)


def unpack(path: Path, scratch: Path) -> dict[str, np.ndarray]:
    """The arrays of a ``.npz`` file, each unpacked to a ``.npy`` file and mapped. Object arrays are refused unread.

    Raises:
        ValueError: It is no ``.npz``, is damaged, or holds anything but plain arrays.
    """
    found: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for number, member in enumerate(archive.namelist()):
                if not member.endswith(".npy"):
                    raise ValueError(f"{path} holds {member!r}, which is no array; {_WAY}")
                target = scratch / f"{path.stem}-{number}.npy"
                with archive.open(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, BLOCK)  # compares the member's CRC at its end
                found[member.removesuffix(".npy")] = _mapped(target, f"{member} in {path}")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ValueError(f"{path} cannot be unpacked ({error}); {_WAY}") from error
    return found


def _mapped(file: Path, name: str = "") -> np.ndarray:
    try:
        try:
            return np.load(file, mmap_mode="c", allow_pickle=False)
        except ValueError as error:
            if "mmap" in str(error) or "empty" in str(error):  # nothing to map in an array of size 0
                return np.load(file, allow_pickle=False)
            raise
    except NOT_PLAIN as error:
        raise ValueError(f"{name or file} is not a plain array ({error}); nothing of it was executed") from error


def _width(path: Path) -> int:
    """Columns of a compressed table, by its first line."""
    with pa.input_stream(str(path), compression="gzip") as stream:
        start = stream.read(1 << 16)
    return start.split(b"\n", 1)[0].count(b",") + 1 if start.strip() else 0


def _numbers(part: Any, path: Path) -> np.ndarray:
    if pa.types.is_null(part.type):
        return np.full(len(part), np.nan)
    if not (pa.types.is_integer(part.type) or pa.types.is_floating(part.type)):
        raise ValueError(f"{path} needs numbers (got {part.type}); {_WAY}")
    return part.to_numpy(zero_copy_only=False)


def _wrong_rows(path: Path, needed: int, got: int | str) -> ValueError:
    return ValueError(f"{path} needs {needed} rows, as its lists of counts say (got {got}); {_WAY}")
