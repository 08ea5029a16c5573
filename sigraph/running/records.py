"""Records of finished work: kept sealed, and found again if they are whole and of what is asked for."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sigraph.files.sealed import DamagedError, read_sealed
from sigraph.leaderboard.kept import Kept, NewerFormatError, newer
from sigraph.leaderboard.record_fields import MOST_BYTES, shown

logger = logging.getLogger(__name__)


def read_record(
    file: Path,
    kind: type[Kept],
    asked: Mapping[str, Any],
    also: Callable[[dict[str, Any]], str | None] = lambda record: None,
) -> dict[str, Any] | None:
    """A record that is kept, unless there is none or it cannot be taken, which is said.

    Args:
        file: Where it is, if it is there.
        kind: What it holds.
        asked: Fields and the values that it needs to have; a field that is asked for needs to be there.
        also: What else is wrong with it, in words; None: nothing.

    Raises:
        OSError: The file is there and cannot be read.
        NewerFormatError: A newer sigraph wrote it: it is neither taken nor overwritten.
    """
    if not file.exists():
        return None
    if file.is_dir():  # said before hours of work that could not be kept
        raise IsADirectoryError(errno.EISDIR, "is a folder, where a record is to be written; move it away", str(file))
    try:
        record = read_sealed(file, MOST_BYTES)
    except DamagedError as error:
        logger.warning("%s; it is made again", error)
        return None
    if found := newer(record):
        raise NewerFormatError(f"{file} is {found}")
    wrong = kind.wrong(record) or _other(record, plain(asked)) or also(record)
    if wrong is None:
        return record
    logger.warning("%s is not what is asked for (%s); it is made again", file, wrong)
    return None


def refuse_newer(file: Path) -> None:
    """Raise NewerFormatError where a newer sigraph wrote a record, before hours of work that could not be kept."""
    try:
        record = read_sealed(file, MOST_BYTES)
    except (OSError, DamagedError):
        return
    if found := newer(record):
        raise NewerFormatError(f"{file} is {found}")


def plain(value: Any) -> Any:
    """What JSON makes of a value: tuples are lists, keys are texts."""
    return json.loads(json.dumps(value))


def _other(record: dict[str, Any], asked: Mapping[str, Any]) -> str | None:
    for name, value in asked.items():
        if name not in record:
            return f"'{name}' is missing"
        if record[name] != value:
            simple = not isinstance(value, dict | list) and not isinstance(record[name], dict | list)
            return f"'{name}' is {shown(record[name])}, not {shown(value)}" if simple else f"'{name}' is another"
    return None
