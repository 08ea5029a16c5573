"""What pre-training left in the latent space, arm by arm: the table of experiments that fine-tune nothing."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from sigraph.files.markdown import markdown_table

_HELD_OUT = {"valid_mrr": "MRR", "valid_hits@10": "hits@10"}
TITLES = ["arm", "n", *(f"held-out edges, {name}" for name in _HELD_OUT.values()), "edges before non-edges (AUC)"]


def latent_table(records: Sequence[Mapping[str, Any]]) -> str:
    """Mean ± unbiased standard deviation over seeds, a row an arm, as Markdown.

    How high edges that pre-training was not given are ranked (mean reciprocal rank; share among the ten nearest), and
    how often an edge is shorter than a pair that is none. Each arm is measured on its own graph.

    Args:
        records: Of finished and other runs, in the order of the arms; only finished pre-trainings count.
    """
    by_arm: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if record["status"] == "ok" and record.get("pretrain"):
            by_arm.setdefault(record["arm"], []).append(record["pretrain"])
    rows = []
    for arm, found in by_arm.items():
        last = [(one.get("validation") or [{}])[-1] for one in found]
        auc = [(one.get("certificate") or {}).get("auc") for one in found]
        rows.append(
            [arm, str(len(found)), *(_spread([one.get(key) for one in last]) for key in _HELD_OUT), _spread(auc)]
        )
    return markdown_table(TITLES, rows, padded=True)


def _spread(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    spread = f" ± {statistics.stdev(known):.4f}" if len(known) > 1 else ""
    return f"{statistics.fmean(known):.4f}{spread}"
