"""N-pair against numbers by hand, a loop over pairs, and pytorch-metric-learning."""

from math import exp, log

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigraph.data.pairs import Pairs
from sigraph.losses import InfoNCELoss, NPairLoss

OPTIONS = [(), ("weight", "self"), ("ignore", "ids"), ("groups", "weight"), ("negative", "ignore", "ids", "groups")]


def slow(z, candidates, positives, negatives, temperature, normalize, l2_weight):
    x, y = (v / v.norm(dim=1, keepdim=True) if normalize else v for v in (z, candidates))
    losses = []
    for i, (P, N) in enumerate(zip(positives, negatives, strict=True)):
        if P and N:
            s = [float(x[i] @ c) / temperature for c in y]
            cost = {j: log(1 + sum(exp(s[k] - s[j]) for k in N)) for j in P}
            losses.append(sum(w * cost[j] for j, w in P.items()) / sum(P.values()))
    norms = sum(sum(float(v @ v) for v in part) / len(part) for part in (z, candidates))
    return (sum(losses) / len(losses) if losses else 0.0) + l2_weight * norms / 2


def test_three_points_by_hand():
    z = torch.tensor([[1.0, 0.0], [2.0, 2.0], [1.0, 1.0]])  # dot products 2 (an edge); 1 and 4; squared norms 1, 8, 2
    pairs = Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)
    first, second = log(1 + exp(1 - 2)), log(1 + exp(4 - 2))  # 0.313262, 2.126928; anchor 2 has no positive
    assert NPairLoss()(z, pairs).item() == pytest.approx((first + second) / 2, rel=1e-6)
    regularised = (first + second) / 2 + 0.1 * (1 + 8 + 2) / 3  # anchors and candidates alike, half of each
    assert NPairLoss(l2_weight=0.1)(z, pairs).item() == pytest.approx(regularised, rel=1e-6)
    halved = (log(1 + exp(0.5 - 1)) + log(1 + exp(2 - 1))) / 2
    assert NPairLoss(temperature=2.0)(z, pairs).item() == pytest.approx(halved, rel=1e-6)


def test_weights_are_shares_of_the_anchor():
    """Similarities 1 and 3 to positives of weights 1 and 3, 0 and 2 to negatives; an anchor of weight 5 beside it."""
    z, candidates = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0], [3.0, 0.0], [0.0, 1.0], [2.0, 0]])
    weight = torch.tensor([1.0, 3.0, 5.0])
    pairs = Pairs(torch.tensor([[0, 0, 1], [0, 1, 0]]), 2, 4, weight=weight)
    first = 0.25 * log(1 + exp(0 - 1) + exp(2 - 1)) + 0.75 * log(1 + exp(0 - 3) + exp(2 - 3))
    second = log(1 + exp(0 - 1) + exp(1 - 1) + exp(0 - 1))
    assert NPairLoss()(z, pairs, candidates).item() == pytest.approx((first + second) / 2, rel=1e-6)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(
    ("temperature", "normalize", "l2_weight"), [(1.0, False, 0.0), (0.2, True, 0.0), (0.7, False, 0.3)]
)
def test_slow_loop(options, temperature, normalize, l2_weight, random_case, listed):
    for seed in range(8):
        z, candidates, pairs = random_case(seed, *options)
        expected = slow(z, candidates, *listed(pairs), temperature, normalize, l2_weight)
        value = NPairLoss(temperature, normalize, l2_weight)(z, pairs, candidates)
        assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("l2_weight", [0.0, 0.3])
@pytest.mark.parametrize("square", [False, True])
def test_gradient(l2_weight, square, random_case):
    for seed in range(2):
        z, candidates, pairs = random_case(seed, "weight", "ids", num_candidates=7 if square else 11)
        loss = NPairLoss(0.5, l2_weight=l2_weight)
        inputs = (z.requires_grad_(),) if square else (z.requires_grad_(), candidates.requires_grad_())
        assert torch.autograd.gradcheck(lambda z, *c, p=pairs, loss=loss: loss(z, p, *c), inputs)


