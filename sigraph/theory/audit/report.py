"""AuditReport: what an audit found, as rows, as a table, as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from sigraph.files.foreign_text import printable
from sigraph.files.markdown import markdown_table
from sigraph.theory.audit.shape import GraphShape

VERDICTS = ("promising", "weak", "useless", "undefined", "suspicious")  # from best to worst
_SHOWN = 10  # classes or label columns in the table of a row


@dataclass
class Part:
    """Local consistency of one class or label column.

    Args:
        name: What the user calls it.
        count: Samples that count: of the class, or carriers of the label, with a labelled neighbour.
        local_consistency: Mean share of their labelled neighbours that are like them.
        low, high: 95 % bootstrap interval over samples.
        null_mean, null_std, z: As in :class:`AuditRow`.
    """

    name: str
    count: int
    local_consistency: float
    low: float | None
    high: float | None
    null_mean: float | None = None
    null_std: float | None = None
    z: float | None = None


@dataclass
class AuditRow:
    """One graph and one task.

    Args:
        graph, task: Their names.
        type: ``classification``, ``multilabel`` or ``regression``; where labels are not of samples, what they are of.
        shape: Degrees and components of the graph.
        labels: Which were looked at: ``seen`` (train and valid), ``train``, ``all``, ``given`` (no split), ``none``.
        num_samples: Labelled samples of the task, whether looked at or not.
        num_labelled: Samples whose labels were looked at.
        num_counted: Of these, those with a neighbour whose label was looked at.
        coverage: Share of the task's samples with a neighbour, in [0, 1]; None without samples.
        labelled_coverage: Share with a neighbour whose label was looked at.
        local_consistency: LC; None where it is not defined.
        low, high: Its 95 % bootstrap interval over samples.
        null: ``exact``, ``permuted`` or ``rewired``; ``null_draws``: draws in which LC was defined.
        null_mean, null_std: LC if the graph said nothing about the labels.
        z: (LC - null mean) / null std; None where the null does not vary.
        majority: Share of the largest class among the samples that count; classes only.
        parts: By class or label column.
        leakage: What :func:`~sigraph.theory.leakage.leakage` found; None: there is no split, so no test set.
        verdict: ``promising``, ``weak``, ``useless``, ``undefined`` (labels are not of samples) or ``suspicious``; see
            :func:`~sigraph.theory.audit.audit`.
        reason: Of the verdict, in words.
        notes: What to know before the task is scored: a rare class, a metric that a part of the split leaves undefined.
    """

    graph: str
    task: str
    type: str
    shape: GraphShape
    labels: str = ""
    num_samples: int = 0
    num_labelled: int = 0
    num_counted: int = 0
    coverage: float | None = None
    labelled_coverage: float | None = None
    local_consistency: float | None = None
    low: float | None = None
    high: float | None = None
    null: str | None = None
    null_draws: int | None = None
    null_mean: float | None = None
    null_std: float | None = None
    z: float | None = None
    majority: float | None = None
    parts: list[Part] = field(default_factory=list)
    leakage: dict[str, Any] | None = None
    verdict: str = ""
    reason: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def gain(self) -> float | None:
        """LC above its null mean."""
        if self.local_consistency is None or self.null_mean is None:
            return None
        return self.local_consistency - self.null_mean


@dataclass
class AuditReport:
    """What an audit found: a row for each graph and task, in the order asked for.

    Example:
        >>> print(report)  # its table
        >>> report.ranking()[0].graph
        'citation'
    """

    rows: list[AuditRow]

    def ranking(self) -> list[AuditRow]:
        """From best to worst: by verdict, then by LC above its null mean."""

        def key(row: AuditRow) -> tuple[int, float]:
            return VERDICTS.index(row.verdict), -(row.gain if row.gain is not None else -2.0)

        return sorted(self.rows, key=key)

    def __str__(self) -> str:
        return self.table()

    def to_dict(self) -> dict[str, Any]:
        """For JSON: ``rows`` in the order asked for, each with its ``rank``."""
        rank = {id(row): number for number, row in enumerate(self.ranking(), start=1)}
        return {"rows": [{"rank": rank[id(row)], **asdict(row), "gain": row.gain} for row in self.rows]}

    def table(self) -> str:
        """Markdown: the rows from best to worst, the graphs, and each row's classes or label columns."""
        ranked = self.ranking()
        head = ["graph", "task", "LC", "95 % interval", "chance", "z", "largest class", "coverage", "verdict"]
        rows = [[row.graph, row.task, *_figures(row), row.verdict] for row in ranked]
        blocks = [markdown_table(head, rows, padded=True), "\n".join(_sentence(row) for row in ranked)]
        graphs = {row.graph: row.shape for row in self.rows}
        blocks.append(markdown_table(_SHAPE, [[name, *_shape(shape)] for name, shape in graphs.items()], padded=True))
        blocks += [_part_table(row) for row in ranked if row.parts]
        return "\n\n".join(blocks)


_USED = {
    "seen": "of train and valid",
    "train": "of train",
    "all": "of train, valid and test",
    "given": "as given",
    "none": "of samples",
}
_SHAPE = ["graph", "nodes", "edges", "mean degree", "median", "max", "isolated", "components", "largest"]


def _figures(row: AuditRow) -> list[str]:
    chance = "–" if row.null_mean is None else f"{row.null_mean:.3f} ± {_text(row.null_std, '.4f')}"
    cover = f"{_text(row.coverage, '.1%')}, labelled {_text(row.labelled_coverage, '.1%')}"
    interval = "–" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"
    figures = [_text(row.local_consistency, ".3f"), interval, chance, _text(row.z, ".1f")]
    return [*figures, _text(row.majority, ".3f"), cover]


def _sentence(row: AuditRow) -> str:
    how = {"exact": "all permutations", "permuted": f"{row.null_draws} permutations"}
    drawn = f"; chance: {how.get(row.null, f'{row.null_draws} rewired graphs')}" if row.null else ""
    looked = f"{row.num_labelled:,} labels {_USED[row.labels]}, {row.num_counted:,} with a labelled neighbour{drawn}"
    noted = "".join(f" {note}." for note in [*(row.leakage or {}).get("notes", []), *row.notes])
    return printable(f"- {row.graph} × {row.task}: **{row.verdict}**. {row.reason} ({looked}).{noted}")


def _shape(shape: GraphShape) -> list[str]:
    degrees = [f"{shape.mean_degree:.2f}", f"{shape.median_degree:g}", f"{shape.max_degree:,}"]
    counts = [shape.num_isolated, shape.num_components, shape.largest_component]
    return [f"{shape.num_nodes:,}", f"{shape.num_edges:,}", *degrees, *(f"{count:,}" for count in counts)]


def _part_table(row: AuditRow) -> str:
    what = "class" if row.type == "classification" else "label"
    listed = sorted(row.parts, key=lambda part: -part.count)
    rows = [
        [
            part.name,
            f"{part.count:,}",
            f"{part.local_consistency:.3f}",
            _text(part.null_mean, ".3f"),
            _text(part.z, ".1f"),
        ]
        for part in listed[:_SHOWN]
    ]
    more = f"\n\n{len(listed) - _SHOWN:,} more; --format json has all" if len(listed) > _SHOWN else ""
    titles = [f"{row.graph} × {row.task}: {what}", "samples", "LC", "chance", "z"]
    return markdown_table(titles, rows, padded=True) + more


def _text(value: float | None, format: str) -> str:
    return "–" if value is None else f"{value:{format}}"
