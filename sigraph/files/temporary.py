"""Temporary names that say whose they are, so that what killed processes left over can be told and removed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import time
from functools import cache
from pathlib import Path

STALE = 24 * 3600.0  # seconds


def own_prefix(path: Path) -> str:
    """How the name of a temporary file or folder for ``path`` begins: where and by which process it is written."""
    return f".{path.name}-{_place()}-{os.getpid()}-"


def sweep(path: Path) -> None:
    """Remove temporary files and folders for ``path`` that were left over.

    One is left over if its process, of this machine, is dead; of a process that cannot be asked for (of another
    machine or container), if nothing was written to it for a day.
    """
    pattern = re.compile(rf"\.{re.escape(path.name)}-([0-9a-f]{{8}})-(\d+)-\w+")  # as tempfile completes a prefix
    for file in path.parent.iterdir():
        found = pattern.fullmatch(file.name)
        if found is None:
            continue
        with contextlib.suppress(OSError):  # swept by another process at the same time, or another user's
            near = found[1] == _place() and os.name == "posix"  # elsewhere signal 0 is one
            if not _is_alive(int(found[2])) if near else time.time() - file.stat().st_mtime > STALE:
                shutil.rmtree(file) if file.is_dir() else file.unlink()


def aside(path: Path) -> Path:
    """What a folder is called while another takes its place, where the two cannot swap their names in one step."""
    return path.with_name(f"{path.name}-old")


def where_kept(path: Path) -> str:
    """Words for a message: where the folder lies that was just making room at ``path`` when a process was killed."""
    pattern = re.compile(rf"\.{re.escape(aside(path).name)}-[0-9a-f]{{8}}-\d+-\w+")
    if not path.parent.is_dir():
        return ""
    homes = [home for home in path.parent.iterdir() if pattern.fullmatch(home.name)]
    kept = sorted(str(home / path.name) for home in homes if (home / path.name).is_dir())
    return f"; the folder that was here lies in {' and '.join(kept)}" if kept else ""


@cache
def _place() -> str:
    """Where process ids mean the same: this machine since it started, this container."""
    parts = [platform.node()]
    with contextlib.suppress(OSError):  # Linux alone says more
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
