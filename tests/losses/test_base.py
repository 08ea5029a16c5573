"""The contract, for every structure loss of the package, and the rules that say which pairs count."""

import pytest
import torch
from contracts import concrete_subclasses

import sigraph.losses
from sigraph.data.pairs import Pairs
from sigraph.losses import (
    CrossBatchMemory,
    InfoNCELoss,
    JointLoss,
    MultiSimilarityLoss,
    PairSets,
    PMLLoss,
    ProjectedLoss,
    StructureLoss,
    TargetLoss,
)

OPTIONS = [(), ("weight",), ("ignore", "self"), ("ids",), ("groups", "weight"), ("negative", "ignore", "ids", "groups")]


# A memory holds another loss and a queue: test_memory.py. A target is no pair: test_target.py.
APART = (CrossBatchMemory, TargetLoss)
LOSSES = [loss for loss in concrete_subclasses(StructureLoss, sigraph.losses) if loss not in APART]
every_loss = pytest.mark.parametrize("loss_type", LOSSES)


def contrastive_of_pml() -> StructureLoss:
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    return PMLLoss(losses.ContrastiveLoss(), ignore_weight=True)


def projected(encoder_channels: int = 4) -> StructureLoss:
    torch.manual_seed(0)
    return ProjectedLoss(MultiSimilarityLoss(), encoder_channels, 16, 3)


# Losses that cannot do without arguments.
MADE = {
    "PMLLoss": contrastive_of_pml,
    "JointLoss": lambda: JointLoss([InfoNCELoss(), MultiSimilarityLoss()], [0.3, 2]),
    "ProjectedLoss": projected,
}
SAYS = {"JointLoss": "InfoNCELoss"}  # what looks at the input
# Not only sums over pairs: the spread of the samples counts too, wherever in the batch they stand.
WITH_SPREAD = {"SmoothnessLoss"}


def make(loss_type: type[StructureLoss]) -> StructureLoss:
    """A loss of the type, with defaults where it has them."""
    return MADE.get(loss_type.__name__, loss_type)()


def ring(n: int = 6, **fields) -> Pairs:
    i = torch.arange(n)
    return Pairs.square(torch.cat([torch.stack([i, (i + 1) % n]), torch.stack([(i + 1) % n, i])], dim=1), n, **fields)


