"""JointObjective: the weighted sum of its parts on the samples that one of them changed; two that hide are refused."""

import pytest
import torch

from sigraph.encoders import MLPEncoder
from sigraph.objectives import JointObjective, MaskedFeature, MultiTask
from sigraph.tasks import SeenLabels

NODE = torch.tensor([3, 1, 0, 2])
X = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))


def masking() -> MaskedFeature:
    return MaskedFeature(6, 5, mask_rate=0.5)


def labelled() -> MultiTask:
    return MultiTask({"kind": SeenLabels("classification", torch.tensor([0, -1, 1, 2]), 3)}, 5)


@pytest.mark.parametrize("order", [1, -1])
def test_it_is_the_weighted_sum_of_its_parts_on_what_was_masked(order):
    parts, encoder = [masking(), labelled()], MLPEncoder(6, 8, 5)
    joint = JointObjective(parts[::order], [0.5, 2.0][::order])
    shown, target = joint.corrupt(X, NODE, 2, torch.Generator().manual_seed(0))
    hidden, value = parts[0].corrupt(X, NODE, 2, torch.Generator().manual_seed(0))
    assert torch.equal(shown, hidden) and not torch.equal(shown, X) and len(target) == 2
    encoding = encoder(hidden)
    expected = 0.5 * parts[0](encoding, value) + 2 * parts[1](encoding, parts[1].corrupt(X, NODE, 2)[1])
    torch.testing.assert_close(joint(encoding, target), expected)
    assert len(list(joint.parameters())) == sum(len(list(part.parameters())) for part in parts)


def test_two_that_change_samples_are_refused_where_the_second_would_predict_what_the_first_hid():
    with pytest.raises(
        ValueError, match=r"no more than one that changes samples \(got MaskedFeature and MaskedFeature"
    ):
        JointObjective([masking(), masking()]).corrupt(X, NODE, 2, torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objectives": [masking()]}, "'objectives' needs a list of two objectives or more"),
        ({"objectives": [masking(), "MultiTask"]}, "'objectives' needs a list of two"),
        ({"weights": [1.0]}, "'weights' needs a number for each of 2 objectives"),
        ({"weights": [1.0, 0.0]}, "'weights' needs to be > 0"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        JointObjective(**{"objectives": [masking(), labelled()], **arguments})
