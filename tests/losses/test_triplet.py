"""The triplet loss against numbers by hand, a loop over triplets, pytorch-metric-learning, and its draws."""

from collections import Counter
from math import sqrt

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from sigraph.data.pairs import Pairs
from sigraph.losses import TripletLoss

OPTIONS = [(), ("weight", "self"), ("ignore", "ids"), ("groups", "weight"), ("negative", "ignore", "ids", "groups")]
MINING = ["all", "semi-hard", "soft-hard", "distance-weighted"]
mined = pytest.mark.parametrize("mining", MINING)
drawn = pytest.mark.parametrize("mining", MINING[2:])
averages = pytest.mark.parametrize("average", ["mined", "violating"])


class Watched(TripletLoss):
    """Lists every (anchor, positive, negative) it draws."""

    def draw(self, block, distance, positive):
        chosen, column = super().draw(block, distance, positive)
        parts = block.positive_row[chosen] + block.start, block.positive_column[chosen], column
        self.triplets = [*getattr(self, "triplets", []), *zip(*(part.tolist() for part in parts), strict=True)]
        return chosen, column


def pairwise_distance(z, candidates, measure="euclidean", normalize=True):
    if normalize or measure == "cosine":
        z, candidates = (x / x.norm(dim=1, keepdim=True) for x in (z, candidates))
    if measure == "cosine":
        return [[1 - float(x @ y) for y in candidates] for x in z]
    return [[float((x - y).norm()) for y in candidates] for x in z]


def slow(distance, positives, negatives, margin, mining, average):
    total = count = 0.0
    for d, P, N in zip(distance, positives, negatives, strict=True):
        for j, w in P.items():
            for k in N:
                hinge = max(d[j] - d[k] + margin, 0.0)
                if mining == "all" or d[j] < d[k] < d[j] + margin:
                    total += w * hinge
                    count += w * (average == "mined" or hinge > 0)
    return total / count if count else 0.0


def three_points() -> tuple[torch.Tensor, Pairs]:
    """Distances 3 (0, 1), an edge; 4 (0, 2) and 5 (1, 2), none."""
    return torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]), Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)


@pytest.mark.parametrize(
    ("margin", "mining", "average", "expected"),
    [
        (1.5, "all", "mined", (0.5 + 0) / 2),  # anchor 0: 3 - 4 + 1.5; anchor 1: 3 - 5 + 1.5 < 0
        (1.5, "all", "violating", 0.5),
        (1.5, "semi-hard", "mined", 0.5),  # anchor 0: 3 < 4 < 4.5; anchor 1: 5 > 4.5
        (3.0, "semi-hard", "mined", (2 + 1) / 2),
        (0.5, "semi-hard", "mined", 0.0),
        (1.5, "soft-hard", "mined", (0.5 + 0) / 2),  # one triplet an anchor leaves no choice
    ],
)
def test_three_points_by_hand(margin, mining, average, expected):
    z, pairs = three_points()
    loss = TripletLoss(margin, mining, normalize=False, average=average)
    assert loss(z, pairs).item() == pytest.approx(expected, rel=1e-6)


def test_three_points_by_hand_on_the_unit_circle():
    z = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, -3.0]])  # distances sqrt 2 (an edge), sqrt 2 and 2
    pairs = Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)
    for mining in ("all", "soft-hard", "distance-weighted"):  # one triplet an anchor leaves no choice
        value = TripletLoss(1.5, mining)(z, pairs).item()
        assert value == pytest.approx((1.5 + sqrt(2) - 2 + 1.5) / 2, rel=1e-6)


def test_three_points_by_hand_as_cosines():
    z = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 2.0]])  # cosines 0.8 (an edge), 0 and 0.6
    pairs = Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)
    expected = (max(0 - 0.8 + 0.5, 0) + (0.6 - 0.8 + 0.5)) / 2
    assert TripletLoss(0.5, measure="cosine")(z, pairs).item() == pytest.approx(expected, rel=1e-6)
    expected = (max(sqrt(0.4) - sqrt(2) + 0.5, 0) + (sqrt(0.4) - sqrt(0.8) + 0.5)) / 2
    assert TripletLoss(0.5)(z, pairs).item() == pytest.approx(expected, rel=1e-6)


