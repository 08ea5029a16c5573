"""Text of others, as in the names and reasons of a data set or a run, where people read it.

What could steer a terminal, turn the order of letters around or hide is shown by its number, letters of all languages
stay. Results keep the text as it is; only ways out to people go through here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import TracebackType
from typing import Any, TextIO, cast

# Control characters but for newline and tab; marks of direction; what is invisible; line ends of Unicode; halves of
# pairs, as names of files have them that are no UTF-8. The joiners of Persian, Hindi and emoji stay.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\n]")
_KEY = re.compile(r"[\w .+-]{1,60}")


def printable(text: str) -> str:
    r"""The text with what steers a terminal as ``\u001b``, which JSON reads as the same character."""
    return _STEERING.sub(_escaped, text)


def quoted(text: str, most: int = 40) -> str:
    """Text in quotes, for a message; of more than ``most`` letters the first ones, and dots behind their quotes."""
    return repr(text) if len(text) <= most else f"{text[:most]!r}..."


def cell(value: object) -> str:
    """For a Markdown table: on one line, without what ends a cell."""
    return re.sub(r"(\\*)\|", r"\1\1\\|", printable(" ".join(str(value).split())))


def sheet_cell(value: Any) -> Any:
    """For a CSV file: text is printable, and what a spreadsheet would run gets an apostrophe in front; numbers stay."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    if not _FORMULA.match(text):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def is_key(name: object) -> bool:
    """Whether a key of a file looks like one; else it may be of quite another file, whose content is nobody's."""
    return _KEY.fullmatch(str(name)) is not None


class PrintableStream:
    """A text stream that writes :func:`printable` text to another one.

    Args:
        stream: What is written to, and asked everything else.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def unguarded(stream: TextIO) -> TextIO:
    """What a stream of :func:`guard_output` writes to, for a progress bar, which steers the terminal itself."""
    return stream.stream if isinstance(stream, PrintableStream) else stream


@contextmanager
def guarded_output() -> Iterator[None]:
    """Inside, all that Python prints, warns and logs is printable; so is the traceback of an error that ends it all."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _show_exception
    with redirect_stdout(_guarded(sys.stdout)), redirect_stderr(_guarded(sys.stderr)):
        yield


def guard_output() -> None:
    """The same for the rest of a process."""
    sys.stdout, sys.stderr, sys.excepthook = _guarded(sys.stdout), _guarded(sys.stderr), _show_exception


def _guarded(stream: TextIO) -> TextIO:
    return stream if stream is None or isinstance(stream, PrintableStream) else cast(TextIO, PrintableStream(stream))


def _show_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    import traceback

    if sys.stderr is not None:
        sys.stderr.write(printable("".join(traceback.format_exception(kind, error, trace))))


def _escaped(found: re.Match[str]) -> str:
    code = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{code[i : i + 4]}" for i in range(0, len(code), 4))
