"""Checks of the plain arguments of constructors: a text where a number is needed is said, with the argument's name."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

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
        if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
            raise ValueError(f"{name!r} needs to be an integer >= {least} in {owner!r} (got {shown(value)})")
        if most is not None and int(value) > most:
            raise ValueError(f"{name!r} needs to be an integer in [{least}, {most}] in {owner!r} (got {shown(value)})")


def check_numbers(
    owner: str, *, least: float = -math.inf, above: float = -math.inf, most: float = math.inf, **values: Any
) -> None:
    """Refuse what is no finite number in a range.

    Args:
        owner: As in :func:`check_integers`.
        least: The smallest value.
        above: The largest value that is too small.
        most: The largest value.
        values: By argument name.
    """
    for name, value in values.items():
        if is_number(value) and least <= value <= most and value > above and value < math.inf:
            continue
        if most < math.inf:
            needed = f"in [{least:g}, {most:g}]" if least > -math.inf else f"in ({above:g}, {most:g}]"
        else:
            needed = f">= {least:g} and finite" if least > -math.inf else f"> {above:g} and finite"
        needed = "a finite number" if max(least, above) == -math.inf and most == math.inf else needed
        raise ValueError(f"{name!r} needs to be {needed} in {owner!r} (got {shown(value)})")


def check_rates(owner: str, above_zero: bool = False, **values: Any) -> None:
    """Refuse what is no number in [0, 1), or in (0, 1) if it is to be ``above_zero``."""
    for name, value in values.items():
        if not is_number(value) or not 0 <= value < 1 or (above_zero and value == 0):
            needed = f"{'(' if above_zero else '['}0, 1)"
            raise ValueError(f"{name!r} needs to be in {needed} in {owner!r} (got {shown(value)})")


def check_flags(owner: str, **values: Any) -> None:
    """Refuse what is neither true nor false; the text 'no' would count as true."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name!r} needs to be true or false in {owner!r} (got {shown(value)})")


def is_one_of(value: Any, known: Sequence[str | None]) -> bool:
    """Whether a value is one of some words (or None, if that is one of them), whatever its kind."""
    return (value is None or isinstance(value, str)) and value in known


def check_generator(owner: str, generator: Any) -> None:
    """Refuse what is no source of randomness; a seed is none."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ValueError(
            f"'generator' needs a torch.Generator or None in {owner!r} (got {shown(generator)}); a seed makes one: "
            "torch.Generator().manual_seed(seed)"
        )


def check_choices(owner: str, known: Sequence[str], **values: Any) -> None:
    """Refuse what is none of some words."""
    for name, value in values.items():
        if not is_one_of(value, known):
            raise ValueError(f"{name!r} needs to be one of {', '.join(known)} in {owner!r} (got {shown(value)})")


def check_kinds(owner: str, **values: tuple[Any, type]) -> None:
    """Refuse what is no instance of a class, e.g. arguments in the wrong order.

    A class may know how it is made from other things: its ``way_from(value)`` says so in words; and what it is called
    by those who make one: its ``kind_name``.

    Args:
        owner: As in :func:`check_integers`.
        values: By argument name: the value, and what it needs to be.
    """
    for name, (value, kind) in values.items():
        if not isinstance(value, kind):
            got = f"{value!r:.40}" if isinstance(value, str) else type(value).__name__
            if isinstance(value, type):
                got = f"the class {value.__name__}{': forgotten ()?' if issubclass(value, kind) else ''}"
            way = kind.way_from(value) if hasattr(kind, "way_from") else ""
            called = getattr(kind, "kind_name", kind.__name__)
            raise ValueError(f"{name!r} needs to be a {called} in {owner!r} (got {got}){way and '; ' + way}")


def shown(value: Any) -> str:
    """A value for a message: as it is written if that is short and says something, otherwise its kind."""
    text = repr(value)
    if isinstance(value, str | int) or (len(text) <= 60 and "\n" not in text and " at 0x" not in text):
        return text[:60]
    return f"a {type(value).__name__}"


def as_tensor(value: Any) -> Tensor:
    """A tensor, an array, a column of a table or lists of numbers as a tensor.

    Raises:
        ValueError: It is none; what is wrong, without a name.
    """
    if isinstance(value, Tensor):
        return value
    try:
        if hasattr(value, "__array__"):
            array = np.asarray(value)
            value = array if array.flags.writeable else array.copy()
        elif isinstance(value, list | tuple) and any(isinstance(one, Tensor | np.ndarray) for one in value):
            value = torch.stack([as_tensor(one) for one in value])
        return torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"no array of numbers: {str(error).partition(chr(10))[0]}") from error


def is_number(value: Any) -> bool:
    """Whether a value is a real number; true and false are none, and no text is."""
    return isinstance(value, Real) and not isinstance(value, bool)


def said(value: Any) -> str:
    """The kind of a value for a message: its class, with the module where the name alone says little."""
    kind = type(value)
    if isinstance(value, Tensor):
        sparse = "" if value.layout == torch.strided else f"{str(value.layout).removeprefix('torch.')} "
        return f"a {sparse}tensor {list(value.shape)}"
    tool = "" if kind.__module__ in ("builtins", "abc") else f"{kind.__module__.partition('.')[0]} "
    return f"a {tool}{kind.__name__}"


def is_of(value: Any, module: str, name: str) -> bool:
    """Whether a value is of a class of a library, which is not imported for it: who has such a value has done so.

    Args:
        value: Anything.
        module: Where the class is found, such as ``torch_geometric.data``.
        name: Its name there.
    """
    there = sys.modules.get(module)
    return there is not None and isinstance(value, getattr(there, name))


def is_frame(value: Any) -> bool:
    """Whether a value is a table with named columns, as of pandas or polars."""
    return hasattr(value, "columns") and hasattr(value, "to_numpy")


def checked_node(node: Any, num_samples: int, name: str = "node") -> Tensor:
    """Sample ids as a tensor, int64 [B]."""
    try:
        node = as_tensor(node)
    except ValueError as error:
        raise ValueError(f"{name!r} needs integer sample ids (got {said(node)}: {error})") from error
    node = node.long() if isinstance(node, Tensor) and node.shape == (0,) else node  # an empty list is of floats
    if node.dim() != 1 or node.is_floating_point() or node.is_complex() or node.dtype == torch.bool:
        way = f"; of a mask: {name}.nonzero().view(-1)" if node.dtype == torch.bool else ""
        raise ValueError(
            f"{name!r} needs a 1-D tensor of integer sample ids (got {node.dtype} {list(node.shape)}){way}"
        )
    if node.numel():
        low, high = (int(v) for v in node.aminmax())
        if low < 0 or high >= num_samples:
            raise ValueError(f"{name!r} needs sample ids in [0, {num_samples}) (got [{low}, {high}])")
    return node.long()
