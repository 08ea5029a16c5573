"""What stands below a table of leakage that the runs' records state."""

from __future__ import annotations

from typing import Any


def leakage_lines(records: list[dict[str, Any]], only: str | None = None) -> list[str]:
    """What the records of runs say of labels in edges and of repeated test samples, a line for each task.

    Args:
        records: As in ``results.json``; what they lack is not said.
        only: This task alone; None: all.
    """
    told: dict[tuple[Any, ...], dict[str, None]] = {}
    repeated: dict[str, None] = {}
    for record in records:
        for task in record.get("tasks") or []:
            found = task.get("leakage")
            if not isinstance(found, dict) or only not in (None, task["task"]):
                continue
            if reason := found.get("label_edges"):
                key = record["experiment"], task["task"], task["dataset"], reason
                told.setdefault(key, {})[str(record["arm"])] = None
            if found.get("num_affected"):
                whole = found.get("num_test")
                count = f"{found['num_affected']:,}" + ("" if whole is None else f" of {whole:,}")
                what = f"test samples of task {task['task']!r} of {task['dataset']} also occur in training"
                where = "the leaderboard's JSON and results.json hold the scores without them"
                repeated[f"leakage: {count} {what}; {where}"] = None
    suspicious = [
        f"leakage: suspicious: {name} ({', '.join(arms)}), task {task!r} of {data}: {reason}"
        for (name, task, data, reason), arms in told.items()
    ]
    return [*dict.fromkeys(suspicious), *repeated]
