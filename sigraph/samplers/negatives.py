"""Which nodes may be drawn as a sample's negatives, and how, in no more work than its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor

from sigraph.edges.draw import draw_ranks, search_missing
from sigraph.edges.store import EdgeStore
from sigraph.files.random import keyed_generator
from sigraph.samplers.reach import first_of_each, is_within

_TRIES = 64  # candidates of a sample that are looked at before it gets none
_LOOKED_AT = 1 << 16  # samples that are asked before a graph is said to have no negatives


class NegativeDraws:
    """Uniform non-neighbours: of the sample's own group where there are groups, and farther than ``exclude_hops``.

    Args:
        store: The edges.
        group: Group of each node, shape [N]; None: all nodes are one group.
        exclude_hops: Nothing that is at most so many edges away is drawn, >= 1; 1: no neighbours.

    Without ``exclude_hops`` the draw is exact: one random number each, from the complement of the neighbours. With it,
    candidates are drawn from there and those that are too near are dropped, up to 64 for a sample: where nearly all of
    the graph is near, it may get fewer, or none.
    """

    def __init__(self, store: EdgeStore, group: Tensor | None, exclude_hops: int = 1) -> None:
        self.store, self.exclude_hops, self.grouped = store, exclude_hops, group is not None
        self._there_are_some = False
        if group is not None:
            _, self.kind, self.size = group.unique(return_inverse=True, return_counts=True)
            self.start = self.size.cumsum(0) - self.size
            self.member = self.kind.argsort(stable=True)  # by group, then by id
            self.place = torch.empty_like(self.member)  # position of each node in its group
            self.place[self.member] = torch.arange(self.member.numel()) - self.start[self.kind[self.member]]

    def draw(self, nodes: Tensor, k: int, generator: torch.Generator | None = None) -> Tensor:
        """``k`` negatives of each node, distinct while there are enough; -1 where there is none. [A] -> [A, k]."""
        if self.exclude_hops == 1:
            return self._candidates(nodes, k, generator)
        found = self._far(nodes, k, 4 * k, generator)
        few = (found < 0).any(dim=1).nonzero().view(-1)
        if few.numel():
            found[few] = self._far(nodes[few], k, max(_TRIES, 4 * k), generator)
        return found

    def check(self, owner: str) -> None:
        """Called when no sample of a step got a negative; fine as long as others have some.

        Raises:
            ValueError: No sample of the graph has any.
        """
        if self._there_are_some:
            return
        number = self.store.num_nodes
        asked = torch.arange(min(number, _LOOKED_AT)) * number // min(number, _LOOKED_AT)
        generator = keyed_generator(0)
        for nodes in asked.split(4096):
            if bool((self.draw(nodes, 1, generator) >= 0).any()):
                self._there_are_some = True
                return
        where = " in its own group" if self.grouped else ""
        far = f" more than {self.exclude_hops} hops away" if self.exclude_hops > 1 else ""
        raise ValueError(
            f"'num_negatives' needs a graph with non-neighbours in {owner!r} (got one where no sample has any{far}"
            f"{where}); give num_negatives=0, or a sparser graph{', or fewer exclude_hops' if far else ''}"
        )

    def _candidates(self, nodes: Tensor, k: int, generator: torch.Generator | None) -> Tensor:
        draws = self._in_group if self.grouped else self.store.draw_non_neighbors
        return draws(nodes, k, generator)

    def _in_group(self, nodes: Tensor, k: int, generator: torch.Generator | None) -> Tensor:
        """The complement draw, among the positions of a group."""
        kind = self.kind[nodes]
        row, neighbor = self.store.all_neighbors(nodes)
        own = (self.kind[neighbor] == kind[row]).nonzero().view(-1)
        place = self.place[neighbor[own]]  # rising within a row: positions follow ids
        count = torch.bincount(row[own], minlength=nodes.numel())
        end = count.cumsum(0)
        choices = self.size[kind] - 1 - count
        rank = draw_ranks(choices, k, generator).view(-1)  # [A * k]
        start, end, own_place, last, first = (
            v.repeat_interleave(k) for v in (end - count, end, self.place[nodes], choices, self.start[kind])
        )
        missing = search_missing(place, start, end, rank)
        # A node is absent from its own row: where it came up, the one rank never drawn takes its place.
        hit = (missing == own_place).nonzero().view(-1)
        if hit.numel():
            missing[hit] = search_missing(place, start[hit], end[hit], last[hit])
        missing = torch.where(rank < 0, 0, missing)
        return torch.where(rank < 0, -1, self.member[first + missing]).view(-1, k)

    def _far(self, nodes: Tensor, k: int, tries: int, generator: torch.Generator | None) -> Tensor:
        """The first ``k`` of ``tries`` candidates that are far enough, -1 where there are fewer."""
        drawn = self._candidates(nodes, tries, generator)
        drawn[~first_of_each(drawn)] = -1
        # A row is a uniform set in no uniform order: shuffled, its first ones are a uniform set too.
        drawn = drawn.gather(1, torch.randint(2**63 - 1, drawn.shape, generator=generator).argsort(dim=1))
        row, column = (drawn >= 0).nonzero(as_tuple=True)
        far = ~is_within(self.store, nodes, row, drawn[row, column], self.exclude_hops)
        allowed = torch.zeros_like(drawn, dtype=torch.bool)
        allowed[row[far], column[far]] = True
        place = allowed.cumsum(dim=1) - 1
        row, column = (allowed & (place < k)).nonzero(as_tuple=True)
        found = torch.full((nodes.numel(), k), -1)
        found[row, place[row, column]] = drawn[row, column]
        return found
