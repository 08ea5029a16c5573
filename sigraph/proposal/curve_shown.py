"""What was found of a learning curve as words, as a table, as lines of a picture, and for JSON."""

from __future__ import annotations

import math
from typing import Any

from sigraph.files.markdown import markdown_table
from sigraph.proposal.advice import Findings
from sigraph.proposal.learning_curve import Gain, Point
from sigraph.report.learning_curve import Line

_UNBOUNDED = ("mae", "rmse", "log_loss")  # metrics whose size is that of the labels


def labels_said(point: Point) -> str:
    """How many labels, in words."""
    size = point.size
    if size.is_all:
        return f"all {size.num_labels:,} labels"
    if size.per_class is None:
        return f"{size.num_labels:,} labels"
    return f"{size.per_class:,} label{'s' * (size.per_class > 1)} a class ({size.num_labels:,} in all)"


def listed(points: list[Point], which: list[int]) -> str:
    """Several numbers of labels, in words."""
    if len(which) == len(points) > 1:
        return "any number of labels"
    sizes = [points[i].size for i in which]
    named = ["all" if size.is_all else f"{size.per_class or size.num_labels:,}" for size in sizes]
    text = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    of_classes = any(size.per_class for size in sizes)
    return f"{text} label{'s' * (text != '1')}{' a class' * of_classes}"


def number_said(found: Findings, value: float, sign: str = "") -> str:
    """A score or a difference of scores."""
    return f"{value:{sign}.4g}" if found.curve.task.metric in _UNBOUNDED else f"{value:{sign}.3f}"


def gain_said(found: Findings, gain: Gain, what: str = "") -> str:
    """A gain with its interval."""
    ends = "not defined"
    if gain.low is not None and gain.high is not None:
        ends = f"{number_said(found, gain.low, '+')} to {number_said(found, gain.high, '+')}"
    return f"{what} {number_said(found, gain.value, '+')} (95 % interval {ends})".strip()


def duration(seconds: float) -> str:
    """In seconds, minutes or hours."""
    if seconds < 120:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def curve_table(found: Findings) -> str:
    """Markdown: a row for each number of labels."""
    curve = found.curve
    methods = list(curve.points[0].mean)
    shown = found.shown_pairs
    of_classes = curve.task.type == "classification"
    titles = ["labels a class"] * of_classes + ["labels in all", *methods]
    titles += [f"{ours} over {theirs}" for ours, theirs in shown]
    rows = []
    for point in curve.points:
        size = point.size
        cells = ["all" if size.is_all or size.per_class is None else f"{size.per_class:,}"] if of_classes else []
        cells.append(f"{size.num_labels:,}")
        cells += [_score(found, point, name) for name in methods]
        rows.append(cells + [_cell(found, point.gains[pair]) for pair in shown])
    return markdown_table(titles, rows, padded=True)


def _score(found: Findings, point: Point, name: str) -> str:
    spread = point.std[name]
    said = number_said(found, point.mean[name])
    return said if math.isnan(spread) or len(point.size.draws) == 1 else f"{said} ± {number_said(found, spread)}"


def _cell(found: Findings, gain: Gain) -> str:
    if gain.low is None or gain.high is None:
        return number_said(found, gain.value, "+")
    low, high = (number_said(found, end, "+") for end in (gain.low, gain.high))
    return f"{number_said(found, gain.value, '+')} [{low}, {high}]"


def lines_of(found: Findings) -> tuple[dict[str, Line], dict[str, Line]]:
    """What a picture shows: scores by method, and gains by what is compared."""
    points = found.curve.points
    scores = {}
    for name in points[0].mean:
        mean, std = ([getattr(point, what)[name] for point in points] for what in ("mean", "std"))
        scores[name] = Line(mean, *([m + s * side for m, s in zip(mean, std, strict=True)] for side in (-1, 1)))
    gains = {}
    for pair in found.shown_pairs:
        own = [point.gains[pair] for point in points]
        low, high = ([math.nan if end is None else end for end in side] for side in zip(*map(_ends, own), strict=True))
        gains[f"{pair[0]} over {pair[1]}"] = Line([gain.value for gain in own], low, high)
    return scores, gains


def _ends(gain: Gain) -> tuple[float | None, float | None]:
    return gain.low, gain.high


def findings_dict(found: Findings) -> dict[str, Any]:
    """For JSON."""
    curve = found.curve
    return {
        "experiment": found.config.name,
        "arm": found.arm,
        "baseline": found.baseline,
        "task": curve.task.name,
        "metric": curve.task.metric,
        "greater_is_better": curve.task.greater_is_better,
        "num_valid": curve.num_valid,
        "points": [_point(point) for point in curve.points],
        "runs": {
            name: {
                "epochs": run.epochs,
                "num_steps": run.num_steps,
                "whole_epochs": run.whole_epochs,
                "whole_seconds": run.whole_seconds,
            }
            for name, run in found.runs.items()
        },
        "num_seeds": len(found.config.seeds),
        "seconds": curve.seconds,
        "left_out": found.left_out,
        "notes": found.notes,
    }


def _point(point: Point) -> dict[str, Any]:
    size = point.size
    return {
        "labels_per_class": size.per_class,
        "labels": size.num_labels,
        "all": size.is_all,
        "draws": len(size.draws),
        "scores": {
            name: {"mean": mean, "std": None if math.isnan(point.std[name]) else point.std[name]}
            for name, mean in point.mean.items()
        },
        "gains": [
            {"arm": ours, "over": theirs, "value": gain.value, "low": gain.low, "high": gain.high}
            for (ours, theirs), gain in point.gains.items()
        ],
    }
