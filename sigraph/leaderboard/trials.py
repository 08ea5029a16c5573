"""Every trial of the searches and grids below a folder as Markdown, from their records: what it set, what it gave."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sigraph.files.markdown import markdown_table
from sigraph.files.paths import user_path
from sigraph.files.sealed import DamagedError
from sigraph.leaderboard.kept import Kept, RecordError
from sigraph.leaderboard.records import DrawnSearch, GridSearch
from sigraph.leaderboard.result_files import GRID_FOLDER, SEARCH_FOLDER

_KINDS: dict[str, type[Kept]] = {SEARCH_FOLDER: DrawnSearch, GRID_FOLDER: GridSearch}
_NAME = re.compile(r"(.+)-[0-9a-f]{12}")


class Tried(NamedTuple):
    """A search or a grid that is kept.

    Args:
        experiment: Its name.
        arm: Whose settings it chose.
        found: What it tried; None: its file cannot be read.
        reason: Why not; empty: it can.
    """

    experiment: str
    arm: str
    found: DrawnSearch | GridSearch | None
    reason: str = ""


def read_tried(path: str | Path) -> list[Tried]:
    """What was tried by all searches and grids below a folder, by experiment and arm; one that cannot be read says so.

    Args:
        path: The ``output_dir`` of experiments, or a folder in it.

    Raises:
        FileNotFoundError, NotADirectoryError, ValueError: There is no such folder, or nothing was tried below it.
    """
    top = user_path(path)
    if not top.is_dir():
        missing, what = (NotADirectoryError, "is a file") if top.exists() else (FileNotFoundError, "is not there")
        raise missing(f"{top} {what}; give the output_dir of `sigraph run` (default: runs), or a folder in it")
    found = []
    for folder, below, names in os.walk(top):
        below[:] = sorted(name for name in below if not name.startswith("_") or name in _KINDS)
        place = Path(folder)
        if place.name in _KINDS:
            below.clear()  # what trials pre-trained
            found += [_read(place / name) for name in sorted(names) if name.endswith(".json")]
    if not found:
        raise ValueError(f"{top}: no search and no grid below it; `sigraph run FILE --search N` makes trials")
    return found


def trials_page(found: Sequence[Tried], experiment: str | None = None, task: str | None = None) -> str:
    """A table of trials for each search and grid, the one that was chosen said.

    Args:
        found: From :func:`read_tried`.
        experiment: This one alone; None: all.
        task: Those that chose by this task alone; None: all.

    Raises:
        ValueError: There is none of that name.
    """
    shown = [one for one in found if experiment in (None, one.experiment)]
    shown = [one for one in shown if task is None or (one.found is not None and one.found.task == task)]
    if not shown:
        names = ", ".join(dict.fromkeys(one.experiment for one in found))
        raise ValueError(f"nothing was tried for experiment {experiment!r}, task {task!r} (experiments: {names})")
    parts = []
    for name in dict.fromkeys(one.experiment for one in shown):
        parts.append(f"# Trials of {name}")
        parts += [_section(one) for one in shown if one.experiment == name]
    return "\n\n".join(parts)


def trial_lines(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """What stands below a table of arms whose settings a search drew: among how many each one's were chosen.

    Args:
        records: As in ``results.json``.
    """
    found: dict[Any, dict[str, int]] = {}
    for record in records:
        if record.get("search"):
            found.setdefault(record.get("experiment"), {})[record["arm"]] = len(record["search"]["tried"])
    return [
        f"settings of {name} were chosen by validation among drawn ones: "
        + ", ".join(f"{arm} {number} trials" for arm, number in numbers.items())
        for name, numbers in found.items()
    ]


def _read(file: Path) -> Tried:
    named = _NAME.fullmatch(file.stem)
    names = file.parent.parent.name, named[1] if named else file.stem
    try:
        return Tried(*names, _KINDS[file.parent.name].read(file))  # type: ignore[arg-type]
    except (DamagedError, RecordError) as error:
        return Tried(*names, None, str(error).removeprefix(f"{file} "))
    except OSError as error:
        return Tried(*names, None, error.strerror or str(error))


def _section(one: Tried) -> str:
    if one.found is None:
        return f"## {one.arm}\n\nThe record of its trials cannot be read: {one.reason}"
    failed = sum(trial.get("valid") is None for trial in one.found.tried)
    title = f"## {one.arm}: {len(one.found.tried)} trials{f', {failed} failed' * bool(failed)}"
    return "\n\n".join([title, "\n".join(_about(one.found)), _table(one.found)])


def _about(found: DrawnSearch | GridSearch) -> Iterator[str]:
    """How trials were scored and what they were drawn from, in words."""
    metric = f"validation {found.metric or 'score'} of {found.task} ({found.head})"
    commits = " + ".join(name[:12] for name in (found.commit or "").split(" + ") if name)
    version, data = found.version and f"sigraph {found.version}", found.data and f"data {found.data[:12]}"
    code = ", ".join(filter(None, [version, commits, data]))
    if isinstance(found, GridSearch):
        yield f"Every combination of a grid, by {metric} on seed {found.seed}; test labels were not looked at. {code}."
        return
    score = f"the mean {metric} over seeds {', '.join(map(str, found.seeds))}"
    if found.redraws:
        score = (
            f"the mean {found.metric or 'score'} of {found.task} over {found.redraws} redrawn splits of training and "
            f"validation samples (a converged linear probe on the frozen embedding) and seeds "
            f"{', '.join(map(str, found.seeds))}"
        )
    yield f"Chosen by {score}; test labels were not looked at. {code}. Drawn from:"
    yield ""
    for key, stated in found.space.items():
        yield f"- `{key}`: {_shown(stated)}"


def _table(found: DrawnSearch | GridSearch) -> str:
    keys = list(dict.fromkeys(key for trial in found.tried for key in trial["settings"]))
    spreads = any(trial.get("spread") is not None for trial in found.tried)
    redraws = any(trial.get("spread_redraws") is not None for trial in found.tried)
    seconds = any(trial.get("seconds") is not None for trial in found.tried)
    titles = ["trial", *(key.removeprefix("pretrain.") for key in keys), "valid", *["over seeds"] * spreads]
    titles += [*["over splits"] * redraws, *["seconds"] * seconds, ""]
    chosen = next((i for i, trial in enumerate(found.tried) if dict(trial["settings"]) == dict(found.chosen)), None)
    rows = []
    for i, trial in enumerate(found.tried):
        note = "chosen" if i == chosen else f"failed: {trial.get('reason', '')}" if trial.get("valid") is None else ""
        rows.append(
            [
                i + 1,
                *(_shown(trial["settings"].get(key)) for key in keys),
                _number(trial.get("valid"), ".4f"),
                *[_number(trial.get("spread"), ".4f")] * spreads,
                *[_number(trial.get("spread_redraws"), ".4f")] * redraws,
                *[_number(trial.get("seconds"), ".1f")] * seconds,
                note,
            ]
        )
    return markdown_table(titles, rows)


def _number(value: Any, form: str) -> str:
    return "" if value is None else format(value, form)


def _shown(value: Any) -> str:
    """A setting in few characters: a component by its class's name."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and "_target_" in value:
        inside = ", ".join(f"{name} {_shown(one)}" for name, one in value.items() if name != "_target_")
        return value["_target_"].rpartition(".")[2] + (f" ({inside})" if inside else "")
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return json.dumps(value)
