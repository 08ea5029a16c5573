"""SampleGraph: what is asked of a graph whose node i is sample i; StoredGraph: one that is nothing but its edges."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from sigraph.data.consistency import node_agreement
from sigraph.data.edges import check_edge_index, check_edge_weight, check_group
from sigraph.data.foreign import way_from
from sigraph.edges.label_store import LabelSetStore, in_full
from sigraph.edges.store import CSRStore, EdgeStore
from sigraph.files.arguments import as_tensor, said
from sigraph.files.array_folder import AGAIN, open_folder
from sigraph.files.ownership import GRAPHS, LABEL_SETS
from sigraph.tasks.label_values import labels_said


class SampleGraph(ABC):
    """An undirected graph whose node i is sample i, read through its :attr:`store`.

    Whoever only reads edges asks for one of these, and takes a :class:`~sigraph.data.PretrainGraph`, which is a PyG
    ``Data``, as well as a :class:`StoredGraph`, for which PyG is not imported.
    """

    kind_name = "PretrainGraph"  # what messages call it
    way_from = staticmethod(way_from)  # for messages where another thing was given

    @property
    @abstractmethod
    def store(self) -> EdgeStore:
        """The edges as samplers need them: undirected, without loops or repeats, never stale."""

    @property
    @abstractmethod
    def num_edges(self) -> int:
        """Directed edges, as everywhere in PyG: twice the number of undirected ones."""

    num_nodes: Any  # N; PyG's own may be None until it is filled
    group: Any  # [N], or None
    names_of_nodes: Any  # [N], or None

    @classmethod
    @abstractmethod
    def from_store(cls, store: EdgeStore, group: Any = None) -> Self:
        """From a store as it is, e.g. a :class:`LabelSetStore`, and the group of each node, [N]."""

    @abstractmethod
    def _hold_mapped_group(self, group: Tensor) -> None:
        """Take groups that lie in the store's folder, from which they are mapped again where this is unpickled."""

    @classmethod
    def open(cls, path: str | Path, verify: bool = False, again: str = AGAIN) -> Self:
        """Map a graph written by :meth:`save`: nothing is read but a header and sums, workers share the pages.

        Args:
            path: The folder.
            verify: Read everything once and check the sums; otherwise each block is checked when it is first touched.
            again: What is wrong with a folder that does not fit and how it is written again, for messages.
        """
        folder = open_folder(path, GRAPHS, verify, again)
        kind = LabelSetStore if folder.header["kind"] == LABEL_SETS else CSRStore
        graph = cls.from_store(store := kind.from_folder(path, folder))
        if "group" in folder.arrays:
            graph._hold_mapped_group(check_group(folder.arrays["group"].whole(), store.num_nodes))
        return graph

    def save(self, path: str | Path) -> None:
        """Write edges, weights and groups as a folder of ``.npy`` files, all or nothing.

        Args:
            path: The folder; a graph's folder that is there is replaced, nothing else is.

        Raises:
            FileExistsError: There is something else, or something besides; the message names it.
        """
        store = self.store
        if not isinstance(store, CSRStore | LabelSetStore):
            raise ValueError(f"'save' needs a graph with a CSRStore (got {type(store).__name__})")
        store.save(path, {} if self.group is None else {"group": check_group(self.group, store.num_nodes)})

    def csr(self) -> tuple[Tensor, Tensor]:
        """Start of each row [N + 1] int64, and the sorted neighbours [E] int32 (int64 from 2^31 nodes on)."""
        store = in_full(self.store, "csr")
        return store.rowptr, store.col

    def edges_between(self, rows: Any, cols: Any) -> Tensor:
        """Positions (in rows, in cols) of every edge between two lists of nodes; a node listed twice counts twice.

        Args:
            rows: Node ids. Shape [A].
            cols: Node ids. Shape [C].

        Returns:
            Shape [2, P] int64.
        """
        return self.store.edges_between(self._check_nodes("rows", rows), self._check_nodes("cols", cols))[0]

    def local_consistency(self, y: Tensor) -> float:
        """Local consistency of labels on this graph; see :func:`sigraph.data.consistency.local_consistency`."""
        return node_agreement(self.store, labels_said(y, "'y'", is_dense=False).y).value()

    def _check_nodes(self, name: str, nodes: Any) -> Tensor:
        try:
            nodes = as_tensor(nodes)
        except ValueError as error:
            raise ValueError(f"'{name}' needs a list of integer node ids (got {said(nodes)}: {error})") from error
        if nodes.numel() == 0:
            return nodes.long().view(-1)
        num_nodes = self.store.num_nodes
        if nodes.dim() != 1 or nodes.is_floating_point() or nodes.is_complex() or nodes.dtype == torch.bool:
            raise ValueError(f"'{name}' needs a list of integer node ids (got {nodes.dtype} {list(nodes.shape)})")
        low, high = int(nodes.min()), int(nodes.max())
        if low < 0 or high >= num_nodes:
            raise ValueError(f"'{name}' needs node ids in [0, {num_nodes}) (got [{low}, {high}])")
        return nodes.long()


