"""The fields of OGB's leaderboard submission form, as far as runs know them, and how they came about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import yaml

from sigraph.leaderboard.comparison import Group
from sigraph.leaderboard.external_data import External, external_data
from sigraph.leaderboard.ogb_rules import broken_rules
from sigraph.leaderboard.record_fields import CLOSED_FORM

OGB_VERSION = "1.3.6"  # whose tables of facts and evaluators ours are compared with by tests
OPEN = "TO BE FILLED IN"
RUNS = "Runs"  # the part of an entry that is for whoever runs it again; OGB's form has no such field


def ogb_record(group: Group, others: Sequence[Group] = (), official: str | None = None) -> dict[str, Any]:
    """One submission: an arm on a task.

    Mean and unbiased standard deviation are over seeds, of the evaluator's raw output; parameters are summed over all
    stages: encoder, what was pre-trained beside it, and head. Hyper-parameters come from a record's ``grid``, see
    :func:`tuned`; whether data of elsewhere were used from the settings, see
    :func:`~sigraph.leaderboard.external_data.external_data`. What only the submitter knows reads ``TO BE FILLED IN``
    with a hint.

    Args:
        group: The runs behind a row.
        others: Rows of the same arm and task, with other heads.
        official: Fingerprint of the prepared official data; see :func:`~sigraph.leaderboard.ogb_rules.broken_rules`.

    Returns:
        ``experiment``, ``arm``, ``task``, ``head``, ``form`` (the 13 fields of the form as text, and ``Runs``: commit,
        versions, commands, data, seeds), ``refused`` (rules that are broken, by name) and ``warnings`` (the same in
        words, and what else may be rejected).

    Source: ogb.stanford.edu/docs/leader_overview and leader_rules.
    """
    row = group.row
    external = external_data(group.record, row["dataset"])
    form = {
        "OGB version": (group.record.versions or {}).get("ogb") or OGB_VERSION,
        "Method name": _method(row["arm"], external),
        "External data": _external(external),
        "Dataset": row["dataset"],
        "Test performance": _performance(row, "test"),
        "Validation performance": _performance(row, "valid"),
        "Contact": f"{OPEN}: name, e-mail",
        "Code": f"{OPEN}: public repository whose README gives the commands below",
        "Paper": f"{OPEN}: link; a technical report for anything original, even a combination",
        "#Params": f"{row['num_parameters']:,}",
        "Tuned hyper-parameters": tuned(group, [one.row["head"] for one in others]),
        "Hardware": _hardware(group),
        "Officiality": f"{OPEN}: official if an author of the method submits, else unofficial",
        RUNS: _runs(group),
    }
    names = {name: row[name] for name in ("experiment", "arm", "task", "head")}
    refused = broken_rules(group, others, official)
    return {**names, "form": form, "refused": refused, "warnings": [*(one.why for one in refused), *_warnings(group)]}


def _method(arm: str, external: External) -> str:
    if not external.is_known:
        return f"{OPEN}: e.g. {arm}; external data is to be named in it"
    return f"{arm} ({'; '.join(external.found)})" if external.found else arm


def _external(external: External) -> str:
    if not external.is_known:
        return f"{OPEN}: Yes for raw text, pre-trained models or further data, else No"
    said = f"Yes: {'; '.join(external.found)}" if external.found else "No"
    if external.own_code:
        return f"{said}; {OPEN}: whether {', '.join(external.own_code)}, your own code, brings any"
    return said


def _hardware(group: Group) -> str:
    devices = list(dict.fromkeys(record.device for record, _ in group.runs if record.device))
    if not devices:
        return f"{OPEN}: GPU and its memory, or CPU"
    said = "; ".join(devices)
    return f"{said}; {OPEN}: which CPU" if any(one.startswith("cpu") for one in devices) else said


def _runs(group: Group) -> dict[str, Any]:
    row, records = group.row, [record for record, _ in group.runs]
    versions = group.record.versions or {}
    return {
        "from": ", ".join(f"{name} {row[name]}" for name in ("experiment", "arm", "task", "head")),
        "seeds": ", ".join(str(seed) for seed in row["seeds"]),
        "commit": row["commit"] or f"none: an installed sigraph {versions.get('sigraph', 'of unknown version')}",
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()) or "unknown",
        "commands": list(dict.fromkeys(record.command for record in records if record.command)) or f"{OPEN}: commands",
        "settings": row["hash"],
        "data": row["data"],
    }


def tuned(group: Group, heads: Sequence[str] = ()) -> str:
    """Tuned hyper-parameters in OGB's form, ``lr: [0.001*, 0.01], epochs: early-stop*``, the chosen value starred.

    Reads a record's ``grid``: ``{"chosen": {key: value}, "tried": [{"settings": {key: value}, "valid": score}, ...]}``
    with dotted keys; and its ``search``, of which the number of trials is said and what they were drawn from.

    Args:
        group: The runs behind a row.
        heads: That were put to the same encoder, of which validation chooses one.
    """
    parts = []
    search = next((record.search for record, _ in group.runs if record.search), None)
    if search is not None:
        parts = [f"{key}: {_plain(value)}* of {_drawn_from(search.space[key])}" for key, value in search.chosen.items()]
        redraws = f" and {search.redraws} redrawn splits of train and validation" if search.redraws else ""
        seeds = ", ".join(map(str, search.seeds))
        parts.append(f"drawn settings: {len(search.tried)} trials, each by validation on seeds {seeds}{redraws}")
    grid = next((record.grid for record, _ in group.runs if record.grid), None)
    for key, value in ({} if grid is None else grid.chosen).items():
        values = [trial["settings"][key] for trial in grid.tried if key in trial["settings"]] if grid else []
        texts = dict.fromkeys(_plain(v) for v in (values or [value]))
        parts.append(f"{key}: [{', '.join(t + '*' * (t == _plain(value)) for t in texts)}]")
    if len(tried := list(dict.fromkeys(heads))) > 1:
        parts.append(f"head: [{', '.join(head + '*' * (head == group.row['head']) for head in tried)}]")
    if group.record.kind == CLOSED_FORM:  # nothing trains in epochs
        parts += [f"of its own: {trials} settings, by validation*"] if (trials := group.row["trials"] or 1) > 1 else []
    elif group.row["head"] != "knn":
        parts.append("fine-tuning epochs: early-stop*")
    if grid is None and search is None:
        parts.append(f"{OPEN}: what was tuned by hand, all tried values")
    return ", ".join(parts)


def _drawn_from(stated: Any) -> str:
    """A list of choices, or a range, as an experiment file states it."""
    if not isinstance(stated, dict):
        return _plain(stated)
    more = [
        name
        for name, given in (("log", stated.get("log")), (f"step {stated.get('step')}", stated.get("step")))
        if given
    ]
    return f"[{' ... '.join(str(stated.get(end)) for end in ('low', 'high'))}{''.join(f', {name}' for name in more)}]"


def render_ogb(records: list[dict[str, Any]]) -> str:
    """One YAML document per submission; warnings are comments above it."""
    return "\n".join(_block(record) for record in records)


def _block(record: dict[str, Any]) -> str:
    title = ", ".join(f"{name} {record[name]}" for name in ("experiment", "arm", "task", "head"))
    comments = [title, *(f"warning: {text}" for text in record["warnings"])]
    if rules := list(dict.fromkeys(one.rule for one in record["refused"])):
        comments.append(f"refused as an entry by the rules {', '.join(rules)}")
    body = yaml.safe_dump(record["form"], sort_keys=False, allow_unicode=True, width=4096)
    return "\n".join(["---", *(f"# {' '.join(text.split())}" for text in comments), body])


def _performance(row: dict[str, Any], part: str) -> str:
    mean, std = row[f"{part}_mean"], row[f"{part}_std"]
    known = f"{mean:.4f} ± {std:.4f}" if std is not None else f"{mean:.4f}, spread unknown"
    return f"{known} ({row['metric']}, {row['n']} seed{'s' if row['n'] != 1 else ''}, unbiased std)"


def _warnings(group: Group) -> list[str]:
    """What may be rejected besides, or is worth saying."""
    row, found = group.row, []
    if row["status"] != "ok":
        found.append(row["status"].removeprefix("ok; "))
    if row["num_affected"]:
        score = row["test_without"]
        without = "" if score is None else f" (test {row['metric']} {score:.4f} without them)"
        found.append(f"leakage: {row['num_affected']} test samples also occur in training{without}")
    return found


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