@pytest.mark.parametrize("normalize", [False, True])
def test_pytorch_metric_learning(normalize, value_and_gradient):
    """Theirs takes one pair a class: anchors and positives as rectangle, the other classes' positives as negatives."""
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    distances = pytest.importorskip("pytorch_metric_learning.distances")
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(20, 6, generator=generator, dtype=torch.float64)
    label = torch.arange(10).repeat(2)
    i = torch.arange(10)
    pairs = Pairs(torch.stack([i, i]), 10, 10)
    value, anchors, candidates = value_and_gradient(NPairLoss(normalize=normalize), z[:10], pairs, z[10:])
    leaf = z.clone().requires_grad_()
    distance = distances.DotProductSimilarity(normalize_embeddings=normalize)
    theirs = losses.NPairsLoss(distance=distance)(leaf, label)
    (their_gradient,) = torch.autograd.grad(theirs, leaf)
    assert torch.allclose(value, theirs) and torch.allclose(torch.cat([anchors, candidates]), their_gradient)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    l2_weight=st.sampled_from([0.0, 0.1]),
    size=st.integers(1, 40),
    options=st.sets(st.sampled_from(["weight", "ignore", "negative", "ids", "groups", "self"])),
)
def test_values_do_not_depend_on_the_block_size(seed, l2_weight, size, options, random_case, value_and_gradient):
    z, candidates, pairs = random_case(seed, *sorted(options), num_anchors=33, num_candidates=21)
    loss, results = NPairLoss(l2_weight=l2_weight), []
    for loss.block_size in (None, size):
        results.append(value_and_gradient(loss, z.float(), pairs, candidates.float()))
    dense, blocks = results
    assert torch.allclose(dense[0], blocks[0], rtol=1e-6, atol=1e-7)
    for one, other in zip(dense[1:], blocks[1:], strict=True):
        assert (one - other).norm() <= 1e-5 * one.norm() + 1e-8


def test_one_positive_each_is_info_nce_on_unit_vectors(random_case, value_and_gradient):
    z, candidates, pairs = random_case(4)
    i = torch.arange(7)
    pairs = pairs.replace(positive_index=torch.stack([i, i + 2]))
    ours = value_and_gradient(NPairLoss(0.2, normalize=True), z, pairs, candidates)
    theirs = value_and_gradient(InfoNCELoss(0.2), z, pairs, candidates)
    assert all(torch.allclose(one, other) for one, other in zip(ours, theirs, strict=True))


def test_positives_do_not_compete(value_and_gradient):
    """A positive on the far side leaves another one's gradient as it is, but for its share."""
    z, candidates = torch.eye(1, 2), torch.tensor([[1.0, 0.0], [50.0, 0.0], [0.5, 0.0]])
    two = value_and_gradient(NPairLoss(), z, Pairs(torch.tensor([[0, 0], [0, 1]]), 1, 3), candidates)
    one = Pairs(torch.tensor([[0], [0]]), 1, 3, ignore_index=torch.tensor([[0], [1]]))
    one = value_and_gradient(NPairLoss(), z, one, candidates)
    assert torch.allclose(2 * two[2][0], one[2][0]) and one[2][0].abs().max() > 0.1


@pytest.mark.parametrize("temperature", [1e-3, 1e3])
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_extremes_stay_finite(temperature, scale, random_case, value_and_gradient):
    z, candidates, pairs = random_case(0, "weight")
    results = value_and_gradient(NPairLoss(temperature), scale * z.float(), pairs, scale * candidates.float())
    assert all(x.isfinite().all() for x in results) and results[0] > 0


def test_sharp_limit_is_the_closest_negative():
    """For t -> 0: t times the loss is the excess of the most similar negative over each positive, if any."""
    z, candidates = torch.eye(1, 2), torch.tensor([[0.3, 0.0], [0.9, 0.0], [0.5, 0.0], [0.1, 0.0]])
    pairs = Pairs(torch.tensor([[0, 0], [0, 1]]), 1, 4)
    assert NPairLoss(1e-3)(z, pairs, candidates).item() == pytest.approx(1e3 * (0.2 + 0) / 2, rel=1e-5)


def test_l2_pulls_every_embedding_and_a_fixed_queue_not_at_all(random_case, value_and_gradient):
    z, candidates, pairs = random_case(0)
    none = pairs.replace(positive_index=torch.empty(2, 0).long())
    value, anchors, others = value_and_gradient(NPairLoss(l2_weight=0.5), z, none, candidates)
    norms = z.square().sum() / 7 + candidates.square().sum() / 11
    assert torch.allclose(value, 0.25 * norms)
    assert torch.allclose(anchors, 0.5 * z / 7) and torch.allclose(others, 0.5 * candidates / 11)
    leaf = z.clone().requires_grad_()
    NPairLoss(l2_weight=0.5)(leaf, none, candidates).backward()
    assert torch.allclose(leaf.grad, anchors)


@pytest.mark.parametrize("l2_weight", [0.0, 0.5])
def test_l2_without_samples(l2_weight, value_and_gradient):
    value, gradient = value_and_gradient(
        NPairLoss(l2_weight=l2_weight), torch.empty(0, 3), Pairs.square(torch.empty(2, 0).long(), 0)
    )
    assert value == 0 and gradient.shape == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, "'temperature' needs to be > 0"),
        ({"temperature": float("nan")}, "'temperature' needs to be > 0"),
        ({"l2_weight": -0.1}, "'l2_weight' needs to be >= 0"),
        ({"l2_weight": float("inf")}, "'l2_weight' needs to be >= 0 and finite"),
        ({"l2_weight": 0.1, "normalize": True}, "'l2_weight' needs to be 0 with normalize=True"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        NPairLoss(**arguments)
