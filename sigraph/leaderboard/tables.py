"""A leaderboard's rows as Markdown, CSV, JSON, or OGB's form."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from sigraph.files.foreign_text import sheet_cell
from sigraph.files.markdown import markdown_table
from sigraph.leaderboard.ogb_form import render_ogb
from sigraph.leaderboard.statistics import mean_ranks

FORMATS = ("markdown", "csv", "json", "ogb")
FIELDS = (  # those that others rely on first
    *("experiment", "arm", "task", "head", "primary", "metric", "n", "test_mean", "test_std", "valid_mean"),
    *("valid_std", "rre", "p_value", "num_parameters", "seconds", "status"),
    *("dataset", "entry", "hash", "data", "version", "commit", "sources", "seeds", "num_failed"),
    *("baseline", "difference", "num_pairs"),
    *("rre_low", "rre_high", "p_wilcoxon", "p_holm", "rank", "num_steps", "transductive"),
    *("num_affected", "test_without", "label_edges"),
    *("difference_low", "difference_high"),
    *("kind", "visible", "trials", "compared_with"),
    *("scores", "repeats", "repeats_std"),
)
_NONE = "–"
_LONGEST = 120  # characters of a status in Markdown; the other formats give it in full

Row = dict[str, Any]


def render(rows: list[Row], forms: list[dict[str, Any]], format: str) -> str:
    """The rows as text.

    Args:
        rows: From :meth:`Leaderboard.rows`.
        forms: From :meth:`Leaderboard.ogb_records`; used by ``ogb`` only.
        format: One of :data:`FORMATS`.
    """
    if format not in FORMATS:
        raise ValueError(f"'format' needs to be one of {', '.join(FORMATS)} in 'table' (got {format!r})")
    if format == "ogb":
        return render_ogb(forms)
    rows = [{name: row[name] for name in FIELDS} for row in rows]
    if format == "json":
        return json.dumps({"rows": rows}, indent=1, allow_nan=False, ensure_ascii=False)
    if format == "csv":
        return _csv(rows)
    return "\n\n".join([markdown_table(*_columns(rows), padded=True), *_rank_tables(rows)])


def _csv(rows: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        plain = {name: sheet_cell(value) for name, value in row.items()}
        scores = row["scores"] and json.dumps(row["scores"], ensure_ascii=False)
        writer.writerow({**plain, "seeds": " ".join(str(seed) for seed in row["seeds"]), "scores": scores})
    return out.getvalue().removesuffix("\n")


def _columns(rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Titles and cells; a column is left out where it would say the same, or nothing, in every line."""
    experiments = {row["experiment"] for row in rows}
    baselines = {row["baseline"] for row in rows if row["difference"] is not None}
    against = f"against {_text(*baselines)}" if len(baselines) == 1 else "against baseline"
    paired = any((row["num_pairs"] or 0) > 1 for row in rows)
    corrected = any(row["p_holm"] != row["p_value"] for row in rows)
    settings: dict[tuple, set] = {}
    for row in rows:
        settings.setdefault((row["experiment"], row["arm"]), set()).add(row["hash"])
    finished = [row for row in rows if row["n"]]
    columns: list[tuple[str, Callable[[Row], str], bool]] = [
        ("experiment", lambda row: _text(row["experiment"]), len(experiments) > 1),
        ("arm", lambda row: _text(row["arm"]), True),
        ("settings", lambda row: _text(row["hash"]), any(len(codes) > 1 for codes in settings.values())),
        ("dataset", lambda row: _text(row["dataset"]), len({row["dataset"] for row in finished}) > 1),
        ("task", lambda row: _text(row["task"]), True),
        ("head", _head, True),
        ("metric", lambda row: _text(row["metric"]), True),
        ("graph", lambda row: row["visible"] or _NONE, any(row["visible"] is not None for row in rows)),
        ("n", lambda row: f"{row['n']}" + (f" ({row['num_failed']} failed)" if row["num_failed"] else ""), True),
        ("valid", lambda row: _score(row, "valid"), True),
        ("test", lambda row: _score(row, "test"), True),
        (against, _difference, bool(baselines)),
        ("RRE %", _reduction, paired),
        ("p", lambda row: _p(row["p_value"]), paired),
        ("p (Holm)", lambda row: _p(row["p_holm"]), paired and corrected),
        ("parameters", lambda row: _number(row["num_parameters"], ","), True),
        ("seconds", lambda row: _number(row["seconds"], ".1f"), True),
        ("status", _status, any(row["status"] != "ok" for row in rows)),
    ]
    shown = [(title, cell) for title, cell, needed in columns if needed]
    return [title for title, _ in shown], [[cell(row) for _, cell in shown] for row in rows]


def _rank_tables(rows: list[Row]) -> list[str]:
    """Mean ranks of an experiment's arms over its tasks, a column a head; nothing for a single task."""
    tables = []
    for experiment in dict.fromkeys(row["experiment"] for row in rows):
        ranked = [row for row in rows if row["experiment"] == experiment and row["rank"] is not None]
        columns: dict[str, dict[str, float]] = {}
        for head in dict.fromkeys(row["head"] for row in ranked):
            tasks: dict[tuple, dict[str, float]] = {}
            for row in (row for row in ranked if row["head"] == head):
                tasks.setdefault((row["dataset"], row["task"], row["entry"]), {})[row["arm"]] = row["rank"]
            means, count = mean_ranks(list(tasks.values()))
            number = len({task[:2] for task in tasks})
            if number > 1 and count:
                what = "tasks" if number == len(tasks) else "entries"  # of finetune, some of one task
                columns[f"{head}, {count} of {len(tasks)} {what}"] = means
        if columns:
            arms = list(dict.fromkeys(row["arm"] for row in ranked))
            lines = [[_text(arm), *(_number(means.get(arm), ".2f") for means in columns.values())] for arm in arms]
            tables.append(markdown_table([f"mean rank in {_text(experiment)} (1: best)", *columns], lines, padded=True))
    return tables


def _text(value: Any) -> str:
    return _NONE if value is None else str(value)


def _number(value: float | None, format: str, none: str = _NONE) -> str:
    return none if value is None else f"{value:{format}}"


def _score(row: Row, part: str) -> str:
    mean, std = row[f"{part}_mean"], row[f"{part}_std"]
    return _number(mean, ".4f") + ("" if std is None else f" ± {std:.4f}")


def _head(row: Row) -> str:
    """Kind, which entry of a task it is of several, and how many fine-tunings a seed has."""
    entry, repeats = row["entry"] or 1, row["repeats"] or 1
    return _text(row["head"]) + (f" #{entry}" if entry > 1 else "") + (f" ×{repeats}" if repeats > 1 else "")


def _difference(row: Row) -> str:
    if row["difference"] is None:
        return ""
    low, high = row["difference_low"], row["difference_high"]
    return f"{row['difference']:+z.4f}" + ("" if low is None else f" [{low:+z.3f}, {high:+z.3f}]")


def _reduction(row: Row) -> str:
    if row["rre"] is None:
        return ""
    return f"{row['rre']:+z.1f}" + (
        "" if row["rre_low"] is None else f" [{row['rre_low']:+z.1f}, {row['rre_high']:+z.1f}]"
    )


def _p(value: float | None) -> str:
    return "" if value is None else "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def _status(row: Row) -> str:
    text = " ".join(row["status"].split())
    return _text(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
