"""Where a text table is broken: the line that is not UTF-8, the row that is ragged, the line without an end."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path

import numpy as np
import pyarrow as pa

from sigraph.files.free_memory import refuse_more

PIECE = 1 << 20
LONGEST_ROW = 1 << 28  # bytes; beyond, a file is no table, or a bomb
DEEPEST = 64  # lists and objects within each other in a row of JSON
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


class LongLineError(ValueError):
    """A line is longer than a row may be.

    Args:
        path: The file.
        line: Its number.
        longest: Bytes that a row may take.
    """

    def __init__(self, path: Path, line: int, longest: int) -> None:
        super().__init__(
            f"{path}, line {line:,}: the row is longer than {longest / 2**20:.4g} MiB, the most that is read as one; "
            "is a line end or a closing quote missing?"
        )


def longest_row() -> int:
    """Bytes that a row of a text table may take."""
    return LONGEST_ROW


def refuse_long_lines(path: Path, longest: int) -> None:
    """Read a file as far as the first line of more than so many bytes, in bounded memory.

    Raises:
        LongLineError: There is one.
    """
    for _ in pieces_of_lines(path, longest):
        pass


def _pieces(path: Path) -> Iterator[bytes]:
    """The bytes of a file, decompressed."""
    with open_bytes(path) as file:
        while True:
            try:
                piece = file.read(PIECE)
            except OSError as error:
                raise packing_fault(path, error) from error
            if not piece:
                return
            yield piece


def pieces_of_lines(path: Path, longest: int, free: int | None = None) -> Iterator[bytes]:
    """The bytes of a file, whose lines have to be short ones; and all of it, if asked for, fit into some memory."""
    line, length, total = 1, 0, 0
    for piece in _pieces(path):
        total += len(piece)
        refuse_more(path, total, free)
        last = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        if last >= 0:
            line, length = line + piece.count(b"\n"), 0
        length += len(piece) - last - 1
        if length > longest:
            raise LongLineError(path, line, longest)
        yield piece


def refuse_deep_rows(path: Path, free: int | None = None) -> None:
    """Refuse JSON of lists within lists within lists, in bounded memory; and what does not fit into some memory.

    Raises:
        ValueError: More than so many; the message names the line. Or a line is longer than a row may be.
    """
    line, depth, rest, suspect = 1, 0, [b""], False
    for piece in chain(pieces_of_lines(path, LONGEST_ROW, free), [b"\n"]):
        # Brackets in texts count too at first, and are told apart where there are many of them.
        level = _levels(piece, depth)
        suspect |= _rises(level)
        last = piece.rfind(b"\n")
        if last >= 0 and suspect:
            rows = b"".join([*rest, piece[:last]]).split(b"\n")
            deep = next((number for number, row in enumerate(rows) if _depth(row) > DEEPEST), None)
            if deep is not None:
                where = f"{path}, line {line + deep:,}"
                raise ValueError(f"{where}: lists and objects stand within each other more than {DEEPEST} deep")
        if last < 0:
            rest.append(piece)
            depth = int(level[-1]) if level.size else depth
        else:  # what follows the last line end begins a row
            level = _levels(piece[last + 1 :], 0)
            depth, suspect = int(level[-1]) if level.size else 0, _rises(level)
            line, rest = line + piece.count(b"\n"), [piece[last + 1 :]]


def _rises(level: np.ndarray) -> bool:
    """Whether brackets may lead too deep."""
    return int(level.max(initial=0)) - int(level.min(initial=0)) > DEEPEST


def _depth(row: bytes) -> int:
    """How deep lists and objects of a row of JSON stand within each other."""
    return int(_levels(_STRING.sub(b"", row), 0).max(initial=0))


def _levels(text: bytes, depth: int) -> np.ndarray:
    """How deep each bracket of JSON leads, from some depth."""
    byte = np.frombuffer(text, np.uint8) | 32  # of [ and { the same, and of ] and }
    bracket = byte[(byte == ord("{")) | (byte == ord("}"))]
    return depth + np.cumsum(ord("|") - bracket.astype(np.int32))


def one_line(error: BaseException) -> str:
    """What an error says, without line ends."""
    return " ".join(str(error).split()) or type(error).__name__


def packing_fault(path: Path, error: OSError) -> ValueError:
    """What an error of reading means: a ``.gz`` that is cut short or damaged, or none at all."""
    return ValueError(f"{path} cannot be read: {one_line(error)}")


def lines_of(path: Path) -> Iterator[str]:
    """Line by line, each byte a character and each line end as it stands; in bounded memory.

    Raises:
        ValueError: A line is longer than any row may be.
    """
    with io.TextIOWrapper(open_bytes(path), encoding="latin-1", newline="") as file:
        for number in count(1):
            try:
                line = file.readline(LONGEST_ROW + 1)
            except OSError as error:
                raise packing_fault(path, error) from error
            if not line:
                return
            if len(line) > LONGEST_ROW:
                raise LongLineError(path, number, LONGEST_ROW)
            yield line.removeprefix("\xef\xbb\xbf") if number == 1 else line


def open_bytes(path: Path) -> pa.NativeFile:
    """The file's bytes, decompressed if its name says so (``.gz``)."""
    return pa.input_stream(str(path), compression="detect")


def find_encoding_fault(path: Path) -> str | None:
    """Line and byte of the first place that is not UTF-8, in words; None if there is none."""
    decoder, line = codecs.getincrementaldecoder("utf-8")(), 1
    for piece in chain(_pieces(path), [b""]):
        carried = decoder.getstate()[0]
        try:
            decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            wrong = (carried + piece)[error.start : error.start + 1]
            line += (carried + piece)[: error.start].count(b"\n")
            return f"{path}, line {line}: not UTF-8 (byte 0x{wrong.hex()}); save the file as UTF-8"
        line += piece.count(b"\n")
    return None


def find_json_fault(path: Path) -> str | None:
    """The first line that is no JSON object, or has a value of another kind than those above; None if there is none."""
    seen: dict[str, tuple[str, int, object]] = {}  # by key, the kind of its values, and the first line that says so
    for number, line in enumerate(lines_of(path), start=1):
        try:
            text = line.encode("latin-1").decode()
            value = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError) as error:
            return f"{path}, line {number}: not JSON ({error})"
        if not isinstance(value, dict):
            return f"{path}, line {number}: needs one JSON object a line (got {text.strip():.40})"
        for key, one in _values(value):
            kind, first, other = seen.setdefault(key, (_kind(one), number, one))
            if kind != _kind(one):
                here, there = (f"{json.dumps(each):.40}" for each in (one, other))
                return (
                    f"{path}, line {number}: {key!r} is {_kind(one)} ({here}), and {kind} in line {first} ({there}); "
                    "write all its values alike, such as all in quotes, or null for none"
                )
    return None


def _values(row: dict[str, object]) -> Iterator[tuple[str, object]]:
    """What stands under each key of a row, and in its list; nulls fit anywhere."""
    for key, value in row.items():
        if value is not None:
            yield key, value
        if isinstance(value, list):
            yield from ((f"{key}[]", item) for item in value if item is not None)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}[type(value)]
