"""A picture of a learning curve: scores against the number of labels, and by how much methods differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sigraph.files.atomic import atomic_file
from sigraph.files.foreign_text import printable

_COLORS = ("tab:gray", "tab:green", "tab:orange", "tab:blue", "tab:purple", "tab:red")


class Line(NamedTuple):
    """Values at each number of labels.

    Args:
        value: Shape [n].
        low, high: What is shaded around them; NaN: nothing.
    """

    value: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@rc_context({"text.parse_math": False})  # a dollar in a name is a dollar
def learning_curve_figure(
    path: Path, labels: Sequence[int], scores: Mapping[str, Line], gains: Mapping[str, Line], metric: str, title: str
) -> Path:
    """Draw scores of methods (shaded: deviation over draws) and, beside them, gains (shaded: their interval).

    Args:
        path: The PNG to write.
        labels: How many there are in all, ascending. Shape [n].
        scores: By method.
        gains: By what is compared; positive is better.
        metric: What the scores are.
        title: Of the picture.

    Returns:
        ``path``.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    color = dict(zip(scores, _COLORS, strict=False))
    for name, line in scores.items():
        _draw(left, labels, line, name, color[name])
    for name, line in gains.items():
        _draw(right, labels, line, name, color[name.partition(" over ")[0]])
    right.axhline(0, color="black", linewidth=0.8)
    left.set_ylabel(f"{metric}; shaded: ± std over draws")
    right.set_ylabel("gain; shaded: 95 % interval")
    for axis in (left, right):
        _dress(axis, labels)
    figure.suptitle(printable(title), fontsize=11)
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=120)
    return path


def _draw(axis: Axes, labels: Sequence[int], line: Line, name: str, color: str) -> None:
    axis.plot(labels, line.value, "o-", color=color, markersize=5, linewidth=1.6, label=printable(f"{name:.40}"))
    low, high = (np.asarray(end, np.float64) for end in (line.low, line.high))
    if len(labels) > 1:
        axis.fill_between(labels, low, high, color=color, alpha=0.15, linewidth=0)
    else:
        axis.vlines(labels, low, high, color=color, alpha=0.4)


def _dress(axis: Axes, labels: Sequence[int]) -> None:
    axis.set_xscale("log")
    axis.set_xticks(list(labels), [f"{number:,}" for number in labels], rotation=30 if len(labels) > 6 else 0)
    axis.minorticks_off()
    axis.set_xlabel("labels in all")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=9, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
