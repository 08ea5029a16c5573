"""The adapter against pytorch-metric-learning with class labels, where labels and pairs say the same."""

import sys
from math import sqrt

import pytest
import torch

from sigraph.config.build import build
from sigraph.data.pairs import Pairs
from sigraph.losses import MultiSimilarityLoss, PMLLoss, StructureLoss

losses = pytest.importorskip("pytorch_metric_learning.losses")
miners = pytest.importorskip("pytorch_metric_learning.miners")
reducers = pytest.importorskip("pytorch_metric_learning.reducers")

# Every loss of pytorch-metric-learning 2.9 that works from pairs, as the docstring lists them.
FROM_PAIRS = {
    "CircleLoss": losses.CircleLoss,
    "ContrastiveLoss": losses.ContrastiveLoss,
    "GeneralizedLiftedStructureLoss": losses.GeneralizedLiftedStructureLoss,
    "HistogramLoss": losses.HistogramLoss,
    "IntraPairVarianceLoss": losses.IntraPairVarianceLoss,
    "LiftedStructureLoss": losses.LiftedStructureLoss,
    "MarginLoss": lambda: losses.MarginLoss(learn_beta=True, nu=0.1),
    "MultiSimilarityLoss": losses.MultiSimilarityLoss,
    "MultipleLosses": lambda: losses.MultipleLosses([losses.ContrastiveLoss(), losses.NTXentLoss()], weights=[1, 0.5]),
    "NTXentLoss": losses.NTXentLoss,
    "SignalToNoiseRatioContrastiveLoss": losses.SignalToNoiseRatioContrastiveLoss,
    "SupConLoss": losses.SupConLoss,
    "ThresholdConsistentMarginLoss": losses.ThresholdConsistentMarginLoss,
    "TripletMarginLoss": losses.TripletMarginLoss,
    "TripletMarginLoss, swap": lambda: losses.TripletMarginLoss(swap=True, smooth_loss=True),
    "TupletMarginLoss": losses.TupletMarginLoss,
}
# Those that compare one set of embeddings with itself: positions of anchors and candidates get mixed in the library.
SQUARE_ONLY = {"HistogramLoss", "LiftedStructureLoss"}
# These ignore the library's reference embeddings or have none.
NO_REFERENCE = {"MultipleLosses", "ThresholdConsistentMarginLoss", "TripletMarginLoss, swap"}
REFUSED = {
    "AngularLoss": losses.AngularLoss,
    "ArcFaceLoss": lambda: losses.ArcFaceLoss(3, 4),
    "CosFaceLoss": lambda: losses.CosFaceLoss(num_classes=3, embedding_size=4),
    "CrossBatchMemory": lambda: losses.CrossBatchMemory(losses.ContrastiveLoss(), 4),
    "DynamicSoftMarginLoss": losses.DynamicSoftMarginLoss,
    "FastAPLoss": losses.FastAPLoss,
    "InstanceLoss": losses.InstanceLoss,
    "LargeMarginSoftmaxLoss": lambda: losses.LargeMarginSoftmaxLoss(3, 4),
    "ManifoldLoss": lambda: losses.ManifoldLoss(4),
    "NCALoss": losses.NCALoss,
    "NPairsLoss": losses.NPairsLoss,
    "NormalizedSoftmaxLoss": lambda: losses.NormalizedSoftmaxLoss(3, 4),
    "P2SGradLoss": lambda: losses.P2SGradLoss(4, 3),
    "PNPLoss": losses.PNPLoss,
    "ProxyAnchorLoss": lambda: losses.ProxyAnchorLoss(3, 4),
    "ProxyNCALoss": lambda: losses.ProxyNCALoss(3, 4),
    "RankedListLoss": lambda: losses.RankedListLoss(0.4, 1),
    "SelfSupervisedLoss": lambda: losses.SelfSupervisedLoss(losses.ContrastiveLoss()),
    "SmoothAPLoss": losses.SmoothAPLoss,
    "SoftTripleLoss": lambda: losses.SoftTripleLoss(3, 4),
    "SphereFaceLoss": lambda: losses.SphereFaceLoss(3, 4),
    "SubCenterArcFaceLoss": lambda: losses.SubCenterArcFaceLoss(num_classes=3, embedding_size=4),
    "VICRegLoss": losses.VICRegLoss,
}
MINERS = {
    "AngularMiner": lambda: miners.AngularMiner(30),
    "BatchEasyHardMiner": miners.BatchEasyHardMiner,
    "BatchEasyHardMiner, all": lambda: miners.BatchEasyHardMiner("all", "hard"),
    "BatchHardMiner": miners.BatchHardMiner,
    "HDCMiner": lambda: miners.HDCMiner(0.4),
    "MultiSimilarityMiner": lambda: miners.MultiSimilarityMiner(0.2),
    "PairMarginMiner": lambda: miners.PairMarginMiner(0.9, 1.2),
    "TripletMarginMiner": lambda: miners.TripletMarginMiner(0.1, "semihard"),
}
from_pairs = pytest.mark.parametrize("name", FROM_PAIRS)


