"""Paths as people write them."""

from __future__ import annotations

from os import PathLike
from pathlib import Path


def user_path(path: str | PathLike[str]) -> Path:
    """A path from a user, with ``~`` spelled out: a shell does not see it in ``--out=~/x``, in quotes or in a YAML.

    What names no user's home stays as it is, and may be the name of a file.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
