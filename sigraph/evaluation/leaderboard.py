"""Leaderboard: means and spreads over seeds, one row per arm, task and head."""

from __future__ import annotations

import math
import statistics
from typing import Any

_COMPARABLE = ("experiment", "dataset", "task", "head", "metric")  # equal where two rows may be subtracted
_NONE = "–"

COLUMNS = ("arm", "task", "head", "metric", "n", "valid", "test", "against baseline", "parameters", "seconds")


class Leaderboard:
    """Aggregates the records of finished runs.

    Spread is the unbiased standard deviation over seeds. Runs of other settings (another hash) are never averaged
    together. A failed run is shown beside the number of seeds that finished.

    Args:
        records: As in ``results.json``, one per (arm, seed).
        baseline: The arm that the others are compared with: the difference of mean test scores.
    """

    def __init__(self, records: list[dict[str, Any]], baseline: str | None = None) -> None:
        self.records, self.baseline = records, baseline

    def rows(self) -> list[dict[str, Any]]:
        """One row per arm, task and head, in the order of the records; scores as fractions."""
        groups: dict[tuple, list[tuple[dict, dict]]] = {}
        failed: dict[tuple, int] = {}
        for record in self.records:
            arm = (record["experiment"], record["arm"], record["hash"], record.get("data"))
            if record["status"] != "ok":
                failed[arm[:3]] = failed.get(arm[:3], 0) + 1
                continue
            for task in record["tasks"]:
                groups.setdefault((*arm, task["dataset"], task["task"], task["head"]), []).append((record, task))
        rows = [self._row(key, group, failed.get(key[:3], 0)) for key, group in groups.items()]
        finished = {key[:3] for key in groups}
        rows += [_failed_row(key, count) for key, count in failed.items() if key not in finished]
        for row in rows:
            base = [r for r in rows if r["arm"] == self.baseline and all(r[part] == row[part] for part in _COMPARABLE)]
            known = len(base) == 1 and row["n"] and row is not base[0]
            row["difference"] = row["test_mean"] - base[0]["test_mean"] if known else None
        return rows

    @staticmethod
    def _row(key: tuple, group: list[tuple[dict, dict]], num_failed: int) -> dict[str, Any]:
        experiment, arm, code, _, dataset, task, head = key
        valid, test = ([t[part] for _, t in group] for part in ("valid", "test"))
        sizes = group[0][0]["pretrain"]["num_parameters"]
        return {
            "experiment": experiment,
            "arm": arm,
            "hash": code,
            "dataset": dataset,
            "task": task,
            "head": head,
            "primary": group[0][1]["primary"],
            "metric": group[0][1]["metric"],
            "n": len(group),
            "num_failed": num_failed,
            "valid_mean": statistics.fmean(valid),
            "valid_std": spread(valid),
            "test_mean": statistics.fmean(test),
            "test_std": spread(test),
            "num_parameters": sizes["encoder"] + sizes["other"] + group[0][1]["num_parameters"],
            "seconds": statistics.fmean(r["pretrain"]["seconds"] + t["seconds"] for r, t in group),
            "status": "ok" if not num_failed else f"{num_failed} failed",
        }

    def table(self) -> str:
        """Markdown, one line per row; mean ± unbiased standard deviation over seeds."""
        rows = self.rows()
        heads = [c for c in COLUMNS if c != "against baseline" or any(row["difference"] is not None for row in rows)]
        lines = [[_cell(row, column) for column in heads] for row in rows]
        titles = [f"against {self.baseline}" if c == "against baseline" else c for c in heads]
        widths = [max(len(line[i]) for line in [titles, *lines]) for i in range(len(heads))]
        out = [titles, ["-" * width for width in widths], *lines]
        padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in out]
        return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def spread(values: list[float]) -> float | None:
    """Unbiased standard deviation; None for a single value, whose spread is not known."""
    return statistics.stdev(values) if len(values) > 1 else None


def _failed_row(key: tuple, count: int) -> dict[str, Any]:
    empty = dict.fromkeys(("dataset", "task", "head", "metric", "valid_mean", "valid_std", "test_mean", "test_std"))
    base = {"experiment": key[0], "arm": key[1], "hash": key[2], "primary": False, "n": 0, "num_failed": count}
    return {**base, **empty, "num_parameters": None, "seconds": None, "status": f"{count} failed"}


def _cell(row: dict[str, Any], column: str) -> str:
    if column in ("valid", "test"):
        mean, std = row[f"{column}_mean"], row[f"{column}_std"]
        if mean is None:
            return _NONE
        return f"{mean:.4f}" if std is None or math.isnan(std) else f"{mean:.4f} ± {std:.4f}"
    if column == "against baseline":
        return "" if row["difference"] is None else f"{row['difference']:+.4f}"
    if column == "n":
        return str(row["n"]) + (f" ({row['num_failed']} failed)" if row["num_failed"] else "")
    if column == "parameters":
        return _NONE if row["num_parameters"] is None else f"{row['num_parameters']:,}"
    if column == "seconds":
        return _NONE if row["seconds"] is None else f"{row['seconds']:.1f}"
    return _NONE if row[column] is None else str(row[column])
