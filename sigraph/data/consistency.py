"""Local consistency: how far a graph agrees with labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.stats import spearmanr
from torch import Tensor

from sigraph.edges.neighborhood import neighbor_matches, neighbor_sums
from sigraph.edges.store import CSRStore, EdgeStore
from sigraph.tasks.label_values import labels_said
from sigraph.tasks.task import is_labelled, label_type

_CELLS = 1 << 24  # nodes x label columns looked at at a time


@dataclass(frozen=True)
class Agreement:
    """What each node adds to local consistency: an entry a node (classes, regression) or a carrier of a label.

    Args:
        kind: ``classification``, ``multilabel`` or ``regression``.
        node: Node of each entry, int32. Shape [M].
        column: Its class (below 2^31 where they are counted) or label column, int32; zeros for regression. Shape [M].
        share: Share of its labelled neighbours that have that class or label too; regression: the mean of their
            values. Shape [M] float64.
        own: The node's own value, for regression. Shape [M] float64.
        num_columns: Classes, label columns, or 1.
    """

    kind: str
    node: Tensor
    column: Tensor
    share: Tensor
    own: Tensor | None
    num_columns: int

    @property
    def count(self) -> Tensor:
        """Entries of each class or label column, int64. Shape [num_columns]."""
        return self.column.bincount(minlength=self.num_columns)

    def by_column(self) -> Tensor:
        """Local consistency of each class or label column, NaN where none has an entry. Shape [num_columns]."""
        return self.column.bincount(self.share, minlength=self.num_columns) / self.count

    def value(self) -> float:
        """Local consistency.

        Raises:
            ValueError: It is not defined; see :func:`local_consistency`.
        """
        if self.kind == "multilabel":
            mean = self.by_column()
            if not self.node.numel():
                raise ValueError(
                    "no carrier of a label has a labelled neighbour: local consistency is not defined here"
                )
            return float(mean[~mean.isnan()].mean())
        if not self.node.numel():
            raise ValueError(
                "no labelled node has a labelled neighbour: local consistency is not defined on this graph"
            )
        if self.own is None:
            return float(self.share.mean())
        if is_constant(self.own) or is_constant(self.share):
            raise ValueError("'y' or its neighbour means are constant: Spearman's correlation is not defined")
        return float(spearmanr(self.own.numpy(), self.share.numpy()).statistic)


def is_constant(value: Tensor) -> bool:
    """Whether all entries are the same, or there is none."""
    return bool((value == value[:1]).all())


def local_consistency(rowptr: Tensor, col: Tensor, y: Tensor) -> float:
    r"""Local consistency of labels on a graph.

    Classes: the mean, over labelled nodes i with a labelled neighbour, of the share of i's labelled neighbours with
    i's label. Multi-label: per column over the nodes that carry the label, the share of a carrier's neighbours (with
    that column known) that carry it too, averaged over columns. Regression: Spearman's correlation of :math:`y_i` with
    the mean of its labelled neighbours' y.

    Args:
        rowptr: Start of each CSR row. Shape [N + 1].
        col: Neighbours. Shape [E].
        y: 1-D integer = classes (-1 missing), 1-D float = regression (NaN missing), 2-D = multi-label in {0, 1} (NaN
            missing). Shape [N] or [N, num_columns].

    Returns:
        In [0, 1] for classes and multi-label, in [-1, 1] for regression.

    Raises:
        ValueError: The number of labels is not N, no labelled node has a labelled neighbour, or (regression) one of
            the two sides is constant.

    Source: McDermott et al., "Structure-inducing pre-training", Nature Machine Intelligence 2023, Theorem 1.
    """
    return node_agreement(CSRStore(rowptr, col), labels_said(y, "'y'", is_dense=False).y).value()


def node_agreement(store: EdgeStore, y: Tensor) -> Agreement:
    """What each node adds to :func:`local_consistency`; a two-level store is not written out.

    Args:
        store: The edges.
        y: Labels that passed :func:`~sigraph.tasks.label_values.label_values`.

    Raises:
        ValueError: The number of labels is not N, or they have another shape.
    """
    kind = label_type(y)
    if y.size(0) != store.num_nodes:
        raise ValueError(f"'y' needs one label per node, {store.num_nodes}, in 'local_consistency' (got {y.size(0)})")
    if kind == "multilabel":
        return _of_columns(store, y)
    known = is_labelled(y)
    if kind == "classification":
        count = neighbor_sums(store, known.float()[:, None]).view(-1)
        node = (known & (count > 0)).nonzero().view(-1)
        column = y[node].int()
        share = neighbor_matches(store, y)[node].double() / count[node].double()
        return Agreement(kind, node.int(), column, share, None, int(y.max()) + 1 if bool(known.any()) else 0)
    value = torch.where(known, y, 0).double()
    total, count = neighbor_sums(store, torch.stack([value, known.double()], 1)).unbind(1)
    node = (known & (count > 0)).nonzero().view(-1)
    return Agreement(kind, node.int(), torch.zeros_like(node).int(), total[node] / count[node], value[node], 1)


def _of_columns(store: EdgeStore, y: Tensor) -> Agreement:
    """Some label columns at a time: memory beside the entries does not grow with their number."""
    unknown = torch.isnan(y) if y.is_floating_point() else torch.zeros_like(y, dtype=torch.bool)
    same = bool((unknown == unknown[:, :1]).all())  # a node's labels are known as a whole: one count for all columns
    count = neighbor_sums(store, (~unknown[:, :1]).float()) if same and y.size(1) else None
    width = max(1, _CELLS // max(len(y), 1))
    parts = []
    for start in range(0, y.size(1), width):
        block = y[:, start : start + width] == 1
        total = neighbor_sums(store, block.float())
        known = neighbor_sums(store, (~unknown[:, start : start + width]).float()) if count is None else count
        node, column = (block & (known > 0)).nonzero().unbind(1)
        share = total[node, column].double() / (known[node, column] if count is None else known[node, 0]).double()
        parts.append((node.int(), (column + start).int(), share))
    empty = (torch.empty(0, dtype=torch.int32), torch.empty(0, dtype=torch.int32), torch.empty(0, dtype=torch.double))
    node, column, share = (torch.cat(part) for part in zip(*(parts or [empty]), strict=True))
    return Agreement("multilabel", node, column, share, None, y.size(1))
