"""The contrastive loss against numbers by hand, a loop over pairs, pytorch-metric-learning, and its certificate."""

from math import sqrt

import pytest
import torch

from sigraph.data.pairs import Pairs
from sigraph.losses import ContrastiveLoss

OPTIONS = [(), ("weight", "self"), ("ignore", "ids"), ("groups", "weight"), ("negative", "ignore", "ids", "groups")]


def slow(z, candidates, positives, negatives, low, high, normalize, squared):
    def distance(i, j):
        x, y = (v / v.norm() if normalize else v for v in (z[i], candidates[j]))
        return float((x - y).norm())

    power = 2 if squared else 1
    far = [(w, max(distance(i, j) - low, 0) ** power) for i, row in enumerate(positives) for j, w in row.items()]
    close = [max(high - distance(i, k), 0) ** power for i, row in enumerate(negatives) for k in row]
    a = sum(w * x for w, x in far) / sum(w for w, _ in far) if far else 0.0
    return a + (sum(close) / len(close) if close else 0.0)


def three_points() -> tuple[torch.Tensor, Pairs]:
    """Distances 3 (0, 1), an edge; 4 (0, 2) and 5 (1, 2), none."""
    return torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]), Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)


def test_three_points_by_hand():
    z, pairs = three_points()
    # margins 1 and 4.5: a = 3 - 1; b = mean of 4.5 - 4 and 0, each in both directions
    assert ContrastiveLoss(1.0, 4.5, normalize=False)(z, pairs).item() == pytest.approx(2 + 0.25, rel=1e-6)
    squared = ContrastiveLoss(1.0, 4.5, normalize=False, squared=True)
    assert squared(z, pairs).item() == pytest.approx(4 + 0.125, rel=1e-6)


def test_three_points_by_hand_on_the_unit_circle():
    z = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])  # distances sqrt 2 (an edge), 2 and sqrt 2
    pairs = Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)
    expected = sqrt(2) - 0.5 + ((1.5 - sqrt(2)) + 0) / 2
    assert ContrastiveLoss(0.5, 1.5)(z, pairs).item() == pytest.approx(expected, rel=1e-6)


def test_weighted_mean_over_positives():
    z = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    pairs = Pairs.square(torch.tensor([[0, 0], [1, 2]]), 3, weight=torch.tensor([1.0, 3.0]))
    loss = ContrastiveLoss(0.0, 1.0, normalize=False)
    assert loss(z, pairs).item() == pytest.approx((1 * 3 + 3 * 4) / 4, rel=1e-6)  # negatives are 3, 4, 5 away


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(("normalize", "squared"), [(True, False), (False, False), (True, True)])
def test_slow_loop(options, normalize, squared, random_case, listed):
    for seed in range(8):
        z, candidates, pairs = random_case(seed, *options)
        low, high = (0.4, 1.3) if normalize else (1.0, 4.0)
        expected = slow(z, candidates, *listed(pairs), low, high, normalize, squared)
        value = ContrastiveLoss(low, high, normalize, squared)(z, pairs, candidates)
        assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("normalize", "squared"), [(True, True), (False, False), (False, True)])
def test_gradient(normalize, squared, random_case):
    z, candidates, pairs = random_case(5, "weight", "ids", "self")
    loss = ContrastiveLoss(0.3, 3.0, normalize, squared)
    inputs = z.requires_grad_(), candidates.requires_grad_()
    assert torch.autograd.gradcheck(lambda z, c: loss(z, pairs, c), inputs)


def test_pytorch_metric_learning(random_case, value_and_gradient):
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    reducers = pytest.importorskip("pytorch_metric_learning.reducers")
    z, _, _ = random_case(1, num_anchors=20)
    label = torch.arange(20) % 4
    same = (label[:, None] == label) & ~torch.eye(20, dtype=torch.bool)
    value, gradient = value_and_gradient(ContrastiveLoss(0.2, 1.2), z, Pairs.square(same.nonzero().t(), 20))
    leaf = z.clone().requires_grad_()
    theirs = losses.ContrastiveLoss(0.2, 1.2, reducer=reducers.MeanReducer())(leaf, label)
    (their_gradient,) = torch.autograd.grad(theirs, leaf)
    assert torch.allclose(value, theirs) and torch.allclose(gradient, their_gradient)


def test_certificate(random_case):
    """At most a P / (r - mu_pos) edges outside radius r, at most b Q / (mu_neg - r) non-edges inside."""
    low, high, radius, found = 0.3, 1.4, 1.1, [0, 0]
    for seed in range(5):
        z, candidates, pairs = random_case(seed)
        distance = torch.cdist(*(x / x.norm(dim=1, keepdim=True) for x in (z, candidates)))
        positive = torch.zeros_like(distance, dtype=torch.bool)
        positive[tuple(pairs.positive_index)] = True
        listed = pairs.positive_index
        no_negative = pairs.replace(negative_index=torch.empty(2, 0).long())
        no_positive = pairs.replace(positive_index=listed[:, :0], ignore_index=listed)
        a, b = (ContrastiveLoss(low, high)(z, p, candidates) for p in (no_negative, no_positive))
        assert torch.allclose(a + b, ContrastiveLoss(low, high)(z, pairs, candidates))
        outside, inside = (positive & (distance > radius)).sum(), (~positive & (distance < radius)).sum()
        found = [found[0] + int(outside), found[1] + int(inside)]
        assert outside <= a * positive.sum() / (radius - low) and inside <= b * (~positive).sum() / (high - radius)
    assert min(found) > 0  # the bounds were put to the test


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("squared", [False, True])
def test_equal_embeddings_are_at_distance_zero_with_gradient_zero(dtype, squared, value_and_gradient):
    z = torch.randn(1, 64, generator=torch.Generator().manual_seed(0), dtype=dtype).expand(3, 64)
    pairs = Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)
    value, gradient = value_and_gradient(ContrastiveLoss(squared=squared), z, pairs)
    assert value == 1 and (gradient == 0).all()  # the positive costs 0, each negative its whole margin


def test_equal_embeddings_among_others_are_at_distance_zero(value_and_gradient):
    """The matrix product alone puts them up to 1e-3 apart in float32."""
    z = torch.randn(20, 64, generator=torch.Generator().manual_seed(0)).repeat(2, 1)
    i = torch.arange(20)
    pairs = Pairs.square(torch.stack([i, i + 20]), 40, negative_index=torch.empty(2, 0).long())
    value, gradient = value_and_gradient(ContrastiveLoss(), z, pairs)
    assert value == 0 and (gradient == 0).all()


def test_many_negatives_are_counted_without_listing_them():
    group = torch.tensor([0, 0, 1, 1, 1])
    pairs = Pairs.square(torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]), 5, anchor_group=group, candidate_group=group)
    _, counts = ContrastiveLoss().terms(torch.eye(5), pairs, torch.eye(5))
    assert counts.tolist() == [4, 4]  # of 4 + 9 pairs in a group 5 are self, 4 are edges


@pytest.mark.parametrize(
    ("positive_margin", "negative_margin"),
    [(-0.1, 1.0), (1.0, 1.0), (2.0, 1.0), (0.0, float("nan")), (0.0, float("inf"))],
)
def test_bad_margins(positive_margin, negative_margin):
    with pytest.raises(ValueError, match=r"'(positive|negative)_margin'"):
        ContrastiveLoss(positive_margin, negative_margin)
