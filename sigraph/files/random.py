"""Random streams that depend on a key only: never on workers, processes or what was drawn before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def keyed_seed(*key: int) -> int:
    """A 64-bit seed that is a hash of integers in [0, 2^64), e.g. (seed, epoch, step); keys of any length differ."""
    words = [part for value in key for part in (value & 0xFFFFFFFF, value >> 32)]
    return int(np.random.SeedSequence([len(key), *words]).generate_state(1, np.uint64)[0])


def keyed_generator(*key: int) -> torch.Generator:
    """A torch generator on the CPU, seeded by :func:`keyed_seed`."""
    import torch

    return torch.Generator().manual_seed(keyed_seed(*key))


def mixed(x: np.ndarray) -> np.ndarray:
    """A 64-bit hash of each number: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
