"""Inverted lists of faiss, as every search makes them: how many, trained on what, probed until they find enough."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

EXACT_LIMIT = 100_000  # vectors up to which every pair is compared unless asked otherwise
NUM_ASKED = 1_000  # vectors on which recall is measured
_FIRST_PROBES = 4


def faiss_or_none() -> Any:
    """faiss, if it is installed."""
    try:
        return importlib.import_module("faiss")
    except ImportError:
        return None


class threads:
    """As many threads for faiss as torch has, and back."""

    def __init__(self, faiss: Any) -> None:
        self.faiss = faiss

    def __enter__(self) -> None:
        self.before = self.faiss.omp_get_max_threads()
        self.faiss.omp_set_num_threads(torch.get_num_threads())

    def __exit__(self, *_: object) -> None:
        self.faiss.omp_set_num_threads(self.before)


def flat_index(faiss: Any, x: Tensor, inner_product: bool = False) -> Any:
    """Every pair compared: by inner product, else by Euclidean distance."""
    index = (faiss.IndexFlatIP if inner_product else faiss.IndexFlatL2)(x.size(1))
    index.add(x.numpy())
    return index


def inverted_lists(faiss: Any, x: Tensor, inner_product: bool, generator: torch.Generator | None) -> Any:
    """About 4 sqrt(N) lists, trained on 40 vectors a list.

    Args:
        faiss: The module.
        x: float32 [N, D].
        inner_product: Whether that is searched for, else Euclidean distance.
        generator: Draws what is trained on.
    """
    count = max(1, min(round(4 * len(x) ** 0.5), len(x) // 40))
    metric, flat = (
        (faiss.METRIC_INNER_PRODUCT, faiss.IndexFlatIP) if inner_product else (faiss.METRIC_L2, faiss.IndexFlatL2)
    )
    lists = faiss.IndexIVFFlat(flat(x.size(1)), x.size(1), count, metric)
    lists.cp.seed = 1
    some = torch.randperm(len(x), generator=generator)[: 40 * count]
    lists.train(x[some].numpy())
    lists.add(x.numpy())
    return lists


def probe_until(
    lists: Any, ask: Callable[[], Tensor], true: Tensor, min_recall: float, worth: Callable[[], bool] = lambda: True
) -> float | None:
    """Probe more and more lists until so many of the true neighbours of some vectors are found.

    Args:
        lists: From :func:`inverted_lists`; its ``nprobe`` is set.
        ask: What is found now, as keys.
        true: Keys of the true neighbours.
        min_recall: Share of them to find, in (0, 1].
        worth: Whether so many probes are still worth it.

    Returns:
        The recall that was reached; None: more probes are not worth it.
    """
    probes = _FIRST_PROBES
    while True:
        lists.nprobe = min(probes, lists.nlist)
        if not worth():
            return None
        recall = float(torch.isin(true, ask()).double().mean()) if true.numel() else 1.0
        if recall >= min_recall or lists.nprobe == lists.nlist:
            return recall
        probes += probes // 2