def classes(n: int = 14, num_classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    z = torch.randn(n, 6, generator=generator, dtype=torch.float64)
    label = torch.randint(num_classes, (n,), generator=generator)
    label[0] = num_classes  # an anchor without a positive
    return z, label


def same_class(label: torch.Tensor, other: torch.Tensor | None = None, **fields) -> Pairs:
    if other is not None:
        return Pairs((label[:, None] == other).nonzero().t(), label.numel(), other.numel(), **fields)
    same = (label[:, None] == label) & ~torch.eye(label.numel(), dtype=torch.bool)
    return Pairs.square(same.nonzero().t(), label.numel(), **fields)


def test_three_points_by_hand():
    z = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])  # unit vectors sqrt 2 (an edge), 2 and sqrt 2 apart
    pairs = Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)
    loss = PMLLoss(losses.ContrastiveLoss(0.5, 1.5, reducer=reducers.MeanReducer()))
    assert loss(z, pairs).item() == pytest.approx(sqrt(2) - 0.5 + ((1.5 - sqrt(2)) + 0) / 2, rel=1e-6)


def test_every_loss_of_the_library_is_either_used_or_refused():
    bases = {"BaseLossWrapper", "BaseMetricLossFunction", "GenericPairLoss"}
    found = {name for name, kind in vars(losses).items() if isinstance(kind, type) and "Mixin" not in name}
    assert found - bases <= FROM_PAIRS.keys() | REFUSED.keys()


@from_pairs
def test_loss_and_gradient_are_those_with_labels(name, value_and_gradient):
    z, label = classes()
    loss = FROM_PAIRS[name]()
    value, gradient = value_and_gradient(PMLLoss(loss), z, same_class(label))
    leaf = z.clone().requires_grad_()
    theirs = loss(leaf, label)
    assert torch.allclose(value, theirs) and value != 0
    assert torch.allclose(gradient, torch.autograd.grad(theirs, leaf)[0])


@from_pairs
def test_rectangular_is_square_where_they_mean_the_same(name, value_and_gradient):
    z, label = classes()
    loss = PMLLoss(FROM_PAIRS[name]())
    value, gradient = value_and_gradient(loss, z, same_class(label))
    order = torch.randperm(14, generator=torch.Generator().manual_seed(0))
    place = order.argsort()
    pairs = same_class(label)
    moved = Pairs(torch.stack([pairs.positive_index[0], place[pairs.positive_index[1]]]), 14, 14, self_index=place)
    if name in SQUARE_ONLY:
        with pytest.raises(ValueError, match="'candidates' needs to be None"):
            loss(z, moved, z[order])
        return
    same, *parts = value_and_gradient(loss, z, moved, z[order])
    assert torch.allclose(value, same) and torch.allclose(gradient, parts[0] + parts[1][place])


@pytest.mark.parametrize("name", sorted(FROM_PAIRS.keys() - SQUARE_ONLY - NO_REFERENCE))
def test_other_candidates_are_those_with_reference_labels(name, value_and_gradient):
    z, label = classes()
    loss = FROM_PAIRS[name]()
    results = value_and_gradient(PMLLoss(loss), z[:5], same_class(label[:5], label[5:]), z[5:])
    leaves = [z[:5].clone().requires_grad_(), z[5:].clone().requires_grad_()]
    theirs = loss(leaves[0], label[:5], ref_emb=leaves[1], ref_labels=label[5:])
    expected = (theirs.detach(), *torch.autograd.grad(theirs, leaves))
    assert all(torch.allclose(ours, other) for ours, other in zip(results, expected, strict=True))


@pytest.mark.parametrize("options", [("weight", "self"), ("ignore", "ids"), ("negative", "ignore", "ids", "groups")])
def test_slow_loop(options, random_case, listed):
    """Every rule of Pairs reaches the library: contrastive hinges, pair by pair."""
    loss = PMLLoss(losses.ContrastiveLoss(0.4, 1.3, reducer=reducers.MeanReducer()), ignore_weight=True)
    for seed in range(6):
        z, candidates, pairs = random_case(seed, *options)
        distance = torch.cdist(*(x / x.norm(dim=1, keepdim=True) for x in (z, candidates)))
        positives, negatives = listed(pairs)
        far = [max(float(distance[i, j]) - 0.4, 0) for i, row in enumerate(positives) for j in row]
        close = [max(1.3 - float(distance[i, k]), 0) for i, row in enumerate(negatives) for k in row]
        expected = sum(sum(x) / len(x) for x in (far, close) if x)
        assert loss(z, pairs, candidates).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["NTXentLoss", "MarginLoss", "ThresholdConsistentMarginLoss", "MultiSimilarityLoss"])