def test_a_weight_acts_on_its_pair():
    """Distances 1 and 3 to positives of weights 1 and 3, 2 and 6 to negatives; margin 2."""
    z, candidates = torch.zeros(1, 1), torch.tensor([[1.0], [-3.0], [2.0], [6.0]])
    pairs = Pairs(torch.tensor([[0, 0], [0, 1]]), 1, 4, weight=torch.tensor([1.0, 3.0]))

    def value(mining, average="mined"):
        return TripletLoss(2.0, mining, normalize=False, average=average)(z, pairs, candidates).item()

    assert value("all") == pytest.approx((1 * (1 - 2 + 2) + 3 * (3 - 2 + 2)) / (2 * (1 + 3)))
    assert value("all", "violating") == pytest.approx((1 * 1 + 3 * 3) / (1 + 3))
    assert value("semi-hard") == pytest.approx(1.0)  # only 1 < 2 < 3
    assert value("soft-hard") == pytest.approx(3.0)  # only 3 is behind a negative, only 2 before a positive


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("mining", MINING[:2])
@averages
@pytest.mark.parametrize(("measure", "normalize"), [("euclidean", True), ("euclidean", False), ("cosine", True)])
def test_slow_loop(options, mining, average, measure, normalize, random_case, listed):
    for seed in range(6):
        z, candidates, pairs = random_case(seed, *options)
        distance = pairwise_distance(z, candidates, measure, normalize)
        expected = slow(distance, *listed(pairs), 0.3, mining, average)
        value = TripletLoss(0.3, mining, measure, normalize, average)(z, pairs, candidates)
        assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@drawn
@averages
@pytest.mark.parametrize("options", OPTIONS)
def test_the_loss_is_that_of_the_drawn_triplets(mining, average, options, random_case, listed):
    for seed in range(6):
        z, candidates, pairs = random_case(seed, *options)
        loss = Watched(0.3, mining, average=average)
        value = loss(z, pairs, candidates)
        distance, (positives, negatives) = pairwise_distance(z, candidates), listed(pairs)
        hinges = [max(distance[i][j] - distance[i][k] + 0.3, 0) for i, j, k in loss.triplets]
        weights = [positives[i][j] for i, j, _ in loss.triplets]
        total = sum(w * h for w, h in zip(weights, hinges, strict=True))
        count = sum(w for w, h in zip(weights, hinges, strict=True) if average == "mined" or h > 0)
        assert value.item() == pytest.approx(total / count if count else 0, rel=1e-9)
        assert all(k in negatives[i] for i, _, k in loss.triplets)
        anchors = [i for i in range(7) if positives[i] and negatives[i]]
        if mining == "soft-hard":
            assert [i for i, _, _ in loss.triplets] == anchors
        else:
            assert [(i, j) for i, j, _ in loss.triplets] == [(i, j) for i in anchors for j in sorted(positives[i])]


def line(positives, negatives, copies):
    """Copies of an anchor at 0, and candidates on a line at the given distances: positives, then negatives."""
    candidates = torch.tensor([*positives, *negatives], dtype=torch.float64).view(-1, 1)
    positive = torch.cartesian_prod(torch.arange(copies), torch.arange(len(positives))).t()
    return torch.zeros(copies, 1, dtype=torch.float64), Pairs(positive, copies, candidates.size(0)), candidates


@pytest.mark.parametrize(
    ("positives", "negatives", "hard_positives", "hard_negatives"),
    [
        ([1.0, 3.0, 4.0], [2.0, 2.5, 3.5, 5.0], {1, 2}, {3, 4, 5}),
        ([1.0, 3.0], [3.0, 2.0, 4.0], {1}, {3}),  # equally far is not behind
        ([1.0, 2.0], [3.0, 4.0, 5.0], {0, 1}, {2, 3, 4}),  # nothing is hard: any
    ],
)
def test_soft_hard_draws_evenly_from_the_hard_ones(positives, negatives, hard_positives, hard_negatives):
    torch.manual_seed(0)
    loss, n = Watched(1.0, "soft-hard", normalize=False), 3000
    z, pairs, candidates = line(positives, negatives, n)
    loss(z, pairs, candidates)
    found = Counter((j, k) for _, j, k in loss.triplets)
    assert set(found) == {(j, k) for j in hard_positives for k in hard_negatives}  # drawn apart from each other
    even = n / len(found)
    assert sum((c - even) ** 2 / even for c in found.values()) < 25  # chi-square, at most 5 degrees of freedom


