"""The contract of a world: everything about its samples is known, because it made them."""

from __future__ import annotations

from abc import ABC, abstractmethod

from sigraph.data.dataset import SampleDataset


class World(ABC):
    """Generates a data set, without a download.

    A world's settings are constructor arguments with defaults; all randomness comes from torch generators keyed by
    ``seed``, so that the same settings and seed give the same data set. What is known beyond samples, graph and labels
    (positions on a manifold, say) is attached to the graph as an attribute with one row per node.
    """

    @abstractmethod
    def generate(self, seed: int = 0) -> SampleDataset:
        """Make samples, a pre-training graph and a task.

        Args:
            seed: Another seed, another world of the same kind.
        """
