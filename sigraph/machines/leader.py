"""Who tells the processes what to do: one process for those it starts, or rank 0 of what torchrun or srun started.

In the second case rank 0 leads and does everything but training alone; the others follow: each starts a process for
training when the leader says so. Leader and followers talk through a store and compute nothing together, so that none
of them can wait for another for ever.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from sigraph.machines.launch import Launch, launched
from sigraph.machines.processes import HERE, LOOK, Job, Seat, Target, outcome, rebuilt, report, started
from sigraph.machines.trainer import TimeIsUp


def run_apart(
    target: Target, job: Job, local_size: int, num_nodes: int, backend: str, tick: Callable[[int], None]
) -> Any:
    """``target(job, tick)`` in every one of several processes, joined by ``torch.distributed``.

    Args:
        target: A function of a module; only the ticks and the value of rank 0's count.
        job: Its argument: what JSON can hold.
        local_size: Processes on each machine.
        num_nodes: Machines.
        backend: Of ``torch.distributed``: ``gloo`` or ``nccl``.
        tick: Called with what rank 0 calls its own with.

    Returns:
        What rank 0's call returned.

    Raises:
        TimeIsUp: All of them say so.
        ValueError: As many processes are not there: several machines without a launcher, or one that started others.
        Exception: What the first process that failed raised, by name and text; its traceback is a note.
    """
    launch, size = launched(), local_size * num_nodes
    check_size(local_size, num_nodes)
    if launch is None:
        store = dist.TCPStore(HERE, 0, is_master=True, wait_for_workers=False)
        seats = [Seat(i, size, i, size, HERE, store.port, "fit", backend) for i in range(size)]
        with started(target, job, seats) as children:
            return outcome(children, tick, lambda: None)
    control = _control(launch)
    number = control.publish({"job": job, "backend": backend})
    try:
        with started(target, job, [control.seat(number, backend)]) as children:
            return outcome(children, tick, lambda: control.raise_failure(number))
    finally:
        control.stop(number)


def check_size(local_size: int, num_nodes: int) -> None:
    """Refuse a number of processes that is not there."""
    launch = launched()
    if launch is None and num_nodes > 1:
        raise ValueError(
            f"'trainer.num_nodes' needs torchrun or srun, which start the processes on all machines, to be above 1 "
            f"(got {num_nodes})"
        )
    if launch is not None and (local_size, num_nodes) != (launch.local_size, launch.num_nodes):
        raise ValueError(
            f"'trainer.devices' x 'trainer.num_nodes' needs to be {launch.local_size} x {launch.num_nodes}, as "
            f"{launch.by} started (got {local_size} x {num_nodes}); leave both out"
        )


@contextlib.contextmanager
def leading(answer: list[Any]) -> Iterator[None]:
    """Around all that rank 0 does: at the end the others are told so, with an answer that they return. Alone: nothing.

    Args:
        answer: What JSON can hold; filled until the block ends.
    """
    launch = launched()
    try:
        yield
    finally:
        if launch is not None:
            _control(launch).conclude(answer)


def follow(target: Target) -> list[Any]:
    """What ranks above 0 do: start a process for each job of the leader's, until it ends; returns its answer.

    Raises:
        OSError: The leader is gone.
    """
    launch = launched()
    if launch is None or launch.rank == 0:
        raise ValueError("'follow' is for processes that torchrun or srun started, but for the first")
    control = _control(launch)
    while True:
        number, order = control.next()
        look = functools.partial(control.raise_stopped, number)
        if "answer" in order:
            control.part()
            return order["answer"]
        try:
            with started(target, order["job"], [control.seat(number, order["backend"])]) as children:
                outcome(children, lambda count: None, look)
        except (_Stopped, TimeIsUp):  # the leader ended it, or all processes agreed on the time: it knows
            continue
        except Exception as error:
            control.fail(number, error)


class _Stopped(Exception):
    """The leader ended the job."""


@functools.cache
def _control(launch: Launch) -> _Control:
    return _Control(launch)


class _Control:
    """What leader and followers tell each other: numbered orders, failures and stops, in a store they all reach."""

    def __init__(self, launch: Launch) -> None:
        self.launch, self.number, self.prefix = launch, -1, f"sigraph/{launch.attempt}"
        keeps = launch.rank == 0 and not launch.kept
        try:
            store = dist.TCPStore(launch.address, launch.port, is_master=keeps, wait_for_workers=False)
        except RuntimeError as error:
            raise OSError(f"process {launch.rank} finds nothing at {launch.address}:{launch.port} ({error})") from error
        self.store = dist.PrefixStore(self.prefix, store)

    def seat(self, number: int, backend: str) -> Seat:
        at = self.launch
        prefix = f"{self.prefix}/fit-{number}"
        return Seat(at.rank, at.world_size, at.local_rank, at.local_size, at.address, at.port, prefix, backend)

    def publish(self, order: dict[str, Any]) -> int:
        self.number += 1
        self.store.set(f"order-{self.number}", json.dumps(order))
        return self.number

    def next(self) -> tuple[int, dict[str, Any]]:
        self.number += 1
        while (text := self._found(f"order-{self.number}")) is None:
            time.sleep(LOOK)
        return self.number, json.loads(text)

    def stop(self, number: int) -> None:
        self.store.set(f"stopped-{number}", "1")

    def raise_stopped(self, number: int) -> None:
        if self._found(f"stopped-{number}") is not None:
            raise _Stopped

    def fail(self, number: int, error: Exception) -> None:
        self.store.compare_set(f"failed-{number}", "", json.dumps(report(error)))  # the first one counts

    def raise_failure(self, number: int) -> None:
        text = self._found(f"failed-{number}")
        if text is not None:
            raise rebuilt(json.loads(text))

    def conclude(self, answer: list[Any]) -> None:
        """Tell the end, and stay a while for those who have not heard it."""
        with contextlib.suppress(RuntimeError):  # somebody is gone already
            self.publish({"answer": answer})
            others = [f"parted-{self.number}-{rank}" for rank in range(1, self.launch.world_size)]
            self.store.wait(others, timedelta(seconds=10))

    def part(self) -> None:
        self.store.set(f"parted-{self.number}-{self.launch.rank}", "1")

    def _found(self, key: str) -> str | None:
        try:
            return self.store.get(key).decode() if self.store.check([key]) else None
        except RuntimeError as error:
            raise OSError(f"process 0, which leads the {self.launch.world_size} of them, is gone") from error