@pytest.mark.parametrize("measure", ["euclidean", "cosine"])
@pytest.mark.parametrize("channels", [2, 5, 64])
def test_distance_weighted_draws_by_inverse_density(channels, measure):
    torch.manual_seed(0)
    n, cutoff = 3000, 0.6
    angle = torch.tensor([0.2, 0.9, 0.1, 0.7, 1.2, 1.6, 2.5], dtype=torch.float64)  # 2 positives, 5 negatives
    candidates = torch.zeros(7, channels, dtype=torch.float64)
    candidates[:, 0], candidates[:, 1] = angle.cos(), angle.sin()
    z = torch.eye(1, channels, dtype=torch.float64).repeat(n, 1)
    pairs = Pairs(torch.cartesian_prod(torch.arange(n), torch.arange(2)).t(), n, 7)
    loss = Watched(0.2, "distance-weighted", measure, cutoff=cutoff)
    loss(z, pairs, candidates)

    def density(d):
        return d ** (channels - 2) * (1 - d * d / 4) ** ((channels - 3) / 2)

    weight = [min(1 / density(cutoff), 1 / density(2 * float((a / 2).sin()))) for a in angle[2:]]
    for positive in range(2):  # each positive's draw alone has the distribution, though they share a number
        found = Counter(k for _, j, k in loss.triplets if j == positive)
        for k, w in enumerate(weight, start=2):
            p = w / sum(weight)
            assert abs(found[k] - n * p) <= 4 * sqrt(n * p * (1 - p)) + 1e-9, (positive, k)


def test_distance_weighted_spreads_the_negatives_of_one_anchor():
    """Systematic sampling: J positives and J equally likely negatives are matched one to one."""
    z = torch.tensor([[1.0, 0.0, 0.0]])
    turn = torch.arange(4) * 1.5
    near = torch.tensor([[0.9, 0.1, 0.0]]).repeat(4, 1)
    candidates = torch.cat([near, torch.stack([torch.zeros(4), turn.cos(), turn.sin()], dim=1)])
    loss = Watched(0.2, "distance-weighted")
    loss(z, Pairs(torch.tensor([[0] * 4, [0, 1, 2, 3]]), 1, 8), candidates)
    assert sorted(k for _, _, k in loss.triplets) == [4, 5, 6, 7]


@pytest.mark.parametrize("channels", [1, 2, 3, 2048])
def test_distance_weighted_in_any_dimension(channels, value_and_gradient):
    """Equal and opposite embeddings too, where the density is 0."""
    z = torch.randn(12, channels, generator=torch.Generator().manual_seed(0))
    z[1], z[2] = z[0], -z[0]
    i = torch.arange(12)
    loss = Watched(1.0, "distance-weighted")
    value, gradient = value_and_gradient(loss, z, Pairs.square(torch.stack([i, (i + 5) % 12]), 12))
    assert value.isfinite() and value > 0 and gradient.isfinite().all()
    assert len(loss.triplets) == 12 and all(k not in (i, (i + 5) % 12) for i, _, k in loss.triplets)


@drawn
def test_draws_depend_on_the_seed_alone(mining, random_case):
    z, candidates, pairs = random_case(1, num_anchors=40, num_candidates=30)
    found = []
    for seed, size in ((0, None), (0, 3), (1, None)):
        torch.manual_seed(seed)
        loss = Watched(0.2, mining)
        loss.block_size = size
        loss(z, pairs, candidates)
        found.append(loss.triplets)
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("mining", MINING[:2])
def test_minings_that_do_not_draw_leave_the_generator_alone(mining):
    state = torch.get_rng_state()
    TripletLoss(1.0, mining)(*three_points())
    assert torch.equal(state, torch.get_rng_state())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    mining=st.sampled_from(MINING),
    average=st.sampled_from(["mined", "violating"]),
    size=st.integers(1, 40),
    options=st.sets(st.sampled_from(["weight", "ignore", "negative", "ids", "groups", "self"])),
)
def test_values_do_not_depend_on_the_block_size(seed, mining, average, size, options, random_case, value_and_gradient):
    z, candidates, pairs = random_case(seed, *sorted(options), num_anchors=33, num_candidates=21)
    loss = TripletLoss(0.2, mining, average=average)
    if (mining, average) == ("all", "mined"):  # the others step where a triplet comes or goes: float64, no chance hits
        z, candidates = z.float(), candidates.float()
    results = []
    for loss.block_size in (None, size):
        torch.manual_seed(seed)
        results.append(value_and_gradient(loss, z, pairs, candidates))
    dense, blocks = results
    assert torch.allclose(dense[0], blocks[0], rtol=1e-6, atol=1e-7)
    for one, other in zip(dense[1:], blocks[1:], strict=True):
        assert (one - other).norm() <= 1e-5 * one.norm() + 1e-8


