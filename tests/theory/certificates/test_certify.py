"""Certificates: every figure beside a loop over all pairs, bounds that hold, and the theorem's exact part."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from sigraph.data import Pairs, PretrainGraph
from sigraph.edges.label_store import LabelSetStore
from sigraph.files.random import keyed_generator
from sigraph.losses import (
    ContrastiveLoss,
    CrossBatchMemory,
    InfoNCELoss,
    LinkPredictionLoss,
    MultiSimilarityLoss,
    NPairLoss,
    SmoothnessLoss,
    TripletLoss,
)
from sigraph.theory.certificates import all_pairs, certify

MODULE = importlib.import_module("sigraph.theory.certificates.certify")  # the name in the package is the function
pytestmark = pytest.mark.filterwarnings("ignore")  # repeats among random edges


def case(seed, n, channels=3, rate=0.3, whole=False):
    """Random embeddings (whole numbers: many ties) and a random graph."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, channels, generator=generator)
    if whole:
        z = torch.randint(-2, 3, (n, channels), generator=generator).float()
    pairs = torch.combinations(torch.arange(n)).t()
    return z, PretrainGraph(pairs[:, torch.rand(pairs.size(1), generator=generator) < rate], n)


def adjacency(graph):
    is_edge = np.zeros((graph.num_nodes, graph.num_nodes), dtype=bool)
    is_edge[tuple(graph.edge_index.numpy())] = True
    return is_edge


def distances(z, normalize=False):
    """Euclidean ones, by differences and not by products."""
    z = z.double()
    if normalize:
        z = z / z.norm(dim=1, keepdim=True)
    return (z[:, None] - z).square().sum(dim=2).sqrt().numpy()


def inside(d, radius):
    """Half the squares are compared, in single precision."""
    return (d**2 / 2).astype(np.float32) < np.float32(radius**2 / 2)


def brute(d, is_edge):
    """The exact figures of a full matrix of distances, pair by pair."""
    n, hits, recovered, anchors = len(d), 0, 0, 0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        near, far = ([d[i, j] for j in others if is_edge[i, j] == kind] for kind in (True, False))
        if near and far:
            anchors += 1
            recovered += max(near) < min(far)
            hits += min(near) < min(far)
    upper = np.triu_indices(n, 1)
    positive, negative = d[upper][is_edge[upper]], d[upper][~is_edge[upper]]
    found = {"num_edges": len(positive), "num_non_edges": len(negative), "num_anchors": anchors}
    found["recovered"] = recovered / anchors if anchors else None
    found["hit_rate"] = hits / anchors if anchors else None
    wins = (positive[:, None] < negative).sum() + (positive[:, None] == negative).sum() / 2
    found["auc"] = wins / (len(positive) * len(negative)) if len(positive) and len(negative) else None
    overlaps = [(positive <= r).sum() / (len(positive) + (negative <= r).sum()) for r in positive]
    found["overlap"] = max(overlaps, default=None)
    return found


