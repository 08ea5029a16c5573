"""Where a text table is broken: the line that is not UTF-8, the row that is ragged, the quote that is never closed."""

from __future__ import annotations

import codecs
import csv
import io
import json
import sys
from pathlib import Path

import pyarrow as pa

PIECE = 1 << 20


def open_bytes(path: Path) -> pa.NativeFile:
    """The file's bytes, decompressed if its name says so (``.gz``)."""
    return pa.input_stream(str(path), compression="detect")


def find_encoding_fault(path: Path) -> str | None:
    """Line and byte of the first place that is not UTF-8, in words; None if there is none."""
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
    with open_bytes(path) as file:
        while True:
            piece = file.read(PIECE)
            carried = decoder.getstate()[0]
            try:
                decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                wrong = (carried + piece)[error.start : error.start + 1]
                line += (carried + piece)[: error.start].count(b"\n")
                return f"{path}, line {line}: not UTF-8 (byte 0x{wrong.hex()}); save the file as UTF-8"
            if not piece:
                return None
            line += piece.count(b"\n")


def find_ragged_row(path: Path, delimiter: str, header: bool) -> str | None:
    """The line of the first row with another number of cells than the first one, in words; None if there is none."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=delimiter, strict=True)
            width, line = 0, 1
            try:
                for row in rows:
                    if row and width and len(row) != width:
                        first = "the header" if header else "the first row"
                        return f"{path}, line {line}: {len(row)} cells, but {first} has {width}"
                    width, line = width or len(row), rows.line_num + 1
            except csv.Error as error:
                if "end of data" in str(error):
                    return f"{path}, line {line}: a quote opens in this row and never closes"
                return f"{path}, line {rows.line_num}: {error}"
    finally:
        csv.field_size_limit(limit)
    return None


def find_json_fault(path: Path) -> str | None:
    """The first line that is no JSON object, in words; None if there is none."""
    with io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            try:
                value = json.loads(line) if line.strip() else {}
            except ValueError as error:
                return f"{path}, line {number}: not JSON ({error})"
            if not isinstance(value, dict):
                return f"{path}, line {number}: needs one JSON object a line (got {line.strip():.40})"
    return None
