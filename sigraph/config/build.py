"""Components -> objects: what a YAML's ``_target_`` may name, and how it is called.

A component is a mapping with ``_target_`` (the dotted path of a class) and constructor arguments. Everything is
checked before anything is called: each target is a class of the kind its slot needs, each argument a parameter of
its constructor. A YAML can therefore never call a function, nor construct what sigraph does not build on. Whether a
target may even be imported, :mod:`sigraph.config.trust` says before it is.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType, NoneType
from typing import Any

from sigraph.config.location import ConfigError, shortened
from sigraph.config.overlay import Component
from sigraph.config.trust import check_trust
from sigraph.config.type_hints import misfit
from sigraph.files.suggestions import did_you_mean

# What a component inside a component may be, besides torch.nn.Module.
NESTED_BASES = {
    "sigraph.encoders": "Encoder",
    "sigraph.losses": "StructureLoss",
    "sigraph.samplers": "PairSampler",
    "sigraph.objectives": "Objective",
    "sigraph.graphs": "GraphConstructor",
    "sigraph.readers": "Reader",
    "sigraph.synthetic": "World",
    "sigraph.targets": "Target",
    "sigraph.targets.teachers": "Teacher",
    "sigraph.arms": "ArmKind",
}
_ALSO_NESTED = ("encoder_channels",)  # filled in at any depth, by default too: a loss in another reads the same z
_KIND_SIZES = ("in_channels", "num_tokens")  # and these where the default is None: what reads samples of several kinds
_OTHER_WIDTH = "inner_channels"  # unless the class of that other says here which argument of its own is the width
Bases = type | tuple[type, ...]
_PLAIN = (str, int, float, bool, list, dict, NoneType)
_DEPTHS = ("layers", "blocks", "depth", "hops")  # endings of arguments that a constructor loops over
_LARGE = 1_000  # arguments from here on may be why something is too large


def build(component: Component, expected: Bases, where: str, **available: Any) -> Any:
    """The object that a component describes.

    Args:
        component: ``_target_`` and constructor arguments; arguments may hold components themselves.
        expected: Base class, or several, that the target needs to derive from.
        where: The component's dotted key, for messages, e.g. ``pretrain.encoder``.
        available: Late-bound values, e.g. ``in_channels``. Each is passed if the constructor has such a parameter and
            the component does not give it; to nested components only where they cannot do without, and the width of
            the embedding, or of what the component around makes of it.

    Raises:
        ConfigError: A target is missing or of the wrong kind, an argument does not fit, or a constructor refuses.

    Example:
        >>> build({"_target_": "torch.nn.Linear", "out_features": 2}, torch.nn.Module, "head", in_features=4)
        Linear(in_features=4, out_features=2, bias=True)
    """
    check(component, expected, where, **available)
    return _make(component, expected, where, available)


def partial_build(component: Component, expected: Bases, where: str, **available: Any) -> functools.partial[Any]:
    """Like :func:`build`, for classes whose first argument comes later: optimizers and learning-rate schedules.

    Optimizers and schedules are tried on a single parameter, so that a bad value is found here.

    Raises:
        ConfigError: As in :func:`build`.

    Example:
        >>> optimizer = partial_build({"_target_": "torch.optim.AdamW", "lr": 1e-3}, Optimizer, "pretrain.optimizer")
        >>> optimizer(model.parameters())
    """
    target = _check(component, expected, where, available, nested=False, late=1)
    arguments = _built(component, target, where, available, nested=False, late=1)
    _try_once(target, arguments, where)
    return functools.partial(target, **arguments)


def check(component: Component, expected: Bases, where: str, **available: Any) -> type:
    """Check a component, calling nothing; returns its class. For every arm, before the first one trains.

    Args:
        component: As in :func:`build`.
        expected: As in :func:`build`.
        where: As in :func:`build`.
        available: As in :func:`build`; only the names matter.

    Raises:
        ConfigError: As in :func:`build`, except for what only the constructor knows.
    """
    return _check(component, expected, where, available, nested=False, late=0)


def resolve(target: Any, expected: Bases, where: str) -> type:
    """The class at a dotted path, imported but not called.

    Raises:
        ConfigError: It does not exist, is no class, or does not derive from ``expected``.
    """
    path, name = _split(target, where)
    module = _import(path, name, where)
    found = getattr(module, name, None)
    if found is None:
        fitting = [key for key, value in vars(module).items() if _derives(value, expected)]
        raise ConfigError(f"{where}: {path!r} has no {name!r}{did_you_mean(name, fitting)}{_choices(fitting)}")
    if not isinstance(found, type):
        raise ConfigError(f"{where}: {target!r} is no class, needs a subclass of {_spelled(expected)}")
    if not issubclass(found, expected):
        raise ConfigError(f"{where}: {target!r} needs to be a subclass of {_spelled(expected)}")
    if inspect.isabstract(found):
        lacks = ", ".join(f"{name}()" for name in sorted(getattr(found, "__abstractmethods__", ())))
        raise ConfigError(
            f"{where}: {target!r} is abstract, it lacks {lacks}; write it, or name a subclass that has it"
        )
    return found


def targets(settings: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Every ``_target_`` in plain settings, and the place of its component."""
    if isinstance(settings, dict):
        if "_target_" in settings:
            yield where, settings["_target_"]
        for name, value in settings.items():
            yield from targets(value, f"{where}.{name}")
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from targets(value, where)


