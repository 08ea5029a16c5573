"""What a result came about with: sigraph's commit, the source of a user's own parts, versions, machine."""

from __future__ import annotations

import functools
import hashlib
import platform
import resource
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from sigraph import __version__
from sigraph.config.build import resolve, targets


def own_sources(*settings: Any) -> dict[str, str] | None:
    """Module -> hash of its file, for every ``_target_`` in plain settings that neither sigraph nor a package holds.

    Versions tell installed packages apart; what a user writes beside the YAML has none, so its text does. Only the
    module of the class is looked at, not what it imports.

    Returns:
        First 12 hex digits of each file's SHA-256; None where there is no such module.

    Raises:
        ConfigError: A target cannot be imported, or may not be.
    """
    found: dict[str, str] = {}
    for where, target in sorted(set(targets(settings, "settings"))):
        module = sys.modules[resolve(target, object, where).__module__]
        file = Path(getattr(module, "__file__", None) or "")
        installed = {"site-packages", "dist-packages"} & set(file.parts)
        if file.is_file() and not installed and module.__name__.partition(".")[0] != "sigraph":
            found[module.__name__] = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    return found or None


@functools.cache
def commit() -> str | None:
    """The commit of a sigraph that runs from its checkout, marked if files differ from it; None if installed."""
    top = Path(__file__).parents[2]
    if not (top / ".git").exists():
        return None
    command = ["git", "-C", str(top), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def code_of(*records: dict[str, Any]) -> dict[str, Any]:
    """``commit`` and ``sources`` of a result whose stages these records describe; several commits are joined."""
    commits = list(dict.fromkeys(record.get("commit") for record in records))
    sources = {name: code for record in records for name, code in (record.get("sources") or {}).items()}
    known = [] if commits == [None] else [name or "unknown" for name in commits]
    return {"commit": " + ".join(known) or None, "sources": sources or None}


def environment(accelerator: str) -> dict[str, Any]:
    """Peak memory of the whole process so far in MB, versions, device, and the command line, where there was one."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    return {
        "peak_memory_mb": peak / (1024 * 1024 if sys.platform == "darwin" else 1024),
        "versions": {
            "sigraph": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "torch-geometric", "lightning")},
        },
        "device": torch.cuda.get_device_name() if on_gpu else f"cpu, {torch.get_num_threads()} threads",
        "command": command_line(),
    }


def command_line() -> str | None:
    """The command of sigraph's that this process, or the one that started it, was called by; None: there was none."""
    name = Path(sys.argv[0] if sys.argv else "")
    called = name.name == "sigraph" or (name.name == "__main__.py" and name.parent.name == "sigraph")
    return shlex.join(["sigraph", *sys.argv[1:]]).encode(errors="backslashreplace").decode() if called else None
