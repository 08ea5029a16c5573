"""The weights of classes in a loss, as a file says them."""

from __future__ import annotations

from typing import Any

from sigraph.config.location import Place
from sigraph.files.suggestions import did_you_mean

BALANCED = "balanced"
SAID = f"`{BALANCED}`, list of: number > 0, or null"  # for the reference of keys


def checked_class_weight(value: Any, place: Place) -> str | list[float] | None:
    """A value of ``class_weight`` as it is kept; weights are floats. How many there need to be, a task knows.

    Raises:
        ConfigError: It is none.
    """
    if value is None or value == BALANCED:
        return value
    if isinstance(value, list) and value and all(_is_weight(one) for one in value):
        return [float(one) for one in value]
    near = did_you_mean(value, [BALANCED]) if isinstance(value, str) else ""
    way = "; the weight of class 0 first, of class 1 next" if isinstance(value, dict) else near
    raise place.error(
        f"{str(place)!r} needs to be {BALANCED}, or a list of numbers > 0, one a class (got {value!r:.80}){way}"
    )


def _is_weight(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value < 2**1023  # NaN is neither, and no float holds much larger integers
