"""Where neighbours are sought: vectors brought to where float32 distances are good; distances of pairs in float64."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sigraph.files.arguments import is_one_of, shown
from sigraph.neighbors.search import row_blocks

METRICS = ("euclidean", "cosine")
_NUM_SEEN = 5_000  # rows, evenly spaced, that medians are taken of


def search_space(x: Tensor, metric: str, owner: str) -> tuple[Tensor, float]:
    """Vectors whose Euclidean order is the metric's, in float32, and the factor from their squared distances.

    ``euclidean``: moved to where most are near zero and scaled to [-1, 1], for squares of large numbers are inexact or
    overflow, and medians, unlike means, do not follow a wild row; the factor gives squared distances.
    ``cosine``: unit rows; the factor gives 1 - cosine.

    Raises:
        ValueError: A zero vector with ``cosine``.
    """
    if metric == "cosine":
        largest = x.abs().amax(dim=1, keepdim=True).double()
        zero = (largest == 0).view(-1).nonzero().view(-1)
        if zero.numel():
            raise ValueError(
                f"'cosine' is not defined for zero vectors, {owner!r} has {zero.numel()}, first in row "
                f"{int(zero[0])}; use metric='euclidean', or give other 'vectors'"
            )
        rows = [unit_rows(part) for part in row_blocks(x)]
        return torch.cat([part.float() for part in rows]), 0.5
    middle = x[:: max(1, len(x) // _NUM_SEEN)].double().median(dim=0).values
    size = max(float((rows.double() - middle).abs().max()) for rows in row_blocks(x)) or 1.0
    return torch.cat([((rows.double() - middle) / size).float() for rows in row_blocks(x)]), size**2


def unit_rows(x: Tensor) -> Tensor:
    """Rows of length one, float64; divided by their largest number first, so that no square vanishes or overflows."""
    x = x.double()
    x = x / x.abs().amax(dim=1, keepdim=True)
    return x / x.norm(dim=1, keepdim=True)


def exact_distance(x: Tensor, row: Tensor, col: Tensor, metric: str) -> Tensor:
    """Distance, or 1 - cosine, of pairs of rows, in float64. Shape [P], [P] -> [P]."""
    found = []
    step = max(1, (1 << 22) // x.size(1))
    for a, b in zip(row.split(step), col.split(step), strict=True):
        if metric == "cosine":
            found.append(((unit_rows(x[a]) - unit_rows(x[b])) ** 2).sum(dim=1) / 2)
        else:
            found.append((x[a].double() - x[b].double()).norm(dim=1))
    return torch.cat(found) if found else torch.empty(0, dtype=torch.double)


def check_metric(metric: Any, owner: str) -> str:
    """The metric, if it is one."""
    if not is_one_of(metric, METRICS):
        raise ValueError(f"'metric' needs to be 'euclidean' or 'cosine' in {owner!r} (got {shown(metric)})")
    return metric


def check_search(exact: Any, min_recall: Any, owner: str) -> None:
    """The options of the search, if they are possible."""
    if exact is not None and not isinstance(exact, bool):
        raise ValueError(f"'exact' needs to be true, false or null in {owner!r} (got {shown(exact)})")
    if isinstance(min_recall, bool) or not isinstance(min_recall, int | float) or not 0 < min_recall <= 1:
        raise ValueError(f"'min_recall' needs to be in (0, 1] in {owner!r} (got {shown(min_recall)})")
