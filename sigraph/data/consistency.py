"""Local consistency: how far a graph agrees with labels."""

from __future__ import annotations

import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch_geometric.utils import segment

from sigraph.data.task import is_labelled, label_type


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
    y = torch.as_tensor(y)
    kind = label_type(y)
    num_nodes = rowptr.numel() - 1
    if y.size(0) != num_nodes:
        raise ValueError(f"'y' needs one label per node, {num_nodes}, in 'local_consistency' (got {y.size(0)})")
    if kind == "multilabel":
        return _multilabel(rowptr, col, y.float())
    known = is_labelled(y)
    if kind == "classification":
        row = torch.repeat_interleave(rowptr.diff())
        agree = ((y[row] == y[col]) & known[col]).float()
        share, valid = _neighbor_mean(rowptr, agree, known[col].float(), known)
        return float(share[valid].mean())
    value = torch.where(known, y, 0).double()
    mean, valid = _neighbor_mean(rowptr, value[col], known[col].double(), known)
    own, around = y[valid].double(), mean[valid]
    if own.unique().numel() < 2 or around.unique().numel() < 2:
        raise ValueError("'y' or its neighbour means are constant: Spearman's correlation is not defined")
    return float(spearmanr(own.numpy(), around.numpy()).statistic)


def _neighbor_mean(rowptr: Tensor, value: Tensor, mask: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of edge values over each node's known neighbours, and which nodes (``own`` and with such) have one."""
    total = segment(value, rowptr, reduce="sum")
    count = segment(mask, rowptr, reduce="sum")
    valid = own & (count > 0)
    if not bool(valid.any()):
        raise ValueError("no labelled node has a labelled neighbour: local consistency is not defined on this graph")
    return total / count.clamp(min=1), valid


def _multilabel(rowptr: Tensor, col: Tensor, y: Tensor) -> float:
    """One column at a time: memory stays O(E) however many labels there are."""
    shares = []
    for column in y.t():
        carries, known = column == 1, ~torch.isnan(column)
        total = segment((carries[col]).float(), rowptr, reduce="sum")
        count = segment(known[col].float(), rowptr, reduce="sum")
        valid = carries & (count > 0)
        if bool(valid.any()):
            shares.append((total[valid] / count[valid]).mean())
    if not shares:
        raise ValueError("no carrier of a label has a labelled neighbour: local consistency is not defined here")
    return float(torch.stack(shares).mean())
