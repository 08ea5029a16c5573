"""Whether entries can be sent: what their runs break, and what a file of them says that its runs do not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sigraph.config.yaml_text import check_yaml
from sigraph.files.paths import user_path
from sigraph.leaderboard.ogb_form import OPEN, RUNS

_LARGEST = 1 << 20  # bytes of a file of entries
_OF_RUNS = ("OGB version", "Dataset", "Test performance", "Validation performance", "#Params", "Hardware")


class Verdict(NamedTuple):
    """Of one entry.

    Args:
        title: Which, in words.
        refused: Each rule that is broken: its name, a colon, how.
        open: Fields that are still to be filled in.
    """

    title: str
    refused: list[str]
    open: list[str]

    def lines(self) -> list[str]:
        """For a terminal."""
        if self.refused:
            return [f"{self.title}: refused", *(f"  {one}" for one in self.refused)]
        left = f"; to be filled in before it is sent: {', '.join(self.open)}" if self.open else ""
        return [f"{self.title}: an entry{left}"]


def check_entries(entries: Sequence[dict[str, Any]], file: str | Path | None = None) -> list[Verdict]:
    """Look at entries by OGB's rules.

    Args:
        entries: As :meth:`~sigraph.leaderboard.Leaderboard.ogb_records` gives them.
        file: A file of some of them, filled in by hand: what comes from runs needs to be as they say it
            (``as-the-runs-say``), and external data to be said and named in the method (``external-data-named``).

    Raises:
        ValueError: The file is no YAML of entries.
    """
    if file is None:
        return [_verdict(one, one["form"]) for one in entries]
    by_runs = {one["form"][RUNS]["from"]: one for one in entries}
    found = []
    for number, form in enumerate(_read(user_path(file)), start=1):
        runs = form.get(RUNS)
        known = by_runs.get(runs.get("from")) if isinstance(runs, dict) else None
        if known is None:
            why = f"as-the-runs-say: {RUNS!r}, 'from', names none of the runs that are here"
            found.append(Verdict(f"{file}, entry {number}", [why], []))
        else:
            found.append(_verdict(known, form))
    return found


def _verdict(entry: dict[str, Any], form: dict[str, Any]) -> Verdict:
    ours = entry["form"]
    refused = [f"{one.rule}: {one.why}" for one in entry["refused"]]
    if form is not ours:
        refused += _other(form, ours)
    left = [name for name, value in form.items() if OPEN in str(value)]
    return Verdict(ours[RUNS]["from"], refused, left)


def _other(form: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """What a file says otherwise than the runs."""
    found = [f"as-the-runs-say: {name!r} is missing" for name in ours if name not in form]
    found += [f"as-the-runs-say: {name!r} is no field of the form" for name in form if name not in ours]
    for name in (*_OF_RUNS, RUNS):
        if name in form and OPEN not in str(ours[name]) and form[name] != ours[name]:
            found.append(f"as-the-runs-say: {name!r} is {form[name]!r:.120}, of the runs {ours[name]!r:.120}")
    tuned, said = str(ours["Tuned hyper-parameters"]).partition(f", {OPEN}")[0], str(form.get("Tuned hyper-parameters"))
    if tuned not in said:
        found.append(f"as-the-runs-say: 'Tuned hyper-parameters' needs {tuned!r} in it")
    external, method = str(form.get("External data")), str(form.get("Method name"))
    if not external.startswith(("Yes", "No", OPEN)):
        found.append(f"external-data-named: 'External data' needs to begin with Yes or No (got {external!r:.60})")
    if str(ours["External data"]).startswith("Yes") and not external.startswith("Yes"):
        found.append(f"external-data-named: 'External data' is {ours['External data']!r:.120} by the runs")
    if external.startswith("Yes") and "(" not in method:
        found.append(f"external-data-named: the method's name needs to say it, in brackets (got {method!r:.60})")
    return found


def _read(file: Path) -> list[dict[str, Any]]:
    if file.stat().st_size > _LARGEST:
        raise ValueError(f"{file} is larger than {_LARGEST:,} bytes; is this the file that you mean?")
    try:
        text = file.read_text(encoding="utf-8")
        for part in re.split(r"(?m)^---", text):
            check_yaml(part, str(file))
        documents = [one for one in yaml.safe_load_all(text) if one is not None]
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{file} is no YAML of entries, as `sigraph leaderboard --format ogb` writes them") from error
    if not documents or not all(isinstance(one, dict) for one in documents):
        raise ValueError(f"{file} holds no entries, as `sigraph leaderboard --format ogb` writes them")
    return documents
