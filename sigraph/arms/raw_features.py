"""RawFeatures: a linear model on the samples' own rows of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from sigraph.arms.base import Given
from sigraph.arms.linear import PENALTIES, check_penalties
from sigraph.arms.mapped import Mapped, MappedRows
from sigraph.samples.vectors import Vectors


class RawFeatures(MappedRows):
    """Logistic or ridge regression on the samples' own features, on counts of their tokens, or on tf-idf of their text.

    What an encoder has to be better than. :class:`~sigraph.samples.vectors.Vectors` says what is done to the rows.

    Args:
        penalties: Penalties of the linear model to choose from by validation, each > 0.
    """

    def __init__(self, penalties: Sequence[float] = PENALTIES) -> None:
        self.penalties = check_penalties("RawFeatures", "penalties", penalties)

    def maps(self, given: Given, nodes: Mapping[str, Tensor]) -> Iterator[Mapped]:
        vectors = Vectors(given.visible.store)
        yield Mapped({part: vectors(given.dataset.store, node) for part, node in nodes.items()}, 0)
