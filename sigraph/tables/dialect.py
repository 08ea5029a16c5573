"""How a text table is written: what separates its cells, what a quote in it means, and that its lines have an end."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.csv as pa_csv

from sigraph.files.columns import is_number_text
from sigraph.files.counted import counted
from sigraph.files.free_memory import PER_CELL, refuse_more
from sigraph.tables.text_faults import LongLineError, lines_of, longest_row, pieces_of_lines
from sigraph.tasks.class_names import MISSING_WORDS

if TYPE_CHECKING:
    from _csv import Reader

_TEXTS = (".tsv", ".tab", ".txt", ".edges", ".edgelist", ".links", ".pairs", ".ppi", ".anno")  # tabs, if nothing else
DELIMITERS = {".csv": ",", **dict.fromkeys(_TEXTS, "\t")}
NAMES = {"\t": "tabs", " ": "blanks"}
ENDS = (  # what columns of an edge's ends are called
    *(("source", "target"), ("src", "dst"), ("from", "to"), ("u", "v"), ("fromnodeid", "tonodeid")),
    *(("protein1", "protein2"), ("gene1", "gene2"), ("node1", "node2"), ("id1", "id2")),
)
_COMMENTS = "#%"
_OTHERS = ";\t|,"  # what else separates cells, the likeliest first
_LOOKED_AT = 20  # lines, to tell a separator


@dataclass(frozen=True)
class Dialect:
    """How the cells of a text table are told apart.

    Args:
        delimiter: Between two cells.
        is_quoted: Whether a cell may stand in quotes; otherwise a quote is a character like any other.
        spans_lines: Whether there is a cell in quotes at all, which may hold line ends.
        decimal_comma: Whether 0,5 is a number.
        has_header: Whether the first row names the columns.
        notes: What is worth saying.
        skip: Lines of comments above the first row.
        names: The columns, where a comment names them.
    """

    delimiter: str
    is_quoted: bool = True
    spans_lines: bool = True
    decimal_comma: bool = False
    has_header: bool = True
    notes: tuple[str, ...] = ()
    skip: int = 0
    names: tuple[str, ...] = ()

    @property
    def parse_options(self) -> pa_csv.ParseOptions:
        """For pyarrow."""
        quote = '"' if self.is_quoted else False
        return pa_csv.ParseOptions(delimiter=self.delimiter, quote_char=quote, newlines_in_values=self.spans_lines)

    def columns(self, written: list[str]) -> list[str]:
        """Columns as sigraph calls them: blanks around a name do not count, and those without one are numbered."""
        if self.names and len(self.names) == len(written):
            return list(self.names)
        return [(self.has_header and name.strip()) or f"column{i}" for i, name in enumerate(written, start=1)]

    def rows(self, lines: Iterable[str]) -> Reader:
        """The cells of some lines, row by row; quotes that are not in pairs are an error."""
        if self.is_quoted:
            return csv.reader(lines, delimiter=self.delimiter, strict=True)
        return csv.reader(lines, delimiter=self.delimiter, strict=True, quoting=csv.QUOTE_NONE)


def find_dialect(path: Path, usual: str, header: bool = True, free: int | None = None) -> Dialect:
    """Read a file once for what its cells are separated by, and for quotes.

    Rows are never lost silently: a cell in quotes that goes on over lines that look like rows is said, with its lines;
    where quotes are not in pairs, they are characters in a TSV file, which has no other rule for them, and an error in
    a CSV file.

    Args:
        path: The file, perhaps ``.gz``.
        usual: The separator that its name stands for.
        header: Whether its first row names the columns; if it is said not to and plainly does, it does.
        free: Bytes that the file has to fit in; None: it is read in pieces.

    Raises:
        ValueError: The file does not fit; a line is longer than any row may be; a quote closes in the middle of a cell
            of a CSV file.
    """
    dialect = _told_apart(path, usual, header, free)
    if dialect.names and not _is_plain_header(path, dialect):
        return replace(dialect, has_header=False)
    dialect = replace(dialect, names=())
    if header and _is_self_loop(path, dialect):
        note = "its first row names no columns, as its first two cells are alike"
        return replace(dialect, has_header=False, notes=(*dialect.notes, note))
    if header or not _is_plain_header(path, dialect):
        return replace(dialect, has_header=header)
    return replace(dialect, notes=(*dialect.notes, "its first row names the columns, though --no-header was said"))


def _told_apart(path: Path, usual: str, header: bool, free: int | None) -> Dialect:
    plain = _find_separator(path, usual, header)
    delimiter, skip = plain.delimiter, plain.skip
    plain = replace(plain, spans_lines=False, decimal_comma=delimiter not in (usual, ",", " "))
    if not _has_quoted_cell(path, delimiter, free) or _closes_in_line(path, delimiter):
        return plain
    swallowed, odd = _read_quoted(path, delimiter, skip)
    if usual == "\t" and (odd or (swallowed and swallowed[1] - swallowed[0] > 1)) and _is_even(path, delimiter, skip):
        line = odd[0] if odd else (swallowed or (0, 0))[0]
        note = f"quotes are read as characters, since those of line {line:,} enclose no cell"
        return replace(plain, is_quoted=False, notes=(*plain.notes, note))
    if odd:
        raise ValueError(f"{path}, line {odd[0]}: {odd[1]}; write quotes inside a cell twice, and the cell in quotes")
    if swallowed:
        first, last = swallowed
        note = (
            f"a cell in quotes goes from line {first:,} to line {last:,}, each of which looks like a row; if its "
            "quotes belong to the text, write them twice and the cell in quotes"
        )
        plain = replace(plain, notes=(*plain.notes, note))
    return replace(plain, spans_lines=True)


def find_ragged_row(path: Path, dialect: Dialect) -> str | None:
    """The line of the first row with another number of cells than the first one, in words; None if there is none."""
    limit = csv.field_size_limit(longest_row())
    rows = dialect.rows(islice(lines_of(path), dialect.skip, None))
    width, line = 0, 1
    try:
        for row in rows:
            if row and width and len(row) != width:
                first = "the header" if dialect.has_header else "the first row"
                return f"{path}, line {dialect.skip + line}: {counted(len(row), 'cell')}, but {first} has {width}"
            width, line = width or len(row), rows.line_num + 1
    except csv.Error as error:
        if "end of data" in str(error) or "field larger" in str(error):
            return f"{path}, line {dialect.skip + line}: a quote opens in this row and never closes"
        return f"{path}, line {dialect.skip + rows.line_num}: {error}"
    finally:
        csv.field_size_limit(limit)
    return None


def _is_plain_header(path: Path, dialect: Dialect) -> bool:
    """Whether the first row has names that columns of ids have; or has no number, above a column of numbers."""
    lines = islice(_filled(path, dialect.skip), _LOOKED_AT)
    try:
        head, *below = dialect.rows(line.encode("latin-1").decode() for line in lines)
    except (csv.Error, UnicodeDecodeError, ValueError):  # broken, which is said when it is read; or empty
        return False
    names = {cell.strip().lower() for cell in head}
    if "id" in names or any(names.issuperset(ends) for ends in ENDS):
        return True
    columns = zip(*below, strict=False)
    named = not any(is_number_text(name) or name in MISSING_WORDS for name in names)
    return named and any(all(map(is_number_text, filter(None, column))) and any(column) for column in columns)


def _is_self_loop(path: Path, dialect: Dialect) -> bool:
    """Whether the first row is an edge of a node to itself, as lists of interactions have them, and no header."""
    first = next(_filled(path, dialect.skip), "")
    try:
        head = next(dialect.rows([first.encode("latin-1").decode()]), [])
    except (csv.Error, UnicodeDecodeError):  # which is said when it is read
        return False
    alike = len(head) > 1 and head[0].strip() == head[1].strip() != ""
    return alike and not _is_plain_header(path, dialect)


def _find_separator(path: Path, usual: str, header: bool) -> Dialect:
    """What separates the cells, where it is not what the file's name says, that it does so; and comments above them."""
    start = next(pieces_of_lines(path, longest_row()), b"").removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    begun = re.split(r"\r\n|\r|\n", start)
    whole = begun[:-1] or begun  # the last one is cut short, or empty
    skip = _num_comments(whole, [usual, *_OTHERS, " "])
    comments, whole = whole[:skip], whole[skip:]
    lines = [re.sub(r'"[^"]*"', "", line) for line in whole if line][:_LOOKED_AT]
    if not lines:
        return Dialect(usual, skip=skip)

    def fits(mark: str) -> bool:
        counts = {line.count(mark) for line in lines}
        return len(counts) == 1 and counts != {0}

    found = next((mark for mark in _OTHERS if mark != usual and fits(mark)), None)
    notes = (
        [f"{counted(skip, 'line', 'lines')} of comments above the table {'is' if skip == 1 else 'are'} not read"]
        if skip
        else []
    )
    if found is None and not any(mark in line for line in lines for mark in (usual, *_OTHERS)):
        found = _blank(path, lines)
    if found is None or usual in lines[0]:
        # Decimal commas in a file without a header: 0;0,5
        if found != ";" or usual != "," or any(re.search(r"(?<!\d),|,(?!\d)", line) for line in lines):
            return Dialect(usual, notes=tuple(notes), skip=skip, names=_named_by(comments, usual, lines[0]))
        if header or fits(usual):
            raise ValueError(
                f"{path} can be read with ';' and with ',' between its cells; name its columns in the first line, "
                "or write 0.5 for 0,5"
            )
    comma = "" if found in (",", " ") else ", and 0,5 is a number"
    notes.append(f"its cells are separated by {NAMES.get(found, repr(found))}{comma}")
    return Dialect(found, notes=tuple(notes), skip=skip, names=_named_by(comments, found, lines[0]))