@mined
@averages
@pytest.mark.parametrize("measure", ["euclidean", "cosine"])
def test_gradient(mining, average, measure, random_case):
    for seed in range(2):
        z, candidates, pairs = random_case(seed, "weight", "ids", "self")
        loss = TripletLoss(0.3, mining, measure, average=average)

        def value(z, c, pairs=pairs, loss=loss):
            torch.manual_seed(0)
            return loss(z, pairs, c)

        assert value(z, candidates) > 0
        assert torch.autograd.gradcheck(value, (z.requires_grad_(), candidates.requires_grad_()), fast_mode=True)


@pytest.mark.parametrize("mining", MINING[:2])
@averages
def test_pytorch_metric_learning(mining, average, value_and_gradient):
    distances, losses, miners, reducers = (
        pytest.importorskip(f"pytorch_metric_learning.{part}") for part in ("distances", "losses", "miners", "reducers")
    )
    generator = torch.Generator().manual_seed(1)
    z = torch.randn(24, 6, generator=generator, dtype=torch.float64)
    label = torch.randint(5, (24,), generator=generator)
    label[0] = 9  # an anchor without a positive
    same = (label[:, None] == label) & ~torch.eye(24, dtype=torch.bool)
    loss = TripletLoss(0.25, mining, average=average)
    value, gradient = value_and_gradient(loss, z, Pairs.square(same.nonzero().t(), 24))

    leaf = z.clone().requires_grad_()
    triplets = None if mining == "all" else miners.TripletMarginMiner(0.25, "semihard")(leaf, label)
    reducer = reducers.MeanReducer() if average == "mined" else reducers.AvgNonZeroReducer()
    distance = distances.LpDistance(normalize_embeddings=True, p=2)
    theirs = losses.TripletMarginLoss(0.25, distance=distance, reducer=reducer)(leaf, label, triplets)
    (their_gradient,) = torch.autograd.grad(theirs, leaf)
    assert torch.allclose(value, theirs) and torch.allclose(gradient, their_gradient)


@mined
@pytest.mark.parametrize("case", ["no positives", "no negatives", "neither", "one place"])
def test_without_a_triplet_zero_and_connected(mining, case, value_and_gradient):
    index = {"no negatives": (1 - torch.eye(4)).nonzero().t(), "one place": torch.tensor([[0, 1], [1, 0]])}
    pairs = Pairs.square(index.get(case, torch.empty(2, 0).long()), 4)
    if case == "neither":
        pairs = pairs.replace(negative_index=torch.empty(2, 0).long())
    z = torch.ones(4, 3) if case == "one place" else torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    value, gradient = value_and_gradient(TripletLoss(0.2, mining), z, pairs)
    at_margin = case == "one place" and mining != "semi-hard"  # equally far: no semi-hard negative
    assert value.item() == pytest.approx(0.2 if at_margin else 0) and (gradient == 0).all()


def test_an_anchor_without_a_triplet_changes_nothing(random_case):
    z, candidates, pairs = random_case(0)
    lone = (pairs.positive_index[0] != 3).nonzero().view(-1)  # anchor 3 keeps its negatives only
    pairs = pairs.replace(positive_index=pairs.positive_index[:, lone])
    without = torch.tensor([0, 1, 2, 4, 5, 6])
    anchor = torch.tensor([0, 1, 2, -1, 3, 4, 5])[pairs.positive_index[0]]
    fewer = Pairs(torch.stack([anchor, pairs.positive_index[1]]), 6, 11)
    for mining in MINING[:2]:
        loss = TripletLoss(0.3, mining)
        assert loss(z, pairs, candidates).item() == pytest.approx(loss(z[without], fewer, candidates).item())


