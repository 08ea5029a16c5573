"""Certificates: what the latent space holds of a graph, over all pairs - guaranteed by the loss, and counted."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from sigraph.data.sample_graph import SampleGraph
from sigraph.files.arguments import check_integers, check_kinds, shown
from sigraph.files.random import keyed_generator
from sigraph.losses import ContrastiveLoss, StructureLoss
from sigraph.tasks.task import label_type
from sigraph.theory.certificates.all_pairs import EXACT_PAIRS, Counts, Radii, tiles
from sigraph.theory.certificates.certificate import Bound, Certificate
from sigraph.theory.certificates.distances import Geometry, inner
from sigraph.theory.certificates.label_bound import promised, reached
from sigraph.theory.given import as_numbers, checked_labels

_SAMPLED_EDGES = 1 << 17  # that a grid of radii is laid over
_SLACK = 1e-6  # of the larger margin, and of the sums: more than single precision errs


@torch.no_grad()
def certify(
    embeddings: Tensor,
    graph: SampleGraph,
    loss: StructureLoss | None = None,
    y: Tensor | None = None,
    max_anchors: int | None = None,
    seed: int = 0,
) -> Certificate:
    r"""Certify how far the latent space is a radius graph that equals a graph, over all pairs of samples.

    A minibatch proves nothing; here a and b are the mean hinges of a margin loss over all P edges and all Q non-edges,
    each pair once and unweighted. Then for every radius r strictly between the margins

    .. math::
        |\{(i,j) \in E : d_{ij} \ge r\}| \le \frac{aP}{(r-\mu_+)^p} \qquad
        |\{(i,k) \notin E : d_{ik} < r\}| \le \frac{bQ}{(\mu_--r)^p}

    with p = 1, or 2 where the hinges are squared. Given is the radius where the two, at most P and Q, are least
    together, of all radii that pairs are counted at; they are rounded down, after an allowance of :math:`10^{-6}` for
    single precision. Losses without margins have no such bound; the exact figures are given for every loss.

    *Best radius:* the largest overlap (Jaccard index) of the radius graph with the given one, for there are far more
    non-edges than edges: balanced accuracy would rather take in thousands of non-edges than miss an edge, and the sum
    of both errors is mostly least where nothing is inside. *Ties* never count in favour: a non-neighbour as near as a
    neighbour is nearer; only in the AUC ties are half. Embeddings all at one place: recovered 0, hits 0, AUC 1/2.

    Args:
        embeddings: One a node of the graph, finite. Shape [N, D].
        graph: Its edges, without weights and groups. Isolated nodes are non-neighbours of all and no anchors.
        loss: Gives measure and margins, also from inside a memory. None, and losses that state no measure of these
            embeddings (those of pytorch-metric-learning, and of a projection): the cosine.
        y: Labels, for what is promised (of classes alone) and reached: 1-D integer = classes (-1 missing), 1-D float =
            regression (NaN missing), 2-D = multi-label (NaN missing). Local consistency's counterpart in the latent
            space: accuracy; Spearman's correlation with the neighbours' mean; per label column the share of carriers
            whose neighbour (most of the three) carries it too, averaged. Only labelled samples ask and answer.
        max_anchors: Above it so many random anchors are looked at, each with all samples; and so many labelled samples
            ask. None: no limit.
        seed: Of that choice.

    Raises:
        ValueError: An argument is of another kind, the sizes differ, or an embedding is NaN or infinite.

    O(N^2 D) time, each pair once; O(N D) memory beside the graph, never N x N.

    Source: McDermott et al., "Structure-inducing pre-training", Nature Machine Intelligence 2023, Theorem 1; the bounds
    are Markov's inequality.
    """
    check_kinds("certify", graph=(graph, SampleGraph))
    if loss is not None:
        check_kinds("certify", loss=(loss, StructureLoss))
    z = _checked(embeddings, graph)
    if max_anchors is not None and (not isinstance(max_anchors, Integral) or max_anchors is True or max_anchors < 1):
        raise ValueError(f"'max_anchors' needs to be >= 1, an integer, or None in 'certify' (got {shown(max_anchors)})")
    check_integers("certify", 0, seed=seed)
    y = None if y is None else checked_labels("'y'", y, "labels (of a Task: its labels)", "certify")
    if y is not None and len(y) != len(z):
        raise ValueError(f"'y' needs one label per embedding, {len(z)}, in 'certify' (got {len(y)})")
    geometry, generator = Geometry(z, loss), keyed_generator(seed)
    anchors = None
    if max_anchors is not None and max_anchors < len(z):
        anchors = torch.randperm(len(z), generator=generator)[:max_anchors].sort().values
    margin = inner(loss)
    margin = margin if isinstance(margin, ContrastiveLoss) else None
    counts, num_pairs = _count(geometry, graph, anchors, margin)
    labels: dict[str, Any] = {}
    if y is not None:
        labels["label_type"], labels["local_consistency"] = label_type(y), promised(graph, y)
        labels["accuracy"], labels["vote_accuracy"] = reached(y, geometry, max_anchors, generator)
    is_anchor = counts.farthest.isfinite() & counts.nearest.isfinite()
    return Certificate(
        loss=None if loss is None else type(loss).__name__,
        measure="unit euclidean" if geometry.normalize and geometry.measure == "euclidean" else geometry.measure,
        num_samples=len(z),
        complete=anchors is None,
        num_edges=int(counts.positive.sum()),
        num_non_edges=int(counts.negative.sum()),
        num_anchors=int(is_anchor.sum()),
        bound=None if margin is None or num_pairs == 0 else _bound(counts, geometry, margin),
        recovered=_mean((counts.farthest < counts.nearest)[is_anchor]),
        hit_rate=_mean((counts.closest < counts.nearest)[is_anchor]),
        **_auc(counts),
        **_best(counts, geometry),
        **labels,
    )


def _checked(embeddings: Tensor, graph: SampleGraph) -> Tensor:
    z = as_numbers("'embeddings'", embeddings, "one row a node", "certify").detach().cpu()
    num_nodes = graph.store.num_nodes
    if z.dim() != 2 or z.size(1) == 0 or not z.is_floating_point():
        raise ValueError(
            f"'embeddings' needs floats of shape [N, D], D >= 1, in 'certify' (got {z.dtype} {list(z.shape)})"
        )
    if len(z) != num_nodes or num_nodes == 0:
        raise ValueError(f"'embeddings' needs one row per node, {num_nodes}, >= 1, in 'certify' (got {len(z)})")
    wrong = (~torch.isfinite(z).all(dim=1)).nonzero().view(-1)
    if wrong.numel():
        raise ValueError(
            f"'embeddings' needs finite values in 'certify' (got NaN or infinity in {wrong.numel()} rows, first: "
            f"{int(wrong[0])}); training diverged: a smaller learning rate or gradient clipping may help"
        )
    return z


def _count(
    geometry: Geometry, graph: SampleGraph, anchors: Tensor | None, margin: ContrastiveLoss | None
) -> tuple[Counts, int]:
    """One pass over all pairs; where every edge's distance is a radius of its own, one before it to find them."""
    size = graph.store.num_nodes
    num_pairs = size * (size - 1) // 2 if anchors is None else len(anchors) * (size - 1)
    exact, more, margins = num_pairs <= EXACT_PAIRS, torch.empty(0), None
    if margin is not None:
        margins = (margin.positive_margin, margin.negative_margin)
        more = geometry.of_distance(torch.linspace(*margins, 258, dtype=torch.float64)[1:-1]).float()
    if exact:
        positive = torch.cat([torch.empty(0), *(t.positive for t in tiles(geometry, graph.store, anchors))])
    else:
        positive = _some_edges(geometry, graph)
    radii = Radii(positive, more, exact)
    counts = Counts(size if anchors is None else len(anchors), radii, margins)
    for tile in tiles(geometry, graph.store, anchors):
        counts.add(tile, geometry, margin is not None and margin.squared, anchors is None)
    counts.close(num_pairs)
    return counts, num_pairs


