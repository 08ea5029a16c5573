"""LeakageReport: what was found of a task's answers in a graph and in training, and what that means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sigraph.files.foreign_text import printable
from sigraph.files.markdown import markdown_table

MAX_SHARE, LEAST_ROWS = 0.01, 2  # of the test set, also in training: above both, results are not honest


@dataclass
class LeakageReport:
    """What :func:`~sigraph.theory.leakage.leakage.leakage` found.

    Args:
        task: The task's name.
        num: Samples under ``train``, ``valid`` and ``test``.
        transductive: Validation and test samples that have an edge; None: no graph was given, or it is of other
            samples.
        label_edges: What made edges from labels that are validated or tested, and how many ``valid`` and ``test``
            samples that concerns, and whether it is ``allowed``.
        is_label_cliques: Whether the graph is exactly the cliques of the task's labels, test samples included.
        repeated: By level (``ids``, ``exact``, ``normalised`` or ``canonical``, ``cosine``), ``valid`` and ``test``
            samples that also occur in training; each at its strictest level.
        affected: Test samples that also occur in training, at any level. Shape [K] sample ids.
        num_pretrained: Test samples that also occur among the pre-training samples (themselves left out), which saw no
            label; None: not looked at.
        is_pretrained_elsewhere: Whether another data set than the task's is pre-trained on.
        pairs_in_graph: Tested pairs of samples that the graph holds.
        num_pairs: Tested pairs.
        conflicts: Groups of alike samples whose labels differ: ``groups``, ``groups_in_train`` (whose training samples
            differ among themselves), ``samples``, ``first`` (the ids of five groups).
        by_chance: Test rows that a training row would equal by chance, in expectation, if features were independent.
        read_as: What was compared, in words.
        remarks: What could not be done, in words.
    """

    task: str
    num: dict[str, int]
    transductive: dict[str, int] | None = None
    label_edges: list[dict[str, Any]] = field(default_factory=list)
    is_label_cliques: bool = False
    repeated: dict[str, dict[str, int]] = field(default_factory=dict)
    affected: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.long))
    num_pretrained: int | None = None
    is_pretrained_elsewhere: bool = False
    pairs_in_graph: int = 0
    num_pairs: int = 0
    conflicts: dict[str, Any] | None = None
    by_chance: float = 0.0
    read_as: str = "nothing: no samples, no ids"
    remarks: list[str] = field(default_factory=list)

    @property
    def suspicious(self) -> bool:
        """Whether results on this task and graph are not to be trusted."""
        return bool(self.reasons)

    @property
    def num_affected(self) -> int:
        """Test samples that also occur in training."""
        return self.affected.numel()

    @property
    def reasons(self) -> list[str]:
        """Why results on this task and graph are not to be trusted, in words."""
        found = [_told(made, self.num["test"]) for made in self.label_edges if made["test"]]
        if self.is_label_cliques and not found:
            found.append("the graph is exactly the cliques of the task's labels, those of test samples included")
        if self.pairs_in_graph:
            found.append(f"the graph holds {self.pairs_in_graph:,} of {self.num_pairs:,} test pairs")
        return [*found, self._repeated()] if self._is_too_much() else found

    @property
    def notes(self) -> list[str]:
        """What else is worth saying, in words."""
        found = [_told(made, self.num["test"]) for made in self.label_edges if not made["test"]]
        if self.num_affected and not self._is_too_much():
            chance = f" (about {self.by_chance:,.0f} by chance: rows have few values)" if self.by_chance >= 1 else ""
            found.append(self._repeated() + chance)
        if self.conflicts and self.conflicts["groups"]:
            count, train = self.conflicts["groups"], self.conflicts["groups_in_train"]
            found.append(
                f"{count:,} repeated samples carry different labels in all splits, {train:,} of them in training"
            )
        if self.transductive and self.transductive["test"]:
            found.append(f"transductive: {self.transductive['test']:,} test samples are nodes of the graph")
        if self.is_pretrained_elsewhere and self.num_pretrained:
            count = f"{self.num_pretrained:,} of {self.num['test']:,}"
            found.append(f"{count} test samples also occur in pre-training, which sees no label of theirs")
        return [*found, *self.remarks]

    def _repeated(self) -> str:
        return f"{self.num_affected:,} of {self.num['test']:,} test samples also occur in training"

    def _is_too_much(self) -> bool:
        count = self.num_affected
        return count >= LEAST_ROWS and count > MAX_SHARE * self.num["test"] and 2 * self.by_chance < count

    def line(self) -> str:
        """All that is worth saying in one line; empty if nothing is."""
        said = [*self.reasons, *self.notes]
        return f"task {self.task!r}: {'suspicious: ' if self.reasons else ''}{'; '.join(said)}" if said else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain containers, ready for JSON."""
        names = ("task", "num", "transductive", "label_edges", "is_label_cliques", "repeated", "num_affected")
        more = (
            "num_pretrained",
            "is_pretrained_elsewhere",
            "pairs_in_graph",
            "conflicts",
            "by_chance",
            "read_as",
            "suspicious",
            "reasons",
            "notes",
        )
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
        if self.pairs_in_graph:
            rows.append(("pairs in the graph", "", "", self.pairs_in_graph))
        cells = [[name, *(f"{n:,}" if isinstance(n, int) else n for n in counts)] for name, *counts in rows]
        table = markdown_table([self.task, "train", "valid", "test"], cells, right=(1, 2, 3))
        verdict = "suspicious" if self.suspicious else "nothing suspicious"
        below = [f"{verdict}; compared: {self.read_as}", *self.reasons, *self.notes]
        return "\n".join([table, "", *map(printable, below)])


def _told(made: dict[str, Any], num_test: int) -> str:
    what = f"{made['made_from']} makes edges that tell the labels of"
    return f"{what} {made['test']:,} of {num_test:,} test and {made['valid']:,} validation samples"