def test_gradient(name, random_case):
    z, candidates, pairs = random_case(2, "ignore", "ids", "groups")
    inputs, loss = (z.requires_grad_(), candidates.requires_grad_()), PMLLoss(FROM_PAIRS[name]()).double()
    assert torch.autograd.gradcheck(lambda z, c: loss(z, pairs, c), inputs)


@pytest.mark.parametrize("name", REFUSED)
def test_losses_from_class_labels_are_refused_with_the_reason(name):
    with pytest.raises(ValueError, match=f"without class labels, in 'PMLLoss' \\(got {name}: .+") as error:
        PMLLoss(REFUSED[name]())
    reasons = ("labels are required", "not supported", "does not look at the pairs", "Error: ")
    assert any(reason in str(error.value) for reason in reasons)


def indices(loss: PMLLoss, z: torch.Tensor, pairs: Pairs) -> list[set[tuple[int, ...]]]:
    """What the miner leaves, as sets of pairs or triplets."""
    seen = []
    loss.loss.forward = lambda z, labels, indices, ref_emb=None: seen.append(indices) or z.sum()
    loss(z, pairs)
    return sets_of(seen[0])


def sets_of(indices):
    groups = (indices,) if len(indices) == 3 else (indices[:2], indices[2:])
    return [set(zip(*(x.tolist() for x in group), strict=True)) for group in groups]


@pytest.mark.parametrize("name", MINERS)
def test_miners_leave_the_pairs_that_they_leave_with_labels(name):
    z, label = classes()
    loss = PMLLoss(losses.ContrastiveLoss(), MINERS[name]())
    expected = sets_of(MINERS[name]()(z, label))
    assert indices(loss, z, same_class(label)) == expected and all(expected)
    every = sets_of(miners.BatchEasyHardMiner("all", "all")(z, label))
    assert [len(x) for x in expected] != [len(x) for x in every]  # it did mine


def test_a_random_miner_takes_negatives_and_positives_of_the_anchor():
    z, label = classes()
    (found,) = indices(PMLLoss(losses.TripletMarginLoss(), miners.DistanceWeightedMiner()), z, same_class(label))
    assert found and all(label[a] == label[p] != label[n] and a != p for a, p, n in found)


@pytest.mark.parametrize("name", ["MultiSimilarityMiner", "BatchHardMiner", "HDCMiner"])
def test_miners_obey_the_rules_of_pairs(name, random_case, listed):
    """No mined pair is excluded, and positives are positives: the miner never saw anything else."""
    for seed in range(5):
        z, candidates, pairs = random_case(seed, "ignore", "ids", "groups", "negative")
        loss, seen = PMLLoss(losses.ContrastiveLoss(), MINERS[name]()), []
        loss.loss.forward = lambda z, labels, indices, ref_emb, seen=seen: seen.append(indices) or z.sum()
        loss(z, pairs, candidates)
        positives, negatives = listed(pairs)
        found = seen[0] if len(seen[0]) == 4 else (seen[0][0], seen[0][1], seen[0][0], seen[0][2])
        a1, p, a2, n = (x.tolist() for x in found)
        assert a1 and all(j in positives[i] for i, j in zip(a1, p, strict=True))
        assert a2 and all(k in negatives[i] for i, k in zip(a2, n, strict=True))


def test_multi_similarity_with_its_miner_is_ours(value_and_gradient):
    z, label = classes()
    pairs = same_class(label)
    value, gradient = value_and_gradient(MultiSimilarityLoss(epsilon=0.2), z, pairs)
    both = PMLLoss(losses.MultiSimilarityLoss(2, 40, 0.5), miners.MultiSimilarityMiner(0.2))
    theirs, their_gradient = value_and_gradient(both, z, pairs)
    a1, _, a2, _ = miners.MultiSimilarityMiner(0.2)(z, label)
    assert set(a1.tolist()) == set(a2.tolist())  # no anchor with one kind of pair only
    factor = 14 / a1.unique().numel()  # theirs is a mean over all rows
    assert torch.allclose(value, factor * theirs) and torch.allclose(gradient, factor * their_gradient)


@pytest.mark.parametrize("kind", [miners.UniformHistogramMiner, miners.EmbeddingsAlreadyPackagedAsTriplets])
def test_miners_that_cannot_work_from_pairs_are_refused(kind):
    with pytest.raises(ValueError, match=f"'miner' needs to work from pairs in 'PMLLoss' \\(got {kind.__name__}: it"):
        PMLLoss(losses.ContrastiveLoss(), kind())