def _some_edges(geometry: Geometry, graph: SampleGraph) -> Tensor:
    """v of some edges, those of random nodes. Shape [p] float32."""
    store = graph.store
    node = torch.randperm(store.num_nodes, generator=keyed_generator(0))[:_SAMPLED_EDGES]
    other = store.draw_neighbors(node, 1, keyed_generator(1)).view(-1)
    node, other = node[other >= 0], other[other >= 0]
    parts = [
        (geometry.left(a) * geometry.right(b)).sum(dim=1)
        for a, b in zip(node.split(4096), other.split(4096), strict=True)
    ]
    v = torch.cat([torch.empty(0, dtype=torch.float64), *parts]).float()
    return torch.where(v > geometry.tiny, v, 0.0)


def _bound(counts: Counts, geometry: Geometry, margin: ContrastiveLoss) -> Bound | None:
    near, far, power = margin.positive_margin, margin.negative_margin, 2 if margin.squared else 1
    radius = geometry.distance(counts.radii.edges.double())  # [B]
    slack = _SLACK * far
    between = ((radius > near + slack) & (radius < far - slack)).nonzero().view(-1)
    if not len(between):
        return None
    radius = radius[between]
    num = [int(counts.positive.sum()), int(counts.negative.sum())]
    room = radius - near - slack, far - radius - slack
    most = [
        (total * (1 + _SLACK) / gap.pow(power)).clamp(max=count).floor().long()
        for total, gap, count in zip(counts.hinge, room, num, strict=True)
    ]
    best = int((most[0] + most[1]).argmin())
    inside = [int(histogram[: between[best] + 1].sum()) for histogram in (counts.positive, counts.negative)]
    return Bound(
        radius=float(radius[best]),
        positive_loss=counts.hinge[0] / max(num[0], 1),
        negative_loss=counts.hinge[1] / max(num[1], 1),
        edges_outside=int(most[0][best]),
        non_edges_inside=int(most[1][best]),
        counted_outside=num[0] - inside[0],
        counted_inside=inside[1],
    )


