"""Run one function in several processes that live for it alone, joined by ``torch.distributed``.

Whoever starts them stays outside: it computes nothing with them, so that a process that fails, hangs or is killed ends
all of them with its reason, and the one outside goes on.
"""

from __future__ import annotations

import builtins
import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import torch
import torch.distributed as dist

from sigraph.config import ConfigError
from sigraph.config.trust import Trust, current_trust
from sigraph.machines.interrupts import QUIET, deaf_to_interrupts, end_group, lead_group
from sigraph.machines.pool import start_worker
from sigraph.machines.trainer import TimeIsUp

Job = dict[str, Any]  # plain values, as JSON has them
Target = Callable[[Job, Callable[[int], None]], Any]
IMPORTED = ["sigraph.running.fitting"]  # takes most of the seconds that a process needs to start
HERE, LOOPBACK = "127.0.0.1", {"linux": "lo", "darwin": "lo0"}
LOOK = 0.1  # seconds between two looks at what sends nothing by itself
GRACE = 1.0  # seconds in which the cause of a failure may come in after its consequence


@dataclass(frozen=True)
class Seat:
    """Which of the processes one is, and where they meet."""

    rank: int
    world_size: int
    local_rank: int
    local_size: int
    address: str
    port: int
    prefix: str
    backend: str


@dataclass(frozen=True)
class _Around:
    """What a process shares with the one that started it, and would not have from how it was started."""

    num_threads: int
    environment: dict[str, str]  # that of a server is as old as the server
    trust: Trust


@dataclass
class _Child:
    seat: Seat
    process: multiprocessing.process.BaseProcess
    connection: Connection
    done: bool = False


@contextlib.contextmanager
def started(target: Target, job: Job, seats: list[Seat]) -> Iterator[list[_Child]]:
    """A process for each seat; none is left when the block ends."""
    context, children = _context(seats[0].backend), []
    threads = max(1, torch.get_num_threads() // len(seats))
    around = _Around(threads, dict(os.environ), current_trust())
    try:
        for seat in seats:
            ours, theirs = context.Pipe()
            process = context.Process(target=_child, args=(target, job, seat, around, theirs))
            with deaf_to_interrupts():
                process.start()
            theirs.close()
            children.append(_Child(seat, process, ours))
        yield children
    finally:
        for child in children:
            child.connection.close()  # a process that is done waits for this
        for child in children:
            if child.done:
                child.process.join(5)
            else:
                end_group(child.process.pid)
            child.process.kill()
            child.process.join()


def _context(backend: str) -> Any:
    """How processes start: from a server that has imported all they need, where nothing of a GPU is in its memory."""
    if backend == "nccl" or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    if QUIET not in sys.warnoptions:
        sys.warnoptions.append(QUIET)
    return context


def outcome(children: list[_Child], tick: Callable[[int], None], look: Callable[[], None]) -> Any:
    """The value of the first child, once all are done; ``look`` raises what happened elsewhere."""
    value, late = None, False
    while waiting := [child for child in children if not child.done]:
        wait([child.connection for child in waiting], LOOK)
        look()
        for child in waiting:
            gone = child.process.exitcode is not None  # asked before the last messages are read
            for kind, content in _messages(child):
                if kind == "tick":
                    tick(content)
                elif kind == "failed":
                    _wait_for_cause(children, look)
                    raise rebuilt(content)
                else:
                    child.done, late = True, late or kind == "late"
                    value = content if child is children[0] else value
            if gone and not child.done:
                raise _lost(child)
    if late:
        raise TimeIsUp
    return value


def _messages(child: _Child) -> Iterator[tuple[str, Any]]:
    with contextlib.suppress(EOFError, ConnectionResetError):
        while child.connection.poll():
            yield child.connection.recv()


def _wait_for_cause(children: list[_Child], look: Callable[[], None]) -> None:
    """Raise what made a process fail, if another one was killed or failed on another machine right before."""
    until = time.monotonic() + GRACE
    while time.monotonic() < until:
        look()
        for child in children:
            if not child.done and child.process.exitcode is not None:  # one that says why stays until it is heard
                raise _lost(child)
        time.sleep(LOOK)


def _lost(child: _Child) -> RuntimeError:
    code, which = child.process.exitcode or 0, f"process {child.seat.rank} of {child.seat.world_size}"
    if code < 0:
        name = signal.Signals(-code).name
        return RuntimeError(f"{which} was ended by {name}, which the system does to one when memory is short")
    return RuntimeError(
        f"{which} ended with code {code} before it said why, maybe above; a script of one's own needs its calls under "
        "if __name__ == '__main__':"
    )


def _child(target: Target, job: Job, seat: Seat, around: _Around, connection: Connection) -> None:
    os.environ.update(around.environment)
    lead_group()
    # A loader's worker forked beside threads of gloo or a GPU can wait for ever for a lock that one of them had.
    multiprocessing.set_start_method("spawn", force=True)
    start_worker(around.num_threads, around.trust)
    if seat.rank:
        logging.disable(logging.WARNING)  # what rank 0 says as well
    node = seat.rank // seat.local_size
    os.environ.update(LOCAL_RANK=str(seat.local_rank), NODE_RANK=str(node))  # read by Lightning
    if seat.address == HERE and sys.platform in LOOPBACK:  # else gloo goes by the machine's name, maybe into a firewall
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK[sys.platform])
    try:
        store = dist.PrefixStore(seat.prefix, dist.TCPStore(seat.address, seat.port, is_master=False))
        if seat.backend == "nccl":
            torch.cuda.set_device(seat.local_rank)
        dist.init_process_group(seat.backend, store=store, rank=seat.rank, world_size=seat.world_size)
        value = target(job, (lambda count: connection.send(("tick", count))) if seat.rank == 0 else lambda count: None)
        connection.send(("done", value if seat.rank == 0 else None))
    except TimeIsUp:
        connection.send(("late", None))
    except BaseException as error:
        with contextlib.suppress(OSError):  # who asked has heard of another failure, and is gone
            connection.send(("failed", report(error, seat)))
    # One that went at once would make the others fail of it, and theirs might be the reason that is heard.
    with contextlib.suppress(EOFError, OSError):
        connection.recv()


def report(error: BaseException, seat: Seat | None = None) -> dict[str, Any]:
    """An exception as what JSON can hold."""
    plain: dict[str, Any] = {"type": type(error).__name__, "text": str(error)}
    if isinstance(error, OSError) and error.errno is not None:
        plain |= {"errno": error.errno, "strerror": error.strerror, "filename": str(error.filename or "") or None}
    note = "\n".join(getattr(error, "__notes__", []))
    where = "" if seat is None else f"in process {seat.rank} of {seat.world_size}:\n"
    return {**plain, "note": note or f"{where}{''.join(traceback.format_exception(error))}"}


def rebuilt(plain: dict[str, Any]) -> Exception:
    """An exception of the same name and text, whose note is where it came from."""
    kind = ConfigError if plain["type"] == "ConfigError" else getattr(builtins, plain["type"], None)
    if plain.get("errno") is not None:
        error: Exception = OSError(plain["errno"], plain["strerror"], plain["filename"])
    elif isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, UnicodeError):
        error = kind(plain["text"])
    else:
        error = RuntimeError(f"{plain['type']}: {plain['text']}")
    error.add_note(plain["note"])
    return error
