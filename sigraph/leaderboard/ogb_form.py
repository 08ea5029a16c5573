"""The fields of OGB's leaderboard submission form, as far as a run knows them."""

from __future__ import annotations

import json
from typing import Any

import yaml

from sigraph.leaderboard.comparison import Group

_SEEDS = {"ogbn-papers100M": 3}  # runs that OGB asks for; 10 elsewhere
_OPEN = "TO BE FILLED IN"


def ogb_record(group: Group) -> dict[str, Any]:
    """One submission: an arm on a task.

    Mean and unbiased standard deviation are over seeds, of the evaluator's raw output; parameters are summed over all
    stages: encoder, what was pre-trained beside it, and head. Hyper-parameters come from a record's ``grid``, see
    :func:`tuned`. What only the submitter knows reads ``TO BE FILLED IN`` with a hint.

    Returns:
        ``experiment``, ``arm``, ``task``, ``head``, ``form`` (the 13 fields of the form, as text) and ``warnings``
        (what OGB would reject).

    Source: ogb.stanford.edu/docs/leader_overview and leader_rules.
    """
    row = group.row
    version = (group.record.versions or {}).get("ogb")
    form = {
        "OGB version": version or f"{_OPEN}: of the ogb package that the evaluation corresponds to",
        "Method name": f"{_OPEN}: e.g. {row['arm']}; external data is to be named in it",
        "External data": f"{_OPEN}: Yes for raw text, pre-trained models or further data, else No",
        "Dataset": row["dataset"],
        "Test performance": _performance(row, "test"),
        "Validation performance": _performance(row, "valid"),
        "Contact": f"{_OPEN}: name, e-mail",
        "Code": f"{_OPEN}: public repository whose README gives the exact command",
        "Paper": f"{_OPEN}: link; a technical report for anything original, even a combination",
        "#Params": f"{row['num_parameters']:,}",
        "Tuned hyper-parameters": tuned(group),
        "Hardware": "; ".join(dict.fromkeys(r.device for r, _ in group.runs if r.device))
        or f"{_OPEN}: GPU and its memory, or CPU",
        "Officiality": f"{_OPEN}: official if an author of the method submits, else unofficial",
    }
    names = {name: row[name] for name in ("experiment", "arm", "task", "head")}
    return {**names, "form": form, "warnings": _warnings(group)}


def tuned(group: Group) -> str:
    """Tuned hyper-parameters in OGB's form, ``lr: [0.001*, 0.01], epochs: early-stop*``, the chosen value starred.

    Reads a record's ``grid``: ``{"chosen": {key: value}, "tried": [{"settings": {key: value}, "valid": score}, ...]}``
    with dotted keys.
    """
    parts = []
    grid = next((record.grid for record, _ in group.runs if record.grid), None)
    for key, value in ({} if grid is None else grid.chosen).items():
        values = [trial["settings"][key] for trial in grid.tried if key in trial["settings"]] if grid else []
        texts = dict.fromkeys(_plain(v) for v in (values or [value]))
        parts.append(f"{key}: [{', '.join(t + '*' * (t == _plain(value)) for t in texts)}]")
    if group.row["head"] != "knn":
        parts.append("fine-tuning epochs: early-stop*")
    if grid is None:
        parts.append(f"{_OPEN}: what was tuned by hand, all tried values")
    return ", ".join(parts)


def render_ogb(records: list[dict[str, Any]]) -> str:
    """One YAML document per submission; warnings are comments above it."""
    return "\n".join(_block(record) for record in records)


def _block(record: dict[str, Any]) -> str:
    title = ", ".join(f"{name} {record[name]}" for name in ("experiment", "arm", "task", "head"))
    comments = [title, *(f"warning: {text}" for text in record["warnings"])]
    body = yaml.safe_dump(record["form"], sort_keys=False, allow_unicode=True, width=4096)
    return "\n".join(["---", *(f"# {' '.join(text.split())}" for text in comments), body])


def _performance(row: dict[str, Any], part: str) -> str:
    mean, std = row[f"{part}_mean"], row[f"{part}_std"]
    known = f"{mean:.4f} ± {std:.4f}" if std is not None else f"{mean:.4f}, spread unknown"
    return f"{known} ({row['metric']}, {row['n']} seed{'s' if row['n'] != 1 else ''}, unbiased std)"


def _warnings(group: Group) -> list[str]:
    row, found = group.row, []
    needed = _SEEDS.get(row["dataset"], 10)
    if row["n"] < needed:
        found.append(f"n = {row['n']} seeds; OGB asks for {needed}")
    if row["seeds"] != list(range(row["n"])):
        found.append(
            f"seeds {', '.join(str(s) for s in row['seeds'])}; OGB asks for 0 to {needed - 1}, not chosen ones"
        )
    if not row["dataset"].startswith("ogb"):
        found.append(f"{row['dataset']} is no OGB data set")
    if row["status"] != "ok":
        found.append(row["status"].removeprefix("ok; "))
    if row["num_affected"]:
        score = row["test_without"]
        without = "" if score is None else f" (test {row['metric']} {score:.4f} without them)"
        found.append(f"leakage: {row['num_affected']} test samples also occur in training{without}")
    return found


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
