"""Names of a package that lie elsewhere and are imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """A ``__getattr__`` for a package (PEP 562).

    Args:
        package: Its name, ``__name__``.
        names: Module that holds each name, or is what the name stands for.
    """

    def __getattr__(name: str) -> Any:
        if name not in names:
            there = sorted({*names, *getattr(sys.modules[package], "__all__", ())})
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(there)}")
        module = import_module(names[name])
        value = module if names[name] == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return __getattr__
