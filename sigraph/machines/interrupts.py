"""How a command ends when it is told to: by Ctrl-C, or by SIGTERM, a scheduler's way to say the same.

Python hears of a signal between two of its own instructions only, which may be seconds away, and an exception that it
raises then can get lost in a destructor, or come out as the traceback of a process that only helps. So a thread
watches: what has not ended by itself after a moment is ended, with the processes that it started. Nothing is lost by
that, as everything is written all or nothing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

GRACE = 0.7  # seconds in which a command may clear up and end by itself
SIGNALS = (signal.SIGINT, signal.SIGTERM)
QUIET = "ignore:resource_tracker:UserWarning"  # of what clears up after processes that were ended
_STOP = b"\0"


class Interruption:
    """Whether a signal came, and which.

    Args:
        line: What is said then.
        ends: Whether the process ends with the command, so that it may be ended.
    """

    def __init__(self, line: str, ends: bool) -> None:
        self.line, self.ends, self.number, self.process = line, ends, 0, os.getpid()
        self._said, self._stderr, self._heard = threading.Lock(), 2, False

    @property
    def code(self) -> int:
        """The exit code, by the convention of shells: 130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + (self.number or signal.SIGINT)

    def say(self) -> None:
        """The one line, once."""
        if not self.line or not self._said.acquire(blocking=False):
            return
        if self._stderr == 2:
            print(self.line, file=sys.stderr)
        else:
            with contextlib.suppress(OSError):  # nobody reads it
                os.write(self._stderr, f"{self.line}\n".encode())

    def end(self) -> int:
        """Say the line and end the process, if it ends with the command; else the exit code.

        Python's own end would take a second after all that was imported, and may come out as another exit code.
        """
        self.say()
        if self.ends:
            end_children()
            with contextlib.suppress(OSError, ValueError):  # nobody reads it
                sys.stdout.flush()
            os._exit(self.code)
        return self.code

    def hear(self, number: int, frame: FrameType | None = None) -> None:
        """The signals' handler: the main thread's work ends by a KeyboardInterrupt."""
        if os.getpid() != self.process:  # a copy of the process, which loads data: nobody waits for it
            os._exit(128 + number)
        if self.ends and self._heard:
            return  # it is clearing up, and is ended soon
        self._heard = True
        self.note(number)
        raise KeyboardInterrupt

    def note(self, number: int) -> None:
        """From now on time is short, and nothing is said but the one line."""
        if self.number:
            return
        self.number = number
        if self.ends:
            with contextlib.suppress(OSError):  # there is none
                self._stderr = os.dup(2)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            threading.Thread(target=self._end_late, daemon=True).start()

    def watch(self, pipe: int) -> None:
        """Note signals as they come, whatever the main thread is doing."""
        while (number := os.read(pipe, 1)) not in (b"", _STOP):
            if number[0] in SIGNALS:
                self.note(number[0])

    def _end_late(self) -> None:
        time.sleep(GRACE)
        end_children()
        self.say()
        os._exit(self.code)


@contextlib.contextmanager
def interruptible(line: str, ends: bool) -> Iterator[Interruption]:
    """Around a command: Ctrl-C and SIGTERM raise KeyboardInterrupt, and soon after the process is gone if it ``ends``.

    In other threads than the main one, which hear no signals, it does nothing; nor with what the caller ignores.

    Args:
        line: As of :class:`Interruption`.
        ends: As of :class:`Interruption`.
    """
    found = Interruption(line, ends)
    if threading.current_thread() is not threading.main_thread():
        yield found
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, found.hear)
    try:
        with _watched(found) if ends and os.name == "posix" else contextlib.nullcontext():
            yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextlib.contextmanager
def _watched(found: Interruption) -> Iterator[None]:
    """The system writes the numbers of signals into a pipe that a thread reads."""
    if QUIET not in sys.warnoptions:  # read when the tracker of shared semaphores starts
        sys.warnoptions.append(QUIET)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))  # a copy's signals are not this process's
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watch = threading.Thread(target=found.watch, args=(reading,), daemon=True)
    watch.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        os.write(writing, _STOP)
        watch.join()
        os.close(reading)
        os.close(writing)


def end_children() -> None:
    """End the processes that this one started, with the groups that they lead."""
    for child in multiprocessing.active_children():
        end_group(child.pid)
        with contextlib.suppress(OSError, ValueError):
            child.kill()


def end_group(leader: int | None) -> None:
    """End a process with its loader's workers, which would notice some seconds later that it is gone."""
    if leader is not None and hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it leads none yet, or all are gone
            os.killpg(leader, signal.SIGKILL)


@contextlib.contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """What is started in it does not hear Ctrl-C, which reaches all of a terminal's: who started it ends it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def lead_group() -> None:
    """In a process that was started: lead a group, with which it is ended; Ctrl-C does not reach it."""
    if hasattr(os, "setsid"):
        with contextlib.suppress(PermissionError):  # it leads one already
            os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