def is_shipped(component: Component, where: str) -> bool:
    """Whether all that a component names is of sigraph or of a library that it builds on. Nothing is imported.

    Raises:
        ConfigError: Something in it may not be imported, or is not there.
    """
    found = []
    for at, target in targets(component, where):
        _split(target, at)
        found.append(check_trust(target, at))
    return all(found)


def _split(target: Any, where: str) -> tuple[str, str]:
    """Module path and class name of a target."""
    if not isinstance(target, str) or not all(part.isidentifier() for part in target.split(".")) or "." not in target:
        raise ConfigError(f"{where}: '_target_' needs to be the dotted path of a class (got {target!r})")
    path, _, name = target.rpartition(".")
    return path, name


def _import(path: str, name: str, where: str) -> ModuleType:
    check_trust(f"{path}.{name}", where)
    try:
        module = importlib.import_module(path)
        hasattr(module, name)  # a package that imports lazily does so here
        return module
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may raise anything, SystemExit too
        raise ConfigError(f"{where}: {path!r} cannot be imported: {type(error).__name__}: {error}") from error


def _check(component: Any, expected: Bases, where: str, available: Any, nested: bool, late: int) -> type:
    if not isinstance(component, dict) or "_target_" not in component:
        raise ConfigError(f"{where}: needs a mapping with '_target_' (got {component!r})")
    target = resolve(component["_target_"], expected, where)
    arguments = _arguments(component, target, where, available, nested, late)
    parameters = _parameters(target, late)
    if parameters is not None:
        _check_arguments(arguments, parameters, target, where)
    for name, value in component.items():
        _check_nested(value, f"{where}.{name}", available)
    return target


def _check_arguments(arguments: dict[str, Any], parameters: Any, target: type, where: str) -> None:
    by_name = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        unknown = [name for name in arguments if name not in by_name]
        if unknown:
            close = did_you_mean(unknown[0], by_name)
            valid = f"valid arguments: {', '.join(by_name)}" if by_name else "it takes none"
            raise ConfigError(f"{where}: {target.__name__!r} has no argument {unknown[0]!r}{close}; {valid}")
    missing = [p.name for p in by_name.values() if p.default is p.empty and p.name not in arguments]
    missing += [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY and p.default is p.empty]
    if missing:
        raise ConfigError(f"{where}: {target.__name__!r} needs {', '.join(map(repr, missing))}")


def _check_nested(value: Any, where: str, available: Any) -> None:
    if isinstance(value, dict) and "_target_" in value:
        _check(value, _nested_bases(value["_target_"], where), where, available, nested=True, late=0)
    elif isinstance(value, dict | list | tuple):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            _check_nested(item, f"{where}.{key}", available)


def _nested_bases(target: Any, where: str) -> tuple[type, ...]:
    import torch

    # Only a class of a module that is loaded can be the base of the target, hence import the target first.
    _import(*_split(target, where), where)
    modules = [(sys.modules[path], name) for path, name in NESTED_BASES.items() if path in sys.modules]
    return (torch.nn.Module, *(getattr(module, name) for module, name in modules if hasattr(module, name)))


def _make(component: Component, expected: Bases, where: str, available: Any, nested: bool = False) -> Any:
    target = resolve(component["_target_"], expected, where)
    return _call(target, _built(component, target, where, available, nested, late=0), where)


def _built(component: Component, target: type, where: str, available: Any, nested: bool, late: int) -> dict[str, Any]:
    arguments = _arguments(component, target, where, available, nested, late)
    within = _within(target, arguments, available)
    for name in component.keys() & arguments.keys():  # late-bound values stay as they are
        arguments[name] = _made(arguments[name], f"{where}.{name}", within)
    return arguments


def _within(target: type, arguments: dict[str, Any], available: Any) -> Any:
    """The late-bound values for what a component holds."""
    width = getattr(target, _OTHER_WIDTH, None)
    if not isinstance(width, str) or "encoder_channels" not in available:
        return available
    return {**available, "encoder_channels": arguments.get(width, inspect.signature(target).parameters[width].default)}


def _made(value: Any, where: str, available: Any) -> Any:
    """A copy of an argument with its components built."""
    if isinstance(value, dict) and "_target_" in value:
        return _make(value, object, where, available, nested=True)
    if isinstance(value, dict):
        return {key: _made(item, f"{where}.{key}", available) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_made(item, f"{where}.{i}", available) for i, item in enumerate(value)]
    return value


