"""LabelSetStore: edges between samples given by edges between their label sets, in two levels."""

from __future__ import annotations

from pathlib import Path

import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from sigraph.edges.draw import draw_ranks, expand
from sigraph.edges.store import CSRStore, EdgeStore
from sigraph.files.array_folder import AGAIN, ArrayFolder, open_folder, write_folder
from sigraph.files.ownership import LABEL_SETS
from sigraph.files.paths import resolved
from sigraph.files.sealed import DamagedError

EXPAND_LIMIT = 50_000_000  # directed edges; some 40 bytes each while they are written out
_ARRAYS = ("set_of", "order", "place", "first", "own", "ahead", "outside")  # beside those of the sets' CSR


class LabelSetStore(EdgeStore):
    """Samples are neighbours if their sets are the same or joined; a sample is not its own neighbour.

    The edges between samples are never written out unless :meth:`expanded` is called: memory is O(N + F) for F joined
    pairs of sets, however many edges that means. Samples lie set by set, so the neighbours of a sample are runs of
    places; prefix sums over the runs turn a drawn rank into a neighbour, or into a non-neighbour, by one bisection.
    Positions of edges, as :meth:`edges_between` gives them, are those of the joined pairs of sets, as is ``weight``.

    A store that was opened (see :meth:`open`) pickles as its path, as a :class:`CSRStore` does; a folder that was
    replaced in between is refused.

    Args:
        set_of: Set of each sample, in [0, S). Shape [N] integers.
        sets: The S sets as nodes; every row holds the set itself too. Shape [F] of its ``col``.

    Use :meth:`from_sets` to build one from plain pairs of sets.
    """

    def __init__(self, set_of: Tensor, sets: CSRStore) -> None:
        num_sets = sets.num_nodes
        row = torch.repeat_interleave(sets.rowptr.diff())  # [F]
        own = (sets.col == row).nonzero().view(-1)
        if own.numel() != num_sets:
            raise ValueError(f"'sets' needs every set in its own row in 'LabelSetStore' (got {own.numel()}/{num_sets})")
        num_nodes = set_of.numel()
        narrow = torch.int32 if num_nodes < 2**31 else torch.long
        size = set_of.bincount(minlength=num_sets)
        order = set_of.argsort(stable=True)
        place = torch.empty_like(order)
        place[order] = torch.arange(num_nodes)
        self.set_of, self.order, self.place = (value.to(narrow) for value in (set_of, order, place))  # [N] each
        self.first = _prefix_sums(size)  # [S + 1] place of each set's first sample
        self.own = own  # [S] where a row holds its own set
        self.ahead = _prefix_sums(size[sets.col])  # [F + 1] samples in all runs before each
        # Per run, the samples outside the row's runs that lie before it; shifted by row, so that all rows rise as one.
        before = self.first[sets.col] - (self.ahead[:-1] - self.ahead[sets.rowptr[:-1]][row])
        self.outside = row * (num_nodes + 1) + before  # [F]
        self._adopt(sets)

    def _adopt(self, sets: CSRStore) -> None:
        self.sets, self.weight = sets, sets.weight
        self.num_nodes, self.num_sets = self.set_of.numel(), sets.num_nodes
        covered = self.ahead[sets.rowptr[1:]] - self.ahead[sets.rowptr[:-1]]
        self.num_edges = int((self.first.diff() * covered).sum()) - self.num_nodes
        self.path: Path | None = None
        self.identity = ""  # of what lies at the path
        self._csr: CSRStore | None = None

    @classmethod
    def from_sets(cls, set_of: Tensor, edge_index: Tensor | None = None, weight: Tensor | None = None) -> LabelSetStore:
        """From the set of each sample and the joined pairs of different sets.

        Args:
            set_of: Set of each sample, >= 0; -1: in no set, an isolated node. Shape [N].
            edge_index: Pairs of sets that are joined, in one or both directions; None: sets are cliques. Shape [2, *].
            weight: Weight of each pair of sets; the pairs inside one set then weigh 1. Shape [*].
        """
        set_of = set_of.long().clone()
        num_sets = int(set_of.max()) + 1 if set_of.numel() else 0
        alone = (set_of < 0).nonzero().view(-1)
        set_of[alone] = num_sets + torch.arange(alone.numel())  # a set of its own has no neighbour
        if edge_index is None:
            edge_index = torch.empty(2, 0, dtype=torch.long)
        return cls(set_of, _with_own(CSRStore.from_edges(edge_index, num_sets + alone.numel(), weight)))

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> LabelSetStore:
        """Map a saved store; see :meth:`CSRStore.open`."""
        return cls.from_folder(path, open_folder(path, LABEL_SETS, verify))

    @classmethod
    def from_folder(cls, path: str | Path, folder: ArrayFolder) -> LabelSetStore:
        """The store of an opened folder, all of it checked now: draws go back and forth over all of its arrays."""
        arrays, header = {name: array.whole() for name, array in folder.arrays.items()}, folder.header
        if lacking := {*_ARRAYS, "rowptr", "col"} - arrays.keys():
            raise DamagedError(f"{path} lacks {', '.join(sorted(lacking))}: {AGAIN}")
        store = object.__new__(cls)
        for name in _ARRAYS:
            setattr(store, name, arrays[name])
        sets = CSRStore(arrays["rowptr"], arrays["col"], arrays.get("weight"))
        num_nodes, num_sets, num_pairs = store.set_of.numel(), sets.num_nodes, sets.num_edges
        needed = dict(zip(_ARRAYS, (*[num_nodes] * 3, num_sets + 1, num_sets, num_pairs + 1, num_pairs), strict=True))
        wrong = [name for name, size in needed.items() if arrays[name].shape != (size,)]
        if wrong or (num_nodes, num_sets) != (header.get("num_nodes"), header.get("num_sets")):
            raise DamagedError(f"{path}: sizes do not fit ({', '.join(wrong) or 'header'}): {AGAIN}")
        store._adopt(sets)
        if store.num_edges != header.get("num_edges"):
            raise DamagedError(f"{path} needs {header.get('num_edges')} edges (got {store.num_edges}): {AGAIN}")
        store.path, store.identity = resolved(path), folder.identity
        return store

    def save(self, path: str | Path, more: dict[str, Tensor] | None = None) -> None:
        """Write the store as a folder of ``.npy`` files, all or nothing; see :meth:`CSRStore.save`."""
        arrays = {name: getattr(self, name) for name in _ARRAYS} | {"rowptr": self.sets.rowptr, "col": self.sets.col}
        if self.weight is not None:
            arrays["weight"] = self.weight
        about = {"num_nodes": self.num_nodes, "num_sets": self.num_sets, "num_edges": self.num_edges}
        write_folder(path, LABEL_SETS, {**arrays, **(more or {})}, about)

    def __reduce__(self):
        if self.path is not None:
            return _open_again, (self.path, self.identity)
        return LabelSetStore, (self.set_of, self.sets)

    def __deepcopy__(self, memo: dict) -> LabelSetStore:
        return self  # never written to

    def permuted(self, nodes: Tensor, generator: torch.Generator | None = None) -> LabelSetStore:
        """The sets of some samples, handed out among them anew at random; which sets are joined stays.

        Args:
            nodes: Sample ids, each once. Shape [M].
            generator: Source of randomness.
        """
        set_of = self.set_of.clone()
        set_of[nodes] = self.set_of[nodes[torch.randperm(nodes.numel(), generator=generator)]]
        return LabelSetStore(set_of, self.sets)

    def expanded(self) -> CSRStore:
        """Every edge between samples, written out; kept for the next call.

        Raises:
            ValueError: There are more than 5e7 directed edges.
        """
        if self.num_edges > EXPAND_LIMIT:
            raise ValueError(
                f"this two-level graph has {self.num_edges:,} edges, too many to write out (limit {EXPAND_LIMIT:,}); "
                "samplers need no edge list: do without 'edge_index', 'csr' and held-out edges (valid_edge_rate: 0)"
            )
        if self._csr is None:
            nodes = torch.arange(self.num_nodes)
            node, run = self._runs(nodes)
            which, place = expand(self.first[self.sets.col[run]], self.ahead[run + 1] - self.ahead[run])
            neighbor, node = self.order[place], node[which]
            keep = neighbor != node
            rowptr = _prefix_sums(self.degree(nodes))
            parts = (run[which][keep].numpy(), neighbor[keep].numpy(), rowptr.numpy())
            rows = csr_matrix(parts, shape=(self.num_nodes, self.num_nodes))
            rows.sort_indices()
            weight = None if self.weight is None else self.weight[torch.from_numpy(rows.data)]
            self._csr = CSRStore(rowptr, torch.from_numpy(rows.indices).to(self.order.dtype), weight)
        return self._csr

    def _rows(self, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Set of each node, and the samples before its first run and before the end of its last. Shape [A] each."""
        own = self.set_of[nodes].long()
        return own, self.ahead[self.sets.rowptr[own]], self.ahead[self.sets.rowptr[own + 1]]

    def _runs(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        own = self.set_of[nodes].long()
        start = self.sets.rowptr[own]
        return expand(start, self.sets.rowptr[own + 1] - start)

    def degree(self, nodes: Tensor) -> Tensor:
        _, start, end = self._rows(nodes)
        return end - start - 1  # the node lies in its own row

    def neighbors(self, node: int) -> Tensor:
        return self.all_neighbors(torch.tensor([node]))[1]

    def all_neighbors(self, nodes: Tensor) -> tuple[Tensor, Tensor]:
        row, run = self._runs(nodes)
        which, place = expand(self.first[self.sets.col[run]], self.ahead[run + 1] - self.ahead[run])
        row, found = row[which], self.order[place].long()
        other = found != nodes[row]
        key = (row[other] * self.num_nodes + found[other]).sort().values
        return key // max(self.num_nodes, 1), key % max(self.num_nodes, 1)

    def draw_neighbors(self, nodes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
        own, start, end = self._rows(nodes)
        rank = draw_ranks(end - start - 1, k, generator)  # [A, k]
        if self.num_nodes == 0:
            return rank
        own_rank = self.ahead[self.own[own]] - start + self.place[nodes] - self.first[own]
        target = start[:, None] + (rank + (rank >= own_rank[:, None])).clamp(min=0)  # the node itself is stepped over
        run = torch.searchsorted(self.ahead, target, right=True) - 1
        neighbor = self.order[self.first[self.sets.col[run]] + target - self.ahead[run]].long()
        return torch.where(rank < 0, -1, neighbor)

    def draw_non_neighbors(self, nodes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
        own, start, end = self._rows(nodes)
        rank = draw_ranks(self.num_nodes - (end - start), k, generator)  # [A, k]; the node lies in its own row
        if self.num_nodes == 0:
            return rank
        passed = torch.searchsorted(self.outside, own[:, None] * (self.num_nodes + 1) + rank.clamp(min=0), right=True)
        place = rank + self.ahead[passed] - start[:, None]
        return torch.where(rank < 0, -1, self.order[place.clamp(0, self.num_nodes - 1)].long())

    def edges_between(self, rows: Tensor, cols: Tensor) -> tuple[Tensor, Tensor]:
        row_set, row_order, row_start, row_count = self._by_set(rows)
        col_set, col_order, col_start, col_count = self._by_set(cols)
        (a, b), edge = self.sets.edges_between(row_set, col_set)  # joined pairs of sets: [Q] each
        pair, place = expand(row_start[a], row_count[a])
        which, col_place = expand(col_start[b[pair]], col_count[b[pair]])
        index = torch.stack([row_order[place[which]], col_order[col_place]])
        keep = (rows[index[0]] != cols[index[1]]).nonzero().view(-1)
        return index[:, keep], edge[pair[which[keep]]]

    def _by_set(self, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The sets of a list of nodes, and positions in the list, set by set: order, first of each set, how many."""
        own, order = self.set_of[nodes].long().sort(stable=True)
        value, count = own.unique_consecutive(return_counts=True)
        return value, order, count.cumsum(0) - count, count


def in_full(store: EdgeStore, what: str) -> CSRStore:
    """A store's edges as sorted rows; a two-level one is written out.

    Args:
        store: The edges.
        what: What needs them, for messages.
    """
    if isinstance(store, LabelSetStore):
        return store.expanded()
    if not isinstance(store, CSRStore):
        raise ValueError(f"{what!r} needs a graph with a CSRStore (got {type(store).__name__})")
    return store


def _open_again(path: Path, identity: str) -> LabelSetStore:
    store = LabelSetStore.open(path)
    if store.identity != identity:
        raise ValueError(f"{path} is another graph than the one that was opened: replaced since; start again")
    return store


def _prefix_sums(size: Tensor) -> Tensor:
    """[M] -> [M + 1], from 0 to the sum."""
    out = torch.zeros(size.numel() + 1, dtype=torch.long)
    torch.cumsum(size, 0, out=out[1:])
    return out


def _with_own(sets: CSRStore) -> CSRStore:
    """Put every set into its own row, in its place, with weight 1."""
    num_sets, num_pairs = sets.num_nodes, sets.num_edges
    row = torch.repeat_interleave(sets.rowptr.diff())
    number = torch.arange(num_sets)
    below = row[sets.col < row].bincount(minlength=num_sets)
    place = torch.arange(num_pairs) + row + (sets.col > row)  # of the pairs that were there
    own = sets.rowptr[:-1] + below + number
    col = torch.empty(num_pairs + num_sets, dtype=sets.col.dtype)
    col[place], col[own] = sets.col, number.to(col.dtype)
    weight = None
    if sets.weight is not None:
        weight = torch.ones(num_pairs + num_sets)
        weight[place] = sets.weight
    return CSRStore(sets.rowptr + torch.arange(num_sets + 1), col, weight)
