"""Link prediction against numbers by hand, a loop over pairs, torch's cross-entropy, and plain autograd (bilinear)."""

from math import exp, log, sqrt

import pytest
import torch
import torch.nn.functional as F

from sigraph.config import config_from_dict
from sigraph.config.build import build
from sigraph.data.pairs import Pairs
from sigraph.losses import LinkPredictionLoss, StructureLoss
from sigraph.running.parts import build_parts

OPTIONS = [(), ("weight", "self"), ("ignore", "ids"), ("groups", "weight"), ("negative", "ignore", "ids", "groups")]
SCORES = ["dot", "cosine", "distance", "bilinear"]
every_score = pytest.mark.parametrize("score", SCORES)


def made(score: str, **arguments) -> LinkPredictionLoss:
    """In double precision; the bilinear one with a matrix that is neither symmetric nor the identity."""
    loss = LinkPredictionLoss(score, encoder_channels=5, **arguments).double()
    if loss.weight is not None:
        with torch.no_grad():
            loss.weight.copy_(torch.randn(5, 5, generator=torch.Generator().manual_seed(7), dtype=torch.float64))
    return loss


def slow(loss, z, candidates, positives, negatives):
    def logit(i, j):
        x, y = z[i], candidates[j]
        if loss.score == "bilinear":
            weight = loss.weight.detach()
            both = float(x @ weight @ y), float(y @ weight @ x)
            score = sum(both) / 2
        elif loss.score == "distance":
            return (loss.threshold - float((x - y).norm())) / loss.temperature
        else:
            score = float(x @ y / (x.norm() * y.norm() if loss.score == "cosine" else 1))
        return (score - loss.threshold) / loss.temperature

    missed = [(w, log(1 + exp(-logit(i, j)))) for i, row in enumerate(positives) for j, w in row.items()]
    false = [log(1 + exp(logit(i, k))) for i, row in enumerate(negatives) for k in row]
    a = sum(w * x for w, x in missed) / sum(w for w, _ in missed) if missed else 0.0
    return a + (sum(false) / len(false) if false else 0.0)


def three_points() -> tuple[torch.Tensor, Pairs]:
    """(0, 1) is an edge: dot 3, cosine 0.6, distance sqrt(10). (0, 2): dot 0. (1, 2): dot 4, cosine 0.8."""
    return torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 1.0]]), Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)


def softplus(x):
    return log(1 + exp(x))


@pytest.mark.parametrize(
    ("score", "arguments", "expected"),
    [
        ("dot", {}, softplus(-3) + (softplus(0) + softplus(4)) / 2),
        ("dot", {"temperature": 2.0, "threshold": 1.0}, softplus(-1) + (softplus(-0.5) + softplus(1.5)) / 2),
        ("cosine", {}, softplus(-1) + (softplus(-5) + softplus(3)) / 2),
        ("distance", {}, softplus(sqrt(20) - 1) + (softplus(1 - sqrt(2)) + softplus(1 - sqrt(18))) / 2),
        ("bilinear", {"encoder_channels": 2}, softplus(-3) + (softplus(0) + softplus(4)) / 2),
    ],
)
def test_three_points_by_hand(score, arguments, expected):
    assert LinkPredictionLoss(score, **arguments)(*three_points()).item() == pytest.approx(expected, rel=1e-6)


def test_bilinear_by_hand():
    """W = [[0, 2], [0, 0]] scores x_1 y_2 + x_2 y_1."""
    loss = LinkPredictionLoss("bilinear", encoder_channels=2)
    with torch.no_grad():
        loss.weight.copy_(torch.tensor([[0.0, 2.0], [0.0, 0.0]]))
    expected = softplus(-4) + (softplus(1) + softplus(3)) / 2
    assert loss(*three_points()).item() == pytest.approx(expected, rel=1e-6)


def test_weighted_mean_over_positives():
    z, pairs = three_points()
    pairs = Pairs.square(torch.tensor([[0, 1], [1, 2]]), 3, weight=torch.tensor([1.0, 3.0]))
    false = (softplus(3) + 2 * softplus(0) + softplus(4)) / 4
    assert LinkPredictionLoss()(z, pairs).item() == pytest.approx((softplus(-3) + 3 * softplus(-4)) / 4 + false)


@every_score
@pytest.mark.parametrize("options", OPTIONS)
def test_slow_loop(score, options, random_case, listed):
    loss = made(score, temperature=0.7, threshold=0.3)
    for seed in range(6):
        z, candidates, pairs = random_case(seed, *options)
        expected = slow(loss, z, candidates, *listed(pairs))
        assert loss(z, pairs, candidates).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@every_score
def test_gradient_of_embeddings_and_matrix(score, random_case):
    z, candidates, pairs = random_case(5, "weight", "ids", "self")
    loss = made(score, temperature=0.5)
    inputs = z.requires_grad_(), candidates.requires_grad_()
    assert torch.autograd.gradcheck(lambda z, c, *_: loss(z, pairs, c), (*inputs, *loss.parameters()))


