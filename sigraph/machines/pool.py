"""Work in several processes that outlives the death of one of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import torch

from sigraph.config.trust import Trust, current_trust, take_over
from sigraph.files.foreign_text import guard_output
from sigraph.machines.interrupts import deaf_to_interrupts, end_children, lead_group
from sigraph.machines.trainer import quiet_libraries

Done = Generator[tuple[Any, Any], None, tuple[list[Any], list[Any], int | None]]


@dataclass(frozen=True)
class Killed:
    """In place of a result: the process that worked on it ended at once, twice, the second time on this alone.

    Args:
        code: How it ended: the negative number of a signal, or what it gave to ``exit``; None: not known.
    """

    code: int | None = None

    @property
    def reason(self) -> str:
        """In words."""
        if self.code is not None and self.code > 0:
            return f"the process ended itself with exit code {self.code}"
        how = "" if self.code is None else f" by signal {-self.code}"
        memory = ", as the system does when memory is short; fewer jobs at a time need less"
        return f"the process was killed{how}{memory if self.code in (None, -9) else ''}"


def in_processes(function: Callable[[Any], Any], items: Sequence[Any], jobs: int) -> Iterator[tuple[Any, Any]]:
    """``(item, function(item))`` in the order in which they come.

    The processes share the processor's threads and end with this one. Where one of them is killed, as the system does
    when memory is short, what was being worked on is done again, one item at a time; which item it was is known then,
    and its result is a :class:`Killed`.

    Args:
        function: Can be pickled; so can the items and the results.
        items: Each is a call of its own.
        jobs: Processes, >= 1.

    Raises:
        Exception: What ``function`` raises; the other processes are stopped then.
    """
    left, suspects = list(items), list[Any]()
    while left:
        left, hit, _ = yield from _until_one_dies(function, left, jobs)
        suspects += hit
    for item in suspects:
        again, hit, code = yield from _until_one_dies(function, [item], 1)
        if again or hit:
            yield item, Killed(code)


def _until_one_dies(function: Callable[[Any], Any], items: list[Any], jobs: int) -> Done:
    """Results until a process is killed; returns what had not been begun, what was being worked on, how it ended."""
    threads, context = max(1, (os.cpu_count() or 1) // jobs), multiprocessing.get_context("spawn")
    left, hit, flying = list(items), list[Any](), dict[Future, Any]()
    others, workers = set(multiprocessing.active_children()), set[Any]()
    with ProcessPoolExecutor(min(jobs, len(items)), context, _begin, (threads, current_trust())) as pool:
        try:
            while not hit and (left or flying):
                while left and len(flying) < jobs:
                    with deaf_to_interrupts():
                        future = pool.submit(function, left[0])
                    flying[future] = left.pop(0)
                workers |= set(multiprocessing.active_children()) - others
                for future in wait(flying, return_when=FIRST_COMPLETED)[0]:
                    item = flying.pop(future)
                    try:
                        result = future.result()
                    except BrokenProcessPool:
                        hit.append(item)
                        continue
                    yield item, result
        except BrokenProcessPool:  # it broke while nothing was asked of it
            hit.append(left.pop(0))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_children()  # what they were doing resumes
            raise
    ends = [worker.exitcode for worker in workers if worker.exitcode not in (None, 0, -signal.SIGTERM)]
    return left, hit + list(flying.values()), next(iter(ends), None)


def _begin(threads: int, trust: Trust) -> None:
    lead_group()
    start_worker(threads, trust)


def start_worker(threads: int, trust: Trust) -> None:
    """What a process does first; ``trust`` is that of the one that started it."""
    take_over(trust)
    guard_output()
    torch.set_num_threads(threads)
    quiet_libraries()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would go on, hold its run's folder, and then wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
