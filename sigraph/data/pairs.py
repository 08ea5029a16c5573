"""Pairs: all that a structure loss may know besides embeddings."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from sigraph.edges.draw import expand

_PER_PAIR = ("positive_index", "negative_index", "ignore_index")  # [2, *] positions
_PER_ANCHOR = ("self_index", "anchor_id", "anchor_group")  # [A]
_PER_CANDIDATE = ("candidate_id", "candidate_group")  # [C]


@dataclass
class Pairs:
    r"""Which of A anchors and C candidates are positive, negative or neither.

    Positives are listed; every other pair is a negative unless it is excluded. A pair is *excluded*, neither positive
    nor negative, if the candidate is the anchor itself (``self_index``), is the same node (equal ids: copies in a queue
    or on another process), lies in another group, or is listed in ``ignore_index``.

    Args:
        positive_index: Positions (anchor in [0, A), candidate in [0, C)) of the positive pairs.
        num_anchors: A, >= 0.
        num_candidates: C, >= 0.
        weight: Weight of each positive, finite and >= 0. None: all 1.
        self_index: Candidate position of each anchor itself; -1 where the anchor is not among the candidates.
        anchor_id: Node id of each anchor; given together with ``candidate_id``.
        candidate_id: Node id of each candidate.
        anchor_group: Group of each anchor (e.g. its species); given together with ``candidate_group``.
        candidate_group: Group of each candidate.
        negative_index: Positions of the negatives. None: every pair that is neither positive nor excluded.
        ignore_index: Positions of pairs that are neither positive nor negative.

    Shapes:
        - **positive_index:** [2, P] int64, **weight:** [P], **negative_index:** [2, Q], **ignore_index:** [2, R]
        - **self_index, anchor_id, anchor_group:** [A], **candidate_id, candidate_group:** [C]

    Raises:
        ValueError: A shape, a type, a range or a weight is not as stated, or only one of two fields was given that
            belong together.
    """

    positive_index: Tensor
    num_anchors: int
    num_candidates: int
    weight: Tensor | None = None
    self_index: Tensor | None = None
    anchor_id: Tensor | None = None
    candidate_id: Tensor | None = None
    anchor_group: Tensor | None = None
    candidate_group: Tensor | None = None
    negative_index: Tensor | None = None
    ignore_index: Tensor | None = None

    def __post_init__(self) -> None:
        for name in _PER_PAIR:
            index = getattr(self, name)
            if index is not None:
                self._check_index(name, index)
        for names, size in ((_PER_ANCHOR, self.num_anchors), (_PER_CANDIDATE, self.num_candidates)):
            for name in names:
                value = getattr(self, name)
                if value is not None and value.shape != (size,):
                    raise ValueError(f"'{name}' needs shape [{size}] in 'Pairs' (got {list(value.shape)})")
        for left, right in (("anchor_id", "candidate_id"), ("anchor_group", "candidate_group")):
            if (getattr(self, left) is None) != (getattr(self, right) is None):
                raise ValueError(f"'{left}' and '{right}' need to be given together in 'Pairs' (got one of them)")
        num_positives = self.positive_index.size(1)
        if self.weight is not None:
            if self.weight.shape != (num_positives,):
                raise ValueError(f"'weight' needs shape [{num_positives}] in 'Pairs' (got {list(self.weight.shape)})")
            if not bool((torch.isfinite(self.weight) & (self.weight >= 0)).all()):
                raise ValueError("'weight' needs finite values >= 0 in 'Pairs' (got a negative, infinite or NaN one)")
        if self.self_index is not None and self.num_anchors:
            low, high = (int(v) for v in self.self_index.aminmax())
            if self.self_index.dtype != torch.long or low < -1 or high >= self.num_candidates:
                raise ValueError(
                    f"'self_index' needs int64 candidate positions in [0, {self.num_candidates}), or -1, in 'Pairs' "
                    f"(got {self.self_index.dtype} in [{low}, {high}])"
                )
        if self.self_index is not None and num_positives:
            anchor, candidate = self.positive_index
            if bool((self.self_index[anchor] == candidate).any()):
                raise ValueError("'positive_index' lists an anchor as its own positive in 'Pairs'; drop self-loops")

    def _check_index(self, name: str, index: Tensor) -> None:
        if index.dim() != 2 or index.size(0) != 2 or index.dtype != torch.long:
            got = f"{index.dtype} {list(index.shape)}"
            raise ValueError(f"'{name}' needs to be an int64 tensor of shape [2, *] in 'Pairs' (got {got})")
        if index.size(1) == 0:
            return
        for row, size, what in ((0, self.num_anchors, "anchor"), (1, self.num_candidates, "candidate")):
            low, high = (int(v) for v in index[row].aminmax())
            if low < 0 or high >= size:
                raise ValueError(
                    f"'{name}' needs {what} positions in [0, {size}) in 'Pairs' (got values in [{low}, {high}])"
                )

    @classmethod
    def square(cls, positive_index: Tensor, n: int, **fields: Any) -> Pairs:
        """The plain case: n embeddings are anchors and candidates, each its own self.

        Args:
            positive_index: Positions of the positives. Shape [2, P]; list both directions of an undirected edge.
            n: Number of embeddings.
            **fields: Any other field of :class:`Pairs`.
        """
        own = torch.arange(n, device=positive_index.device)
        return cls(positive_index, n, n, self_index=own, **fields)

    @property
    def num_positives(self) -> int:
        """P, the number of positive pairs."""
        return self.positive_index.size(1)

    def excluded_index(self) -> Tensor:
        """Positions of all listed exclusions (own position, equal ids, ignored), each once; groups are not listed.

        Computed by a join on the ids in O((A + C + R) log C), never as an A x C comparison.

        Returns:
            Positions sorted by anchor, then candidate. Shape [2, R'].
        """
        device = self.positive_index.device
        parts = [] if self.ignore_index is None else [self.ignore_index]
        if self.self_index is not None:
            anchor = (self.self_index >= 0).nonzero().view(-1)
            parts.append(torch.stack([anchor, self.self_index[anchor]]))
        if self.anchor_id is not None and self.candidate_id is not None:
            parts.append(equal_pairs(self.anchor_id, self.candidate_id))
        if not parts:
            return torch.empty(2, 0, dtype=torch.long, device=device)
        key = torch.cat([part[0] * self.num_candidates + part[1] for part in parts]).unique()
        return torch.stack([key // max(self.num_candidates, 1), key % max(self.num_candidates, 1)])

    def _map(self, function: Any) -> Pairs:
        moved = {f.name: function(v) for f in fields(self) if isinstance(v := getattr(self, f.name), Tensor)}
        out = object.__new__(type(self))  # the values were checked when self was built: no second pass over them
        out.__dict__.update(self.__dict__)
        out.__dict__.update(moved)
        return out

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Pairs:
        """All tensors on ``device``."""
        return self._map(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Pairs:
        """All tensors in page-locked memory; called by the DataLoader."""
        return self._map(lambda value: value.pin_memory())

    def replace(self, **changes: Any) -> Pairs:
        """A checked copy with some fields changed."""
        return replace(self, **changes)


def equal_pairs(left: Tensor, right: Tensor) -> Tensor:
    """Positions (i, j) of every pair with ``left[i] == right[j]``; a value listed twice counts twice.

    Args:
        left: Values. Shape [A].
        right: Values. Shape [C].

    Returns:
        Shape [2, P], sorted by i.
    """
    value, order = right.sort(stable=True)
    start = torch.searchsorted(value, left)
    count = torch.searchsorted(value, left, right=True) - start
    anchor, position = expand(start, count)
    return torch.stack([anchor, order[position]])
