"""Edges of a matrix with a row and a column a sample."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from sigraph.data.edges import GivenEdges
from sigraph.data.foreign import is_matrix, is_networkx, way_from
from sigraph.files.arguments import is_frame, said

_OWNER = "'PretrainGraph.from_adjacency'"


def read_adjacency(matrix: Any) -> GivenEdges:
    """As :meth:`~sigraph.data.PretrainGraph.from_adjacency`."""
    row, col, value, size = _entries(matrix)
    stored_zeros = value == 0
    if stored_zeros.any():
        row, col, value = (part[~stored_zeros] for part in (row, col, value))
        warnings.warn(
            f"{_OWNER} left out {int(stored_zeros.sum()):,} stored zeros: an entry of 0 is no edge", stacklevel=4
        )
    wrong = np.flatnonzero(~(np.isfinite(value) & (value >= 0)))
    if wrong.size:
        first = wrong[0]
        raise ValueError(
            f"'matrix' needs finite entries >= 0 in {_OWNER} (got {wrong.size:,} others; first: {value[first]} in row "
            f"{row[first]}, column {col[first]})"
        )
    weighted = value.dtype != bool and bool((value != 1).any())
    index = torch.from_numpy(np.stack([row, col]).astype(np.int64))
    return GivenEdges(index, size, torch.from_numpy(value) if weighted else None)


def _entries(matrix: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Rows, columns and values of the stored entries, and N."""
    if is_frame(matrix):
        raise ValueError(
            f"'matrix' needs rows in the order of the samples in {_OWNER}, and a table ({said(matrix)}) has names: "
            "frame.loc[ids, ids].to_numpy() puts them in the order of ids"
        )
    if not is_matrix(matrix) and (is_networkx(matrix) or (way_from(matrix) and not isinstance(matrix, Tensor))):
        raise ValueError(f"'matrix' needs a matrix in {_OWNER} (got {said(matrix)}): {way_from(matrix)}")
    stored = _of_torch(matrix) if isinstance(matrix, Tensor) or hasattr(matrix, "sparse_sizes") else matrix
    if not scipy.sparse.issparse(stored):
        stored = _dense(stored)
    if stored.dtype.kind not in "biuf":
        raise ValueError(f"'matrix' needs real numbers in {_OWNER} (got {said(matrix)} of {stored.dtype})")
    if len(stored.shape) != 2 or stored.shape[0] != stored.shape[1]:
        pair = "; edges [2, num_edges] go to PretrainGraph itself" if stored.shape[:1] == (2,) else ""
        raise ValueError(
            f"'matrix' needs a row and a column a sample, [N, N], in {_OWNER} (got {list(stored.shape)}){pair}; "
            "samples by what they share make a graph by sigraph.graphs.BipartiteGraph(pairs=...)"
        )
    if isinstance(stored, np.ndarray):
        row, col = stored.nonzero()
        return row, col, stored[row, col], len(stored)
    entries = scipy.sparse.coo_array(stored)
    entries = entries if entries is not stored else entries.copy()
    entries.sum_duplicates()  # what a matrix with an entry stored twice means
    return *entries.coords, entries.data, entries.shape[0]


def _dense(matrix: Any) -> np.ndarray:
    try:
        return np.asarray(matrix)
    except ValueError as error:
        raise ValueError(f"'matrix' needs rows of one length in {_OWNER} (got {said(matrix)}: ragged)") from error


def _of_torch(matrix: Any) -> Any:
    """A tensor, or a ``SparseTensor``, as scipy or numpy holds it."""
    if not isinstance(matrix, Tensor):
        row, col, value = matrix.coo()
        value = torch.ones(row.numel(), dtype=torch.bool) if value is None else value
        indices, shape = torch.stack([row, col]), tuple(matrix.sparse_sizes())
    elif matrix.layout == torch.strided:
        return _plain(matrix)
    else:
        coo = matrix.detach().to_sparse_coo()
        indices, value, shape = coo._indices(), coo._values(), tuple(matrix.shape)
    if value.dim() != 1 or len(shape) != 2:
        raise ValueError(
            f"'matrix' needs one number an entry in {_OWNER} (got shape {list(shape)}, values {list(value.shape)})"
        )
    return scipy.sparse.coo_array((_plain(value), tuple(indices.cpu().numpy())), shape)


def _plain(value: Tensor) -> np.ndarray:
    """As numpy holds it, which knows no bfloat16."""
    value = value.detach().cpu()
    return (value.float() if value.dtype == torch.bfloat16 else value).resolve_conj().numpy()
