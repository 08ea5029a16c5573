"""Checks of the plain arguments of constructors: a text where a number is needed is said, with the argument's name."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

MOST_LAYERS = 10_000  # that one encoder stacks; steps that a walk takes


def check_integers(owner: str, least: int, *, most: int | None = None, **values: Any) -> None:
    """Refuse what is no integer from ``least`` to ``most``.

    Args:
        owner: Class whose arguments they are, for messages.
        least: The smallest value.
        most: The largest value, e.g. of what is looped over; None: any.
        values: By argument name.
    """
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value):
            raise ValueError(f"{name!r} needs to be an integer >= {least} in {owner!r} (got {value!r:.80})")
        if most is not None and int(value) > most:
            raise ValueError(f"{name!r} needs to be an integer in [{least}, {most}] in {owner!r} (got {value!r:.80})")


def check_rates(owner: str, above_zero: bool = False, **values: Any) -> None:
    """Refuse what is no number in [0, 1), or in (0, 1) if it is to be ``above_zero``."""
    for name, value in values.items():
        if not is_number(value) or not 0 <= value < 1 or (above_zero and value == 0):
            needed = f"{'(' if above_zero else '['}0, 1)"
            raise ValueError(f"{name!r} needs to be in {needed} in {owner!r} (got {value!r})")


def check_flags(owner: str, **values: Any) -> None:
    """Refuse what is neither true nor false; the text 'no' would count as true."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name!r} needs to be true or false in {owner!r} (got {value!r})")


def check_kinds(owner: str, **values: tuple[Any, type]) -> None:
    """Refuse what is no instance of a class, e.g. arguments in the wrong order.

    Args:
        owner: As in :func:`check_integers`.
        values: By argument name: the value, and what it needs to be.
    """
    for name, (value, kind) in values.items():
        if not isinstance(value, kind):
            got = f"{value!r:.40}" if isinstance(value, str) else type(value).__name__
            if isinstance(value, type):
                got = f"the class {value.__name__}{': forgotten ()?' if issubclass(value, kind) else ''}"
            raise ValueError(f"{name!r} needs to be a {kind.__name__} in {owner!r} (got {got})")


def is_number(value: Any) -> bool:
    """Whether a value is a real number; true and false are none, and no text is."""
    return isinstance(value, Real) and not isinstance(value, bool)