def agrees(certificate, expected, within=1e-12):
    for name, value in expected.items():
        got = getattr(certificate, name)
        assert got == value or got == pytest.approx(value, abs=within), name


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"loss": "ContrastiveLoss"}, r"'loss' needs to be a StructureLoss in 'certify' \(got 'ContrastiveLoss'\)"),
        ({"loss": ContrastiveLoss}, r"got the class ContrastiveLoss: forgotten \(\)\?"),
        ({"loss": int}, r"got the class int\)"),
        ({"graph": torch.zeros(2, 0).long()}, r"'graph' needs to be a PretrainGraph in 'certify' \(got Tensor\)"),
        ({"y": "a" * 9}, r"'y' needs labels .* in 'certify' \(got str\)"),
        ({"y": ["a"] * 8 + [1]}, "'y' in 'certify' needs numbers or text, .* of one kind"),
        ({"y": torch.full((9, 2), 3.0)}, "'y' in 'certify' needs 0, 1 or missing"),
    ],
)
def test_arguments_of_another_kind_are_named(wrong, message):
    z, graph = case(0, 9)
    with pytest.raises(ValueError, match=message):
        certify(**{"embeddings": z, "graph": graph, **wrong})


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 24), st.floats(0, 1), st.booleans())
def test_every_figure_is_that_of_a_loop_over_all_pairs(seed, n, rate, whole):
    z, graph = case(seed, n, rate=rate, whole=whole)
    found = certify(z, graph, ContrastiveLoss(0.5, 2.5, normalize=False))
    d, is_edge = distances(z), adjacency(graph)
    agrees(found, brute((d**2 / 2).astype(np.float32), is_edge))
    assert found.auc_error in (0, None) and found.overlap_slack in (0, None)
    upper = np.triu_indices(n, 1)
    at = inside(d[upper], found.bound.radius)
    assert found.bound.counted_outside == (is_edge[upper] & ~at).sum()
    assert found.bound.counted_inside == (~is_edge[upper] & at).sum()
    if found.radius is not None:
        at = inside(d[upper], found.radius)
        assert found.edges_outside == (is_edge[upper] & ~at).sum()
        assert found.non_edges_inside == (~is_edge[upper] & at).sum()


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(2, 30),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0.05, 1),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_a_bound_is_never_better_than_what_is_counted(seed, n, rate, near, width, squared, normalize, whole):
    z, graph = case(seed, n, channels=2, rate=rate, whole=whole)
    bound = certify(z, graph, ContrastiveLoss(near, near + width, normalize, squared)).bound
    assert near < bound.radius < near + width
    assert 0 <= bound.counted_outside <= bound.edges_outside <= graph.num_edges // 2
    assert 0 <= bound.counted_inside <= bound.non_edges_inside <= n * (n - 1) // 2 - graph.num_edges // 2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_the_radius_is_the_best_and_the_means_are_those_of_the_loss(seed, squared, normalize):
    z, graph = case(seed, 40)
    near, far, power = 0.5, 1.3, 2 if squared else 1
    loss = ContrastiveLoss(near, far, normalize, squared)
    bound = certify(z, graph, loss).bound
    total = loss(z, Pairs.square(graph.edge_index, 40))
    assert bound.positive_loss + bound.negative_loss == pytest.approx(float(total), rel=1e-5)
    num_edges = graph.num_edges // 2
    num_others = 40 * 39 // 2 - num_edges
    least = min(
        min(bound.positive_loss * num_edges / (r - near) ** power, num_edges)
        + min(bound.negative_loss * num_others / (far - r) ** power, num_others)
        for r in np.linspace(near, far, 2001)[1:-1]
    )
    assert least - 2 <= bound.edges_outside + bound.non_edges_inside <= 1.02 * least + 1


@pytest.mark.parametrize("squared", [False, True])
def test_the_bounds_can_be_met(squared):
    """Edges of the length of one margin, or non-edges of the length of the other: all that is allowed is there."""
    loss = ContrastiveLoss(0.0, 2.0, normalize=False, squared=squared)
    on_a_line = torch.tensor([[0.0], [2.0], [10.0], [12.0], [20.0], [22.0]])
    found = certify(on_a_line, PretrainGraph(torch.tensor([[0, 2, 4], [1, 3, 5]]), 6), loss).bound
    assert found.edges_outside == found.counted_outside == 3 and found.non_edges_inside == 0
    at_one_place = torch.tensor([[0.0], [0.0], [9.0], [9.0], [18.0], [18.0]])
    found = certify(at_one_place, PretrainGraph(torch.tensor([[0], [1]]), 6), loss).bound
    assert found.non_edges_inside == found.counted_inside == 2 and found.edges_outside == 0


@pytest.mark.parametrize("anchors", [None, 30])
def test_tiles_change_nothing(monkeypatch, anchors):
    z, graph = case(3, 70, whole=True)
    loss = ContrastiveLoss(0.5, 2.0, normalize=False)
    whole = certify(z, graph, loss, max_anchors=anchors)
    for rows, columns, entries in ((7, 5, 1 << 22), (64, 9, 20), (3, 100, 1)):
        monkeypatch.setattr(all_pairs, "_ROWS", rows)
        monkeypatch.setattr(all_pairs, "_COLUMNS", columns)
        monkeypatch.setattr(all_pairs, "_ENTRIES", entries)
        again = certify(z, graph, loss, max_anchors=anchors)
        assert replace(again, bound=None) == replace(whole, bound=None)
        means = [(b.positive_loss, b.negative_loss) for b in (again.bound, whole.bound)]
        assert means[0] == pytest.approx(means[1])
        assert replace(again.bound, positive_loss=0, negative_loss=0) == replace(
            whole.bound, positive_loss=0, negative_loss=0
        )


