"""Whether what a file holds fits into memory: asked before it is read, as nobody is told afterwards."""

from __future__ import annotations

import re
from pathlib import Path

PER_CELL = 24  # bytes in memory besides its text that a cell of a table takes at least, until it is a number

_SYSTEM = Path("/proc/meminfo")
_OWN = Path("/proc/self/statm")
# Of a container or a job: what it may take, what it takes, and which of its figures are caches that can go.
_GROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ),
)


def free_memory() -> int | None:
    """Bytes that this process may still take: of the system, its container or job, and its own limit (``ulimit -v``).

    Caches count as free. None where the system does not say.
    """
    found = [free for free in (_of_system(), *map(_of_group, _GROUPS), _of_process()) if free is not None]
    return max(0, min(found)) if found else None


def refuse_more(name: str | Path, needed: int, free: int | None) -> None:
    """Refuse a file that takes more memory than is free.

    Raises:
        ValueError: It does; the message says how edges are read all the same.
    """
    if free is not None and needed > free:
        raise ValueError(
            f"{name} takes {needed / 1e9:.3g} GB or more in memory, and {free / 1e9:.3g} GB are free; is it what it "
            "seems? Edges are read in pieces with --memory-limit, samples need a machine with more memory"
        )


def _of_system() -> int | None:
    found = re.search(r"MemAvailable:\s*(\d+) kB", _SYSTEM.read_text()) if _SYSTEM.is_file() else None
    return int(found[1]) * 1024 if found else None


def _of_group(files: tuple[str, str, str]) -> int | None:
    """What a container or a job leaves; None where there is no limit."""
    try:
        limit, used, figures = (Path(file).read_text() for file in files)
    except OSError:
        return None
    if not limit.strip().isdigit() or not used.strip().isdigit():
        return None
    caches = re.search(r"^(?:total_)?inactive_file (\d+)$", figures, re.MULTILINE)
    return int(limit) - int(used) + (int(caches[1]) if caches else 0)


def _of_process() -> int | None:
    """What is left of the address space that a process may have; None where there is no limit."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY or not _OWN.is_file():
        return None
    return limit - int(_OWN.read_text().split()[0]) * resource.getpagesize()
