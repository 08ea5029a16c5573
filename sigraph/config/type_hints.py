"""Whether the values of a YAML are of the kinds that a constructor's type hints name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

LARGEST_FLOAT = 3e38  # of float32, in which losses compute
_WORDS = {float: "a number", int: "an integer", bool: "true or false", str: "a text", NoneType: "null"}


def misfit(target: type, settings: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first argument whose value is of another kind than the constructor's type hint, and what is wrong with it.

    Args:
        target: A class. Arguments without a hint, or with one that is not found, may be anything.
        settings: Plain values by argument name; components among them are left to who builds them.
    """
    try:
        hints = get_type_hints(target.__init__)  # type: ignore[misc]
    except (NameError, TypeError, AttributeError):  # names that are imported for type checkers alone
        return None
    for name, value in settings.items():
        kinds = list(_kinds(hints.get(name, Any)))
        if not any(_fits(kind, value) for kind in kinds):
            words = [f"{kind!r}" for kind in kinds if isinstance(kind, str)]
            words += [_WORDS[kind] for kind in kinds if isinstance(kind, type) and kind in _WORDS]
            words += ["a list"] * any(_is_list(kind) for kind in kinds)
            words += ["a component"] * (len(words) < len(kinds))
            return name, f"needs to be {' or '.join(words)} (got {value!r:.80})"
        if isinstance(value, float) and abs(value) > LARGEST_FLOAT:
            return name, f"needs to be within {LARGEST_FLOAT:g}, the largest of float32 (got {value!r})"
    return None


def _kinds(hint: Any) -> Iterator[Any]:
    """What a hint allows, one by one: types, generic types, the texts of a Literal."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        for kind in get_args(hint):
            yield from _kinds(kind)
    elif origin is Literal:
        yield from get_args(hint)
    else:
        yield hint


def _fits(kind: Any, value: Any) -> bool:
    if kind is Any or (isinstance(value, dict) and "_target_" in value):
        return True
    if kind is float:
        return type(value) in (int, float)
    if kind in _WORDS:
        return type(value) is kind
    if not isinstance(kind, type) and get_origin(kind) is None:
        return value == kind and type(value) is type(kind)
    if isinstance(value, list):
        return _is_list(kind)
    return isinstance(value, dict) and (get_origin(kind) or kind) in (dict, Mapping)


def _is_list(kind: Any) -> bool:
    """Also of tensors and of what is itself a list of parts."""
    found = get_origin(kind) or kind
    return found in (list, tuple, Sequence) or getattr(found, "__name__", "") in ("Tensor", "ndarray")
