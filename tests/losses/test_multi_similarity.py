"""Multi-similarity against numbers by hand, a loop over pairs, and pytorch-metric-learning."""

from math import exp, log, sqrt

import pytest
import torch

from sigraph.data.pairs import Pairs
from sigraph.losses import MultiSimilarityLoss

OPTIONS = [(), ("weight", "self"), ("ignore", "ids"), ("groups", "weight"), ("negative", "ignore", "ids", "groups")]


def slow(z, candidates, positives, negatives, alpha, beta, base, epsilon=None):
    losses = []
    for i, (P, N) in enumerate(zip(positives, negatives, strict=True)):
        s = [float(z[i] @ c / (z[i].norm() * c.norm())) for c in candidates]
        if epsilon is not None and P and N:
            closest, farthest = max(s[k] for k in N), min(s[j] for j in P)
            P = {j: w for j, w in P.items() if s[j] - epsilon < closest}
            N = [k for k in N if s[k] + epsilon > farthest]
        if P and N:
            pull = log(1 + sum(w * exp(-alpha * (s[j] - base)) for j, w in P.items())) / alpha
            losses.append(pull + log(1 + sum(exp(beta * (s[k] - base)) for k in N)) / beta)
    return sum(losses) / len(losses) if losses else 0.0


def three_points() -> tuple[torch.Tensor, Pairs]:
    """Cosines 0.8 (0, 1), an edge; 0 (0, 2) and 0.6 (1, 2), none."""
    return torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 2.0]]), Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)


def test_three_points_by_hand():
    z, pairs = three_points()
    # alpha 2, beta 4, base 0.5; anchors 0 and 1 have a positive and a negative, anchor 2 has no positive
    pull = log(1 + exp(-2 * 0.3)) / 2  # 0.218744
    push = log(1 + exp(4 * -0.5)) / 4, log(1 + exp(4 * 0.1)) / 4  # 0.031732, 0.228254
    assert MultiSimilarityLoss(2.0, 4.0)(z, pairs).item() == pytest.approx(pull + sum(push) / 2, rel=1e-6)
    assert pull + sum(push) / 2 == pytest.approx(0.348737, abs=2e-6)


def test_three_points_by_hand_with_mining():
    z, pairs = three_points()
    # anchor 0: negative 0 + 0.3 < positive 0.8, nothing left; anchor 1: 0.6 + 0.3 > 0.8 and 0.8 - 0.3 < 0.6
    expected = log(1 + exp(-2 * 0.3)) / 2 + log(1 + exp(4 * 0.1)) / 4
    assert MultiSimilarityLoss(2.0, 4.0, epsilon=0.3)(z, pairs).item() == pytest.approx(expected, rel=1e-6)
    assert MultiSimilarityLoss(2.0, 4.0, epsilon=0.1)(z, pairs).item() == 0  # every pair is easy


def test_all_easy_has_zero_gradient(value_and_gradient):
    value, gradient = value_and_gradient(MultiSimilarityLoss(epsilon=0.1), *three_points())
    assert value == 0 and (gradient == 0).all()


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("epsilon", [None, 0.0, 0.4])
def test_slow_loop(options, epsilon, random_case, listed):
    for seed in range(8):
        z, candidates, pairs = random_case(seed, *options)
        expected = slow(z, candidates, *listed(pairs), 2.0, 10.0, 0.3, epsilon)
        value = MultiSimilarityLoss(2.0, 10.0, 0.3, epsilon)(z, pairs, candidates)
        assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("epsilon", [0.1, 0.5])
def test_gradient_with_mining(epsilon, random_case):
    for seed in range(3):
        z, candidates, pairs = random_case(seed, "weight", "ids")
        loss = MultiSimilarityLoss(epsilon=epsilon)
        inputs = z.requires_grad_(), candidates.requires_grad_()
        assert torch.autograd.gradcheck(lambda z, c, p=pairs, loss=loss: loss(z, p, c), inputs)


@pytest.mark.parametrize("epsilon", [None, 0.2])
def test_pytorch_metric_learning(epsilon, value_and_gradient):
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    miners = pytest.importorskip("pytorch_metric_learning.miners")
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(24, 6, generator=generator, dtype=torch.float64)
    label = torch.randint(5, (24,), generator=generator)
    label[0] = 9  # an anchor without a positive
    same = (label[:, None] == label) & ~torch.eye(24, dtype=torch.bool)
    pairs = Pairs.square(same.nonzero().t(), 24)
    value, gradient = value_and_gradient(MultiSimilarityLoss(2.0, 40.0, 0.5, epsilon), z, pairs)

    leaf = z.clone().requires_grad_()
    a1, p, a2, n = miners.MultiSimilarityMiner(epsilon or 100.0)(leaf, label)
    valid = set(a1.tolist()) & set(a2.tolist())  # theirs averages over all 24 rows and counts rows with one kind
    assert 0 < len(valid) < 24
    keep = [torch.tensor([int(i) in valid for i in a]) for a in (a1, a2)]
    theirs = losses.MultiSimilarityLoss(2.0, 40.0, 0.5)(leaf, label, (a1[keep[0]], p[keep[0]], a2[keep[1]], n[keep[1]]))
    theirs = theirs * 24 / len(valid)
    (their_gradient,) = torch.autograd.grad(theirs, leaf)
    assert torch.allclose(value, theirs) and torch.allclose(gradient, their_gradient)


@pytest.mark.parametrize("sharpness", [1e-3, 1e3])
@pytest.mark.parametrize("base", [-1.0, 1.0])
@pytest.mark.parametrize("epsilon", [None, 0.1])
def test_extremes_stay_finite(sharpness, base, epsilon, random_case, value_and_gradient):
    z, candidates, pairs = random_case(0, "weight")
    results = value_and_gradient(
        MultiSimilarityLoss(sharpness, sharpness, base, epsilon), z.float(), pairs, candidates.float()
    )
    assert all(x.isfinite().all() for x in results) and results[0] > 0


def test_sharp_limit_is_the_hardest_pair():
    """For alpha, beta -> infinity: max(base - farthest positive, 0) + max(closest negative - base, 0)."""
    z, pairs = three_points()
    value = MultiSimilarityLoss(1e3, 1e3, 0.5)(z, pairs).item()
    assert value == pytest.approx((0 + 0.1) / 2, rel=1e-5)


def test_weights_enter_the_sum():
    z, pairs = three_points()
    weighted = pairs.replace(weight=torch.tensor([3.0, 3.0]))
    push = (log(1 + exp(4 * -0.5)) + log(1 + exp(4 * 0.1))) / 8
    expected = log(1 + 3 * exp(-2 * 0.3)) / 2 + push
    assert MultiSimilarityLoss(2.0, 4.0)(z, weighted).item() == pytest.approx(expected, rel=1e-6)


def test_scale_of_embeddings_does_not_matter():
    z, pairs = three_points()
    assert MultiSimilarityLoss()(z, pairs).item() == pytest.approx(MultiSimilarityLoss()(z * sqrt(7), pairs).item())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.0}, "'alpha' needs to be > 0"),
        ({"beta": -1.0}, "'beta' needs to be > 0"),
        ({"beta": float("nan")}, "'beta' needs to be > 0"),
        ({"base": 1.5}, r"'base' needs to be in \[-1, 1\]"),
        ({"epsilon": -0.1}, "'epsilon' needs to be >= 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiSimilarityLoss(**arguments)
