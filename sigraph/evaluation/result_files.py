"""Reading the ``results.json`` files below a folder; one that cannot be read is a record that says why."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

RESULTS = "results.json"
_SEED = re.compile(r"seed-(\d+)")
_NUMBERS = (int, float)
_TASK = {
    **dict.fromkeys(("dataset", "task", "head", "metric"), str),
    **dict.fromkeys(("valid", "test", "num_parameters", "seconds"), _NUMBERS),
    "primary": bool,
}


def read_records(path: str | Path) -> list[dict[str, Any]]:
    """The records of all runs below a folder, in the order of their paths.

    Folders whose name starts with an underscore, as ``_pretrain``, hold stages that runs share and no runs. Each record
    gets ``written``, when its file was written in seconds since 1970. A file that cannot be read or lacks something
    gives a record of status ``unreadable`` with the reason, under the names that its path tells.

    Args:
        path: The ``output_dir`` of experiments, or a folder in it.

    Raises:
        FileNotFoundError, NotADirectoryError, ValueError: There is no such folder, or no ``results.json`` below it.
    """
    top = Path(path)
    if not top.exists():
        raise FileNotFoundError(f"{top}: there is no such folder; `sigraph run` writes to 'runs' unless told otherwise")
    if not top.is_dir():
        raise NotADirectoryError(f"{top}: a folder is needed, one that holds {RESULTS} files of `sigraph run`")
    closed: list[OSError] = []
    files: list[Path] = []
    for folder, below, names in os.walk(top, onerror=closed.append):
        below[:] = sorted(name for name in below if not name.startswith("_"))
        files += [Path(folder) / RESULTS] if RESULTS in names else []
    records = [_read(file, top) for file in sorted(files, key=_by_seed)]
    records += [_unreadable(Path(error.filename) / RESULTS, top, error.strerror or str(error)) for error in closed]
    if not records:
        raise ValueError(
            f"{top}: no {RESULTS} below it; give the output_dir of `sigraph run` (default: runs) or an experiment's "
            "folder in it"
        )
    return records


def _read(file: Path, top: Path) -> dict[str, Any]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse)
        written = file.stat().st_mtime
    except (OSError, ValueError, RecursionError) as error:
        return _unreadable(file, top, f"not valid JSON ({error})" if isinstance(error, ValueError) else str(error))
    wrong = _what_is_wrong(record)
    return _unreadable(file, top, wrong) if wrong else {**record, "written": written}


def _what_is_wrong(record: Any) -> str | None:
    if not isinstance(record, dict):
        return f"a mapping is needed (got {type(record).__name__})"
    names = dict.fromkeys(("experiment", "arm", "hash", "status"), str)
    wrong = _misses({"versions": {}, **record}, {**names, "seed": int, "tasks": list, "versions": dict}, "")
    if wrong or record["status"] != "ok":
        return wrong
    wrong = _misses(record, {"pretrain": dict}, "") or _misses(
        record["pretrain"], {"num_parameters": dict, "seconds": _NUMBERS}, "pretrain."
    )
    wrong = wrong or _misses(
        record["pretrain"]["num_parameters"], {"encoder": int, "other": int}, "pretrain.num_parameters."
    )
    for i, task in enumerate(record["tasks"]):
        wrong = wrong or (_misses(task, _TASK, f"tasks.{i}.") if isinstance(task, dict) else f"'tasks.{i}' is no task")
    return wrong


def _misses(tree: dict[str, Any], needed: dict[str, Any], where: str) -> str | None:
    for name, kind in needed.items():
        if name not in tree:
            return f"'{where}{name}' is missing"
        value = tree[name]
        flag = isinstance(value, bool) and kind is not bool  # a bool is an int to Python
        if flag or not isinstance(value, kind) or (isinstance(value, float) and not math.isfinite(value)):
            return f"'{where}{name}' does not fit (got {value!r})"
    return None


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no score")


def _by_seed(file: Path) -> tuple:
    found = _SEED.fullmatch(file.parent.name)
    return (file.parent.parent.parts, int(found[1]) if found else -1, file.parent.name)


def _unreadable(file: Path, top: Path, reason: str) -> dict[str, Any]:
    """Names from ``<experiment>/<arm>/<hash>/seed-<s>/results.json``; None where the path has another shape."""
    parts = file.absolute().parts
    found = _SEED.fullmatch(parts[-2])
    experiment, arm, code = parts[-5:-2] if found and len(parts) > 5 else (None, None, None)
    return {
        "experiment": experiment,
        "arm": arm,
        "hash": code,
        "seed": int(found[1]) if found else None,
        "status": "unreadable",
        "reason": f"{file.relative_to(top)}: {reason}",
        "tasks": [],
        "written": 0.0,
    }
