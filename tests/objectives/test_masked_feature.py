"""MaskedFeature: values by hand, how much is hidden, and what never is."""

import math

import pytest
import torch

from sigraph.encoders import Encoding
from sigraph.objectives import MaskedFeature
from sigraph.objectives.masked_feature import FeatureTarget


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_hand(loss: str) -> MaskedFeature:
    """Predicts (z, 2 z + 1) from a one-dimensional z."""
    objective = MaskedFeature(2, 1, loss=loss)
    objective.decoder.weight.data = torch.tensor([[1.0], [2.0]])
    objective.decoder.bias.data = torch.tensor([0.0, 1.0])
    return objective


def test_squared_error_by_hand():
    target = FeatureTarget(torch.tensor([[True, False], [True, True]]), torch.tensor([[1.0, 9], [0, 4]]))
    value = by_hand("mse")(Encoding(torch.tensor([[3.0], [1], [100]])), target)  # predictions (3, 7), (1, 3)
    assert value.item() == pytest.approx(((3 - 1) ** 2 + (1 - 0) ** 2 + (3 - 4) ** 2) / 3)


def test_cross_entropy_by_hand():
    target = FeatureTarget(torch.tensor([[True, False], [False, True]]), torch.tensor([[1.0, 0], [0, 0]]))
    value = by_hand("bce")(Encoding(torch.tensor([[0.0], [1.0]])), target)  # logits 0 for a 1, 3 for a 0
    assert value.item() == pytest.approx((math.log(2) + math.log(1 + math.exp(3))) / 2)


def test_cross_entropy_of_hidden_words_by_hand():
    """Three hidden words of the first bag, none of the second; the visible one does not count."""
    objective = MaskedFeature(3, 1, loss="words")
    objective.decoder.weight.data = torch.tensor([[1.0], [0.0], [0.0]])
    objective.decoder.bias.data.zero_()
    mask = torch.tensor([[True, True, False], [True, False, False]])
    target = FeatureTarget(mask, torch.tensor([[1.0, 2, 5], [0, 3, 3]]))
    value = objective(Encoding(torch.tensor([[math.log(2)], [7.0]])), target)  # probabilities 1/2, 1/4, 1/4
    assert value.item() == pytest.approx((math.log(2) + 2 * math.log(4)) / 3)
    with pytest.raises(ValueError, match="'loss' words needs features >= 0"):
        objective(Encoding(torch.zeros(2, 1)), target._replace(value=-target.value))


@pytest.mark.parametrize("rate", [0.15, 0.6])
def test_hides_the_stated_share_as_zeros_and_remembers_it(rate):
    inputs = torch.rand(200, 50, generator=seeded()) + 1
    corrupted, target = MaskedFeature(50, 4, mask_rate=rate).corrupt(inputs, torch.arange(200), 120, seeded())
    assert target.mask.shape == target.value.shape == (120, 50)
    assert torch.equal(target.value, inputs[:120])
    assert torch.equal(corrupted[:120] == 0, target.mask)
    assert torch.equal(corrupted[:120][~target.mask], inputs[:120][~target.mask])
    assert torch.equal(corrupted[120:], inputs[120:])
    assert target.mask.float().mean().item() == pytest.approx(rate, abs=0.02)


def test_corrupt_all_reaches_every_sample():
    inputs = torch.ones(20, 30)
    corrupted, target = MaskedFeature(30, 4, corrupt_all=True).corrupt(inputs, torch.arange(20), 5, seeded())
    assert target.mask.shape == (20, 30) and (corrupted[5:] == 0).any() and torch.equal(corrupted == 0, target.mask)


def test_visible_entries_and_clean_samples_do_not_count():
    objective = MaskedFeature(3, 2)
    z = torch.randn(4, 2, generator=seeded(), requires_grad=True)
    target = FeatureTarget(torch.tensor([[True, False, False], [False, True, False]]), torch.randn(2, 3))
    changed = target._replace(value=torch.where(target.mask, target.value, 77.0))
    loss = objective(Encoding(z), target)
    assert loss == objective(Encoding(z), changed)
    loss.backward()
    assert (z.grad[:2] != 0).any(dim=1).all() and (z.grad[2:] == 0).all()


def test_nothing_hidden_is_a_connected_zero():
    z = torch.randn(2, 2, requires_grad=True)
    loss = MaskedFeature(3, 2)(Encoding(z), FeatureTarget(torch.zeros(2, 3, dtype=torch.bool), torch.ones(2, 3)))
    loss.backward()
    assert loss == 0 and (z.grad == 0).all()


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_bce_needs_features_between_zero_and_one(value):
    target = FeatureTarget(torch.ones(1, 2, dtype=torch.bool), torch.tensor([[0.5, value]]))
    with pytest.raises(ValueError, match=r"'loss' bce needs features in \[0, 1\].*use loss: mse"):
        by_hand("bce")(Encoding(torch.zeros(1, 1)), target)


@pytest.mark.parametrize(("width", "features"), [(3, 2), (1, 3), (1, 1)])
def test_another_encoder_or_other_samples_are_named(width, features):
    objective = by_hand("mse")  # of an embedding of width 1 and of two features
    target = FeatureTarget(torch.ones(4, features, dtype=torch.bool), torch.ones(4, features))
    needed = rf"'encoder_channels', 'in_channels' need .* in 'MaskedFeature', {width} and {features} \(got 1 and 2\)"
    with pytest.raises(ValueError, match=needed):
        objective(Encoding(torch.zeros(4, width)), target)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask_rate": 0.0}, r"'mask_rate' needs to be in \(0, 1\)"),
        ({"mask_rate": 1.0}, "'mask_rate'"),
        ({"mask_rate": float("nan")}, "'mask_rate'"),
        ({"loss": "l1"}, "'loss' needs to be one of mse, bce, words .*got 'l1'"),
        ({"in_channels": None}, "'in_channels' needs feature rows"),
        ({"in_channels": "hello"}, "'in_channels' needs to be an integer >= 1 .*got 'hello'"),
        ({"encoder_channels": 0}, "'encoder_channels' needs to be an integer >= 1"),
        ({"mask_rate": "some"}, "'mask_rate' .*got 'some'"),
        ({"corrupt_all": "no"}, "'corrupt_all' needs to be true or false"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MaskedFeature(**{"in_channels": 3, "encoder_channels": 2, **arguments})


def test_records_are_refused():
    with pytest.raises(ValueError, match=r"'inputs' needs feature rows, a tensor, in 'MaskedFeature' \(got list\)"):
        MaskedFeature(3, 2).corrupt([{"text": "a"}], torch.arange(1), 1)
