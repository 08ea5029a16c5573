"""What an arm may see in pre-training and at inference, by which arms are comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sigraph.leaderboard.kept import Kept
from sigraph.leaderboard.record_fields import VISIBLE, Check

# How a table names what was hidden in pre-training; "share 0.2" is made of its number.
HIDDEN = {
    "no": "transductive",
    "yes": "inductive",
    "test": "test hidden",
    "edges": "edges hidden",
    "outside-train": "all but train hidden",
}


@dataclass(frozen=True, kw_only=True)
class Visible(Kept):
    """What shaped an arm's encoder or predictor.

    Args:
        inductive: What was hidden: ``no``, ``yes`` (validation and test samples), ``test`` (test samples), ``edges``
            (those that touch validation or test samples), ``outside-train`` (every sample that no task trains on),
            ``share 0.2`` (that share of the test samples), ``tasks a, b`` (validation and test samples of these).
        samples: Count and digest of the ids of the samples that pre-training may see under that meaning.
        edges: Count and digest of the edges that it may see; None: the method uses none.
        labels: Whose labels pre-training uses: ``none``, ``train``, or ``all`` where a graph is made of them
            (``allow_label_edges``).
        graph_at_inference: Whether predictions read the graph too.
        trials: Settings that were tried to choose the arm's, 1 without a grid and a search.
        reads_samples: False of what looks at training labels alone, so that nothing need be hidden from it.
    """

    inductive: str
    samples: Sequence[Any]
    edges: Sequence[Any] | None = None
    labels: str
    graph_at_inference: bool
    trials: int
    reads_samples: bool | None = None

    _check: ClassVar[Check] = VISIBLE

    def __post_init__(self) -> None:
        if self.edges is None:
            object.__setattr__(self, "null", self.null | {"edges"})

    def differs(self, baseline: Visible, name: str = "the baseline") -> str | None:
        """Why a gain over a baseline would not be a gain of the method, in few words; None if it saw the same.

        Samples and labels need to be equal. The baseline's edges need to be the arm's, or none.
        """
        ours, theirs = tuple(self.samples), tuple(baseline.samples)
        if ours[0] != theirs[0]:
            return f"saw {ours[0]:,} samples, {name} {theirs[0]:,}"
        if ours != theirs:
            return f"saw other samples than {name}"
        if self.labels != baseline.labels:
            return f"used labels of {self.labels}, {name} of {baseline.labels}"
        if baseline.edges is None or (self.edges is not None and tuple(self.edges) == tuple(baseline.edges)):
            return None
        if self.edges is None:
            return f"saw no edges, {name} {baseline.edges[0]:,}"
        if self.edges[0] != baseline.edges[0]:
            return f"saw {self.edges[0]:,} edges, {name} {baseline.edges[0]:,}"
        return f"saw other edges than {name}"

    def comparable(self, baseline: Visible) -> bool:
        """Whether a gain over a baseline may be told; see :meth:`differs`."""
        return self.differs(baseline) is None

    @property
    def reach(self) -> str | None:
        """In a table: the published name of what was hidden, and whether the graph is there at inference.

        None: it looks at no sample, so that nothing could be hidden.
        """
        if self.reads_samples is False:
            return None
        hidden = HIDDEN.get(self.inductive)
        if hidden is None and self.inductive.startswith("tasks "):
            hidden = f"inductive for {self.inductive.removeprefix('tasks ')}"
        if hidden is None:
            hidden = f"{100 * float(self.inductive.removeprefix('share ')):g} % of test hidden"
        return f"{hidden}, graph at inference" if self.graph_at_inference else hidden
