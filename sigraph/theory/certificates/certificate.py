"""What a certificate says, and how it is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sigraph.files.markdown import markdown_table

# What is measured of labels that are no classes: the theorem is about classes.
_MEASURED = {"regression": "rank correlation with the value", "multilabel": "share of labels in common"}


@dataclass(frozen=True)
class Bound:
    """What the value of a margin loss guarantees at its best radius, beside what is counted there.

    Args:
        radius: r, a Euclidean distance strictly between the margins.
        positive_loss: a, the mean hinge over the edges.
        negative_loss: b, the mean hinge over the non-edges.
        edges_outside: Edges with a distance of r or more: at most so many.
        non_edges_inside: Non-edges with a distance below r: at most so many.
        counted_outside: So many are.
        counted_inside: So many are.
    """

    radius: float
    positive_loss: float
    negative_loss: float
    edges_outside: int
    non_edges_inside: int
    counted_outside: int
    counted_inside: int


@dataclass(frozen=True)
class Certificate:
    """How far pairs within a radius are the edges of a graph; made by :func:`~sigraph.theory.certificates.certify`.

    Args:
        loss: Name of the loss, None without one.
        measure: ``cosine``, ``euclidean`` (``unit euclidean`` of unit vectors) or ``dot``.
        num_samples: N.
        complete: Whether all pairs were looked at; otherwise those of the sampled anchors, and nothing is guaranteed
            of the others.
        num_edges: P, the edges among the pairs that were looked at, each once (not complete: once an anchor).
        num_non_edges: Q, the other pairs.
        num_anchors: Samples with a neighbour and a non-neighbour, among those that were looked at.
        bound: Of a margin loss; None for every other loss, and where no pair was looked at.
        recovered: Share of anchors whose farthest neighbour is nearer than their nearest non-neighbour.
        hit_rate: Share of anchors whose nearest other sample is a neighbour, and none that is not is as near.
        auc: Probability that an edge is nearer than a non-edge, ties counting half.
        auc_error: ``auc`` is within so much of its exact value; 0 up to 2^23 pairs.
        radius: Where the pairs inside overlap most with the edges; a pair is inside if its distance is below, or its
            cosine or dot product above. The smallest of equally good ones.
        overlap: Pairs that are both inside and edges over pairs that are either; 1 if the radius graph is the graph.
        overlap_slack: No radius overlaps by more than this more; 0 up to 2^23 pairs.
        edges_outside: Edges outside that radius.
        non_edges_inside: Non-edges inside it.
        label_type: ``classification``, ``multilabel`` or ``regression``; None without labels.
        local_consistency: Of the graph and the labels, if they were given: what is promised of classes, and no promise
            of labels of another type.
        accuracy: Of the nearest neighbour's label, leave one out: what is reached.
        vote_accuracy: Of the three nearest neighbours' vote.

    Figures that are not defined (no anchor; P or Q is 0; no labels) are None.
    """

    loss: str | None
    measure: str
    num_samples: int
    complete: bool
    num_edges: int
    num_non_edges: int
    num_anchors: int
    bound: Bound | None
    recovered: float | None
    hit_rate: float | None
    auc: float | None
    auc_error: float | None
    radius: float | None
    overlap: float | None
    overlap_slack: float | None
    edges_outside: int | None
    non_edges_inside: int | None
    label_type: str | None = None
    local_consistency: float | None = None
    accuracy: float | None = None
    vote_accuracy: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)

    def table(self) -> str:
        """Markdown: what is promised, what is reached."""
        rows = []
        if self.local_consistency is not None or self.accuracy is not None:
            what = _MEASURED.get(self.label_type or "")
            promise = "" if what else _least(self.local_consistency)
            if what:
                rows.append((f"{what} of neighbours in the graph, no promise", "", _share(self.local_consistency)))
            one = f"{what} of the nearest neighbour" if what else "label of the nearest neighbour"
            three = f"{what} of the three nearest" if what else "label by vote of the three nearest"
            rows += [(one, promise, _share(self.accuracy)), (three, promise, _share(self.vote_accuracy))]
        if self.bound is not None:
            b, r = self.bound, f"{self.bound.radius:.4g}"
            rows.append((f"edges outside radius {r}", f"<= {b.edges_outside:,}", f"{b.counted_outside:,}"))
            rows.append((f"non-edges inside radius {r}", f"<= {b.non_edges_inside:,}", f"{b.counted_inside:,}"))
        if self.radius is not None:
            r = f"{self.radius:.4g}"
            rows.append((f"overlap of graph and radius {r}, the best", "", _share(self.overlap)))
            rows.append((f"edges outside radius {r}", "", f"{self.edges_outside:,} of {self.num_edges:,}"))
            inside = f"{self.non_edges_inside:,} of {self.num_non_edges:,}"
            rows.append((f"non-edges inside radius {r}", "", inside))
        rows.append(("anchors whose neighbours are all nearer than the others", "", _share(self.recovered)))
        rows.append(("anchors whose nearest sample is a neighbour", "", _share(self.hit_rate)))
        rows.append(("AUC of distance against edge", "", _share(self.auc)))
        head = f"{self.measure}, {self.num_samples:,} samples" + ("" if self.complete else ", some anchors only")
        return markdown_table((head, "promised", "reached"), [[cell or "–" for cell in row] for row in rows])


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _least(value: float | None) -> str:
    return "" if value is None else f">= {value:.4f}"
