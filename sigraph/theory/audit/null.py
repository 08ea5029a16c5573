"""The null of local consistency: the same labels handed out at random, or the same degrees joined at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.stats import rankdata
from torch import Tensor

from sigraph.data.consistency import Agreement, is_constant, node_agreement
from sigraph.data.sample_graph import SampleGraph
from sigraph.edges import EdgeStore
from sigraph.edges.neighborhood import neighbor_sums
from sigraph.files.random import keyed_generator
from sigraph.graphs.rewire import rewire_edges

NULLS = ("permute", "rewire")
_PERMUTE, _REWIRE = range(2)  # streams of random numbers


@dataclass(frozen=True)
class Null:
    """Local consistency where the graph says nothing about the labels.

    Args:
        how: ``exact`` (over all permutations), ``permuted`` or ``rewired`` (over draws).
        mean, std: Of local consistency.
        part_mean, part_std: Of each class or label column, NaN where it has no entry. Shape [num_columns].
        num_draws: Draws in which local consistency was defined; None for ``exact``.
    """

    how: str
    mean: float
    std: float
    part_mean: Tensor
    part_std: Tensor
    num_draws: int | None = None


def permutation_null(store: EdgeStore, y: Tensor, found: Agreement, draws: int = 100, seed: int = 0) -> Null:
    """The null by permuting labels over the labelled nodes that have a labelled neighbour.

    The other labelled nodes never enter local consistency; leaving them out keeps the number of nodes of each class or
    label, among those that do enter, as it is. (Were they included, a label that is rarer among connected nodes than
    among isolated ones would look tied to the graph.) Of several label columns a node's are moved together.

    Classes, and label columns that a node has all or none of, need no draws: local consistency is a quadratic form in
    the labels, whose mean and variance over all permutations are known; see :func:`exact_moments`. Regression and
    columns that are missing here and there are drawn.

    Args:
        store: The edges.
        y: Labels as in :func:`~sigraph.data.local_consistency`.
        found: ``node_agreement(store, y)``, with an entry.
        draws: Permutations, >= 2, where they are needed.
        seed: Of the draws.
    """
    if found.own is not None:
        return _over(_correlations(store, found, draws, seed), "permuted", 1)
    known = ~_missing(y)
    whole = known[:, 0] if known.dim() == 2 else known
    if known.dim() == 1 or bool((known == known[:, :1]).all()):
        return exact_null(store, whole, y, found)
    labelled = known.any(dim=1)
    node = (labelled & (neighbor_sums(store, labelled.float()[:, None]).view(-1) > 0)).nonzero().view(-1)

    def drawn(draw: int) -> Agreement:
        shuffled = y.clone()
        shuffled[node] = y[node[_order(node.numel(), seed, draw)]]
        return node_agreement(store, shuffled)

    return _over(_defined(drawn, draws), "permuted", found.num_columns)


def rewiring_null(graph: SampleGraph, y: Tensor, found: Agreement, draws: int = 100, seed: int = 0) -> Null:
    """The null by degree-preserving rewiring; see :func:`~sigraph.graphs.rewire_edges`. Every draw costs a rewiring."""

    def drawn(draw: int) -> Agreement:
        return node_agreement(rewire_edges(graph, 1.0, keyed_generator(seed, _REWIRE, draw)).store, y)

    return _over(_defined(drawn, draws), "rewired", found.num_columns)


def exact_null(store: EdgeStore, known: Tensor, y: Tensor, found: Agreement) -> Null:
    """Mean and standard deviation of local consistency over all permutations, in closed form; O(edges)."""
    labelled = known.double()[:, None]
    degree = neighbor_sums(store, labelled).view(-1) * labelled.view(-1)
    weight = torch.where(degree > 0, 1 / degree.clamp(min=1), 0)  # of a neighbour in a node's share
    received = neighbor_sums(store, weight[:, None]).view(-1)[degree > 0]
    weight = weight[degree > 0]
    form = Form(
        num_nodes=weight.numel(),
        total=float(weight.numel()),  # every node's weights add up to 1
        squares=float((weight + weight * received).sum()) / 2,
        row_squares=float((1 + received).square().sum()) / 4,
    )
    count = found.count.double()
    present = count > 0
    part_mean, part_std = torch.full_like(count, torch.nan), torch.full_like(count, torch.nan)
    size = count[present]
    mean, variance = exact_moments(form, size * (size - 1), size * (size - 1) ** 2, (size * (size - 1)) ** 2)
    part_mean[present], part_std[present] = mean / size, variance.sqrt() / size
    if found.kind == "classification":  # the form of "both ends agree": its rows add up to size - 1
        pairs = (size * (size - 1)).sum()
        mean, variance = exact_moments(form, pairs, (size * (size - 1) ** 2).sum(), pairs**2)
        return Null("exact", float(mean / size.sum()), float(variance.sqrt() / size.sum()), part_mean, part_std)
    both = _overlap(found)[present][:, present]
    outer = (size * (size - 1))[:, None] * (size * (size - 1))
    _, covariance = exact_moments(form, both * (both - 1), both * (size - 1)[:, None] * (size - 1), outer, signed=True)
    spread = (covariance / size[:, None] / size).mean().clamp(min=0).sqrt()  # of the mean over columns
    spread = spread if bool((part_std[present] > 0).any()) else torch.zeros(())
    return Null("exact", float(part_mean[present].mean()), float(spread), part_mean, part_std)


@dataclass(frozen=True)
class Form:
    """Sums of a symmetric matrix B with an empty diagonal that a permutation's moments need.

    Args:
        num_nodes: n, its size.
        total: Of all its entries.
        squares: Of the squares of its entries.
        row_squares: Of the squares of its row sums.
    """

    num_nodes: int
    total: float
    squares: float
    row_squares: float


def exact_moments(form: Form, squares: Tensor, row_squares: Tensor, totals: Tensor, signed: bool = False):
    r"""Mean and (co)variance of :math:`\sum_{i \ne j} B_{ij} X_{\pi(i)\pi(j)}` over all permutations :math:`\pi`.

    Args:
        form: Of B.
        squares: :math:`\sum_{i \ne j} X_{ij} Y_{ij}` for two forms X, Y of labels (the same one for a variance).
        row_squares: :math:`\sum_i X_{i\cdot} Y_{i\cdot}` of the row sums.
        totals: :math:`X_{\cdot\cdot} Y_{\cdot\cdot}`.
        signed: Whether these are covariances, which may be negative; a variance within rounding of 0 is 0.

    Returns:
        The mean (for X = Y only) and the (co)variance, in the arguments' shape, float64.

    Source: Mantel, "The detection of disease clustering and a generalized regression approach", Cancer Research 1967;
    for labels these are the join counts of Cliff and Ord, "Spatial Autocorrelation", 1973. Here: pairs of pairs are
    counted by how many nodes they share, two, one or none.
    """
    n = float(form.num_nodes)
    two = n * (n - 1)
    three, four = two * (n - 2), two * (n - 2) * (n - 3)
    one_shared = row_squares - squares
    none_shared = totals - 4 * one_shared - 2 * squares
    product = 2 * form.squares * squares / max(two, 1)
    product = product + 4 * (form.row_squares - form.squares) * one_shared / max(three, 1)
    rest = form.total**2 - 4 * form.row_squares + 2 * form.squares
    product = product + rest * none_shared / max(four, 1)
    square = totals * (form.total / max(two, 1)) ** 2
    mean, spread = totals.sqrt() * form.total / max(two, 1), product - square
    if not signed:
        spread = torch.where(spread > 1e-11 * square, spread, 0)
    return mean, spread


def _overlap(found: Agreement) -> Tensor:
    """How many nodes carry both of two labels, of those that count. Shape [num_columns, num_columns]."""
    node, column = found.node.numpy(), found.column.numpy()
    shape = (int(node.max()) + 1, found.num_columns)
    carries = coo_matrix((np.ones(node.size), (node, column)), shape).tocsr()
    return torch.from_numpy((carries.T @ carries).toarray())


def _correlations(store: EdgeStore, found: Agreement, draws: int, seed: int) -> Iterator[tuple[float, Tensor]]:
    """Spearman's correlation under permutations: only the neighbours' means are ranked anew."""
    node, own = found.node.long(), found.own
    if own is None:
        raise ValueError("'found' needs to be of a regression")
    value = torch.zeros(store.num_nodes, 1, dtype=torch.double)
    value[node] = 1.0
    count, rank = neighbor_sums(store, value)[node, 0], rankdata(own.numpy())
    for draw in range(draws):
        order = _order(node.numel(), seed, draw)
        value[node, 0] = own[order]
        around = neighbor_sums(store, value)[node, 0] / count
        if not is_constant(around):
            found_value = float(np.corrcoef(rank[order.numpy()], rankdata(around.numpy()))[0, 1])
            yield found_value, torch.tensor([found_value], dtype=torch.double)


def _defined(drawn: Callable[[int], Agreement], draws: int) -> Iterator[tuple[float, Tensor]]:
    """Local consistency of the draws in which it is defined, and that of each column."""
    for draw in range(draws):
        found = drawn(draw)
        if found.own is None and found.node.numel():
            yield found.value(), found.by_column()
        elif found.own is not None and not is_constant(found.own) and not is_constant(found.share):
            yield (value := found.value()), torch.tensor([value], dtype=torch.double)


def _order(count: int, seed: int, draw: int) -> Tensor:
    return torch.randperm(count, generator=keyed_generator(seed, _PERMUTE, draw))


def _over(drawn: Iterator[tuple[float, Tensor]], how: str, num_columns: int) -> Null:
    found = list(drawn)
    value = torch.tensor([value for value, _ in found], dtype=torch.double)
    part = torch.stack([part for _, part in found]) if found else torch.empty(0, num_columns, dtype=torch.double)
    mean, std = _mean_std(value[:, None])
    return Null(how, float(mean), float(std), *_mean_std(part), num_draws=len(found))


def _mean_std(value: Tensor) -> tuple[Tensor, Tensor]:
    """Of each column over the draws in which it is there, unbiased; NaN with fewer than two. Shape [num_columns]."""
    there = ~value.isnan()
    count = there.sum(dim=0).double()
    mean = torch.where(there, value, 0).sum(dim=0) / count
    square = torch.where(there, value - mean, 0).square().sum(dim=0) / (count - 1)
    std = torch.where(square.sqrt() > 1e-12, square.sqrt(), 0)  # within rounding of values up to 1
    return torch.where(count > 1, mean, torch.nan), torch.where(count > 1, std, torch.nan)


def _missing(y: Tensor) -> Tensor:
    if y.dim() == 1 and not y.is_floating_point():
        return y < 0
    return torch.isnan(y) if y.is_floating_point() else torch.zeros_like(y, dtype=torch.bool)