@mined
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(mining, dtype, random_case, value_and_gradient):
    z, candidates, pairs = random_case(2, "weight")
    results = []
    for kind in (dtype, torch.float32):
        torch.manual_seed(0)
        given = z.to(dtype).to(kind), pairs, candidates.to(dtype).to(kind)
        results.append(value_and_gradient(TripletLoss(0.3, mining), *given))
    assert results[0][0] == results[1][0] > 0 and results[0][1].dtype == dtype
    assert torch.equal(results[0][1], results[1][1].to(dtype))


@mined
@averages
@pytest.mark.parametrize("margin", [1e-10, 1e-3, 1e3])
def test_extremes_stay_finite_and_not_negative(mining, average, margin, random_case, value_and_gradient):
    for seed in range(3):
        z, candidates, pairs = random_case(seed, "weight", num_anchors=20, num_candidates=30)
        candidates[5:9] = candidates[5]  # ties
        loss = TripletLoss(margin, mining, average=average)
        results = value_and_gradient(loss, z.float(), pairs, candidates.float())
        assert all(x.isfinite().all() for x in results) and results[0] >= 0
        assert margin < 1e3 or results[0].item() == pytest.approx(1e3, rel=2e-3)


def test_one_barely_violated_triplet_keeps_its_digits():
    """In float32 a sum over thousands of distances less another such sum would be noise."""
    near = torch.full((4000, 1), 0.5)
    candidates = torch.cat([near, torch.tensor([[1.0 - 2**-20]])])
    pairs = Pairs(torch.stack([torch.zeros(4000).long(), torch.arange(4000)]), 1, 4001)
    value = TripletLoss(0.5, normalize=False)(torch.zeros(1, 1), pairs, candidates)
    assert value.item() == pytest.approx(2**-20, rel=1e-3)


@mined
def test_no_tensor_is_larger_than_a_block(mining):
    """1,500 x 1,500 pairs with 200 positives an anchor: 300 million triplets."""
    n, sizes = 1500, []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            sizes.extend(x.untyped_storage().nbytes() for x in [out] if isinstance(x, torch.Tensor))
            return out

    i = torch.arange(n)
    positive = torch.stack([i.repeat_interleave(200), (i.view(-1, 1) + torch.arange(1, 201)).view(-1) % n])
    pairs = Pairs.square(positive, n)
    z = torch.randn(n, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with Sizes():
        TripletLoss(0.2, mining)(z, pairs).backward()
    assert max(sizes) <= max(2**19 * 8, positive.numel() * 8)  # a block of float64, or the list of positives


def test_a_margin_below_the_resolution_takes_no_triplet_away():
    """At distance 1 the threshold 1 + 1e-12 is 1 itself; near 0 it is not."""
    z, candidates = torch.zeros(1, 1), torch.tensor([[1.0], [2e-13], [-1.0], [-2.5e-13]])
    pairs = Pairs(torch.tensor([[0, 0], [0, 1]]), 1, 4, weight=torch.tensor([3.0, 1.0]))
    value = TripletLoss(1e-12, "semi-hard", normalize=False)(z, pairs, candidates)
    assert value.item() == pytest.approx(2e-13 - 2.5e-13 + 1e-12, rel=1e-2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"margin": 0.0}, "'margin' needs to be > 0"),
        ({"margin": float("nan")}, "'margin' needs to be > 0"),
        ({"margin": float("inf")}, "'margin' needs to be > 0 and finite"),
        ({"mining": "hardest"}, "'mining' needs to be one of all, semi-hard, soft-hard, distance-weighted.*'hardest'"),
        ({"measure": "dot"}, "'measure' needs to be one of euclidean, cosine.*'dot'"),
        ({"average": "sum"}, "'average' needs to be one of mined, violating.*'sum'"),
        ({"normalize": False, "measure": "cosine"}, "'normalize' needs to be True with measure='cosine'"),
        ({"normalize": False, "mining": "distance-weighted"}, "'normalize' .* with mining='distance-weighted'"),
        ({"cutoff": 0.5}, "'cutoff' needs mining='distance-weighted'.*'all'"),
        ({"cutoff": 2.0, "mining": "distance-weighted"}, r"'cutoff' needs to be a distance in \(0, 2\)"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        TripletLoss(**arguments)
