"""BipartiteGraph: samples joined by the items they share."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.files.arguments import is_one_of, said, shown
from sigraph.files.suggestions import did_you_mean
from sigraph.graphs.base import GraphConstructor

logger = logging.getLogger(__name__)

WEIGHTS = (None, "count", "jaccard")
_BUDGET = 1 << 22  # products of a sparse block


class BipartiteGraph(GraphConstructor):
    r"""Samples that share items are joined: papers by authors, molecules by scaffolds, products by baskets.

    As a pre-training graph: with products and baskets it is that of item2vec (Barkan and Koenigstein, "Item2Vec:
    Neural Item Embedding for Collaborative Filtering", MLSP 2016), whose positives are items of one set; with one
    family a sample it is the same-family task of PLUS (Min et al., "Pre-Training of Deep Bidirectional Protein
    Sequence Representations with Structural Information", IEEE Access 2021).

    Args:
        column: Column of the data set's records that holds each sample's items: integers, text, or lists of them.
            Null, an empty list and empty text are no item. Give this or ``pairs``.
        separator: Cuts the text of ``column`` into items, e.g. ``;``; space around an item is dropped.
        pairs: Rows (sample, item) of integers, given in Python. Shape [M, 2].
        min_shared: Items that two samples need to share, >= 1.
        max_item_degree: Items of more samples than this are left out, >= 2: they join everything, and d samples make
            d^2 pairs; the log says how many. None: all are used.
        weight: None: unweighted; ``count``: :math:`|I_i \cap I_j|`; ``jaccard``:
            :math:`|I_i \cap I_j| / |I_i \cup I_j|`, of the items that were not left out.
        max_edges: More undirected edges than this are refused, before memory is full.

    An item that a sample has twice counts once.

    Raises:
        ValueError: By :meth:`base`: no such column, or one of other values; sample numbers out of range; no two samples
            share enough, or too many do.

    Example:
        >>> graph = BipartiteGraph(column="authors", separator=";", max_item_degree=200, weight="jaccard")(dataset)
    """

    def __init__(
        self,
        column: str | None = None,
        separator: str | None = None,
        pairs: Any = None,
        min_shared: int = 1,
        max_item_degree: int | None = None,
        weight: str | None = None,
        max_edges: int = 100_000_000,
    ) -> None:
        if (column is None) == (pairs is None):
            raise ValueError("'BipartiteGraph' needs either 'column' or 'pairs' (got both or neither)")
        if separator is not None and (not isinstance(separator, str) or not separator or column is None):
            raise ValueError(
                f"'separator' needs to be text that cuts 'column' in 'BipartiteGraph' (got {shown(separator)})"
            )
        for name, value, least in (
            ("min_shared", min_shared, 1),
            ("max_item_degree", max_item_degree, 2),
            ("max_edges", max_edges, 1),
        ):
            missing = value is None and name == "max_item_degree"
            if not missing and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ValueError(f"{name!r} needs to be an integer >= {least} in 'BipartiteGraph' (got {shown(value)})")
        if column is not None and not isinstance(column, str):
            raise ValueError(f"'column' needs to be the name of a column in 'BipartiteGraph' (got {shown(column)})")
        if not is_one_of(weight, WEIGHTS):
            raise ValueError(
                f"'weight' needs to be null, 'count' or 'jaccard' in 'BipartiteGraph' (got {shown(weight)})"
            )
        self.column, self.separator, self.pairs, self.min_shared = column, separator, pairs, min_shared
        self.max_item_degree, self.weight, self.max_edges = max_item_degree, weight, max_edges

    def sources(self, dataset: SampleDataset) -> list[str]:
        return []

    def among(self, ids: Tensor, num_samples: int) -> GraphConstructor:
        out = copy.copy(self)
        if self.pairs is not None:
            sample, item = checked_pairs(self.pairs, num_samples)
            place = np.full(num_samples, -1)
            place[ids.numpy()] = np.arange(ids.numel())
            out.pairs = np.stack([place[sample], item], axis=1)[place[sample] >= 0]
        return out

    def base(self, dataset: SampleDataset, generator: torch.Generator | None = None) -> PretrainGraph:
        if self.column is None:
            sample, item = checked_pairs(self.pairs, len(dataset))
        else:
            sample, item = column_items(dataset, self.column, self.separator)
        table = csr_matrix(
            (np.ones(len(sample), np.int32), (sample, item)), shape=(len(dataset), 1 + item.max(initial=0))
        )
        table.data[:] = 1  # what came twice was summed
        table = self._without_hubs(table)
        row, col, shared = self._shared(table)
        weight = None
        if self.weight == "count":
            weight = torch.from_numpy(shared).float()
        elif self.weight == "jaccard":
            size = np.diff(table.indptr)
            weight = torch.from_numpy(shared / (size[row] + size[col] - shared)).float()
        return PretrainGraph(torch.from_numpy(np.stack([row, col])).long(), len(dataset), weight)

    def _without_hubs(self, table: csr_matrix) -> csr_matrix:
        degree = np.bincount(table.indices, minlength=table.shape[1])
        if self.max_item_degree is None:
            return table
        hub = degree > self.max_item_degree
        logger.info(
            "items of more than %s samples: %s of %s are left out",
            *(f"{number:,}" for number in (self.max_item_degree, int(hub.sum()), int((degree > 0).sum()))),
        )
        return table[:, ~hub]

    def _shared(self, table: csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pairs i < j that share enough items, and how many. Shape [P] each."""
        parts, found, transposed = [], 0, table.T.tocsr()
        for start, stop in blocks(table @ np.diff(transposed.indptr).astype(np.int64)):
            product = (table[start:stop] @ transposed).tocoo()  # [block, N]
            keep = (product.row + start < product.col) & (product.data >= self.min_shared)
            parts.append((product.row[keep] + start, product.col[keep], product.data[keep]))
            found += int(keep.sum())
            if found > self.max_edges:
                largest = int(np.diff(transposed.indptr).max())
                raise ValueError(
                    f"'BipartiteGraph' joins more than {self.max_edges:,} pairs ('max_edges'), {found:,} of the first "
                    f"{stop:,} samples of {table.shape[0]:,}; the largest item has {largest:,} samples: set "
                    "'max_item_degree' or a larger 'min_shared', or raise 'max_edges'"
                )
        if found == 0:
            raise ValueError(
                f"no two samples share {self.min_shared} item{'s' if self.min_shared > 1 else ''} in 'BipartiteGraph'; "
                "lower 'min_shared', raise 'max_item_degree', or set 'separator' if one text holds several items"
            )
        row, col, shared = (np.concatenate(part) for part in zip(*parts, strict=True))
        return row, col, shared


def checked_pairs(pairs: Any, num_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples and items (numbered anew) of an array of pairs. Shape [M] each."""
    try:
        pairs = pairs.to_dense().cpu().numpy() if isinstance(pairs, Tensor) else np.asarray(pairs)
    except (TypeError, ValueError) as error:
        raise ValueError(f"'pairs' needs integers of shape [M, 2] in 'BipartiteGraph' (got {said(pairs)})") from error
    if pairs.shape[1:] != (2,) or len(pairs) == 0 or not np.issubdtype(pairs.dtype, np.integer):
        raise ValueError(
            f"'pairs' needs integers of shape [M, 2], M > 0, in 'BipartiteGraph' (got {pairs.dtype} "
            f"{list(pairs.shape)})"
        )
    sample, item = pairs.T.astype(np.int64)
    if sample.min() < 0 or sample.max() >= num_samples:
        raise ValueError(
            f"'pairs' needs sample numbers in [0, {num_samples}) in 'BipartiteGraph' (got [{sample.min()}, "
            f"{sample.max()}])"
        )
    return sample, np.unique(item, return_inverse=True)[1]


def column_items(dataset: SampleDataset, name: str, separator: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Samples and items of a column of the records. Shape [M] each."""
    records = dataset.unread.records()
    if records is None:
        raise ValueError(
            f"'column' needs records, but the samples of data set {dataset.name!r} are {dataset.store.describe()}; "
            "give 'pairs' in Python"
        )
    names = records.column_names
    if name not in names:
        raise ValueError(
            f"'column' {name!r} of 'BipartiteGraph' is not in data set {dataset.name!r}{did_you_mean(name, names)}; "
            f"there are: {', '.join(names)}"
        )
    column = records.column(name).combine_chunks()
    if separator is not None:
        if not _is_text(column.type):
            raise ValueError(f"'separator' needs a column of text in 'BipartiteGraph' ({name!r} has {column.type})")
        column = pc.split_pattern(column, pattern=separator)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        sample, item = pc.list_parent_indices(column).to_numpy(), pc.list_flatten(column)
    else:
        sample, item = np.arange(len(column)), column
    if not pa.types.is_integer(item.type) and not _is_text(item.type):
        raise ValueError(
            f"'column' needs integers, text or lists of them in 'BipartiteGraph' ({name!r} has {column.type})"
        )
    if _is_text(item.type):
        item = pc.utf8_trim_whitespace(item) if separator is not None else item
        item = pc.if_else(pc.equal(item, ""), None, item)
    code = pc.dictionary_encode(item).indices  # null stays null
    there = code.is_valid().to_numpy(zero_copy_only=False)
    return sample[there].astype(np.int64), code.fill_null(0).to_numpy()[there].astype(np.int64)


def blocks(work: np.ndarray) -> Iterator[tuple[int, int]]:
    """Consecutive rows, start and stop, whose work together stays within the budget; single rows may not."""
    total, start = np.concatenate([[0], np.cumsum(work, dtype=np.int64)]), 0
    while start < len(work):
        stop = max(start + 1, int(np.searchsorted(total, total[start] + _BUDGET, side="right")) - 1)
        yield start, stop
        start = stop


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
