"""InfoNCE against numbers by hand, a loop over pairs, and pytorch-metric-learning."""

from math import exp, log

import pytest
import torch

from sigraph.data.pairs import Pairs
from sigraph.losses import InfoNCELoss

OPTIONS = [(), ("weight", "self"), ("ignore", "ids"), ("groups", "weight"), ("negative", "ignore", "ids", "groups")]
variants = pytest.mark.parametrize("variant", ["out", "in"])


def slow(z, candidates, positives, negatives, temperature, variant):
    losses = []
    for i, (P, N) in enumerate(zip(positives, negatives, strict=True)):
        if not P:
            continue
        e = [exp(float(z[i] @ c / (z[i].norm() * c.norm())) / temperature) for c in candidates]
        total, weight = sum(e[k] for k in [*P, *N]), sum(P.values())
        if variant == "out":
            losses.append(-sum(w / weight * log(e[j] / total) for j, w in P.items()))
        else:
            losses.append(-log(sum(w / weight * e[j] / total for j, w in P.items())))
    return sum(losses) / len(losses) if losses else 0.0


def one_anchor(**fields) -> tuple[torch.Tensor, Pairs, torch.Tensor]:
    """Cosines 1 and 0.6 to two positives, 0 to a negative."""
    candidates = torch.tensor([[2.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    return torch.tensor([[1.0, 0.0]]), Pairs(torch.tensor([[0, 0], [0, 1]]), 1, 3, **fields), candidates


def test_three_points_by_hand():
    z, pairs, candidates = one_anchor()
    # temperature 0.5: logits 2, 1.2, 0; their exponentials sum to 7.389056 + 3.320117 + 1 = 11.709173
    total = 11.709173
    out = log(total) - (2 + 1.2) / 2  # 0.860373
    inside = -log((7.389056 + 3.320117) / 2 / total)  # 0.782415
    assert InfoNCELoss(0.5)(z, pairs, candidates).item() == pytest.approx(out, rel=1e-5)
    assert InfoNCELoss(0.5, "in")(z, pairs, candidates).item() == pytest.approx(inside, rel=1e-5)


def test_weights_choose_the_target_and_not_the_competitors():
    z, pairs, candidates = one_anchor(weight=torch.tensor([1.0, 3.0]))
    total = 11.709173
    out = log(total) - (0.25 * 2 + 0.75 * 1.2)
    inside = -log((0.25 * 7.389056 + 0.75 * 3.320117) / total)
    assert InfoNCELoss(0.5)(z, pairs, candidates).item() == pytest.approx(out, rel=1e-5)
    assert InfoNCELoss(0.5, "in")(z, pairs, candidates).item() == pytest.approx(inside, rel=1e-5)


@variants
@pytest.mark.parametrize("options", OPTIONS)
def test_slow_loop(variant, options, random_case, listed):
    for seed in range(8):
        z, candidates, pairs = random_case(seed, *options)
        expected = slow(z, candidates, *listed(pairs), 0.3, variant)
        value = InfoNCELoss(0.3, variant)(z, pairs, candidates)
        assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@variants
def test_gradient(variant, random_case):
    for seed in range(2):
        z, candidates, pairs = random_case(seed, "weight", "ids", "self")
        loss = InfoNCELoss(0.3, variant)
        inputs = z.requires_grad_(), candidates.requires_grad_()
        assert torch.autograd.gradcheck(lambda z, c, p=pairs, loss=loss: loss(z, p, c), inputs)


def test_pytorch_metric_learning(value_and_gradient):
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(20, 6, generator=generator, dtype=torch.float64)
    label = torch.randint(4, (20,), generator=generator)
    label[0] = 9  # an anchor without a positive
    same = (label[:, None] == label) & ~torch.eye(20, dtype=torch.bool)
    value, gradient = value_and_gradient(InfoNCELoss(0.1), z, Pairs.square(same.nonzero().t(), 20))
    leaf = z.clone().requires_grad_()
    theirs = losses.SupConLoss(temperature=0.1)(leaf, label)  # the mean over anchors with a positive, as ours
    (their_gradient,) = torch.autograd.grad(theirs, leaf)
    assert torch.allclose(value, theirs) and torch.allclose(gradient, their_gradient)


def test_in_and_out_agree_for_one_positive():
    z, pairs, candidates = one_anchor()
    pairs = pairs.replace(positive_index=torch.tensor([[0], [1]]))
    out, inside = (InfoNCELoss(0.5, variant)(z, pairs, candidates).item() for variant in ("out", "in"))
    assert out == pytest.approx(inside) and out == pytest.approx(log(11.709173) - 1.2, rel=1e-5)


@variants
def test_one_positive_without_negatives_costs_nothing(variant, value_and_gradient):
    z, _, candidates = one_anchor()
    value, anchor, _ = value_and_gradient(
        InfoNCELoss(0.5, variant), z, Pairs(torch.tensor([[0], [0]]), 1, 1), candidates[1:2]
    )
    assert value.item() == pytest.approx(0, abs=1e-6) and torch.allclose(anchor, torch.zeros_like(anchor), atol=1e-6)


@variants
@pytest.mark.parametrize("temperature", [1e-3, 1e3])
def test_extremes_stay_finite(variant, temperature, random_case, value_and_gradient):
    z, candidates, pairs = random_case(0, "weight")
    results = value_and_gradient(InfoNCELoss(temperature, variant), z.float(), pairs, candidates.float())
    assert all(x.isfinite().all() for x in results) and results[0] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": 0.0}, "'temperature' needs to be > 0"),
        ({"temperature": float("nan")}, "'temperature' needs to be > 0"),
        ({"variant": "both"}, "'variant' needs to be 'out' or 'in'.*'both'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        InfoNCELoss(**arguments)
