"""Edge stores: what samplers need of a graph, for all nodes of a batch at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import Tensor

from sigraph.edges.draw import draw_ranks, expand, search_missing, search_present
from sigraph.edges.merge import merge_edges
from sigraph.files.array_folder import AGAIN, ArrayFolder, open_folder, write_folder
from sigraph.files.ownership import CSR
from sigraph.files.paths import resolved
from sigraph.files.sealed import DamagedError
from sigraph.files.sums import HeldArray

DTYPES = {"rowptr": (torch.int64,), "col": (torch.int32, torch.int64), "weight": (torch.float32,)}


class EdgeStore(ABC):
    """Undirected edges without self-loops, each stored once per direction, asked for in batches of nodes.

    Implement ``num_nodes``, ``degree``, ``neighbors``, ``draw_neighbors``, ``draw_non_neighbors`` and
    ``edges_between``; everything else of sigraph uses only these.
    """

    num_nodes: int
    weight: Tensor | None = None  # [E] by edge position, or None

    @property
    def is_weighted(self) -> bool:
        """Whether edges have weights."""
        return self.weight is not None

    def weight_of(self, edge: Tensor) -> Tensor | None:
        """Weights of some edges by their positions, [P]; None for a store without weights."""
        return None if self.weight is None else self.weight[edge]

    @abstractmethod
    def degree(self, nodes: Tensor) -> Tensor:
        """Number of neighbours of each node. Shape [A] -> [A] int64."""

    @abstractmethod
    def neighbors(self, node: int) -> Tensor:
        """All neighbours of one node, sorted. Shape [degree] int64."""

    def all_neighbors(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """All neighbours of each node, sorted within a node.

        Returns:
            Positions in ``nodes``, rising, and neighbours. Shape [M] int64 each.
        """
        lists = [self.neighbors(node) for node in nodes.tolist()]
        sizes = torch.tensor([len(one) for one in lists], dtype=torch.long)
        return torch.repeat_interleave(sizes), torch.cat([torch.empty(0, dtype=torch.long), *lists])

    @abstractmethod
    def draw_neighbors(self, nodes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
        """``k`` uniform neighbours of each node.

        Distinct while the degree allows; a node with fewer than ``k`` gives all of them and repeats; a node without
        any gives -1.

        Returns:
            Shape [A, k] int64.
        """

    @abstractmethod
    def draw_non_neighbors(self, nodes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
        """``k`` uniform nodes that are neither a neighbour nor the node itself; conventions as in draw_neighbors.

        Returns:
            Shape [A, k] int64.
        """

    @abstractmethod
    def edges_between(self, rows: Tensor, cols: Tensor) -> tuple[Tensor, Tensor]:
        """Every edge between two lists of nodes; a node listed twice counts twice.

        Returns:
            Positions in ``rows`` and ``cols``, shape [2, P], and the position of each edge in ``weight``, shape [P].
        """


class CSRStore(EdgeStore):
    """Sorted CSR rows, in memory or memory-mapped.

    A memory-mapped store (see :meth:`open`) pickles as its path and is mapped again where it is unpickled, so that
    DataLoader workers share the pages; a folder that was replaced in between is refused.

    Args:
        rowptr: Start of each row, rising from 0 to E. Shape [N + 1] int64.
        col: Neighbours, sorted and distinct in each row. Shape [E], int32 or int64.
        weight: Weight of each directed edge. Shape [E] float32, or None.
    """

    def __init__(self, rowptr: Tensor, col: Tensor, weight: Tensor | None = None) -> None:
        self._hold(HeldArray(rowptr), HeldArray(col), None if weight is None else HeldArray(weight))
        self.dropped = {"self_loops": 0, "repeated_edges": 0}  # of the edges it was made from

    def _hold(self, rowptr: HeldArray, col: HeldArray, weight: HeldArray | None) -> None:
        self._rowptr, self._col, self._weight = rowptr, col, weight
        self.num_nodes = len(rowptr) - 1
        self.path: Path | None = None
        self.identity = ""  # of what lies at the path: a sum of its sums
        self.averaged = 0  # edges that were given with different weights

    @property
    def rowptr(self) -> Tensor:
        """[N + 1] int64; of a mapped store, all of it checked."""
        return self._rowptr.whole()

    @property
    def col(self) -> Tensor:
        """[E]; of a mapped store, all of it checked."""
        return self._col.whole()

    @property
    def weight(self) -> Tensor | None:  # type: ignore[override]
        """[E] float32, or None; of a mapped store, all of it checked."""
        return None if self._weight is None else self._weight.whole()

    @property
    def is_weighted(self) -> bool:
        return self._weight is not None

    def weight_of(self, edge: Tensor) -> Tensor | None:
        return None if self._weight is None else self._weight.take(edge)

    @property
    def num_edges(self) -> int:
        """Directed edges: twice the number of undirected ones."""
        return len(self._col)

    @classmethod
    def from_edges(cls, edge_index: Tensor, num_nodes: int, weight: Tensor | None = None) -> CSRStore:
        """Symmetrise, merge repeats and drop self-loops of checked edges; :attr:`dropped` counts the latter two.

        The weight of an edge is the mean of the weights it was given with, over repeats and both directions: an edge
        given once, twice or in both directions with the same weight keeps it; :attr:`averaged` counts the others.
        """
        row, col = edge_index.cpu().numpy()
        rows = merge_edges(row, col, num_nodes, None if weight is None else weight.detach().cpu().numpy())
        merged = None if rows.weight is None else torch.from_numpy(rows.weight)
        store = cls(torch.from_numpy(rows.rowptr), torch.from_numpy(rows.col), merged)
        store.dropped = {"self_loops": rows.self_loops, "repeated_edges": rows.repeats}
        store.averaged = rows.averaged
        return store

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> CSRStore:
        """Map a saved store without reading it: the same few pages for ten edges and for 10^9.

        Args:
            path: Folder written by :meth:`save` or :func:`~sigraph.data.build_store`.
            verify: Read everything once and check the sums; otherwise each block is checked when it is first touched.

        Raises:
            FileNotFoundError, ValueError: The folder is missing, incomplete, truncated or altered, or a file of
                another graph was put there; what is touched later may raise it then.
        """
        return cls.from_folder(path, open_folder(path, CSR, verify))

    @classmethod
    def from_folder(cls, path: str | Path, folder: ArrayFolder) -> CSRStore:
        """The store of an opened folder."""
        arrays, header = folder.arrays, folder.header
        if not {"rowptr", "col"} <= arrays.keys() or len(arrays["rowptr"]) == 0:
            raise DamagedError(f"{path} needs a rowptr and a col (got {', '.join(arrays)}): {AGAIN}")
        for name, dtypes in DTYPES.items():
            raw = arrays[name].raw if name in arrays else None
            if raw is not None and (raw.dim() != 1 or raw.dtype not in dtypes):
                found = f"{raw.dtype} {list(raw.shape)}"
                raise DamagedError(f"{path} needs {name} in 1-D {dtypes[0]} (got {found}): {AGAIN}")
        store = cls.__new__(cls)
        store._hold(arrays["rowptr"], arrays["col"], arrays.get("weight"))
        store.dropped = {"self_loops": 0, "repeated_edges": 0}
        got = (store.num_nodes, store.num_edges, int(store._rowptr.take(torch.tensor([store.num_nodes]))))
        needed = (header.get("num_nodes"), header.get("num_edges"), header.get("num_edges"))
        if got != needed:
            raise DamagedError(f"{path} needs (nodes, edges, last row end) {needed} (got {got}): {AGAIN}")
        if store._weight is not None and len(store._weight) != store.num_edges:
            raise DamagedError(f"{path} needs {store.num_edges} weights (got {len(store._weight)}): {AGAIN}")
        store.path, store.identity = resolved(path), folder.identity
        return store

    def save(self, path: str | Path, more: dict[str, Tensor] | None = None) -> None:
        """Write the store as a folder of ``.npy`` files, all or nothing; a mapped one is checked on the way.

        Args:
            path: The folder; a graph's folder that is there is replaced, nothing else is.
            more: Further arrays to write beside it, by name.
        """
        arrays = {"rowptr": self.rowptr, "col": self.col}
        if (weight := self.weight) is not None:
            arrays["weight"] = weight
        about = {"num_nodes": self.num_nodes, "num_edges": self.num_edges}
        write_folder(path, CSR, {**arrays, **(more or {})}, about)

    def __reduce__(self):
        if self.path is not None:
            return _open_again, (self.path, self.identity)
        return CSRStore, (self.rowptr, self.col, self.weight)

    def __deepcopy__(self, memo: dict) -> CSRStore:
        return self  # never written to

    def _rows(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        return self._rowptr.take(nodes), self._rowptr.take(nodes + 1)

    def degree(self, nodes: Tensor) -> Tensor:
        start, end = self._rows(nodes)
        return end - start

    def neighbors(self, node: int) -> Tensor:
        return self.all_neighbors(torch.tensor([node]))[1]

    def all_neighbors(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        start, end = self._rows(nodes)
        row, edge = expand(start, end - start)
        return row, self._col.within(start, end)[edge].long()

    def draw_neighbors(self, nodes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
        start, end = self._rows(nodes)
        rank = draw_ranks(end - start, k, generator)  # [A, k]
        if self.num_edges == 0:
            return rank
        place = (start[:, None] + rank).clamp(min=0).view(-1)
        return torch.where(rank < 0, -1, self._col.take(place).view_as(rank).long())

    def draw_non_neighbors(self, nodes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
        start, end = self._rows(nodes)
        num_choices = self.num_nodes - 1 - (end - start)  # neither a neighbour nor itself
        rank = draw_ranks(num_choices, k, generator).view(-1)  # [A * k]
        start, end, own, last = (v.repeat_interleave(k) for v in (start, end, nodes, num_choices))
        col = self._col.within(start, end)
        missing = search_missing(col, start, end, rank)
        # A node is absent from its own row: where it came up, the one rank never drawn takes its place.
        hit = (missing == own).nonzero().view(-1)
        if hit.numel():
            missing[hit] = search_missing(col, start[hit], end[hit], last[hit])
        return torch.where(rank < 0, -1, missing).view(-1, k)

    def edges_between(self, rows: Tensor, cols: Tensor) -> tuple[Tensor, Tensor]:
        value, order = cols.to(self._col.raw.dtype).sort(stable=True)
        if rows.numel() == 0 or cols.numel() == 0 or self.num_edges == 0:
            return torch.empty(2, 0, dtype=torch.long), torch.empty(0, dtype=torch.long)
        start, end = self._rows(rows)
        hub = end - start > 4 * cols.numel()  # cheaper to look each column up in the row than to walk the row
        if bool(hub.any()):
            hubs, rest = hub.nonzero().view(-1), (~hub).nonzero().view(-1)
            many = self._edges_of_hubs(start[hubs], end[hubs], cols)
            few = self._edges_of_rows(start[rest], end[rest], value, order)
            row = torch.cat([hubs[many[0][0]], rest[few[0][0]]])
            return torch.stack([row, torch.cat([many[0][1], few[0][1]])]), torch.cat([many[1], few[1]])
        return self._edges_of_rows(start, end, value, order)

    def _edges_of_rows(self, start: Tensor, end: Tensor, value: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
        row, edge = expand(start, end - start)  # all edges of all rows
        neighbor = self._col.within(start, end)[edge]
        # Most neighbours are not among the columns. A table by the last bits of an id, some eight slots a column, drops
        # nearly all of them at the price of one look-up; the rest are searched for.
        mask = (1 << (8 * value.numel()).bit_length()) - 1
        listed = torch.zeros(mask + 1, dtype=torch.bool)
        listed[value & mask] = True
        likely = listed[neighbor & mask].nonzero().view(-1)
        row, edge, neighbor = row[likely], edge[likely], neighbor[likely]
        first = torch.searchsorted(value, neighbor)
        hit = (value[first.clamp(max=value.numel() - 1)] == neighbor).nonzero().view(-1)
        row, edge, neighbor, first = row[hit], edge[hit], neighbor[hit], first[hit]
        copies = torch.searchsorted(value, neighbor, right=True) - first
        which, position = expand(first, copies)
        return torch.stack([row[which], order[position]]), edge[which]

    def _edges_of_hubs(self, start: Tensor, end: Tensor, cols: Tensor) -> tuple[Tensor, Tensor]:
        num_cols = cols.numel()
        wide_start, wide_end = start.repeat_interleave(num_cols), end.repeat_interleave(num_cols)
        edge = search_present(self._col.within(start, end), wide_start, wide_end, cols.repeat(start.numel()))
        hit = (edge >= 0).nonzero().view(-1)
        return torch.stack([hit // num_cols, hit % num_cols]), edge[hit]


def _open_again(path: Path, identity: str) -> CSRStore:
    store = CSRStore.open(path)
    if store.identity != identity:
        raise ValueError(f"{path} is another graph than the one that was opened: replaced since; start again")
    return store
