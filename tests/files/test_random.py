"""Keyed streams: a function of the key and of nothing else."""

import numpy as np
import pytest
import torch

from sigraph.files.random import keyed_generator, keyed_seed


def test_the_same_key_gives_the_same_stream_whatever_happened_before():
    first = torch.rand(5, generator=keyed_generator(3, 1, 4))
    torch.manual_seed(99)
    np.random.seed(7)  # noqa: NPY002
    torch.rand(10)
    assert torch.equal(first, torch.rand(5, generator=keyed_generator(3, 1, 4)))
    assert keyed_generator(3, 1, 4).initial_seed() % 2**64 == keyed_seed(3, 1, 4)


def test_a_stream_leaves_the_global_one_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    torch.rand(100, generator=keyed_generator(5))
    assert torch.equal(torch.rand(3), expected)


def test_keys_of_one_length_give_different_seeds():
    keys = [(seed, epoch, step) for seed in range(8) for epoch in range(8) for step in range(8)]
    assert len({keyed_seed(*key) for key in keys}) == len(keys)
    assert keyed_seed(1, 2) != keyed_seed(2, 1) and keyed_seed(1, 2) != keyed_seed(1, 2, 3)


def test_keys_of_different_length_give_different_seeds():
    assert keyed_seed(5, 1) != keyed_seed(5, 1, 0) and keyed_seed(2**32) != keyed_seed(0, 1)


def test_seeds_use_all_64_bits():
    seeds = [keyed_seed(i) for i in range(200)]
    assert all(0 <= seed < 2**64 for seed in seeds) and max(seeds) > 2**63 > min(seeds)
    assert 60 < sum(seed % 2 for seed in seeds) < 140
    assert keyed_seed(2**63 - 1) != keyed_seed(2**63 - 2)


def test_negative_keys_are_refused():
    with pytest.raises(ValueError, match="non-negative"):
        keyed_seed(-1, 0)
