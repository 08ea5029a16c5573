"""Paths as people write them."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

LONGEST_NAME = 255  # bytes of a file's or folder's name, of nearly all file systems


def user_path(path: str | PathLike[str]) -> Path:
    """A path from a user, with ``~`` spelled out: a shell does not see it in ``--out=~/x``, in quotes or in a YAML.

    What names no user's home stays as it is, and may be the name of a file.

    Raises:
        ValueError: A name in it is longer than any file's can be.
    """
    longest = max((len(os.fsencode(part)) for part in Path(path).parts), default=0)
    if longest > LONGEST_NAME:
        raise ValueError(f"a path needs names of at most {LONGEST_NAME} bytes (got {longest:,} in {str(path)!r:.60})")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def resolved(path: str | PathLike[str]) -> Path:
    """The same, absolute and without links; a link that leads to itself stays one, for whoever opens it to say so."""
    return Path(os.path.realpath(user_path(path)))


def data_root() -> Path:
    """Where sigraph keeps data: the environment variable ``SIGRAPH_DATA``, else ``~/.cache/sigraph``."""
    return user_path(os.environ.get("SIGRAPH_DATA") or "~/.cache/sigraph")