class StoredGraph(SampleGraph):
    """Edges as they lie in a store, and nothing of PyG's; not to be changed once it is made.

    ``sigraph prepare`` writes these and ``sigraph audit`` reads them. A data set that holds one gives it as a
    :class:`~sigraph.data.PretrainGraph` to whoever asks for that.

    Args:
        store: The edges.
        group: Group of each node (e.g. species). Shape [N] integers; None: none.
    """

    def __init__(self, store: EdgeStore, group: Any = None) -> None:
        self._edges = store
        self.group: Tensor | None = None if group is None else check_group(group, store.num_nodes)
        self.names_of_nodes: Sequence[Any] | None = None
        self.is_group_mapped = False

    @classmethod
    def from_store(cls, store: EdgeStore, group: Any = None) -> Self:
        return cls(store, group)

    @classmethod
    def from_edges(cls, edge_index: Any, num_nodes: int, edge_weight: Any = None, group: Any = None) -> Self:
        """From edges, checked as those of a :class:`~sigraph.data.PretrainGraph`.

        What was dropped is counted in :attr:`dropped` and not warned of.

        Args:
            edge_index: Node ids in [0, N). Shape [2, E].
            num_nodes: N, the number of samples.
            edge_weight: Finite and >= 0. Shape [E]; None: unweighted.
            group: As for a :class:`~sigraph.data.PretrainGraph`. Shape [N]; None: none.
        """
        given, num_nodes = check_edge_index(edge_index, num_nodes)
        weight = None if edge_weight is None else check_edge_weight(edge_weight, given.size(1))
        return cls(CSRStore.from_edges(given, num_nodes, weight), group)

    def _hold_mapped_group(self, group: Tensor) -> None:
        self.group, self.is_group_mapped = group, True

    @property
    def store(self) -> EdgeStore:
        return self._edges

    @property
    def num_nodes(self) -> int:
        """N, the number of nodes and of samples."""
        return self._edges.num_nodes

    @property
    def num_edges(self) -> int:
        return self._edges.num_edges  # type: ignore[attr-defined]

    @property
    def dropped(self) -> dict[str, int]:
        """Self-loops and repeats among the edges it was made from."""
        return getattr(self._edges, "dropped", {"self_loops": 0, "repeated_edges": 0})

    def __getstate__(self) -> dict:
        is_mapped = self.is_group_mapped and getattr(self._edges, "path", None)
        return {**vars(self), "group": None} if is_mapped else vars(self)

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        if self.is_group_mapped and self.group is None:
            self.group = open_folder(self._edges.path, GRAPHS).arrays["group"].whole()  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"StoredGraph(num_nodes={self.num_nodes}, num_edges={self.num_edges})"
