"""File operations of a process, counted; at one of them it is killed, or the disk is full from there on."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "SIGRAPH_RELIABILITY_FAULT"  # of the environment: what the processes that a command starts are to do
_CREATING = ("open", "os.mkdir", "os.link", "os.symlink", "os.rename")
_OTHER = ("os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.utime")


@dataclass(frozen=True)
class Fault:
    """What happens at a file operation.

    Args:
        how: ``kill``, ``full``, or ``count``: nothing, every operation is noted.
        at: Which operation, from 0; -1: none.
        within: None: instead of the operation. Else after it, as soon as a file grows beyond so many bytes; libraries
            that write by themselves, past Python, are met as well.
        who: Which of a command's processes: ``main``, or ``rank0``, ``rank1`` of those that train together.
        folder: Only what lies below it counts.
        log: The file that gets the noted operations.
    """

    how: str
    at: int
    within: int | None
    who: str
    folder: str
    log: str = ""


@dataclass(frozen=True)
class Operation:
    """A file operation; ``size`` of the file in the end, where one was opened to be written."""

    who: str
    number: int
    event: str
    path: str
    size: int | None


def arm(fault: Fault, who: str = "main") -> None:
    """From here on the process, if it is the one that is meant, meets the fault; not to be undone."""
    os.environ[VARIABLE] = json.dumps(asdict(fault))
    if fault.how != "count" and fault.who != who:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if fault.how == "kill":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the kernel's own kill in the middle of a write
    sys.addaudithook(_Watch(fault, who))


def arm_as_told(who: str) -> None:
    """What a process that was started by an armed one does first."""
    if VARIABLE in os.environ:
        arm(Fault(**json.loads(os.environ[VARIABLE])), who)


def operations(log: Path) -> list[Operation]:
    """What was noted."""
    found = [json.loads(line) for line in log.read_text().splitlines()]
    return [Operation(*line, size=_size(line[3]) if line[2] == "open" else None) for line in found]


def _size(path: str) -> int | None:
    return Path(path).stat().st_size if Path(path).is_file() else None


class _Watch:
    def __init__(self, fault: Fault, who: str) -> None:
        self.fault, self.who, self.count, self.full = fault, who, 0, False
        self.top = os.path.realpath(fault.folder)

    def __call__(self, event: str, arguments: tuple) -> None:
        if event not in _CREATING and event not in _OTHER:
            return
        path = _path(event, arguments)
        if path is None or not (path == self.top or path.startswith(self.top + os.sep)):
            return
        number, self.count = self.count, self.count + 1
        fault = self.fault
        if fault.how == "count":
            with Path(fault.log).open("a") as file:
                file.write(json.dumps([self.who, number, event, path]) + "\n")
        elif number == fault.at:
            if fault.how == "kill" and fault.within is None:
                os.kill(os.getpid(), signal.SIGKILL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (fault.within or 0, resource.RLIM_INFINITY))
            self.full = fault.how == "full" and fault.within is None
        if self.full and event in _CREATING:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def _path(event: str, arguments: tuple) -> str | None:
    """What an operation is about, absolute; None for one that only reads."""
    path, at = arguments[0], -1
    if event == "open":
        flags = arguments[2]
        if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return None
    elif event in ("os.remove", "os.rmdir"):
        at = arguments[1]
    elif event in ("os.rename", "os.link"):
        path = arguments[1]
    if isinstance(path, int) or path is None:
        return None
    path = os.fsdecode(path)
    base = Path.cwd() if at == -1 else Path(f"/proc/self/fd/{at}").readlink()
    return os.path.normpath(base / path)
