"""The name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: object, words: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` if one of some words is close, else an empty text."""
    close = difflib.get_close_matches(str(word), list(words), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
