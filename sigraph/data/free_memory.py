"""Whether what a file holds fits into memory: asked before it is read, as nobody is told afterwards."""

from __future__ import annotations

import re
from pathlib import Path


def free_memory() -> int | None:
    """Bytes that are free, those of caches included; None where the system does not say."""
    status = Path("/proc/meminfo")
    found = re.search(r"MemAvailable:\s*(\d+) kB", status.read_text()) if status.is_file() else None
    return int(found[1]) * 1024 if found else None


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