def _call(target: type, arguments: dict[str, Any], where: str, *late: Any) -> Any:
    plain = {name: value for name, value in arguments.items() if type(value) in _PLAIN}
    _check_depth(plain, target.__name__, where)
    with working(target.__name__, plain, where, kept=True):
        made = target(*late, **arguments)
    # Constructors look at their arguments themselves; this is for what they let through, to fail in training.
    wrong = misfit(target, plain) if target.__module__.startswith("sigraph.") else None
    if wrong is not None:
        raise ConfigError(f"{where}.{wrong[0]}: {wrong[1]} in {target.__name__!r}")
    return made


def _check_depth(arguments: dict[str, Any], name: str, where: str) -> None:
    """Refuse what would be looped over for ever, before it is: what a constructor stacks is called alike everywhere."""
    from sigraph.files.arguments import MOST_LAYERS

    for key, value in arguments.items():
        if key.endswith(_DEPTHS) and type(value) is int and value > MOST_LAYERS:
            raise ConfigError(f"{where}.{key}: needs to be <= {MOST_LAYERS} in {name!r} (got {value!r:.80})")


@contextlib.contextmanager
def working(name: str, settings: dict[str, Any], where: str, kept: bool = False) -> Iterator[None]:
    """Around what a component does: more memory than there is, and what a library raises, are said with its key.

    Args:
        name: Its class's name.
        settings: What the YAML gives it.
        where: Its dotted key.
        kept: Whether what it makes stays, as a module's weights do.

    Raises:
        ConfigError: In place of any exception but OSError.
    """
    from sigraph.files.memory import TooLargeError, within_memory

    sizes = ", ".join(f"{key} {value!r:.40}" for key, value in _numbers(settings) if value >= _LARGE)
    try:
        with within_memory(f"{name!r}{f' with {sizes}' if sizes else ''}", kept):
            yield
    except (ConfigError, OSError):
        raise
    except TooLargeError as error:
        raise ConfigError(f"{where}: {error}; choose smaller sizes") from error
    except ValueError as error:  # says itself what is wrong
        raise ConfigError(f"{where}: {_first_line(error)}") from error
    except SystemExit as error:  # would end everything without a word
        raise ConfigError(f"{where}: {name!r} ends the program (exit code {error.code})") from error
    except Exception as error:  # a class of a library may raise anything at a value that it did not expect
        given = ", ".join(f"{key} {value!r:.40}" for key, value in settings.items() if key != "_target_") or "none"
        raise ConfigError(
            f"{where}: {name!r} cannot work with its arguments ({shortened(given)}): {type(error).__name__}: "
            f"{_first_line(error)}"
        ) from error


def _numbers(settings: Any, key: str = "") -> Iterator[tuple[str, int]]:
    """Integers of a component and of those in it, each with its argument's name."""
    if type(settings) is int:
        yield key, settings
    elif isinstance(settings, dict):
        for name, value in settings.items():
            yield from _numbers(value, name)
    elif isinstance(settings, list):
        for value in settings:
            yield from _numbers(value, key)


def _first_line(error: Exception) -> str:
    """What is wrong, without where in its own code a library was."""
    return shortened(str(error).strip().partition("\n")[0])


def _arguments(
    component: Component, target: type, where: str, available: Any, nested: bool, late: int
) -> dict[str, Any]:
    """The component's arguments and the late-bound ones that its constructor has a parameter for."""
    arguments = {name: value for name, value in component.items() if name != "_target_"}
    for parameter in _parameters(target, late) or ():
        wanted = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        needed = parameter.default is parameter.empty or parameter.name in _ALSO_NESTED
        needed |= parameter.default is None and parameter.name in _KIND_SIZES
        if nested and (not needed or available.get(parameter.name) is None):
            wanted = False  # None: the samples have no such size
        if wanted and parameter.name in available and parameter.name not in arguments:
            arguments[parameter.name] = available[parameter.name]
    return arguments


def _parameters(target: type, late: int) -> list[inspect.Parameter] | None:
    """The constructor's parameters without the first ``late`` ones; None if it does not say."""
    try:
        return list(inspect.signature(target).parameters.values())[late:]
    except (ValueError, TypeError):
        return None


def _try_once(target: type, arguments: dict[str, Any], where: str) -> None:
    import torch

    weights = [torch.nn.Parameter(torch.zeros(1))]
    if issubclass(target, torch.optim.Optimizer):
        _call(target, arguments, where, weights)
    elif issubclass(target, torch.optim.lr_scheduler.LRScheduler):
        _call(target, arguments, where, torch.optim.SGD(weights, lr=1e-3, momentum=0.9))


def _derives(value: Any, expected: Bases) -> bool:
    return isinstance(value, type) and issubclass(value, expected) and not inspect.isabstract(value)


def _spelled(expected: Bases) -> str:
    bases = expected if isinstance(expected, tuple) else (expected,)
    return " or ".join(f"{base.__module__}.{base.__qualname__}" for base in bases)


def _choices(names: list[str]) -> str:
    return f"; it has {', '.join(sorted(names))}" if names else ""
