"""Sealed records: JSON files that carry the sum of their own content, written all or nothing, checked when read."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sigraph.files.atomic import atomic_file
from sigraph.files.paths import user_path

SUM = "sum"
MOST_BYTES = 1 << 28  # of a record: 256 MB; what is larger was not written by sigraph


class DamagedError(ValueError):
    """A file is not what was written: truncated, altered, or of another program."""


def content_sum(record: Mapping[str, Any]) -> str:
    """Hexadecimal SHA-256 of a record's content, however it is spaced and ordered, its own ``sum`` left out."""
    content = {key: value for key, value in record.items() if key != SUM}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_sealed(path: str | Path, record: Mapping[str, Any]) -> None:
    """Write plain values as JSON with their ``sum``, all or nothing; NaN is refused."""
    with atomic_file(path) as file:
        file.write_text(sealed_text(record))


def sealed_text(record: Mapping[str, Any]) -> str:
    """The text that :func:`write_sealed` writes."""
    plain = json.loads(json.dumps(dict(record), allow_nan=False))  # keys and tuples as they will be read
    plain.pop(SUM, None)
    return json.dumps({**plain, SUM: content_sum(plain)}, indent=1) + "\n"


def read_sealed(path: str | Path, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """Read what :func:`write_sealed` wrote, without its ``sum``.

    Args:
        path: The file.
        most_bytes: A larger file is not read.

    Raises:
        OSError: The file cannot be read.
        DamagedError: It is no plain file, too large, no JSON, no mapping, has no sum, or another one than its content.
    """
    path = user_path(path)
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):  # reading a pipe or a device would not end
        raise DamagedError(f"{path} is no record: no plain file")
    if about.st_size > most_bytes:
        raise DamagedError(f"{path} is no record: {about.st_size:,} bytes")
    try:
        record = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        raise DamagedError(f"{path} is damaged: not valid JSON ({why})") from error
    if not isinstance(record, dict):
        raise DamagedError(f"{path} is damaged: a mapping is needed (got {type(record).__name__})")
    if SUM not in record:
        raise DamagedError(f"{path} carries no sum: altered, or written by an earlier sigraph")
    try:
        found = content_sum(record)
    except (ValueError, RecursionError) as error:  # lone surrogates, a number that is no JSON
        raise DamagedError(f"{path} is damaged ({error})") from error
    if record.pop(SUM) != found:
        raise DamagedError(f"{path} is damaged or was altered: its content does not match its sum")
    return record


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number here")