@pytest.mark.parametrize("bits", [16, 5, 2])
@pytest.mark.parametrize("loss", [None, ContrastiveLoss(0.5, 2.0, normalize=False)])
@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
def test_a_grid_of_radii_counts_without_error_and_says_what_it_misses(monkeypatch, bits, loss, scale):
    z, graph = case(1, 150, rate=0.05)
    z[:20] = 0.01 * z[:20]
    exact = certify(scale * z, graph, loss)
    monkeypatch.setattr(MODULE, "EXACT_PAIRS", 0)
    monkeypatch.setattr(all_pairs, "_BITS", bits)
    found = certify(scale * z, graph, loss)
    assert abs(found.auc - exact.auc) <= found.auc_error + 1e-12
    assert found.overlap <= exact.overlap <= found.overlap + found.overlap_slack + 1e-12
    same = ("num_edges", "num_non_edges", "num_anchors", "recovered", "hit_rate", "measure")
    assert all(getattr(found, name) == getattr(exact, name) for name in same)
    upper = np.triu_indices(150, 1)
    is_edge, d = adjacency(graph)[upper], distances(scale * z, normalize=loss is None)[upper]
    closeness = d if loss is not None else d**2 / 2 - 1  # minus the cosine
    at = closeness < (found.radius if loss is not None else -found.radius)
    assert found.edges_outside == (is_edge & ~at).sum() and found.non_edges_inside == (~is_edge & at).sum()
    if bits == 16:
        assert found.auc_error < 1e-3 and found.overlap_slack < 1e-2
    if loss is not None and found.bound is not None:
        at = d < found.bound.radius
        assert found.bound.counted_outside == (is_edge & ~at).sum() <= found.bound.edges_outside
        assert found.bound.counted_inside == (~is_edge & at).sum() <= found.bound.non_edges_inside


def test_a_nearest_neighbour_may_disagree_where_the_radius_graph_is_the_graph():
    """Corners of a rectangle, labels along its long sides: local consistency is no bound for the nearest one."""
    corners = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
    y = torch.tensor([0, 0, 1, 1])
    sides = PretrainGraph(torch.tensor([[0, 2, 0, 1], [1, 3, 2, 3]]), 4)
    found = certify(corners, sides, SmoothnessLoss(), y)
    assert (found.recovered, found.overlap, found.local_consistency, found.accuracy) == (1, 1, 0.5, 0)
    long_sides = PretrainGraph(torch.tensor([[0, 2], [1, 3]]), 4)
    found = certify(corners, long_sides, SmoothnessLoss(), y)
    assert (found.hit_rate, found.recovered, found.local_consistency, found.accuracy) == (0, 0, 1, 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 60), st.floats(0.1, 1.5), st.integers(2, 4))
def test_the_theorem_where_the_radius_graph_is_the_graph(seed, n, r, num_classes):
    """A uniform sample within r agrees with expected probability LC; a plurality vote errs at most 2 - 2 LC often."""
    generator = torch.Generator().manual_seed(seed)
    z, y = torch.randn(n, 2, generator=generator), torch.randint(0, num_classes, (n,), generator=generator)
    d = distances(z)
    within = (d < r) & ~np.eye(n, dtype=bool)
    found = certify(z, PretrainGraph(torch.from_numpy(np.stack(within.nonzero())), n), SmoothnessLoss(), y)
    if not within.any():
        assert found.local_consistency is None and found.recovered is None and found.overlap is None
        return
    assert found.overlap == 1 and (found.edges_outside, found.non_edges_inside) == (0, 0)
    assert found.recovered in (1, None) and found.hit_rate in (1, None)
    y, chance, right = y.numpy(), [], []
    for i in within.any(axis=1).nonzero()[0]:
        votes = np.bincount(y[within[i]], minlength=num_classes)
        chance.append(votes[y[i]] / votes.sum())
        right.append(votes[y[i]] > np.delete(votes, y[i]).max())  # a tie is an error here
    assert found.local_consistency == pytest.approx(np.mean(chance))
    assert np.mean(right) >= 2 * found.local_consistency - 1 - 1e-12


