"""How many threads linear algebra takes inside a block; its libraries are looked for once, which takes its time."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def limited_threads(number: int | None, user_api: str | None = None) -> AbstractContextManager[Any]:
    """Inside, libraries that are loaded by the first call of this take at most so many threads.

    Args:
        number: None: as many as they take outside.
        user_api: ``blas`` or ``openmp`` alone; None: both.
    """
    return _libraries().limit(limits=number, user_api=user_api)
