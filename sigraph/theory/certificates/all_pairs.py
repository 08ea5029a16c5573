"""All pairs of samples, a tile at a time: what the closest and the farthest are, and how many lie within any radius."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from sigraph.edges import EdgeStore
from sigraph.theory.certificates.distances import Geometry

_ROWS, _COLUMNS = 512, 1024  # of a tile: 4 MB in double precision
_ENTRIES = 1 << 22  # edges of the rows of a panel
EXACT_PAIRS = 1 << 23  # pairs up to which every distinct distance of an edge is a radius of its own
_BITS = 16  # log2 of the most radii beyond that


class Tile(NamedTuple):
    """Rows against columns: what is no edge of theirs, or was looked at before, is at infinity."""

    rows: slice
    columns: slice
    v: Tensor  # [a, c] float32, overwritten by the next tile
    positive: Tensor  # [p] v of the edges
    row: Tensor  # [p] their ends, in [0, a)
    column: Tensor  # [p] in [0, c)


def tiles(geometry: Geometry, store: EdgeStore, anchors: Tensor | None = None) -> Iterator[Tile]:
    """Go through pairs: each once, or, with anchors, each anchor (ascending ids) with every other sample."""
    num_columns = store.num_nodes
    node = torch.arange(num_columns) if anchors is None else anchors
    wide = torch.empty(_ROWS * _COLUMNS, dtype=torch.float64)
    narrow = torch.empty(_ROWS * _COLUMNS)
    for start, stop in _panels(store.degree(node)):
        base = start if anchors is None else 0
        row, column = store.edges_between(node[start:stop], torch.arange(base, num_columns))[0]
        if anchors is None:
            row, column = row[column > row], column[column > row]
        order = (column // _COLUMNS).argsort(stable=True)
        row, column, left = row[order], column[order], geometry.left(node[start:stop])
        first = torch.arange(base, num_columns, _COLUMNS)
        cuts = [*torch.searchsorted(column // _COLUMNS, (first - base) // _COLUMNS).tolist(), len(column)]
        for i, begin in enumerate(first.tolist()):
            end = min(begin + _COLUMNS, num_columns)
            shape = (stop - start, end - begin)
            product = wide[: shape[0] * shape[1]].view(shape)
            torch.mm(left, geometry.right(slice(begin, end)).t(), out=product)
            v = narrow[: shape[0] * shape[1]].view(shape).copy_(product)
            torch.threshold_(v, geometry.tiny, 0.0)
            r, c = row[cuts[i] : cuts[i + 1]], column[cuts[i] : cuts[i + 1]] - (begin - base)
            positive = v[r, c]
            v[r, c] = torch.inf
            if anchors is None and begin < stop:
                v.masked_fill_(torch.arange(begin, end) <= torch.arange(start, stop)[:, None], torch.inf)
            elif anchors is not None:
                own = ((node[start:stop] >= begin) & (node[start:stop] < end)).nonzero().view(-1)
                v[own, node[start:stop][own] - begin] = torch.inf
            yield Tile(slice(start, stop), slice(begin, end), v, positive, r, c)


def _panels(degree: Tensor) -> Iterator[tuple[int, int]]:
    """Spans of rows, at most ``_ROWS`` of them with at most ``_ENTRIES`` edges, or one row."""
    ends, start = degree.cumsum(0), 0
    while start < len(degree):
        before = int(ends[start - 1]) if start else 0
        stop = int(torch.searchsorted(ends, before + _ENTRIES, right=True))
        stop = min(max(stop, start + 1), start + _ROWS, len(degree))
        yield start, stop
        start = stop


class Radii:
    """Radii at which pairs are counted, without error: a pair is inside if its v is below the radius'.

    Up to ``EXACT_PAIRS`` pairs: on both sides of every distinct edge, so that no radius in between counts another
    number of edges. Beyond: a grid of at most 2^16 radii over the edges (a sample of at most 2^17 of them) whose
    steps are a fixed share of v, at best 2^-23 and, where v spreads over 32 octaves, 2^-11.

    Args:
        positive: v of the edges, or of a sample of them. Shape [P] float32.
        more: Further radii that are wanted; in a grid, the range that is covered besides. Shape [M] float32.
        exact: Which of the two.
    """

    def __init__(self, positive: Tensor, more: Tensor, exact: bool) -> None:
        self.exact = exact
        if exact:
            positive = positive.unique()
            self.edges = torch.cat([torch.zeros(1), positive, _next(positive), more]).unique()  # [B] ascending
            return
        if positive.numel():
            positive = positive[positive >= positive.max() * 2.0**-30]
        span = torch.cat([positive, more]) if len(positive) + len(more) else torch.ones(1)
        low, high = (int(v.view(torch.int32)) for v in (span.min(), span.max()))  # the order of the bits is that of v
        self.shift = max((high - low).bit_length() - _BITS, 0)
        self.first, self.last = low >> self.shift, (high >> self.shift) + 1
        grid = torch.arange(self.first, self.last + 1, dtype=torch.int32)
        self.edges = (grid << self.shift).view(torch.float32)

    def place(self, v: Tensor) -> Tensor:
        """How many radii are at most v: in [0, B]. Any shape -> [n] int32."""
        v = v.reshape(-1)
        if self.exact:
            return torch.bucketize(v, self.edges, right=True, out_int32=True)
        bits = v.view(torch.int32) >> self.shift
        return bits.clamp_(self.first - 1, self.last).sub_(self.first - 1)

    def histogram(self, v: Tensor) -> Tensor:
        """Pairs by place. Shape [B + 1] int64."""
        return torch.bincount(self.place(v), minlength=len(self.edges) + 1)

    def blurred(self) -> Tensor:
        """Places that hold more than one value of v. Shape [B + 1] bool."""
        apart = torch.ones(len(self.edges) + 1, dtype=torch.bool)
        apart[1:-1] = self.edges[1:] > _next(self.edges[:-1])
        return apart


def _next(v: Tensor) -> Tensor:
    return torch.nextafter(v, torch.full_like(v, torch.inf))


class Counts:
    """What one pass over the tiles finds.

    Args:
        num_rows: Anchors.
        radii: Where pairs are counted.
        margins: v of the positive and the negative margin, of a loss that has them.
    """

    def __init__(self, num_rows: int, radii: Radii, margins: tuple[float, float] | None) -> None:
        self.radii, self.margins = radii, margins
        self.farthest = torch.full((num_rows,), -torch.inf)  # of each anchor's edges
        self.closest = torch.full((num_rows,), torch.inf)  # of its edges
        self.nearest = torch.full((num_rows,), torch.inf)  # of its non-edges
        self.positive = torch.zeros(len(radii.edges) + 1, dtype=torch.long)  # [B + 1]
        self.negative = torch.zeros_like(self.positive)
        self.hinge = [0.0, 0.0]

    def add(self, tile: Tile, geometry: Geometry, squared: bool, both_ends: bool) -> None:
        """Count one tile; ``both_ends``: its columns are anchors too."""
        low = tile.v.amin(dim=1)
        ends = [(tile.rows, low, tile.row)]
        if both_ends:
            ends.append((tile.columns, tile.v.amin(dim=0), tile.column))
        for where, value, index in ends:
            torch.minimum(self.nearest[where], value, out=self.nearest[where])
            if len(index):
                self.farthest[where].scatter_reduce_(0, index, tile.positive, "amax")
                self.closest[where].scatter_reduce_(0, index, tile.positive, "amin")
        self.positive += self.radii.histogram(tile.positive)
        least = float(low.min())
        if least < self.radii.edges[-1]:  # what lies beyond the last radius is known by subtraction
            self.negative += self.radii.histogram(tile.v)
        if self.margins is not None:
            near, far = self.margins
            power = 2 if squared else 1
            distance = geometry.distance(tile.positive.double())
            self.hinge[0] += float((distance - near).relu_().pow_(power).sum())
            if least < geometry.of_distance(torch.tensor(far)):
                hinge = geometry.distance(tile.v).neg_().add_(far).relu_()
                self.hinge[1] += float(hinge.square_().sum() if squared else hinge.sum())

    def close(self, num_pairs: int) -> None:
        """Put the pairs beyond the last radius where they belong; ``num_pairs`` were looked at."""
        num_negatives = num_pairs - int(self.positive.sum())
        self.negative[-1] = num_negatives - int(self.negative[:-1].sum())