def _num_comments(lines: list[str], marks: list[str]) -> int:
    """Lines above the first row that begin with ``#`` or ``%``, but for one that has as many cells as the row below."""
    skip = next((i for i, line in enumerate(lines) if line and line[0] not in _COMMENTS), len(lines))
    filled = [line for line in lines[:skip] if line]
    if not filled or skip == len(lines):
        return 0
    return 0 if any(0 < filled[0].count(mark) == lines[skip].count(mark) for mark in marks) else skip


def _named_by(comments: list[str], mark: str, row: str) -> tuple[str, ...]:
    """The columns as the last comment names them, if it has as many cells as a row; else none."""
    last = next((line for line in reversed(comments) if line), "").lstrip(_COMMENTS).strip()
    names = tuple(name.strip() for name in last.split(mark))
    return names if len(names) == row.count(mark) + 1 > 1 and all(names) and len({*names}) == len(names) else ()


def _blank(path: Path, lines: list[str]) -> str | None:
    """A blank, where it stands between the cells of all lines; several of them are refused."""
    widths = {len(line.split()) for line in lines}
    if len(lines) == 1 or len(widths) > 1 or widths == {1}:
        return None
    if any(line.count(" ") != len(line.split()) - 1 for line in lines):
        raise ValueError(
            f"{path} has several blanks between its cells, or blanks around them ({lines[0]!r:.40}): write one blank, "
            "a comma in a .csv file, or a tab in a .tsv file"
        )
    return " "


