"""The engine: the same values for any block, no memory in A x C, no silent second derivative."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigraph.data.pairs import Pairs
from sigraph.losses import ContrastiveLoss, InfoNCELoss, MultiSimilarityLoss, PairwiseLoss, log_sum_exp

LOSSES = [
    MultiSimilarityLoss(),
    MultiSimilarityLoss(epsilon=0.1),
    InfoNCELoss(),
    InfoNCELoss(variant="in"),
    ContrastiveLoss(),
    ContrastiveLoss(normalize=False, negative_margin=4.0, squared=True),
]
OPTIONS = ["weight", "ignore", "negative", "ids", "groups", "self"]


def embeddings(n: int, channels: int) -> torch.Tensor:
    return torch.randn(n, channels, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def ring() -> Pairs:
    i = torch.arange(5)
    return Pairs.square(torch.cat([torch.stack([i, (i + 1) % 5]), torch.stack([(i + 1) % 5, i])], dim=1), 5)


class Spread(PairwiseLoss):
    """Plain use of the engine, for its measures: every negative's value, over the number of negatives."""

    def rows(self, block):
        return (block.similarity * block.is_negative).sum().view(1), block.is_negative.sum().view(1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    loss=st.sampled_from(LOSSES),
    size=st.integers(1, 40),
    options=st.sets(st.sampled_from(OPTIONS)),
)
def test_values_do_not_depend_on_the_block_size(seed, loss, size, options, random_case, value_and_gradient):
    z, candidates, pairs = random_case(seed, *sorted(options), num_anchors=33, num_candidates=21)
    z, candidates = z.float(), candidates.float()
    dense = value_and_gradient(loss, z, pairs, candidates)
    try:
        loss.block_size = size
        blocks = value_and_gradient(loss, z, pairs, candidates)
    finally:
        loss.block_size = None
    assert torch.allclose(dense[0], blocks[0], rtol=1e-6, atol=1e-7)
    for one, other in zip(dense[1:], blocks[1:], strict=True):
        assert (one - other).norm() <= 1e-5 * one.norm() + 1e-8


def test_blocks_follow_the_block_size():
    seen = []

    class Watch(Spread):
        def rows(self, block):
            seen.append(tuple(block.similarity.shape))
            return super().rows(block)

    loss, z = Watch(), embeddings(7, 3)
    loss(z, Pairs.square(torch.empty(2, 0).long(), 7))
    assert seen == [(7, 7)]
    seen.clear()
    loss.block_size = 3
    loss(z, Pairs.square(torch.empty(2, 0).long(), 7))
    assert seen == [(3, 7), (3, 7), (1, 7)]


@pytest.mark.parametrize(
    ("measure", "expected"), [("dot", (6.0 + 6.0) / 2), ("cosine", 6 / (5 * 2)), ("euclidean", 17**0.5)]
)
def test_measures_by_hand(measure, expected):
    loss = Spread()
    loss.measure = measure
    z = torch.tensor([[3.0, 4.0], [2.0, 0.0]])  # dot 6, norms 5 and 2, difference (1, 4)
    assert loss(z, Pairs.square(torch.empty(2, 0).long(), 2)).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("measure", ["dot", "cosine", "euclidean"])
def test_measures_have_their_gradient(measure, random_case):
    loss = Spread()
    loss.measure, loss.block_size = measure, 2
    z, candidates, pairs = random_case(3, "ignore")
    inputs = z.requires_grad_(), candidates.requires_grad_()
    assert torch.autograd.gradcheck(lambda z, c: loss(z, pairs, c), inputs)


def test_distances_far_from_the_origin_keep_their_digits():
    loss = Spread()
    loss.measure = "euclidean"
    z = torch.tensor([[1000.0, 1000.0], [1000.5, 1000.0]])
    assert loss(z, Pairs.square(torch.empty(2, 0).long(), 2)).item() == pytest.approx(0.5, rel=1e-5)


def test_gradient_scales_and_repeats():
    z = embeddings(5, 3).requires_grad_()
    pairs = ring()
    for loss in LOSSES:
        value = loss(z, pairs)
        (once,) = torch.autograd.grad(value, z, retain_graph=True)
        (thrice,) = torch.autograd.grad(3 * value, z)
        assert torch.allclose(3 * once, thrice) and once.abs().max() > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_second_derivative_is_refused(loss):
    z = embeddings(5, 3).requires_grad_()
    value = loss(z, ring())
    (gradient,) = torch.autograd.grad(value, z, create_graph=True)
    assert gradient.isfinite().all() and gradient.abs().max() > 0
    with pytest.raises(RuntimeError, match="no second derivative"):
        (gradient.square().sum() + z.sum()).backward()


def test_several_means_have_one_gradient():
    z = embeddings(5, 3).requires_grad_()
    sums, counts = ContrastiveLoss().terms(z, Pairs.square(torch.tensor([[0, 1], [1, 0]]), 5), z)
    assert counts.tolist() == [2, 18]
    with pytest.raises(RuntimeError, match="only together"):
        sums[0].backward()


def test_memory_grows_with_the_block_and_not_with_the_square():
    """4,000 x 4,000 pairs: no tensor is larger than a block, and only [A, D] and [C, D] outlive the forward pass."""
    z = embeddings(4000, 8).requires_grad_()
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
        loss = MultiSimilarityLoss(epsilon=0.1)(z, Pairs.square(torch.tensor([[0, 1], [1, 0]]), 4000))
    assert 4000 < max(sizes) <= 2**19
    nodes, kept = [loss.grad_fn], []
    while nodes:
        node = nodes.pop()
        kept += [x.numel() for x in getattr(node, "saved_tensors", ()) if x is not None]
        nodes += [parent for parent, _ in node.next_functions if parent is not None]
    assert 2 * z.numel() <= sum(kept) <= 5 * z.numel()


def test_log_sum_exp_matches_torch_and_is_minus_infinity_without_entries():
    x = embeddings(4, 6).requires_grad_()
    mask = torch.rand(4, 6, generator=torch.Generator().manual_seed(0)) < 0.5
    mask[0], mask[1] = True, False
    value = log_sum_exp(x, mask, 3.0)
    filled = (3 * x).masked_fill(~mask, -torch.inf)
    assert value[1] == -torch.inf
    assert torch.allclose(value[[0, 2, 3]], filled[[0, 2, 3]].logsumexp(dim=1))
    (ours,) = torch.autograd.grad(value[[0, 2, 3]].sum() + value[1].clamp(min=0), x)
    (theirs,) = torch.autograd.grad(filled[[0, 2, 3]].logsumexp(dim=1).sum(), x)
    assert torch.allclose(ours, theirs)


def test_a_parameter_in_rows_is_refused_because_it_would_never_learn():
    class Scaled(Spread):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.ones(1))

        def rows(self, block):
            sums, counts = super().rows(block)
            return self.factor * sums, counts

    z, loss = embeddings(5, 3).requires_grad_(), Scaled()
    with pytest.raises(RuntimeError, match="'rows' of 'Scaled' uses a parameter"):
        loss(z, ring())
    loss.factor.requires_grad_(False)
    loss(z, ring()).backward()
    assert z.grad.isfinite().all()