def _best(counts: Counts, geometry: Geometry) -> dict[str, Any]:
    num_edges = int(counts.positive.sum())
    if num_edges == 0:
        return dict.fromkeys(("radius", "overlap", "overlap_slack", "edges_outside", "non_edges_inside"))
    hit, wrong = counts.positive.cumsum(0), counts.negative.cumsum(0)  # [B + 1], inside each radius; the last is none
    overlap = hit[:-1].double() / (num_edges + wrong[:-1])
    best = int(overlap.argmax())
    before = torch.cat([torch.zeros(1, dtype=torch.long), wrong[:-1]])
    most = (hit.double() / (num_edges + before))[counts.radii.blurred()].max()  # of any radius inside a place
    return {
        "radius": geometry.shown(float(counts.radii.edges[best])),
        "overlap": float(overlap[best]),
        "overlap_slack": max(float(most - overlap[best]), 0.0),
        "edges_outside": num_edges - int(hit[best]),
        "non_edges_inside": int(wrong[best]),
    }


def _auc(counts: Counts) -> dict[str, Any]:
    positive, negative = counts.positive.double(), counts.negative.double()
    pairs = float(positive.sum() * negative.sum())
    if pairs == 0:
        return {"auc": None, "auc_error": None}
    beyond = negative.sum() - negative.cumsum(0)  # [B + 1]
    mixed = float((positive * negative)[counts.radii.blurred()].sum())
    return {"auc": float((positive * (beyond + negative / 2)).sum()) / pairs, "auc_error": mixed / (2 * pairs)}


def _mean(hit: Tensor) -> float | None:
    return float(hit.double().mean()) if hit.numel() else None
