"""What local consistency promises of labels, and what nearest neighbours in the latent space reach."""

from __future__ import annotations

import torch
from scipy.stats import spearmanr
from torch import Tensor

from sigraph.data.consistency import node_agreement
from sigraph.data.sample_graph import SampleGraph
from sigraph.neighbors import nearest_neighbors
from sigraph.tasks.task import is_labelled, label_type
from sigraph.theory.certificates.distances import Geometry

_K = 3  # neighbours that vote


def promised(graph: SampleGraph, y: Tensor) -> float | None:
    """Local consistency; None where it is not defined."""
    agreement = node_agreement(graph.store, y)
    try:
        return agreement.value()
    except ValueError:
        return None


def reached(
    y: Tensor, geometry: Geometry, max_anchors: int | None, generator: torch.Generator
) -> tuple[float | None, float | None]:
    """Local consistency's counterpart of the nearest labelled sample, and of the three nearest; see ``certify``."""
    known = is_labelled(y).nonzero().view(-1)
    asked = torch.arange(len(known))
    if max_anchors is not None and len(known) > max_anchors:
        asked = torch.randperm(len(known), generator=generator)[:max_anchors].sort().values
    k = min(_K, len(known) - 1)
    if k < 1:
        return None, None
    query, z = geometry.ends(known)
    near, y = _others(z, query[asked], asked, k, geometry.measure), y[known]
    nearest = _agreement(y, y[asked], near[:, :1])
    return nearest, _agreement(y, y[asked], near) if k == _K else None


def _others(z: Tensor, query: Tensor, own: Tensor, k: int, measure: str) -> Tensor:
    """The k nearest others of each query, first of equally near ones first. Shape [A, k]."""
    index = nearest_neighbors(z, k + 1, query, measure)[0]  # [A, k + 1]
    mine = index == own[:, None]
    mine[~mine.any(dim=1), -1] = True  # k + 1 others are as near as the sample itself: the last one goes
    return index[~mine].view(len(own), k)


def _agreement(y: Tensor, own: Tensor, near: Tensor) -> float | None:
    kind, value = label_type(y), y[near]  # [A, k] or [A, k, L]
    if kind == "classification":
        return float((_plurality(value) == own).double().mean())
    if kind == "regression":
        mean = value.double().mean(dim=1)
        constant = own.unique().numel() < 2 or mean.unique().numel() < 2
        return None if constant else float(spearmanr(own.double().numpy(), mean.numpy()).statistic)
    value = value.double()
    counts = ~value.isnan()
    carried = value.nan_to_num(0).sum(dim=1) > counts.sum(dim=1) / 2  # [A, L], most of the known ones
    asks = (own == 1) & counts.any(dim=1)
    share = (carried & asks).sum(dim=0).double() / asks.sum(dim=0)
    share = share[~share.isnan()]
    return float(share.mean()) if share.numel() else None


def _plurality(value: Tensor) -> Tensor:
    """The most frequent class of each row, the nearest's of equally frequent ones. Shape [A, k] -> [A]."""
    votes = (value[:, :, None] == value[:, None, :]).sum(dim=2)  # [A, k]
    first = votes.argmax(dim=1, keepdim=True)
    return value.gather(1, first)[:, 0]
