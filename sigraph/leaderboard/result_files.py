"""Reading the ``results.json`` files below a folder; one that cannot be read is a record that says why."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from sigraph.files.paths import user_path
from sigraph.files.sealed import DamagedError
from sigraph.leaderboard.kept import RecordError
from sigraph.leaderboard.records import Record

RESULTS = "results.json"
# Beside it and in its pre-training: the weights, and what a reader learned.
ENCODER, READER = "encoder.safetensors", "reader.json"
# Folders in both: heads that were trained, encoders that were fine-tuned.
HEADS, MODELS = "heads", "models"
PRETRAIN_FOLDER, FINETUNE = "_pretrain", "finetune"  # of an experiment, pre-trainings; in each, its fine-tunings
GRID_FOLDER, SEARCH_FOLDER = "_grid", "_search"  # what was tried to choose an arm's settings
SETTINGS = "config.yaml"  # of the run, beside it
_SEED = re.compile(r"seed-([0-9]{1,18})")


def read_records(path: str | Path) -> list[Record]:
    """The records of all runs below a folder, in the order of their paths.

    Folders whose name starts with an underscore, as ``_pretrain``, hold stages that runs share and no runs. Each record
    gets ``written``, when its file was written in seconds since 1970, and ``folder``, where it lies. A file that cannot
    be read, carries no right sum, has a field that does not fit, or is of another run than its folder gives a record of
    status ``unreadable`` with the reason, under the names that its path tells.

    Args:
        path: The ``output_dir`` of experiments, or a folder in it.

    Raises:
        FileNotFoundError, NotADirectoryError, ValueError: There is no such folder, or no ``results.json`` below it.
    """
    top = user_path(path)
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


def _read(file: Path, top: Path) -> Record:
    try:
        record = Record.read(file)
        record = replace(record, written=file.stat().st_mtime, folder=str(file.parent))
    except (DamagedError, RecordError) as error:
        return _unreadable(file, top, str(error).removeprefix(f"{file} ").removeprefix("is "))
    except OSError as error:
        return _unreadable(file, top, error.strerror or str(error))
    wrong = _misplaced(record, file)
    return _unreadable(file, top, wrong) if wrong else record


def _misplaced(record: Record, file: Path) -> str | None:
    """Why a record does not belong to ``<arm>/<hash>/seed-<s>``; in a folder of another shape it stands by itself."""
    _, arm, code, seed = _names(file)
    for name, asked in (("arm", arm), ("hash", code), ("seed", seed)):
        said = getattr(record, name)
        if seed is not None and said != asked:
            return f"of another run: '{name}' is {said!r}, its folder is of {asked!r}; run the experiment again"
    return None


def _names(file: Path) -> tuple[str | None, str | None, str | None, int | None]:
    """Names from ``<experiment>/<arm>/<hash>/seed-<s>/results.json``; None where the path has another shape."""
    parts = file.absolute().parts
    found = _SEED.fullmatch(parts[-2])
    experiment, arm, code = parts[-5:-2] if found and len(parts) > 5 else (None, None, None)
    return experiment, arm, code, int(found[1]) if found and arm is not None else None


def _by_seed(file: Path) -> tuple:
    found = _SEED.fullmatch(file.parent.name)
    return (file.parent.parent.parts, int(found[1]) if found else -1, file.parent.name)


def _unreadable(file: Path, top: Path, reason: str) -> Record:
    experiment, arm, code, seed = _names(file)
    reason = f"{file.relative_to(top)}: {reason}"
    return Record.unreadable(reason, experiment=experiment, arm=arm, hash=code, seed=seed)
