"""What stands below a table of arms that learnt nothing but which class is the commonest, or nothing at all."""

from __future__ import annotations

from typing import Any

from sigraph.leaderboard.record_fields import NO_HEAD

RANKS = ("rocauc", "ap")  # metrics that do not ask which class was said
NO_STEPS = ("knn", NO_HEAD)  # heads that take no steps of an optimiser
SLOW = (
    "no epoch of it validated better than its first: too few or too small steps; a larger finetune.optimizer.lr "
    "(of the encoder alone encoder_lr_scale), max_epochs and patience teach more"
)
WAYS = (
    "finetune.class_weight: balanced gives rare classes their weight in the loss, and a metric such as macro_f1, or "
    "rocauc for two classes, sees them"
)


def hint_lines(records: list[dict[str, Any]], only: str | None = None) -> list[str]:
    """A line for each task and class that an arm predicted for every test sample, with the way out.

    Of fine-tunings whose best epoch is the first it is another than of those that learned.

    Args:
        records: As in ``results.json``.
        only: This task alone; None: all.
    """
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for record in records:
        if record.get("kind") == "closed-form":  # majority means to
            continue
        for task in record.get("tasks") or []:
            constant = task.get("constant")
            if isinstance(constant, str) and task["metric"] not in RANKS and only in (None, task["task"]):
                where = f"{record['arm']} ({task['head']})"
                steps = task["head"] not in NO_STEPS and not task.get("probe")
                way = SLOW if steps and task.get("best_epoch") in (-1, 0) else WAYS
                found.setdefault((str(task["task"]), constant, way), {})[where] = None
    return [
        f"hint: task {task!r}: {', '.join(arms)} said {constant!r} of every test sample with some seed, as 'majority' "
        f"does: {way}"
        for (task, constant, way), arms in found.items()
    ]
