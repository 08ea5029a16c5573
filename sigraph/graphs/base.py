"""The contract of a graph constructor: where a pre-training graph comes from."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sigraph.data.dataset import SampleDataset
from sigraph.files.arguments import check_generator, check_kinds, shown

if TYPE_CHECKING:
    from sigraph.data.graph import PretrainGraph


class GraphConstructor(ABC):
    """Makes a pre-training graph over the samples of a data set, in two steps.

    :meth:`base` gives the edges that were observed; :meth:`expand` derives the graph that is trained on. Edges that
    validate pre-training are held out between the two, so that nothing derived from them is trained on.
    """

    @abstractmethod
    def base(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        """The observed edges over the samples of ``dataset``; all randomness comes from ``generator``."""

    def expand(self, graph: PretrainGraph) -> PretrainGraph:
        """What is trained on, from what was observed; the graph itself unless overridden."""
        return graph

    def inner(self) -> Iterator[GraphConstructor]:
        """The constructors it is made of, one level deep."""
        for value in vars(self).values():
            for part in value if isinstance(value, list | tuple) else [value]:
                if isinstance(part, GraphConstructor):
                    yield part

    def sources(self, dataset: SampleDataset) -> list[str]:
        """Names of the graphs of a data set whose edges it may read; all of them unless a constructor knows better."""
        return list(dataset.graphs)

    def among(self, ids: Tensor, num_samples: int) -> GraphConstructor:
        """The same constructor for some samples alone, where it was given something by sample.

        Args:
            ids: The samples, ascending; sample i of the data set that it will be used on is ``ids[i]``. Shape [M].
            num_samples: N, of the data set that it was made for.
        """
        out = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, GraphConstructor):
                setattr(out, name, value.among(ids, num_samples))
            elif isinstance(value, list | tuple) and any(isinstance(part, GraphConstructor) for part in value):
                parts = [p.among(ids, num_samples) if isinstance(p, GraphConstructor) else p for p in value]
                setattr(out, name, type(value)(parts))
        return out

    def __call__(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        """Both steps, nothing held out.

        Raises:
            ValueError: An argument is of another kind; and as :meth:`base`.
        """
        check_kinds(type(self).__name__, dataset=(dataset, SampleDataset))
        check_generator(type(self).__name__, generator)
        return self.expand(self.base(dataset, generator))


def check_constructor(graph: object, owner: str) -> None:
    """Refuse what is no graph constructor."""
    if not isinstance(graph, GraphConstructor):
        raise ValueError(
            f"'graph' needs to be a graph constructor in {owner!r} (got {shown(graph)}); a graph of the data set is "
            "{_target_: sigraph.graphs.DatasetGraph, name: ...}"
        )