def embeddings(n: int = 6, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


def test_finds_the_losses():
    assert {"ContrastiveLoss", "LinkPredictionLoss", "PMLLoss", "SmoothnessLoss"} <= {
        loss.__name__ for loss in concrete_subclasses(StructureLoss, sigraph.losses)
    }


@every_loss
def test_is_exported_and_documented(loss_type):
    assert loss_type.__name__ in sigraph.losses.__all__
    for part in ("Args:", "Shapes:", "Source:"):
        assert part in (loss_type.__doc__ or "")


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_scalar_and_gradient_in_every_precision(loss_type, dtype, value_and_gradient):
    z = embeddings(dtype=dtype)
    value, gradient = value_and_gradient(make(loss_type), z, ring())
    assert value.shape == () and value.isfinite() and value > 0
    assert value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert gradient.dtype == dtype and gradient.isfinite().all() and (gradient != 0).any(dim=1).all()
    exact, _ = value_and_gradient(make(loss_type), z.double(), ring())
    assert torch.allclose(value.double(), exact, rtol=1e-5)  # half inputs lose nothing inside


@every_loss
def test_autocast_changes_nothing(loss_type):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = make(loss_type)(embeddings(), ring())
    assert torch.equal(inside, make(loss_type)(embeddings(), ring()))


@every_loss
def test_gradient_is_the_derivative(loss_type, random_case):
    loss = make(loss_type)
    for seed, options in enumerate(OPTIONS):
        z, candidates, pairs = random_case(seed, *options, num_channels=4)
        inputs = z.requires_grad_(), candidates.requires_grad_()
        assert torch.autograd.gradcheck(lambda z, c, pairs=pairs: loss(z, pairs, c), inputs, fast_mode=True)
    assert torch.autograd.gradcheck(lambda z: loss(z, ring()), embeddings(dtype=torch.float64).requires_grad_())


@every_loss
def test_node_order_does_not_matter(loss_type, value_and_gradient):
    order = torch.tensor([3, 0, 5, 1, 4, 2])  # new position -> old
    pairs = ring()
    moved = Pairs.square(order.argsort()[pairs.positive_index], 6)
    z = embeddings(dtype=torch.float64)
    value, gradient = value_and_gradient(make(loss_type), z, pairs)
    moved_value, moved_gradient = value_and_gradient(make(loss_type), z[order], moved)
    assert torch.allclose(value, moved_value) and torch.allclose(gradient[order], moved_gradient)


@every_loss
def test_rectangular_is_square_where_they_mean_the_same(loss_type, value_and_gradient):
    z = embeddings(dtype=torch.float64)
    value, gradient = value_and_gradient(make(loss_type), z, ring())
    same, *parts = value_and_gradient(make(loss_type), z, ring(), z)
    assert torch.allclose(value, same) and torch.allclose(gradient, parts[0] + parts[1])


@every_loss
def test_fixed_candidates_as_in_a_queue(loss_type, random_case):
    z, candidates, pairs = random_case(0, num_channels=4)
    z.requires_grad_()
    make(loss_type)(z, pairs, candidates).backward()
    both = [x.detach().clone().requires_grad_() for x in (z, candidates)]
    make(loss_type)(both[0], pairs, both[1]).backward()
    assert torch.allclose(z.grad, both[0].grad) and candidates.grad is None
    with torch.no_grad():
        assert not make(loss_type)(z, pairs, candidates).requires_grad


@every_loss
@pytest.mark.parametrize("n", [0, 1])
def test_without_any_pair_zero_and_connected(loss_type, n, value_and_gradient):
    value, gradient = value_and_gradient(make(loss_type), embeddings(n), Pairs.square(torch.empty(2, 0).long(), n))
    assert value == 0 and gradient.shape == (n, 4) and (gradient == 0).all()


@every_loss
def test_without_candidates_zero_and_connected(loss_type, value_and_gradient):
    pairs = Pairs(torch.empty(2, 0).long(), 3, 0)
    value, gradient, _ = value_and_gradient(make(loss_type), embeddings(3), pairs, embeddings(0))
    assert loss_type.__name__ in WITH_SPREAD or (value == 0 and (gradient == 0).all())
    assert value.isfinite() and gradient.isfinite().all()


@every_loss
@pytest.mark.parametrize("case", ["no positives", "no negatives"])
def test_without_one_kind_of_pair_finite(loss_type, case, value_and_gradient):
    n = 4
    index = torch.empty(2, 0).long() if case == "no positives" else (1 - torch.eye(n)).nonzero().t()
    value, gradient = value_and_gradient(make(loss_type), embeddings(n), Pairs.square(index, n))
    assert value.isfinite() and value >= 0 and gradient.isfinite().all()


@every_loss
@pytest.mark.parametrize("place", [0.0, 1.0])
def test_collapsed_embeddings_have_a_finite_gradient(loss_type, place, value_and_gradient):
    value, gradient = value_and_gradient(make(loss_type), torch.full((6, 4), place), ring())
    assert value.isfinite() and gradient.isfinite().all() and gradient.abs().max() < 100


@every_loss
def test_equal_ids_are_never_a_pair(loss_type, value_and_gradient):
    """A copy of anchor 0 among the candidates changes nothing, even where it is listed as a positive."""
    z = embeddings(dtype=torch.float64)
    plain = Pairs(torch.tensor([[0, 0], [1, 2]]), 1, 5, anchor_id=torch.tensor([0]), candidate_id=torch.arange(1, 6))
    expected = value_and_gradient(
        make(loss_type), z[:1], plain.replace(positive_index=torch.tensor([[0, 0], [0, 1]])), z[1:]
    )
    copied = Pairs(
        torch.tensor([[0, 0, 0], [1, 2, 0]]), 1, 6, anchor_id=torch.tensor([0]), candidate_id=torch.arange(6)
    )
    value, anchor, candidates = value_and_gradient(make(loss_type), z[:1], copied, z)
    assert torch.allclose(value, expected[0]) and torch.allclose(anchor + candidates[0], expected[1][0])
    assert torch.allclose(candidates[1:], expected[2])
    assert loss_type.__name__ in WITH_SPREAD or (candidates[0] == 0).all()  # either row stands for the node there


@every_loss
def test_a_positive_listed_twice_counts_once(loss_type):
    twice = ring()
    twice = twice.replace(positive_index=torch.cat([twice.positive_index, twice.positive_index[:, :3]], dim=1))
    z = embeddings(dtype=torch.float64)
    assert torch.allclose(make(loss_type)(z, twice), make(loss_type)(z, ring()))


@every_loss
def test_bad_input_is_named(loss_type):
    loss, z, name = make(loss_type), embeddings(), SAYS.get(loss_type.__name__, loss_type.__name__)
    broken = z.clone()
    broken[2, 1], broken[4, 0] = float("nan"), float("inf")
    with pytest.raises(ValueError, match=rf"'z' needs finite embeddings in '{name}'.*2: rows 2, 4"):
        loss(broken, ring())
    ids = torch.arange(6) * 10
    with pytest.raises(ValueError, match="node ids 20, 40"):
        loss(broken, ring(anchor_id=ids, candidate_id=ids))
    with pytest.raises(ValueError, match="'candidates' needs finite"):
        loss(z, ring(), broken)
    with pytest.raises(ValueError, match=r"shape \[6, D\]"):
        loss(z[:5], ring())
    with pytest.raises(ValueError, match="D >= 1"):
        loss(z[:, :0], ring())
    with pytest.raises(ValueError, match="floats"):
        loss(z.long(), ring())
    with pytest.raises(ValueError, match="4 columns"):
        loss(z, ring(), z[:, :3])
    with pytest.raises(ValueError, match="not square"):
        loss(z, Pairs(torch.empty(2, 0).long(), 6, 7))
    with pytest.raises(ValueError, match="one device"):
        loss(z, ring().to("meta"))


def test_a_loss_without_terms_says_so():
    class Empty(StructureLoss):
        pass

    with pytest.raises(NotImplementedError, match="'Empty' needs to define 'terms'"):
        Empty()(embeddings(), ring())


def test_the_loss_is_the_sum_of_the_means():
    class Means(StructureLoss):
        def terms(self, z, pairs, candidates):
            return torch.stack([z.sum(), z.sum(), 0 * z.sum()]), torch.tensor([2.0, 0.5, 0.0])

    z = embeddings()
    assert torch.allclose(Means()(z, ring()), z.sum() * 2.5)  # 1 / 2 + 1 / 0.5, an empty mean is 0


@pytest.mark.parametrize("options", [*OPTIONS, ("weight", "ignore", "negative", "ids", "groups", "self")])
def test_pair_sets_agree_with_the_rules_pair_by_pair(options, random_case, listed):
    for seed in range(10):
        _, _, pairs = random_case(seed, *options)
        sets, (positives, negatives) = PairSets.of(pairs), listed(pairs)
        expected = [(i * 11 + j, w) for i, row in enumerate(positives) for j, w in sorted(row.items())]
        assert sets.positive.tolist() == [key for key, _ in expected]
        assert sets.weight is None or sets.weight.tolist() == [w for _, w in expected]
        assert sets.num_negatives() == sum(len(row) for row in negatives)


def test_of_two_weights_of_one_pair_the_larger_counts():
    pairs = Pairs(torch.tensor([[0, 0, 0], [1, 0, 1]]), 1, 3, weight=torch.tensor([0.5, 1.0, 2.0]))
    sets = PairSets.of(pairs)
    assert sets.positive.tolist() == [0, 1] and sets.weight.tolist() == [1.0, 2.0]
