"""HeldGraphs: the graphs of a data set by name, each a PretrainGraph once somebody asks for that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from sigraph.data.sample_graph import SampleGraph, StoredGraph

if TYPE_CHECKING:
    from sigraph.data.graph import PretrainGraph


class HeldGraphs(Mapping[str, "PretrainGraph"]):
    """Graphs by name, read-only. PyG is imported when the first :class:`StoredGraph` is asked for by its name.

    Args:
        graphs: By name, in their order.
    """

    def __init__(self, graphs: Mapping[str, SampleGraph]) -> None:
        self._held = dict(graphs)

    @property
    def as_held(self) -> Mapping[str, SampleGraph]:
        """As they are, for who only reads edges."""
        return MappingProxyType(self._held)

    def __getitem__(self, name: str) -> PretrainGraph:
        from sigraph.data.graph import PretrainGraph

        graph = self._held[name]
        if isinstance(graph, StoredGraph):
            graph = self._held[name] = PretrainGraph.from_stored(graph)
        return graph  # type: ignore[return-value]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def __or__(self, others: Mapping[str, PretrainGraph]) -> dict[str, PretrainGraph]:
        return {**self, **others}

    def __ror__(self, others: Mapping[str, PretrainGraph]) -> dict[str, PretrainGraph]:
        return {**others, **self}

    def __repr__(self) -> str:
        return repr(self._held)
