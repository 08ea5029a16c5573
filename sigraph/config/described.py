"""Described: objects that remember what they were made with, so that they can be made again from a component."""

from __future__ import annotations

import copy
import inspect
import os
from typing import Any, Self

from sigraph.config.overlay import Component

_PLAIN = (str, int, float, bool, type(None))


class Described:
    """A base of classes that settings name: :func:`component_of` gives the settings that an object was made with."""

    _given: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        made = super().__new__(cls)
        made.__dict__["_given"] = args, kwargs
        return made


def component_of(made: Described) -> Component:
    """The component that builds an object again: its class, and the arguments that it was made with.

    Args:
        made: Of a class in a module, made with plain values (numbers, texts, lists and mappings of them).

    Raises:
        ValueError: An argument is something else, or the class is not to be found by its name; says which, and the way
            out.
    """
    kind, name = type(made), type(made).__name__
    if kind.__module__ == "__main__" or "<locals>" in kind.__qualname__ or "." in kind.__qualname__:
        raise ValueError(
            f"{name!r} cannot be made again from its arguments: it is defined in a script or a function; put it into a "
            "module of its own (a file beside the script) and import it from there"
        )
    args, kwargs = made.__dict__.get("_given", ((), {}))
    try:
        bound = inspect.signature(kind).bind(*args, **kwargs)
    except TypeError as error:  # it was made by __new__, or copied by other means
        raise ValueError(f"{name!r} cannot be made again from its arguments ({error})") from error
    arguments: dict[str, Any] = {}
    for key, value in bound.arguments.items():
        parameter = bound.signature.parameters[key]
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments |= value
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY) and value != ():
            arguments[key] = object()  # no mapping can give it
        else:
            arguments[key] = os.fspath(value) if isinstance(value, os.PathLike) else value
    for key, value in arguments.items():
        if not _is_plain(value):
            raise ValueError(
                f"{name!r} cannot be made again from its arguments: {key!r} is of type {type(value).__name__}, and "
                "only numbers, texts, and lists and mappings of them can be written down; give what builds it as "
                f"component={{'_target_': '{kind.__module__}.{kind.__qualname__}', ...}}, or make {key!r} in the "
                "constructor"
            )
    return {"_target_": f"{kind.__module__}.{kind.__qualname__}", **copy.deepcopy(arguments)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return type(value) in _PLAIN
