"""Whose code may run. A module that a file names is imported, and that runs it; so it is looked up first.

A YAML or a run's record may name what sigraph builds on. Anything else needs somebody's word: modules beside the YAML
that was given to a command, and packages that the user names (``--trust``). Nothing here imports anything.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from sigraph.config.location import ConfigError
from sigraph.files.paths import resolved
from sigraph.files.suggestions import did_you_mean

LIBRARIES = ("sigraph", "torch", "torch_geometric", "lightning", "pytorch_metric_learning", "transformers")
OPTION_HELP = (
    "a package or module of others, or of your own, that may be imported: an installed one, or one that lies where you "
    "stand; repeat for more"
)


@dataclass(frozen=True)
class Trust:
    """What may be imported besides :data:`LIBRARIES`; goes along to other processes.

    Args:
        names: Top-level packages and modules, found where Python looks or in the current folder.
        folders: Every module that lies in one of these itself.
    """

    names: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


_NOBODY = Trust()
_TRUST: ContextVar[Trust] = ContextVar("trust", default=_NOBODY)


@contextmanager
def trusting(names: Iterable[str] = (), beside: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """Inside, more may be imported than outside.

    Args:
        names: Top-level packages and modules, e.g. ``["mylosses"]``.
        beside: A file whose neighbours may be imported as well.

    Raises:
        ValueError: Something in ``names`` is no such name.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if not isinstance(name, str) or not name.isidentifier():
            way = "the first part of a dotted name, mylosses of mylosses.MyLoss"
            raise ValueError(f"'trust' needs names of packages or modules: {way} (got {name!r})")
    before = _TRUST.get()
    folders = () if beside is None else (str(resolved(beside).parent),)
    token = _TRUST.set(Trust((*before.names, *names), (*before.folders, *folders)))
    try:
        yield
    finally:
        _TRUST.reset(token)


def current_trust() -> Trust:
    """What a process has to be given that works for this one."""
    return _TRUST.get()


def take_over(trust: Trust) -> None:
    """In a process that works for another one: trust what that one does."""
    _TRUST.set(trust)


def check_trust(target: str, where: str) -> bool:
    """Refuse a dotted path that may not be imported. Nothing is imported to find out.

    A module of one's own that may be imported is put within Python's reach, after all that is installed.

    Args:
        target: The dotted path of a class.
        where: What error messages start with.

    Returns:
        Whether it is of one of :data:`LIBRARIES`.

    Raises:
        ConfigError: It may not be, or there is no such package.
    """
    root, trust = target.partition(".")[0], current_trust()
    if "__main__" in target.split("."):
        raise ConfigError(f"{where}: {target!r} is of a program ('__main__'), which importing would run; name a module")
    if root in LIBRARIES:
        _check_library(target, root, trust, where)
        return True
    if root in sys.stdlib_module_names:
        raise ConfigError(f"{where}: {target!r} is of the standard library, which has no class that a setting needs")
    spec = _find(root, trust)
    if spec is None:
        way = "PYTHONPATH=FOLDER says where it lies"
        if root not in trust.names:
            way = f"if it is your own and you trust it, {_option(root)} also looks where you stand; otherwise {way}"
        raise ConfigError(f"{where}: {_missing(target, root, trust)}; {way}")
    if root not in trust.names and not any(_lies_in(spec, folder) for folder in trust.folders):
        beside = ", and what lies beside the YAML" if trust.folders else ""
        raise ConfigError(
            f"{where}: {target!r} would import {root!r} ({_place(spec)}), which runs its code; without being told, "
            f"only {', '.join(LIBRARIES)} are imported{beside}; if you trust it, {_option(root)}"
        )
    return False


def _check_library(target: str, root: str, trust: Trust, where: str) -> None:
    """Refuse a library's own workings, and what only bears a library's name."""
    private = next((part for part in target.split(".")[:-1] if part.startswith("_")), None)
    if private is not None:
        raise ConfigError(f"{where}: {target!r} is of {private!r}, which is private to {root!r}; name a public module")
    if root == "sigraph" or root in trust.names:
        return
    spec = _spec(root)
    if spec is None:
        raise ConfigError(f"{where}: {_missing(target, root, trust)}")
    if any(_lies_in(spec, folder) for folder in (*_current_folder(), *trust.folders)):
        raise ConfigError(
            f"{where}: {target!r} would import {_place(spec)}, which has the name of a library and is not the "
            f"installed one; rename it, or if you trust it, {_option(root)}"
        )


def _find(root: str, trust: Trust) -> ModuleSpec | None:
    """Where Python looks, else in the folders that are trusted for this name."""
    spec = _spec(root)
    if spec is not None:
        return spec
    for folder in (*trust.folders, *(_current_folder() if root in trust.names else ())):
        spec = PathFinder.find_spec(root, [folder])
        if spec is not None:
            sys.path.append(folder)  # for what the module itself imports, and for other processes
            return spec
    return None


def _spec(root: str) -> ModuleSpec | None:
    """Of a module by a name without dots, whether it is loaded or could be; one that was made up has no place."""
    if root not in sys.modules:
        return importlib.util.find_spec(root)
    module = sys.modules[root]
    return None if module is None else getattr(module, "__spec__", None) or ModuleSpec(root, None)


def _lies_in(spec: ModuleSpec, folder: str) -> bool:
    """Whether all of a module or package lies in a folder itself, none of it deeper or elsewhere."""
    places = _places(spec)
    return bool(places) and all(place.parent.resolve() == Path(folder) for place in places)


def _places(spec: ModuleSpec) -> list[Path]:
    if spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.has_location and spec.origin else []


def _place(spec: ModuleSpec) -> str:
    return ", ".join(map(str, _places(spec))) or "of no file"


def _current_folder() -> tuple[str, ...]:
    try:
        return (str(Path.cwd()),)
    except OSError:  # it was removed
        return ()


def _missing(target: str, root: str, trust: Trust) -> str:
    beside = ", nor does it lie beside the YAML" if trust.folders else ""
    return f"no package {root!r} is installed{beside} (from {target!r}){did_you_mean(root, ['sigraph'])}"


def _option(root: str) -> str:
    return f"--trust {root} (in Python trust=[{root!r}])"
