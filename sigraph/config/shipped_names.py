"""Whether sigraph has the classes that settings name, told from its own text: nothing is imported to find out."""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import Any

from sigraph.config.location import ConfigError
from sigraph.files.suggestions import did_you_mean

_TOP = Path(__file__).resolve().parents[1]


def refuse_unknown_names(settings: Any, where: str) -> None:
    """Refuse a ``_target_`` of sigraph's that is not there; others are looked up when they are imported.

    Args:
        settings: Plain containers.
        where: What error messages start with.

    Raises:
        ConfigError: Names the place and what there is.
    """
    if isinstance(settings, dict):
        target = settings.get("_target_")
        if isinstance(target, str) and target.startswith("sigraph."):
            _look_up(target, where)
        for key, value in settings.items():
            refuse_unknown_names(value, f"{where}{'' if where.endswith(' ') else '.'}{key}")
    elif isinstance(settings, list | tuple):
        for number, value in enumerate(settings):
            refuse_unknown_names(value, f"{where}.{number}")


def _look_up(target: str, where: str) -> None:
    path, _, name = target.rpartition(".")
    file = _TOP.joinpath(*path.split(".")[1:])
    module = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    if path == "sigraph" or not module.is_file():
        return  # what is wrong with it is said when it is imported
    names = _names(module)
    if name not in names:
        there = sorted(one for one in names if one[:1].isupper())
        choices = f"; it has {', '.join(there)}" if there else ""
        raise ConfigError(f"{where}: {path!r} has no {name!r}{did_you_mean(name, there)}{choices}")


@functools.cache
def _names(module: Path) -> frozenset[str]:
    """Names at the top of a module: defined there, imported, or listed in ``__all__``."""
    found: set[str] = set()
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
                found |= set(ast.literal_eval(node.value)) if isinstance(node.value, ast.List) else set()
    return frozenset(found)
