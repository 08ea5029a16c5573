"""What the machine can hold: sizes beyond it are refused before memory is asked for.

The system may grant more than there is, and end the process once it is used; so sizes are looked at, not tried.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

MOST_TENSORS = 20_000  # that one constructor makes
_CGROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class TooLargeError(ValueError):
    """More is asked for than the machine has, or than is ever needed."""


@functools.cache
def machine_memory() -> int:
    """Bytes of memory of this machine, or of the part of it that a container or a job was given."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if hasattr(os, "sysconf") else [2**63 - 1]
    for file in _CGROUP:
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            found.append(int(Path(file).read_text()))
    return min(size for size in found if size > 0)


def machine_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def most_processes() -> int:
    """Processes beyond which a machine does nothing but change between them."""
    return max(64, 4 * machine_processors())


def check_processes(key: str, number: int) -> None:
    """Refuse more processes than the machine can run.

    Args:
        key: What asks for them, for messages.
        number: Of processes on this machine.
    """
    if number > most_processes():
        raise TooLargeError(
            f"{key!r} needs to be <= {most_processes()} on this machine of {machine_processors()} processors "
            f"(got {number})"
        )


def check_fits(owner: str, num_bytes: float, **values: Any) -> None:
    """Refuse arguments that make something larger than the machine's memory.

    Args:
        owner: Class whose arguments they are, for messages.
        num_bytes: What they take.
        values: By argument name.
    """
    if num_bytes > machine_memory():
        got = ", ".join(f"{name} {value!s:.60}" for name, value in values.items())
        raise TooLargeError(
            f"{', '.join(map(repr, values))} needs to be smaller in {owner!r}: it takes {in_words(num_bytes)} of "
            f"memory, this machine has {in_words(machine_memory())} (got {got})"
        )


def in_words(num_bytes: float) -> str:
    """Bytes as people read them."""
    num_bytes = min(num_bytes, 10**300)  # beyond, an integer is no float
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if num_bytes >= size:
            number = num_bytes / size
            return f"{number:,.0f} {unit}" if number < 1e6 else f"{number:.0e} {unit}"
    return f"{num_bytes:,.0f} bytes"


@contextlib.contextmanager
def within_memory(what: str, kept: bool = False) -> Iterator[None]:
    """In this block no tensor is made that the machine cannot hold; nothing else changes.

    Args:
        what: Who makes it, for messages.
        kept: Whether the tensors stay, as a module's weights do, so that they are added up.

    Raises:
        TooLargeError: One tensor, or all of them if they stay, would be larger than the machine's memory.
    """
    with _Watch(what, kept):
        try:
            yield
        except (MemoryError, RuntimeError) as error:  # also of numpy, and what torch says of sizes beyond 2 ** 63
            text = str(error).lower()
            if isinstance(error, MemoryError) or any(sign in text for sign in ("allocate memory", "size calculation")):
                raise TooLargeError(f"{what} needs more memory than this machine has ({_first_line(error)})") from error
            raise


class _Watch(TorchDispatchMode):
    def __init__(self, what: str, kept: bool) -> None:
        super().__init__()
        self.what, self.kept, self.total, self.count = what, kept, 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        size = _asked(func, args, kwargs)
        if size:
            self.count += 1
            self.total = self.total + size if self.kept else size
            if self.total > machine_memory():
                raise TooLargeError(
                    f"{self.what} needs {in_words(self.total)}{' or more' if self.kept else ''} of memory, this "
                    f"machine has {in_words(machine_memory())}"
                )
            if self.kept and self.count > MOST_TENSORS:
                raise TooLargeError(f"{self.what} makes more than {MOST_TENSORS:,} tensors")
        return func(*args, **kwargs)


def _asked(func: Any, args: Any, kwargs: Any) -> int:
    """Bytes of the new tensor that an operation makes; 0 where it makes none, or one like those it has."""
    name = func._schema.name.partition("::")[2]
    given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False))
    shape: Any = None
    if "size" in given and not isinstance(args[0], Tensor):
        shape = given["size"]
    elif name.startswith("new_") and len(args) > 1:
        shape = args[1]
    elif name == "clone" or name.endswith("_like"):
        shape = args[0].shape
    elif name == "repeat":
        shape = (args[0].numel(), *args[1])
    elif name in ("eye", "randperm", "arange", "linspace"):
        shape = _counted(name, args)
    if isinstance(shape, int):
        shape = (shape,)
    if shape is None or not all(isinstance(size, int) for size in shape) or kwargs.get("device") == _META:
        return 0
    like = args[0] if args and isinstance(args[0], Tensor) else None
    integers = name in ("randperm", "arange", "randint")
    default = like.dtype if like is not None else torch.long if integers else torch.get_default_dtype()
    return math.prod(shape) * (kwargs.get("dtype") or default).itemsize


_META = torch.device("meta")


def _counted(name: str, args: Any) -> tuple[int, ...] | None:
    numbers = [value for value in args if isinstance(value, int | float) and math.isfinite(value)]
    if len(numbers) != len(args) or not numbers:
        return None
    if name == "eye":
        return (int(numbers[0]), int(numbers[-1]))
    if name == "randperm":
        return (int(numbers[0]),)
    if name == "linspace":
        return (int(numbers[2]),) if len(numbers) > 2 else None
    start, end, step = (0, numbers[0], 1) if len(numbers) == 1 else (*numbers, 1)[:3]
    return (max(0, math.ceil((end - start) / step)),) if step else None


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