def _filled(path: Path, skip: int = 0) -> Iterator[str]:
    """The lines of a file that are not empty, below the comments."""
    return (line for line in islice(lines_of(path), skip, None) if line.strip("\r\n"))


def _has_quoted_cell(path: Path, delimiter: str, free: int | None) -> bool:
    """Whether a cell begins with a quote.

    The file is read whole; each of its lines has to be a short one, and all of it to fit into some memory.
    """
    opening = re.compile(rb'(?:^|[\r\n%s])"' % re.escape(delimiter.encode()))
    before, found, needed = b"\n", False, 0
    for number, piece in enumerate(pieces_of_lines(path, longest_row())):
        needed += len(piece) + PER_CELL * (piece.count(delimiter.encode()) + piece.count(b"\n"))
        refuse_more(path, needed, free)
        if not found and b'"' in piece:
            start = piece.removeprefix(b"\xef\xbb\xbf") if number == 0 else piece
            found = opening.search(before + start) is not None
        before = piece[-1:]
    return found


def _closes_in_line(path: Path, delimiter: str) -> bool:
    """Whether every quote begins or ends a cell, or stands twice in one, and no cell goes on in the next line.

    Seen of whole blocks at once: the first, third, ... quote of a line follows a separator or a quote, the second,
    fourth, ... is followed by one. What is not so plain is read row by row.
    """
    around = np.zeros(256, bool)
    around[list(b'\r\n"' + delimiter.encode())] = True
    rest = b""
    for piece in chain(pieces_of_lines(path, longest_row()), [b"\n"]):
        last = piece.rfind(b"\n")
        if last < 0:
            return False
        block = np.frombuffer(b"\n" + (rest + piece[: last + 1]).removeprefix(b"\xef\xbb\xbf"), np.uint8)
        rest = piece[last + 1 :]
        quote, end = np.flatnonzero(block == ord('"')), np.flatnonzero((block == ord("\n")) | (block == ord("\r")))
        before = np.searchsorted(quote, end)  # quotes before each line end
        if (np.diff(before) % 2).any():
            return False
        is_opening = np.arange(quote.size) % 2 == 0
        if not around[block[np.where(is_opening, quote - 1, quote + 1)]].all():
            return False
    return not rest