@pytest.mark.parametrize("name", ["ContrastiveLoss", "NTXentLoss", "MultiSimilarityLoss", "SupConLoss"])
def test_one_positive_and_one_negative_are_a_valid_step(name, value_and_gradient):
    """The library returns 0 there; the value is that of the same anchor with its pairs alone."""
    z, _ = classes(3)
    pairs = Pairs(torch.tensor([[0], [0]]), 1, 2)
    value, *gradients = value_and_gradient(PMLLoss(FROM_PAIRS[name]()), z[:1], pairs, z[1:])
    twice = Pairs(torch.tensor([[0, 1], [0, 0]]), 2, 2)  # the anchor and a copy: the same means over more rows
    expected = PMLLoss(FROM_PAIRS[name]())(z[[0, 0]], twice, z[1:])
    assert value > 0 and torch.allclose(value, expected) and all(x.abs().max() > 0 for x in gradients)


def test_a_lone_negative_counts(value_and_gradient):
    z = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    pairs = Pairs(torch.empty(2, 0).long(), 1, 1)
    value, _, _ = value_and_gradient(PMLLoss(losses.ContrastiveLoss()), z[:1], pairs, z[1:])
    assert value.item() == pytest.approx(1 - sqrt(0.4), rel=1e-5)


def test_edge_weights_are_refused_unless_ignored():
    z, label = classes()
    plain = same_class(label)
    ones, halves = (plain.replace(weight=torch.full((plain.num_positives,), w)) for w in (1.0, 0.5))
    expected = PMLLoss(losses.ContrastiveLoss())(z, plain)
    assert torch.equal(PMLLoss(losses.ContrastiveLoss())(z, ones), expected)
    with pytest.raises(ValueError, match=r"weights in \[0.5, 0.5\].*ContrastiveLoss cannot .*ignore_weight=True"):
        PMLLoss(losses.ContrastiveLoss())(z, halves)
    assert torch.equal(PMLLoss(losses.ContrastiveLoss(), ignore_weight=True)(z, halves), expected)


def test_parameters_of_the_loss_are_trained_along():
    z, label = classes()
    loss = PMLLoss(losses.MarginLoss(learn_beta=True, nu=0.1))
    loss(z.float(), same_class(label)).backward()
    (beta,) = loss.parameters()
    assert beta.grad.abs() > 0


def test_construction_leaves_loss_and_generator_alone():
    inner, state = losses.MarginLoss(learn_beta=True), torch.get_rng_state()
    PMLLoss(inner)
    assert torch.equal(torch.get_rng_state(), state) and inner.beta.grad is None and inner.beta == 1.2


def test_triplets_are_listed_without_comparing_all_pairs():
    """1,000 positives and 250,000 negatives: the library would compare each with each."""
    n = 500
    i = torch.arange(n)
    pairs = Pairs.square(torch.cat([torch.stack([i, (i + 1) % n]), torch.stack([(i + 1) % n, i])], dim=1), n)
    z = torch.randn(n, 4, generator=torch.Generator().manual_seed(0))
    seen = []
    loss = PMLLoss(losses.TripletMarginLoss())
    loss.loss.forward = lambda z, labels, indices: seen.append(indices) or z.sum()
    loss(z, pairs)
    assert len(seen[0]) == 3 and seen[0][0].numel() == 2 * n * (n - 3)


def test_not_for_several_processes():
    assert not PMLLoss(losses.ContrastiveLoss()).additive


def test_from_an_experiment_file():
    target = "pytorch_metric_learning."
    component = {
        "_target_": "sigraph.losses.PMLLoss",
        "loss": {"_target_": target + "losses.ContrastiveLoss", "neg_margin": 0.7},
        "miner": {"_target_": target + "miners.PairMarginMiner", "neg_margin": 0.7},
    }
    loss = build(component, StructureLoss, "pretrain.structure_loss", encoder_channels=4)
    assert loss.loss.neg_margin == 0.7 and isinstance(loss.miner, miners.PairMarginMiner)


@pytest.mark.parametrize("argument", ["loss", "miner"])
def test_no_modules_are_refused(argument):
    arguments = {"loss": losses.ContrastiveLoss(), argument: "contrastive"}
    with pytest.raises(ValueError, match=f"'{argument}' needs to be a {argument} of pytorch-metric-learning.*got str"):
        PMLLoss(**arguments)


def test_a_reducer_that_returns_no_scalar_is_refused():
    with pytest.raises(ValueError, match="returns no scalar; choose another reducer"):
        PMLLoss(losses.TripletMarginLoss(reducer=reducers.DoNothingReducer()))


def test_a_missing_library_is_named(monkeypatch):
    inner = losses.ContrastiveLoss()
    for name in [name for name in sys.modules if name.startswith("pytorch_metric_learning")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    with pytest.raises(ImportError, match=r"pip install sigraph\[pml\]"):
        PMLLoss(inner)
