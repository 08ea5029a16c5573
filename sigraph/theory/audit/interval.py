"""Bootstrap intervals of local consistency over nodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from sigraph.data.consistency import Agreement
from sigraph.files.random import keyed_generator

Measure = Callable[[np.ndarray], tuple[float, np.ndarray]]
_BOOTSTRAP = 2  # the stream of random numbers
LEVEL = 0.95


def bootstrap_interval(found: Agreement, resamples: int = 400, seed: int = 0) -> tuple[Tensor, Tensor]:
    """95 % percentile intervals of local consistency and of each class or label column.

    Nodes that count are drawn with replacement; a node keeps its neighbours' labels. Shares of adjacent nodes are
    treated as independent, so where communities are few and dense the interval is too narrow.

    Args:
        found: With an entry.
        resamples: Number of resamples, >= 2.
        seed: Of the draws.

    Returns:
        Of local consistency, shape [2], and of each column, shape [2, num_columns]; NaN where not defined.
    """
    node, place = np.unique(found.node.numpy(), return_inverse=True)
    measure = _means(found, place, node.size) if found.own is None else _correlation(found.own, found.share)
    value, parts = np.empty(resamples), np.empty((resamples, found.num_columns))
    for i in range(resamples):
        drawn = torch.randint(node.size, (node.size,), generator=keyed_generator(seed, _BOOTSTRAP, i))
        value[i], parts[i] = measure(np.bincount(drawn.numpy(), minlength=node.size).astype(np.float64))
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    return torch.from_numpy(_quantiles(value[:, None], ends)[:, 0]), torch.from_numpy(_quantiles(parts, ends))


def _means(found: Agreement, place: np.ndarray, num_nodes: int) -> Measure:
    """From how often each node was drawn to the means of its entries."""
    at, shape = (place, found.column.numpy()), (num_nodes, found.num_columns)
    share = csr_matrix((found.share.numpy(), at), shape).T.tocsr()
    entry = csr_matrix((np.ones(place.size), at), shape).T.tocsr()

    def measure(times: np.ndarray) -> tuple[float, np.ndarray]:
        total, count = share @ times, entry @ times
        mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
        if found.kind == "classification":
            return total.sum() / count.sum(), mean
        return mean[count > 0].mean() if (count > 0).any() else np.nan, mean

    return measure


def _correlation(own: Tensor, around: Tensor) -> Measure:
    """From how often each node was drawn to Spearman's correlation; sorted once, whatever is drawn."""
    sides = [np.unique(side.numpy(), return_inverse=True)[1] for side in (own, around)]

    def measure(times: np.ndarray) -> tuple[float, np.ndarray]:
        ranks = []
        for group in sides:
            size = np.bincount(group, times)
            ranks.append((size.cumsum() - size / 2)[group])  # the mean rank of ties, up to a half
        one, two = (rank - np.average(rank, weights=times) for rank in ranks)
        scale = np.sqrt((times * one * one).sum() * (times * two * two).sum())
        value = (times * one * two).sum() / scale if scale > 0 else np.nan
        return value, np.array([value])

    return measure


def _quantiles(value: np.ndarray, ends: list[float]) -> np.ndarray:
    """Of each column over what is defined. Shape [2, columns]."""
    out = np.full((2, value.shape[1]), np.nan)
    there = ~np.isnan(value).all(axis=0)
    out[:, there] = np.nanquantile(value[:, there], ends, axis=0)
    return out
