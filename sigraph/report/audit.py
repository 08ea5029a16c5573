"""A picture of an audit: local consistency against chance."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sigraph.files.atomic import atomic_file
from sigraph.files.foreign_text import printable
from sigraph.files.paths import user_path
from sigraph.theory.audit.report import AuditReport, AuditRow

_COLORS = {
    "promising": "tab:green",
    "weak": "tab:olive",
    "useless": "tab:gray",
    "undefined": "tab:blue",
    "suspicious": "tab:red",
}
_MOST = 40  # classes or label columns of a row
_COLUMNS = 3


@rc_context({"text.parse_math": False})  # a dollar in a name is a dollar
def audit_figure(report: AuditReport, path: str | Path) -> Path:
    """Draw a panel for each graph and task: LC with its interval, and what chance gives, by class or label column.

    Chance is drawn as a bar three standard deviations to both sides. Of more than 40 classes or label columns the 40
    with most samples are drawn.

    Args:
        report: What was found.
        path: The PNG, SVG or PDF to write.

    Returns:
        ``path``.
    """
    path = user_path(path)
    columns = min(len(report.rows), _COLUMNS)
    lines = -(-len(report.rows) // columns)
    height = max(1 + len(_listed(row)) for row in report.rows)
    figure = Figure(figsize=(5.2 * columns, lines * (1.6 + 0.26 * height)), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).reshape(-1)
    for axis, row in zip(axes, report.ranking(), strict=False):
        _panel(axis, row)
    for axis in axes[len(report.rows) :]:
        axis.set_axis_off()
    with atomic_file(path) as file:
        figure.savefig(file, format=path.suffix[1:].lower() or "png", dpi=120)
    return path


def _listed(row: AuditRow) -> list:
    return sorted(row.parts, key=lambda part: -part.count)[:_MOST]


def _panel(axis: Axes, row: AuditRow) -> None:
    parts = sorted(_listed(row), key=lambda part: -part.local_consistency)
    color = _COLORS[row.verdict]
    for i, part in enumerate([row, *parts]):
        if part.null_mean is not None:
            spread = 3 * (part.null_std or 0.0)
            axis.barh(i, 2 * spread, left=part.null_mean - spread, height=0.5, color="lightgrey")
            axis.plot([part.null_mean] * 2, [i - 0.35, i + 0.35], color="black", linewidth=1)
        if part.local_consistency is not None:
            if part.low is not None and part.high is not None:
                axis.plot([part.low, part.high], [i, i], color=color, linewidth=1.5)
            axis.plot(part.local_consistency, i, "o" if i else "D", color=color, markersize=5 if i else 7)
    axis.set_yticks(range(1 + len(parts)), ["all", *(printable(f"{part.name:.24}") for part in parts)])
    axis.invert_yaxis()
    low = -1.02 if row.type == "regression" else -0.02
    axis.set_xlim(low, 1.02)
    axis.set_xlabel("local consistency; grey: chance ± 3 std")
    axis.set_title(fill(printable(f"{row.graph} × {row.task}: {row.verdict}"), 50), fontsize=11)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
