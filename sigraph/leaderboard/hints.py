"""What stands below a table of arms that learnt nothing but which class is the commonest."""

from __future__ import annotations

from typing import Any

RANKS = ("rocauc", "ap")  # metrics that do not ask which class was said
WAYS = (
    "finetune.class_weight: balanced gives rare classes their weight in the loss, and a metric such as macro_f1, or "
    "rocauc for two classes, sees them"
)


def hint_lines(records: list[dict[str, Any]], only: str | None = None) -> list[str]:
    """A line for each task and class that an arm predicted for every test sample, with the way out.

    Args:
        records: As in ``results.json``.
        only: This task alone; None: all.
    """
    found: dict[tuple[str, str], dict[str, None]] = {}
    for record in records:
        if record.get("kind") == "closed-form":  # majority means to
            continue
        for task in record.get("tasks") or []:
            constant = task.get("constant")
            if isinstance(constant, str) and task["metric"] not in RANKS and only in (None, task["task"]):
                where = f"{record['arm']} ({task['head']})"
                found.setdefault((str(task["task"]), constant), {})[where] = None
    return [
        f"hint: task {task!r}: {', '.join(arms)} said {constant!r} of every test sample with some seed, as 'majority' "
        f"does: {WAYS}"
        for (task, constant), arms in found.items()
    ]