def _read_quoted(path: Path, delimiter: str, skip: int) -> tuple[tuple[int, int] | None, tuple[int, str] | None]:
    """The first cell that goes over lines that look like rows, by its lines; and the line where quotes go wrong."""
    read: list[int] = []  # separators in each line of the row that is read

    def kept() -> Iterator[str]:
        for line in islice(lines_of(path), skip, None):
            read.append(line.count(delimiter))
            yield line

    limit = csv.field_size_limit(longest_row())
    swallowed = None
    rows = csv.reader(kept(), delimiter=delimiter, strict=True)
    width, line = 0, 1
    try:
        for row in rows:
            width = width or len(row)
            if len(read) > 1 and swallowed is None and all(count + 1 == width for count in read):
                swallowed = (skip + line, skip + rows.line_num)
            line = rows.line_num + 1
            read.clear()
    except csv.Error as error:
        if "field larger" in str(error):
            raise LongLineError(path, skip + line, longest_row()) from error
        if "end of data" in str(error):
            return swallowed, (skip + line, "a quote opens in this row and never closes")
        return swallowed, (skip + rows.line_num, "a quote closes in the middle of a cell")
    finally:
        csv.field_size_limit(limit)
    return swallowed, None


def header_alone(path: Path, dialect: Dialect) -> list[str] | None:
    """The cells of a file that has one row only, which pyarrow reads if it ends with a line end; None for any other."""
    lines = [line for _, line in zip(range(2), _filled(path, dialect.skip), strict=False)]
    if len(lines) != 1:
        return None
    try:
        return next(dialect.rows([lines[0].encode("latin-1").decode()]))
    except (csv.Error, UnicodeDecodeError) as error:  # e.g. a file of zeros: one cell without end
        raise ValueError(f"{path}:1: its only line is no header of a table ({error})") from error


def _is_even(path: Path, delimiter: str, skip: int) -> bool:
    """Whether all lines have equally many cells, quotes aside."""
    return len({line.count(delimiter) for line in _filled(path, skip)}) <= 1
