"""The contract of a world: everything about its samples is known, because it made them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from sigraph.data.dataset import SampleDataset
from sigraph.files.arguments import check_integers
from sigraph.files.memory import check_fits
from sigraph.files.random import keyed_generator

TRAIN_SHARE, VALID_SHARE = 0.1, 0.1
SAMPLE_BYTES = 500  # of a sample, its edges and what it is made from: no less


class World(ABC):
    """Generates a data set, without a download.

    A world's settings are constructor arguments with defaults; all randomness comes from torch generators keyed by
    ``seed``, so that the same settings and seed give the same data set. What is known beyond samples, graph and labels
    (positions on a manifold, say) is attached to the graph as an attribute with one row per node.

    Attributes:
        seed: Of the world that an experiment's YAML names.
    """

    seed: int = 0

    @abstractmethod
    def generate(self, seed: int = 0) -> SampleDataset:
        """Make samples, a pre-training graph and a task.

        Args:
            seed: Another seed, another world of the same kind.
        """


class SplitStream:
    """Random streams of a world: those of its first N samples never depend on how many are held out.

    Args:
        owner: The world's class, for messages.
        num_samples: N, nodes of the graph, at least 10.
        num_held_out: H further samples of the same world, isolated nodes of the graph.
    """

    def __init__(self, owner: str, num_samples: int, num_held_out: int) -> None:
        check_integers(owner, 10, num_samples=num_samples)
        check_integers(owner, 0, num_held_out=num_held_out)
        check_fits(owner, SAMPLE_BYTES * num_samples, num_samples=num_samples)
        check_fits(owner, SAMPLE_BYTES * num_held_out, num_held_out=num_held_out)
        self.num_samples, self.num_held_out = num_samples, num_held_out

    def draw(self, seed: int, stream: int, make: Callable[[int, torch.Generator], Tensor]) -> Tensor:
        """``make(count, generator)`` for the first N samples and, from another stream, for the held-out ones.

        Returns:
            Shape [N + H, *].
        """
        parts = [make(self.num_samples, keyed_generator(seed, stream))]
        if self.num_held_out:
            parts.append(make(self.num_held_out, keyed_generator(seed, stream, 1)))
        return torch.cat(parts)

    def name(self, name: str) -> str:
        """The data set's name, another one with held-out samples: results on them are a row of their own."""
        return f"{name}-held-out" if self.num_held_out else name

    def split(self, generator: torch.Generator) -> dict[str, Tensor]:
        """A tenth of the first N samples to train, a tenth to validate, the others to test; with held-out samples these
        alone are to test, and all others but the same tenth to train."""
        order = torch.randperm(self.num_samples, generator=generator)
        num_valid, num_train = (round(self.num_samples * share) for share in (VALID_SHARE, TRAIN_SHARE))
        valid, rest = order[:num_valid], order[num_valid:]
        if self.num_held_out:
            test = torch.arange(self.num_samples, self.num_samples + self.num_held_out)
            return {"train": rest, "valid": valid, "test": test}
        return {"train": rest[:num_train], "valid": valid, "test": rest[num_train:]}
