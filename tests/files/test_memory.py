"""Sizes that no machine holds are refused without asking for memory, and nothing else changes."""

import pytest
import torch
from torch import nn

from sigraph.encoders import GRUEncoder, MLPEncoder, TransformerEncoder
from sigraph.files import memory
from sigraph.files.memory import TooLargeError, check_fits, check_processes, in_words, machine_memory, within_memory
from sigraph.samplers import RandomWalkSampler
from sigraph.synthetic import ManifoldWorld, TorusWorld

MAKERS = {
    "linear": lambda n: nn.Linear(n, n),
    "embedding": lambda n: nn.Embedding(n, 8),
    "convolution": lambda n: nn.Conv1d(n, n, 3),
    "attention": lambda n: nn.MultiheadAttention(n, 1),
    "randperm": torch.randperm,
    "arange": lambda n: torch.arange(0, n, 1),
    "eye": torch.eye,
    "randint": lambda n: torch.randint(10, (n,)),
    "linspace": lambda n: torch.linspace(0, 1, n),
    "clone": lambda n: torch.arange(3).expand(n, 3).clone(),
    "repeat": lambda n: torch.ones(3).repeat(n),
    "interleave": lambda n: torch.arange(3).repeat_interleave(n),
    "like": lambda n: torch.zeros_like(torch.arange(3).expand(n, 3), memory_format=torch.contiguous_format),
    "new": lambda n: torch.ones(1).new_zeros(n, 3),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_what_is_too_large_is_refused_before_it_is_made(maker, monkeypatch):
    """Of a machine with a million bytes, so that what is let through would do no harm."""
    monkeypatch.setattr(memory, "machine_memory", lambda: 1_000_000)
    with pytest.raises(TooLargeError, match=r"^'X' needs .*, this machine has 1 MB"), within_memory("'X'", kept=True):
        MAKERS[maker](3_000_000)
    with within_memory("'X'", kept=True):
        MAKERS[maker](16)


def test_what_stays_is_added_up_and_what_goes_is_not(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: 1_000_000)
    with within_memory("'X'"):
        for _ in range(10):
            torch.empty(50_000)
    with pytest.raises(TooLargeError), within_memory("'X'", kept=True):
        nn.Sequential(*(nn.Linear(100, 500) for _ in range(10)))


def test_a_stack_without_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(memory, "MOST_TENSORS", 200)
    with pytest.raises(TooLargeError, match="makes more than 200 tensors"), within_memory("'X'", kept=True):
        nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 1, 4), 10**9)


def test_weights_are_those_of_a_module_made_outside():
    made = []
    for watched in (False, True):
        torch.manual_seed(0)
        if watched:
            with within_memory("'X'", kept=True):
                made.append(TransformerEncoder(20, 16, 2, 2).state_dict())
        else:
            made.append(TransformerEncoder(20, 16, 2, 2).state_dict())
    assert all(torch.equal(value, made[1][name]) for name, value in made[0].items())


def test_other_errors_come_through():
    with pytest.raises(RuntimeError, match="shapes"), within_memory("'X'"):
        torch.ones(2, 3) @ torch.ones(2, 3)
    with pytest.raises(TooLargeError, match="needs more memory"), within_memory("'X'"):
        raise MemoryError("as numpy says it")


@pytest.mark.parametrize(
    "make",
    [
        lambda: MLPEncoder(4, num_layers=10**9),
        lambda: GRUEncoder(4, num_layers=10**9),
        lambda: TransformerEncoder(4, num_layers=10**9),
        lambda: RandomWalkSampler(_graph(), walk_length=10**9),
        lambda: RandomWalkSampler(_graph(), exclude_hops=10**9),
    ],
)
def test_depth_is_bounded_before_it_is_looped_over(make):
    with pytest.raises(ValueError, match=r"needs to be an integer in \[1, 10000\]"):
        make()


def _graph():
    from sigraph.data import PretrainGraph

    return PretrainGraph([[0], [1]], num_nodes=3)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: ManifoldWorld(num_samples=10**12), "num_samples"),
        (lambda: ManifoldWorld(num_held_out=10**12), "num_held_out"),
        (lambda: ManifoldWorld(vocabulary=10**12), "vocabulary"),
        (lambda: ManifoldWorld(max_length=10**12), "max_length"),
        (lambda: TorusWorld(num_samples=10**12), "num_samples"),
        (lambda: TorusWorld(num_words=10**12), "num_words"),
    ],
)
def test_a_world_that_no_machine_holds_names_the_argument(make, name):
    with pytest.raises(ValueError, match=rf"{name}.* needs to be smaller in .* of memory, this machine has"):
        make()


def test_processes_are_bounded_by_the_machine():
    check_processes("jobs", 64)
    with pytest.raises(ValueError, match=r"'jobs' needs to be <= \d+ on this machine of \d+ processors"):
        check_processes("jobs", 10**6)


def test_sizes_in_words():
    assert [in_words(size) for size in (12, 3e6, 2.5e10, 4e22)] == ["12 bytes", "3 MB", "25 GB", "4e+13 GB"]
    assert machine_memory() > 10**8
    check_fits("X", 10, size=10)
