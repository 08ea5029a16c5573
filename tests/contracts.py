"""Finds the classes that a contract test holds to their contract."""

import importlib
import inspect
import pkgutil
from types import ModuleType


def concrete_subclasses(base: type, package: ModuleType) -> list[type]:
    """Every class below ``base`` that a module of ``package`` defines and that is not abstract, by name."""
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    found, stack = set(), [base]
    while stack:
        for child in stack.pop().__subclasses__():
            stack.append(child)
            if child.__module__.startswith(f"{package.__name__}.") and not inspect.isabstract(child):
                found.add(child)
    return sorted(found, key=lambda child: child.__name__)