def test_torch_oracle(random_case, value_and_gradient):
    """With every pair of one kind or the other, the two means are binary_cross_entropy_with_logits."""
    z, candidates, pairs = random_case(2)
    z, candidates = z.requires_grad_(), candidates.requires_grad_()
    loss = made("bilinear")
    target = torch.zeros(7, 11, dtype=torch.float64)
    target[tuple(pairs.positive_index)] = 1
    logits = z @ ((loss.weight + loss.weight.t()) / 2) @ candidates.t()
    entry = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    theirs = entry[target == 1].mean() + entry[target == 0].mean()
    inputs = [z, candidates, loss.weight]
    value = loss(z, pairs, candidates)
    assert torch.allclose(value, theirs)
    for ours, expected in zip(torch.autograd.grad(value, inputs), torch.autograd.grad(theirs, inputs), strict=True):
        assert torch.allclose(ours, expected)


@every_score
@pytest.mark.parametrize("size", [1, 4, 33])
def test_dense_is_blockwise(score, size, random_case):
    z, candidates, pairs = random_case(1, "weight", "ids", "groups", num_anchors=33, num_candidates=21)
    loss = made(score).float()
    inputs = [z.float().requires_grad_(), candidates.float().requires_grad_(), *loss.parameters()]
    results = []
    for loss.block_size in (None, size):
        value = loss(inputs[0], pairs, inputs[1])
        results.append((value, *torch.autograd.grad(value, inputs)))
    for dense, blocks in zip(*results, strict=True):
        assert (dense - blocks).norm() <= 1e-6 * dense.norm()


def test_bilinear_keeps_no_matrix_over_pairs():
    z = torch.randn(3000, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss, pairs = LinkPredictionLoss("bilinear", encoder_channels=8), Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3000)
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
        loss(z, pairs).backward()
    assert max(sizes) <= 2**19 and z.grad.abs().max() > 0 and loss.weight.grad.abs().max() > 0


def test_bilinear_starts_as_dot_and_learns(random_case):
    z, candidates, pairs = random_case(0)
    loss = LinkPredictionLoss("bilinear", encoder_channels=5)
    assert torch.allclose(loss(z, pairs, candidates), LinkPredictionLoss("dot")(z, pairs, candidates))
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.1)
    before = loss(z, pairs, candidates)
    before.backward()
    optimizer.step()
    assert loss(z, pairs, candidates) < before


@every_score
def test_no_score_has_a_direction(score, random_case):
    """Anchors and candidates change places, and nothing else happens: edges have no direction."""
    z, candidates, pairs = random_case(4)
    flipped = Pairs(pairs.positive_index.flip(0), pairs.num_candidates, pairs.num_anchors)
    assert torch.allclose(made(score)(z, pairs, candidates), made(score)(candidates, flipped, z))


@every_score
@pytest.mark.parametrize("temperature", [1e-3, 1e3])
def test_extreme_temperatures_stay_finite(score, temperature, random_case, value_and_gradient):
    z, candidates, pairs = random_case(0, "weight")
    results = value_and_gradient(made(score, temperature=temperature).float(), z.float(), pairs, candidates.float())
    assert all(x.isfinite().all() for x in results) and results[0] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": "euclidean"}, "'score' needs to be one of dot, cosine, distance, bilinear .*'euclidean'"),
        ({"temperature": 0.0}, "'temperature' needs to be > 0"),
        ({"temperature": -1.0}, "'temperature' needs to be > 0"),
        ({"temperature": float("nan")}, "'temperature' needs to be > 0"),
        ({"score": "cosine", "threshold": 1.5}, r"'threshold' .*in \[-1, 1\] in .*score='cosine'"),
        ({"score": "distance", "threshold": -1.0}, r"'threshold' .*>= 0 and finite in .*score='distance'"),
        ({"threshold": float("inf")}, "'threshold' needs to be a finite number"),
        ({"threshold": float("nan")}, "'threshold' needs to be a finite number"),
        ({"score": "bilinear"}, "'encoder_channels' needs to be the width .*None"),
        ({"score": "bilinear", "encoder_channels": 0}, "'encoder_channels' needs to be the width .*0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LinkPredictionLoss(**arguments)


def test_another_width_than_said(random_case):
    z, candidates, pairs = random_case(0)
    with pytest.raises(ValueError, match=r"'encoder_channels' needs to be the width of z, 5, .*got 4"):
        LinkPredictionLoss("bilinear", encoder_channels=4)(z, pairs, candidates)


def test_from_an_experiment_file(toy):
    component = {"_target_": "sigraph.losses.LinkPredictionLoss", "score": "bilinear"}
    assert build(component, StructureLoss, "loss", encoder_channels=3).weight.shape == (3, 3)
    config = config_from_dict({**toy, "pretrain": {**toy["pretrain"], "structure_loss": component}})
    module = build_parts(config.arm("sipt").pretrain, 0).module
    assert module.structure_loss.weight.shape == (4, 4)  # the encoder's width
    assert any(p is module.structure_loss.weight for p in module.configure_optimizers().param_groups[0]["params"])
