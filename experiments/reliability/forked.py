"""A function in a process of its own, forked from one that has imported everything: what it gave and how it ended."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pickle
import resource
import selectors
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Ended(NamedTuple):
    """How a process ended."""

    value: Any = None  # what the function returned
    error: str = ""  # what it raised: "ValueError: ..."
    trace: str = ""
    signal: int = 0  # that ended it
    late: bool = False  # it was ended, having taken too long
    out: str = ""
    err: str = ""

    @property
    def said(self) -> str:
        """All that a user would read."""
        return f"{self.err}\n{self.error}"


def forked(function: Callable[[], Any], seconds: float = 60.0, memory: int | None = None) -> Ended:
    """Call a function in a forked process. Linux.

    Args:
        function: What it returns can be pickled.
        seconds: After which the process and its group are killed.
        memory: Bytes that it may take on top of what it has.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pipes = [os.pipe() for _ in range(3)]  # out, err, result
    child = os.fork()
    if child == 0:
        _live(function, pipes, memory)
    for _, write in pipes:
        os.close(write)
    return _watch(child, [read for read, _ in pipes], seconds)


def captured(function: Callable[[], Any]) -> Ended:
    """As :func:`forked`, in this process."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("always")  # also what was said before
            return Ended(function(), err=said.getvalue())
    except BaseException as error:
        return Ended(error=f"{type(error).__name__}: {error}", trace=traceback.format_exc(), err=said.getvalue())
    finally:
        logging.getLogger().removeHandler(handler)


def address_space() -> int:
    """Bytes of address space that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _live(function: Callable[[], Any], pipes: list[tuple[int, int]], memory: int | None) -> None:
    code = 1
    try:
        os.setsid()
        for target, (read, write) in enumerate(pipes[:2], 1):
            os.close(read)
            os.dup2(write, target)
            os.close(write)
        sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", 0, closefd=False), encoding="utf-8", write_through=True)
        sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", 0, closefd=False), encoding="utf-8", write_through=True)
        logging.lastResort = logging.StreamHandler(sys.stderr)
        if memory is not None:
            limit = address_space() + memory
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            told = (function(), "", "")
        except BaseException as error:
            told = (None, f"{type(error).__name__}: {error}", traceback.format_exc())
        data = pickle.dumps(told)
        while data:
            data = data[os.write(pipes[2][1], data) :]
        code = 0
    finally:
        os._exit(code)


def _watch(child: int, reads: list[int], seconds: float) -> Ended:
    found, late, end = [bytearray() for _ in reads], False, time.monotonic() + seconds
    handle = os.pidfd_open(child)
    with selectors.DefaultSelector() as selector:
        for i, read in enumerate(reads):
            os.set_blocking(read, False)
            selector.register(read, selectors.EVENT_READ, i)
        selector.register(handle, selectors.EVENT_READ, None)
        alive = True
        while alive:
            left = end - time.monotonic()
            if left <= 0 and not late:
                late = True
                os.killpg(child, signal.SIGKILL) if os.getpgid(child) == child else os.kill(child, signal.SIGKILL)
            for key, _ in selector.select(max(left, 0.05)):
                if key.data is None:
                    alive = False  # and what it wrote is read to its end below
                elif not _drain(key.fd, found[key.data]):
                    selector.unregister(key.fd)
    for read, data in zip(reads, found, strict=True):
        _drain(read, data)
        os.close(read)
    os.close(handle)
    status = os.waitpid(child, 0)[1]
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)  # what it started and left
    value, error, trace = pickle.loads(found[2]) if found[2] and os.WIFEXITED(status) else (None, "", "")
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    out, err = (bytes(data).decode("utf-8", "replace") for data in found[:2])
    return Ended(value, error, trace, number, late, out, err)


def _drain(read: int, into: bytearray) -> bool:
    """Whether more may come."""
    try:
        while data := os.read(read, 1 << 16):
            into += data
        return False
    except BlockingIOError:
        return True