@pytest.mark.parametrize(
    ("loss", "measure"),
    [
        (None, "cosine"),
        (InfoNCELoss(), "cosine"),
        (MultiSimilarityLoss(), "cosine"),
        (CrossBatchMemory(ContrastiveLoss()), "unit euclidean"),
        (TripletLoss(), "unit euclidean"),
        (TripletLoss(normalize=False), "euclidean"),
        (SmoothnessLoss(), "euclidean"),
        (NPairLoss(), "dot"),
        (NPairLoss(normalize=True), "dot"),
        (LinkPredictionLoss("bilinear", encoder_channels=3), "dot"),
        (LinkPredictionLoss("distance"), "euclidean"),
    ],
)
def test_each_loss_is_asked_how_it_measures(loss, measure):
    z, graph = case(5, 60)
    y = torch.arange(60) % 4
    if isinstance(loss, LinkPredictionLoss) and loss.weight is not None:
        with torch.no_grad():
            loss.weight.copy_(torch.tensor([[1.0, 2, 0], [0, -1, 0], [0, 0, 3]]))
    found = certify(z, graph, loss, y)
    x = z.double() / z.double().norm(dim=1, keepdim=True) if "unit" in measure or measure == "cosine" else z.double()
    if isinstance(loss, NPairLoss) and loss.normalize:
        x = z.double() / z.double().norm(dim=1, keepdim=True)
    if isinstance(loss, LinkPredictionLoss) and loss.weight is not None:
        weight = loss.weight.detach().double()
        closeness = -(x @ (weight + weight.t()) / 2 @ x.t())
    elif "euclidean" in measure:
        closeness = torch.from_numpy(distances(x))
    else:
        closeness = -(x @ x.t())
    assert found.measure == measure and (found.bound is None) == (not isinstance(loss, CrossBatchMemory))
    agrees(found, brute(closeness.numpy(), adjacency(graph)), within=1e-5)  # single precision ties a pair or two
    nearest = closeness.fill_diagonal_(torch.inf).argmin(dim=1)
    assert found.accuracy == pytest.approx(float((y[nearest] == y).double().mean()))
    edges = closeness[tuple(graph.edge_index)]
    shown = found.radius if "euclidean" in measure else -found.radius
    assert int((edges >= shown).sum()) // 2 == found.edges_outside


def test_sampled_anchors_meet_all_samples():
    z, graph = case(2, 80, whole=True)
    loss = ContrastiveLoss(0.5, 2.5, normalize=False)
    found = certify(z, graph, loss, max_anchors=25, seed=3)
    anchors = torch.randperm(80, generator=keyed_generator(3))[:25].sort().values
    rows = np.concatenate([np.delete(np.arange(80), i)[None] for i in anchors])  # [25, 79]
    d, is_edge = (np.take_along_axis(m[anchors.numpy()], rows, axis=1) for m in (distances(z), adjacency(graph)))
    near, far = np.where(is_edge, d, np.inf), np.where(is_edge, np.inf, d)
    assert not found.complete and (found.num_edges, found.num_non_edges) == (is_edge.sum(), (~is_edge).sum())
    assert found.hit_rate == pytest.approx((near.min(axis=1) < far.min(axis=1)).mean())
    assert found.recovered == pytest.approx((np.where(is_edge, d, -1).max(axis=1) < far.min(axis=1)).mean())
    assert found.auc == pytest.approx(roc_auc_score(is_edge.ravel(), -d.ravel()))
    at = inside(d, found.bound.radius)
    assert found.bound.counted_outside == (is_edge & ~at).sum() <= found.bound.edges_outside
    assert found.bound.counted_inside == (~is_edge & at).sum() <= found.bound.non_edges_inside
    assert found.bound.positive_loss == pytest.approx(np.maximum(d[is_edge] - 0.5, 0).mean(), rel=1e-5)
    assert found.bound.negative_loss == pytest.approx(np.maximum(2.5 - d[~is_edge], 0).mean(), rel=1e-5)
    assert found == certify(z, graph, loss, max_anchors=25, seed=3) != certify(z, graph, loss, max_anchors=25)
    assert certify(z, graph, loss, max_anchors=80) == certify(z, graph, loss)
    assert "some anchors only" in found.table()


