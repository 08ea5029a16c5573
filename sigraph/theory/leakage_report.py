"""LeakageReport: what was found of a task's answers in a graph and in training, and what that means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

MAX_SHARE, LEAST_ROWS = 0.01, 2  # of the test set, also in training: above both, results are not honest


@dataclass
class LeakageReport:
    """What :func:`~sigraph.theory.leakage.leakage` found.

    Args:
        task: The task's name.
        num: Samples under ``train``, ``valid`` and ``test``.
        transductive: Validation and test samples that have an edge; None: no graph was given, or it is of other
            samples.
        label_edges: What made edges from labels that are validated or tested, and how many ``valid`` and ``test``
            samples that concerns.
        is_label_cliques: Whether the graph is exactly the cliques of the task's labels, test samples included.
        repeated: By level (``ids``, ``exact``, ``normalised`` or ``canonical``, ``cosine``), ``valid`` and ``test``
            samples that also occur in training; each at its strictest level.
        affected: Test samples that also occur in training, at any level. Shape [K] sample ids.
        num_pretrained: Test samples that also occur among the pre-training samples (themselves left out), which saw no
            label; None: not looked at.
        conflicts: Groups of alike samples whose labels differ: ``groups``, ``groups_in_train`` (whose training samples
            differ among themselves), ``samples``, ``first`` (the ids of five groups).
        by_chance: Test rows that a training row would equal by chance, in expectation, if features were independent.
        read_as: What was compared, in words.
        reasons: Why the task is suspicious, in words.
        notes: What else is worth saying, in words.
    """

    task: str
    num: dict[str, int]
    transductive: dict[str, int] | None = None
    label_edges: list[dict[str, Any]] = field(default_factory=list)
    is_label_cliques: bool = False
    repeated: dict[str, dict[str, int]] = field(default_factory=dict)
    affected: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.long))
    num_pretrained: int | None = None
    conflicts: dict[str, Any] | None = None
    by_chance: float = 0.0
    read_as: str = "nothing: no samples, no ids"
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def suspicious(self) -> bool:
        """Whether results on this task and graph are not to be trusted."""
        return bool(self.reasons)

    @property
    def num_affected(self) -> int:
        """Test samples that also occur in training."""
        return self.affected.numel()

    def judge(self) -> None:
        """Put what was found into words, by the rule of :func:`~sigraph.theory.leakage.leakage`."""
        num_test, reasons, notes = self.num["test"], self.reasons, self.notes
        for made in self.label_edges:
            what = f"{made['made_from']} makes edges that tell the labels of"
            said = f"{what} {made['test']:,} of {num_test:,} test and {made['valid']:,} validation samples"
            (reasons if made["test"] else notes).append(said)
        if self.is_label_cliques and not self.label_edges:
            reasons.append("the graph is exactly the cliques of the task's labels, those of test samples included")
        count = self.num_affected
        said = f"{count:,} of {num_test:,} test samples also occur in training"
        if count >= LEAST_ROWS and count > MAX_SHARE * num_test and 2 * self.by_chance < count:
            reasons.append(said)
        elif count:
            chance = f" (about {self.by_chance:,.0f} by chance: rows have few values)" if self.by_chance >= 1 else ""
            notes.insert(0, said + chance)
        if self.conflicts and self.conflicts["groups"]:
            notes.append(f"{self.conflicts['groups']:,} repeated samples carry different labels")
        if self.transductive and self.transductive["test"]:
            notes.append(f"transductive: {self.transductive['test']:,} test samples are nodes of the graph")

    def line(self) -> str:
        """All that is worth saying in one line; empty if nothing is."""
        said = [*self.reasons, *self.notes]
        return f"task {self.task!r}: {'suspicious: ' if self.reasons else ''}{'; '.join(said)}" if said else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, ready for JSON."""
        names = ("task", "num", "transductive", "label_edges", "is_label_cliques", "repeated", "num_affected")
        more = ("num_pretrained", "conflicts", "by_chance", "read_as", "suspicious", "reasons", "notes")
        return {**{name: getattr(self, name) for name in (*names, *more)}, "affected": self.affected.tolist()}

    def table(self) -> str:
        """What was found as a Markdown table, and what it means below."""
        rows: list[tuple[Any, ...]] = [("samples", self.num["train"], self.num["valid"], self.num["test"])]
        if self.transductive is not None:
            rows.append(("nodes of the graph", "", self.transductive["valid"], self.transductive["test"]))
        rows += [(f"label edges: {e['made_from']}", "", e["valid"], e["test"]) for e in self.label_edges]
        rows += [(f"also in training, {level}", "", n["valid"], n["test"]) for level, n in self.repeated.items()]
        if self.num_pretrained is not None:
            rows.append(("also in pre-training", "", "", self.num_pretrained))
        lines = [f"| {self.task} | train | valid | test |", "| --- | ---: | ---: | ---: |"]
        lines += [
            f"| {name} | {' | '.join(f'{n:,}' if isinstance(n, int) else n for n in cells)} |" for name, *cells in rows
        ]
        verdict = "suspicious" if self.suspicious else "nothing suspicious"
        return "\n".join([*lines, "", f"{verdict}; compared: {self.read_as}", *self.reasons, *self.notes])
