"""Smoothness against numbers by hand, a loop, torch's covariance, the graph Laplacian, and copies of nodes."""

from math import sqrt

import pytest
import torch

from sigraph.data.pairs import Pairs
from sigraph.losses import SmoothnessLoss

OPTIONS = [(), ("weight", "self"), ("ignore", "ids"), ("groups", "weight"), ("negative", "ignore", "ids", "groups")]


def slow(loss, z, candidates, pairs, positives):
    """Loops over pairs, nodes and dimensions."""
    width = z.size(1)

    def square(i, j):
        return float((z[i] - candidates[j]).square().sum())

    edges = [[(w, square(i, j)) for j, w in row.items()] for i, row in enumerate(positives)]
    groups = edges if loss.normalize_degree else [[edge for row in edges for edge in row]]
    means = [sum(w * x for w, x in row) / sum(w for w, _ in row) for row in groups if row]
    energy = sum(means) / len(means) if means else 0.0

    rows, seen = [], set()
    for j in range(len(candidates)):
        name = f"row {j}" if pairs.candidate_id is None else int(pairs.candidate_id[j])
        if name not in seen:
            rows.append(candidates[j])
            seen.add(name)
    for i in range(len(z)):
        own = pairs.self_index is not None and pairs.self_index[i] >= 0
        name = f"anchor {i}" if pairs.anchor_id is None else int(pairs.anchor_id[i])
        if not own and name not in seen:
            rows.append(z[i])
            seen.add(name)
    mean = [sum(float(r[d]) for r in rows) / len(rows) for d in range(width)]

    def covariance(d, e):
        return sum((float(r[d]) - mean[d]) * (float(r[e]) - mean[e]) for r in rows) / (len(rows) - 1)

    narrow = sum(max(0.0, loss.target_std - sqrt(covariance(d, d) + 1e-4)) for d in range(width))
    mixed = sum(covariance(d, e) ** 2 for d in range(width) for e in range(width) if d != e)
    return (energy + loss.variance_weight * narrow + loss.covariance_weight * mixed) / width


def three_points(**fields) -> tuple[torch.Tensor, Pairs]:
    """Squared distances 4 (0, 1), an edge; 5 (0, 2) and 1 (1, 2), none."""
    return torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0]]), Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3, **fields)


def test_three_points_by_hand():
    # means 4/3 and 1/3; variances (16 + 4 + 4) / 9 / 2 = 4/3 and (1 + 1 + 4) / 9 / 2 = 1/3; covariance (4 - 2 + 4) / 18
    energy, narrow, mixed = 4 / 2, (max(0, 1.2 - sqrt(4 / 3)) + 1.2 - sqrt(1 / 3)) / 2, 2 * (1 / 3) ** 2 / 2
    z, pairs = three_points()
    assert SmoothnessLoss(0.0, 0.0)(z, pairs).item() == pytest.approx(energy)
    value = SmoothnessLoss(0.5, 3.0, target_std=1.2)(z, pairs).item()
    assert value == pytest.approx(energy + 0.5 * narrow + 3 * mixed, abs=1e-4)  # 1e-4 under the root


def test_weights_and_degrees_by_hand():
    z, _ = three_points()
    pairs = Pairs.square(torch.tensor([[0, 0, 2], [1, 2, 1]]), 3, weight=torch.tensor([3.0, 1.0, 1.0]))
    assert SmoothnessLoss(0.0, 0.0)(z, pairs).item() == pytest.approx((3 * 4 + 5 + 1) / 5 / 2)
    by_anchor = SmoothnessLoss(0.0, 0.0, normalize_degree=True)
    assert by_anchor(z, pairs).item() == pytest.approx(((3 * 4 + 5) / 4 + 1) / 2 / 2)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("normalize_degree", [False, True])
def test_slow_loop(options, normalize_degree, random_case, listed):
    loss = SmoothnessLoss(0.7, 0.3, 1.5, normalize_degree)
    for seed in range(6):
        z, candidates, pairs = random_case(seed, *options)
        expected = slow(loss, z, candidates, pairs, listed(pairs)[0])
        assert loss(z, pairs, candidates).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("normalize_degree", [False, True])
def test_gradient(normalize_degree, random_case):
    z, candidates, pairs = random_case(3, "weight", "ids", "self")
    loss = SmoothnessLoss(2.0, 0.5, 1.3, normalize_degree)
    inputs = z.requires_grad_(), candidates.requires_grad_()
    assert torch.autograd.gradcheck(lambda z, c: loss(z, pairs, c), inputs)
    assert torch.autograd.gradgradcheck(lambda z, c: loss(z, pairs, c), inputs)  # plain autograd has a second one


def test_energy_is_that_of_the_laplacian(random_case):
    """sum over edges of w |z_i - z_j|^2 = trace(Z^T L Z) with L = degrees - weights, each edge once."""
    z, _, _ = random_case(0, num_anchors=9)
    adjacency = torch.rand(9, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64).triu(1)
    adjacency = adjacency * (adjacency > 0.5)
    adjacency = adjacency + adjacency.t()
    index = adjacency.nonzero().t()
    pairs = Pairs.square(index, 9, weight=adjacency[tuple(index)])
    energy = (z.t() @ (adjacency.sum(dim=1).diag() - adjacency) @ z).trace()
    expected = energy * 2 / adjacency.sum() / 5  # both directions, D = 5
    assert torch.allclose(SmoothnessLoss(0.0, 0.0)(z, pairs), expected)


