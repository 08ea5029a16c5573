"""What the scripts of this folder share: seconds, memory, processes of their own, and tables."""

from __future__ import annotations

import multiprocessing
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from sigraph.files.markdown import markdown_table


def one_core() -> str:
    """Torch to one thread; returns the line that says on what a table was measured."""
    torch.set_num_threads(1)
    return f"{platform.processor() or platform.machine()}, one thread, torch {torch.__version__}"


def timed(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def seconds(function: Callable[[], object], repeats: int = 7) -> float:
    """Median of several calls after one that is not counted."""
    function()
    return statistics.median(timed(function) for _ in range(repeats))


def rate(function: Callable[[], int], repeats: int = 7) -> float:
    """Things made a second; ``function`` returns how many it made."""
    return function() / seconds(function, repeats)


def in_turn(functions: Sequence[Callable[[], object]], repeats: int = 3) -> tuple[list[float], list[object]]:
    """Median seconds of functions called one after the other, so that a busy moment hits all; and their results.

    The first round is not counted, unless it is the only one (``repeats`` 1).
    """
    times: list[list[float]] = [[] for _ in functions]
    results: list[object] = [None] * len(functions)
    for _ in range(repeats + (repeats > 1)):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            results[i] = function()
            times[i].append(time.perf_counter() - start)
    return [statistics.median(mine[repeats > 1 :]) for mine in times], results


def apart(function: Callable, *arguments: object) -> Any:
    """What a function of a script returns in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def start_peak() -> int:
    """Bytes held now; from here on the peak is counted anew. Linux."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak_memory() -> int:
    """The most bytes this process has held, imports included."""
    if Path("/proc/self/status").is_file():
        return _status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


class Spent(NamedTuple):
    """What a call took."""

    wall: float  # seconds
    busy: float  # of the processor
    memory: float  # MB at the peak, on top of what was held before

    def scaled(self, factor: float) -> Spent:
        """What a longer call of the same kind would take."""
        return Spent(factor * self.wall, factor * self.busy, self.memory)

    def __str__(self) -> str:
        digits = 2 if self.busy < 10 else 0
        return f"{self.wall:.{digits}f} ({self.busy:.{digits}f}), {self.memory:,.0f} MB"


def spent(function: Callable[[], object], enough: float = 0.0, most: int = 1) -> Spent:
    """The quickest of several calls: until they took ``enough`` seconds together, or are ``most``. Linux."""
    before, times = start_peak(), []
    while not times or (sum(wall for wall, _ in times) < enough and len(times) < most):
        wall, busy = time.perf_counter(), time.process_time()
        function()
        times.append((time.perf_counter() - wall, time.process_time() - busy))
    return Spent(*min(times), (peak_memory() - before) / 2**20)


def table(head: list[str], rows: list[list[str]]) -> None:
    """A Markdown table to standard output."""
    print(markdown_table(head, rows), end="\n\n", flush=True)
