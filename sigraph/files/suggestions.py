"""The name that was probably meant, and the way to what is not there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_ON_HUB = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")  # a model, perhaps with its owner


def did_you_mean(word: object, words: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` if one of some words is close, else an empty text."""
    close = difflib.get_close_matches(str(word), list(words), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def fetched_by(path: object) -> str:
    """The command by which somebody fetches a checkpoint; what looks like a path is no name of one."""
    name = str(path) if _ON_HUB.fullmatch(str(path)) else "NAME"
    return f"hf download {name} --local-dir DIR"
