"""A row of numbers for each sample, whatever its kind: own features, counts of tokens, words of text."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from scipy.sparse import csr_matrix, diags, issparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize
from torch import Tensor

from sigraph.samples.base import Samples
from sigraph.samples.records import Records, column_kind
from sigraph.samples.sparse_features import SparseFeatures
from sigraph.samples.token_sequences import TokenSequences

Rows = Any  # float32 [n, F]: an array or scipy's csr_matrix
MOST_WORDS = 20_000
_BLOCK = 1 << 16  # rows at a time
SPARSE = 0.5  # share of zeros from which rows of numbers >= 0 are taken for counts of words


class Vectors:
    """Rows of samples; what they need to know of all samples is learned from those that are given.

    Feature rows are taken as they are, token sequences as counts of their tokens, records as counts of the words in
    their columns of text. Counts (numbers >= 0, at least half of them zero) are weighted by the inverse document
    frequency to a power and scaled to unit length; other numbers are standardised, zeros of sparse rows staying zeros.

    Args:
        store: Samples that it may learn from.
        idf_power: 0: plain counts; 1: tf-idf; 0.5 in between. Of counts only. None: 1 of text, 0 of other counts.
    """

    def __init__(self, store: Samples, idf_power: float | None = None) -> None:
        self._words = _Words(store) if _columns_of_text(store) else None
        if idf_power is None:
            idf_power = 0.0 if self._words is None else 1.0
        rows = self._raw(store)
        zeros = 1 - (rows.nnz if issparse(rows) else np.count_nonzero(rows)) / max(1, rows.shape[0] * rows.shape[1])
        lowest = (rows.data if issparse(rows) else rows).min(initial=0.0)
        self.are_counts = bool(lowest >= 0 and zeros >= SPARSE)
        self._mean: np.ndarray | float = 0.0
        if self.are_counts:
            found = rows.getnnz(axis=0) if issparse(rows) else np.count_nonzero(rows, axis=0)
            idf = np.log((1 + rows.shape[0]) / (1 + found)) + 1  # smoothed as scikit-learn does
            self._scale = (idf**idf_power).astype(np.float32)
            return
        if issparse(rows):
            spread = np.sqrt(np.asarray(rows.multiply(rows).mean(axis=0)).ravel())
        else:
            self._mean, spread = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
        self._scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-12)

    @property
    def num_features(self) -> int:
        """F."""
        return len(self._scale)

    def __call__(self, store: Samples, node: Tensor | None = None) -> Rows:
        """Rows of some samples of the same kind. Shape [n, F]; ``node`` None: of all."""
        rows = self._raw(store if node is None else store.take(node))
        if rows.shape[1] != self.num_features:
            raise ValueError(
                f"these samples have rows of {rows.shape[1]} features, those that may be learned from have "
                f"{self.num_features}"
            )
        if self.are_counts:
            scaled = rows @ diags(self._scale) if issparse(rows) else rows * self._scale
            return normalize(scaled).astype(np.float32)
        if issparse(rows):
            return (rows @ diags(self._scale)).astype(np.float32)
        scaled = np.empty(rows.shape, np.float32)
        for start in range(0, len(rows), _BLOCK):  # in float64, a few rows at a time
            scaled[start : start + _BLOCK] = (rows[start : start + _BLOCK] - self._mean) * self._scale
        return scaled

    def _raw(self, store: Samples) -> Rows:
        if isinstance(store, SparseFeatures):
            return sparse_rows(store)
        if isinstance(store, TokenSequences):
            return _bags(store)
        if self._words is not None:
            return self._words(store)
        rows = store.vectors()
        if rows is None:
            raise ValueError(f"'Vectors' needs features, tokens or text (got {store.describe()})")
        return rows.numpy()


def sparse_rows(store: SparseFeatures) -> csr_matrix:
    """Sparse features as scipy has them. Shape [N, F] float32."""
    parts = [part.whole().numpy() for part in (store.value, store.col, store.rowptr)]
    return csr_matrix(tuple(parts), shape=(len(store), store.in_channels))


def has_vectors(store: Samples) -> bool:
    """Whether :class:`Vectors` makes rows of such samples; nothing is read."""
    has_rows = type(store).vectors is not Samples.vectors or isinstance(store, TokenSequences)
    return has_rows or bool(_columns_of_text(store))


def as_tensor(rows: Rows) -> Tensor:
    """Dense rows as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(rows.toarray() if issparse(rows) else rows))


def _bags(store: TokenSequences) -> csr_matrix:
    """How often each token occurs in each sequence."""
    column = store.table.column("tokens")
    length = pc.list_value_length(column).to_numpy()
    token = np.array(pc.list_flatten(column).to_numpy())  # a copy: repeated ones are added up in place
    rowptr = np.concatenate([[0], np.cumsum(length, dtype=np.int64)])
    bags = csr_matrix((np.ones(len(token), np.float32), token, rowptr), (len(length), store.sizes["num_tokens"]))
    bags.sum_duplicates()
    return bags


def _columns_of_text(store: Samples) -> list[str]:
    if not isinstance(store, Records) or isinstance(store, TokenSequences):
        return []
    return [name for name in store.table.column_names if column_kind(name, store.table.column(name)) == "text"]


class _Words:
    """Counts of words in the columns of text, all of a record's together; as :class:`~sigraph.readers.TfIdf` counts."""

    def __init__(self, store: Samples) -> None:
        self.columns = _columns_of_text(store)
        text = self._joined(store)
        for least in (2, 1):  # words of a single text tell nothing of others, where there are others
            self._counter = CountVectorizer(max_features=MOST_WORDS, min_df=least, dtype=np.float32)
            with contextlib.suppress(ValueError):  # of no word at all
                self._counter.fit(text)
                return
        raise ValueError(f"the columns {', '.join(self.columns)} hold no word of two letters or more")

    def _joined(self, store: Any) -> list[str]:
        parts = [pc.fill_null(store.table.column(name).cast(pa.large_string()), "") for name in self.columns]
        return pc.binary_join_element_wise(*parts, pa.scalar("\n", pa.large_string())).to_pylist()

    def __call__(self, store: Samples) -> csr_matrix:
        return csr_matrix(self._counter.transform(self._joined(store)))