def test_torch_oracle_of_the_spread(random_case):
    z, _, _ = random_case(1, num_anchors=12)
    pairs = Pairs.square(torch.empty(2, 0).long(), 12)
    covariance = z.t().cov()
    expected = 2.0 * (1.4 - (z.var(dim=0) + 1e-4).sqrt()).relu().mean()
    expected = expected + 0.3 * (covariance.square().sum() - covariance.diagonal().square().sum()) / 5
    assert torch.allclose(SmoothnessLoss(2.0, 0.3, 1.4)(z, pairs), expected)


def test_vicreg_of_pytorch_metric_learning(random_case):
    """Two views as two lists of embeddings with one edge each: its invariance and, of both views, its spread."""
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    z, other, _ = random_case(4, num_anchors=8, num_candidates=8)
    own = torch.arange(8).repeat(2, 1)
    theirs = losses.VICRegLoss(invariance_lambda=25, variance_mu=0, covariance_v=0)(z, ref_emb=other)
    assert torch.allclose(25 * SmoothnessLoss(0.0, 0.0)(z, Pairs(own, 8, 8), other), theirs)
    theirs = losses.VICRegLoss(invariance_lambda=0, variance_mu=25, covariance_v=1)(z, ref_emb=other)
    ours = [SmoothnessLoss(25 / 2, 1.0)(x, Pairs.square(own[:, :0], 8)) for x in (z, other)]
    assert torch.allclose(sum(ours), theirs)


def test_negatives_play_no_part(random_case, value_and_gradient):
    z, candidates, pairs = random_case(0)
    none = pairs.replace(negative_index=torch.empty(2, 0).long())
    one, other = (value_and_gradient(SmoothnessLoss(), z, p, candidates) for p in (pairs, none))
    assert all(torch.equal(x, y) for x, y in zip(one, other, strict=True))


def test_spread_keeps_embeddings_apart():
    """Gradient descent on a connected graph: without the spread all end at one place, with it they do not."""
    i = torch.arange(12)
    pairs = Pairs.square(torch.cat([torch.stack([i, (i + 1) % 12]), torch.stack([(i + 1) % 12, i])], dim=1), 12)
    std = {}
    for weight in (0.0, 1.0):
        z = torch.randn(12, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
        optimizer, loss = torch.optim.SGD([z], lr=2.0), SmoothnessLoss(weight, 0.04 * weight)
        for _ in range(400):
            optimizer.zero_grad()
            loss(z, pairs).backward()
            optimizer.step()
        std[weight] = z.std(dim=0)
    assert (std[0.0] < 0.01).all() and (std[1.0] > 0.3).all()


def test_a_node_counts_once_by_its_first_row(value_and_gradient):
    """An older copy at the end of a queue changes nothing, wherever it lies, and anchors among the rows are no more."""
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    node, edges = torch.arange(4), torch.tensor([[0, 1], [1, 0]])
    square = value_and_gradient(SmoothnessLoss(), z, Pairs.square(edges, 4, anchor_id=node, candidate_id=node))
    again = torch.tensor([2, 0])
    pairs = Pairs(edges, 4, 6, anchor_id=node, candidate_id=torch.cat([node, again]))
    value, dz, dc = value_and_gradient(SmoothnessLoss(), z, pairs, torch.cat([z, z[again] + 5]))
    assert torch.allclose(value, square[0]) and torch.allclose(dz + dc[:4], square[1]) and (dc[4:] == 0).all()


def test_parts_of_two_processes_make_up_the_whole(random_case):
    """Anchors split over processes, candidates all: sums over the joint counts, averaged, are the loss of one."""
    z, _, pairs = random_case(6, "weight", num_anchors=9, num_candidates=9)
    node = torch.tensor([0, 1, 2, 3, 4, 5, 6, 2, 0])  # 2 and 0 sit on both
    whole = pairs.replace(anchor_id=node, candidate_id=node)
    for loss in (SmoothnessLoss(), SmoothnessLoss(normalize_degree=True)):
        split = []
        for part in (slice(0, 5), slice(5, 9)):
            mine = (pairs.positive_index[0] >= part.start) & (pairs.positive_index[0] < part.stop)
            index = pairs.positive_index[:, mine] - torch.tensor([[part.start], [0]])
            there = Pairs(index, part.stop - part.start, 9, pairs.weight[mine], None, node[part], node)
            split.append(loss.terms(z[part], there, z.clone()))
        sums, counts = (torch.stack(x).sum(dim=0) for x in zip(*split, strict=True))
        assert torch.allclose((sums / counts).sum(), loss(z, whole))


def test_no_matrix_over_pairs():
    z = torch.randn(3000, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
        SmoothnessLoss()(z, Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3000)).backward()
    assert max(sizes) <= z.numel()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variance_weight": -1.0}, "'variance_weight' needs to be >= 0"),
        ({"covariance_weight": float("nan")}, "'covariance_weight' needs to be >= 0"),
        ({"target_std": 0.0}, "'target_std' needs to be > 0"),
        ({"target_std": float("inf")}, "'target_std' needs to be > 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SmoothnessLoss(**arguments)