def test_a_two_level_store_gives_the_same():
    z, _ = case(4, 90)
    members = torch.arange(90) % 5 - 1  # a fifth in no set: isolated
    graph = PretrainGraph.from_store(LabelSetStore.from_sets(members))
    plain = PretrainGraph(graph.edge_index, 90)
    assert certify(z, graph, y=members) == certify(z, plain, y=members)


def test_isolated_samples_are_in_the_way_but_ask_nothing():
    z = torch.tensor([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [1.0, 0.05]])
    graph = PretrainGraph(torch.tensor([[0], [1]]), 4)
    found = certify(z, graph)
    assert (found.num_anchors, found.recovered, found.hit_rate, found.auc) == (2, 0, 0, 1 - 2 / 5)
    assert certify(z[:3], PretrainGraph(torch.tensor([[0], [1]]), 3)).recovered == 1


def test_no_edges_only_edges_one_sample():
    z, empty = case(0, 9, rate=-1.0)
    loss = ContrastiveLoss(0.2, 0.9)
    found = certify(z, empty, loss, torch.arange(9) % 2)
    assert found.num_edges == 0 and found.bound.edges_outside == 0 and found.bound.positive_loss == 0
    assert found.recovered is found.hit_rate is found.auc is found.radius is found.overlap is None
    assert found.local_consistency is None and found.accuracy is not None
    found = certify(z, PretrainGraph(torch.combinations(torch.arange(9)).t(), 9), loss)
    assert found.num_non_edges == 0 and found.bound.non_edges_inside == 0 and found.overlap == 1
    assert found.recovered is found.auc is None and found.num_anchors == 0
    alone = certify(z[:1], PretrainGraph(num_nodes=1), loss, torch.tensor([0]))
    assert alone.bound is alone.radius is alone.accuracy is None and "–" in alone.table()


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("loss", [None, ContrastiveLoss(0.2, 0.9), SmoothnessLoss(), NPairLoss()])
@pytest.mark.parametrize("value", [0.0, 0.3])
def test_a_collapsed_latent_space_has_nothing(monkeypatch, exact, loss, value):
    """Equal embeddings are ties, however their products are rounded."""
    if not exact:
        monkeypatch.setattr(MODULE, "EXACT_PAIRS", 0)
    _, graph = case(0, 600, rate=0.05)
    found = certify(torch.full((600, 37), value), graph, loss)
    assert (found.recovered, found.hit_rate) == (0, 0)
    assert found.auc == pytest.approx(0.5) and (not exact or found.auc_error == 0)
    assert found.overlap == pytest.approx(graph.num_edges / (600 * 599))


def test_copies_of_samples_are_ties():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(40, 50, generator=generator).repeat(20, 1) * torch.rand(800, 1, generator=generator)
    graph = PretrainGraph(torch.stack([torch.arange(40), torch.arange(40) + 40]), 800)  # one of 19 copies each
    found = certify(z, graph)
    assert (found.recovered, found.hit_rate) == (0, 0)


def test_what_does_not_fit_is_said():
    z, graph = case(0, 10)
    broken = z.clone()
    broken[4, 1] = torch.nan
    with pytest.raises(ValueError, match=r"'embeddings' needs finite values .* in 1 rows, first: 4"):
        certify(broken, graph)
    for wrong in (z[:9], z[None], z.long(), z[:, :0], "abc", None, {"z": z}):
        with pytest.raises(ValueError, match="'embeddings' needs"):
            certify(wrong, graph)
    with pytest.raises(ValueError, match=r"'y' needs one label per embedding, 10, .*got 9"):
        certify(z, graph, y=torch.zeros(9, dtype=torch.long))
    with pytest.raises(ValueError, match="'max_anchors' needs to be >= 1"):
        certify(z, graph, max_anchors=0)
    with pytest.raises(ValueError, match="'embeddings' needs one row per node, 0, >= 1"):
        certify(torch.empty(0, 3), PretrainGraph(num_nodes=0))
