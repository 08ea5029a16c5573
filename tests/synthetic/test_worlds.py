"""The contract of every world: the same seed, the same data; another seed, others."""

import inspect

import pytest
import torch

import sigraph.synthetic
from sigraph.synthetic import World


def worlds():
    found = [value for _, value in inspect.getmembers(sigraph.synthetic, inspect.isclass) if issubclass(value, World)]
    return [value for value in found if not inspect.isabstract(value)]


def test_worlds_are_found():
    assert "TorusWorld" in [world.__name__ for world in worlds()]


@pytest.mark.parametrize("world", worlds())
def test_seed_decides_everything(world):
    first = world().generate(seed=3)
    torch.manual_seed(99)
    again, other = world().generate(seed=3), world().generate(seed=4)
    assert first.fingerprint == again.fingerprint != other.fingerprint


@pytest.mark.parametrize("world", worlds())
def test_global_random_state_is_left_alone(world):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    world().generate(seed=1)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("world", worlds())
def test_default_is_a_usable_data_set(world):
    dataset = world().generate()
    assert dataset.graph().num_edges > 0 and dataset.task().labels.size(0) == len(dataset)
    assert world.__doc__ and "Source:" in world.__doc__
