"""MultiTask: the mean over tasks and known labels by hand, units of numbers, errors."""

import math

import pytest
import torch
import torch.nn.functional as F

from sigraph.encoders import Encoding
from sigraph.objectives import MultiTask
from sigraph.tasks import SeenLabels

NAN = float("nan")
LABELS = {
    "kind": SeenLabels("classification", torch.tensor([0, -1, 1, 2]), 3),
    "columns": SeenLabels("multilabel", torch.tensor([[1.0, NAN], [0, 1], [NAN, NAN], [1, 1]]), 2),
    "number": SeenLabels("regression", torch.tensor([10.0, 20, NAN, 30]), 1),
}
NODE = torch.tensor([3, 1, 0, 2])


def made(**more) -> MultiTask:
    torch.manual_seed(0)
    return MultiTask(LABELS, 2, **more)


def test_every_task_weighs_the_same_and_missing_labels_nothing():
    objective, z = made(), torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    _, target = objective.corrupt(None, NODE, 3)  # samples 3, 1, 0
    kind, columns, number = (head(z[:3]) for head in objective.heads)
    first = F.cross_entropy(kind[[0, 2]], torch.tensor([2, 0]))
    known = torch.tensor([[True, True], [True, True], [True, False]])
    second = F.binary_cross_entropy_with_logits(columns[known], torch.tensor([1.0, 1, 0, 1, 1]))
    scale = math.sqrt(200 / 3)  # of 10, 20 and 30
    third = ((number[:, 0] - torch.tensor([30.0, 20, 10])) / scale).square().mean()
    assert objective(Encoding(z), target).item() == pytest.approx(((first + second + third) / 3).item())


def test_some_tasks_and_all_samples():
    objective = made(tasks=["number"], all_samples=True)
    _, target = objective.corrupt(None, NODE, 1)
    assert len(objective.heads) == 1 and target[0].nan_to_num(0).tolist() == [30, 20, 10, 0]


def test_no_label_in_a_step_is_a_connected_zero():
    objective, z = made(), torch.randn(1, 2, requires_grad=True)
    for node in (torch.tensor([2]), NODE[:0]):
        _, target = objective.corrupt(None, node, len(node))
        masked = tuple(torch.full_like(y, -1 if not y.is_floating_point() else NAN) for y in target)
        loss = objective(Encoding(z[: len(node)]), masked)
        loss.backward()
        assert loss == 0 and (z.grad == 0).all()
        assert all((parameter.grad == 0).all() for parameter in objective.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tasks": ["kindd"]}, "names 'kindd', which is no task of samples .did you mean 'kind'.*columns"),
        ({"tasks": "kind"}, "'tasks' needs a list of names, or null"),
        ({"labels": {}}, "needs a data set with a task whose labels are of samples"),
        ({"labels": {"a": torch.ones(3)}}, "'labels' needs a mapping of tasks to sigraph.tasks.SeenLabels"),
        ({"labels": {"a": SeenLabels("classification", torch.tensor([-1, -1]), 2)}}, "names 'a', of which .* no label"),
        ({"all_samples": "yes"}, "'all_samples' needs to be true or false"),
        ({"encoder_channels": 0}, "'encoder_channels' needs to be an integer >= 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiTask(**{"labels": LABELS, "encoder_channels": 2, **arguments})
