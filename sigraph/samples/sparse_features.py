"""SparseFeatures: rows of numbers of which few are not zero, kept as such and made dense for a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from scipy.sparse import coo_array, csr_array
from torch import Tensor

from sigraph.edges.draw import expand
from sigraph.files.memory import check_fits
from sigraph.files.random import mixed
from sigraph.files.sums import HeldArray
from sigraph.samples.alike import Alike, numbered
from sigraph.samples.base import Add, Files, Samples, feed_array, save_array
from sigraph.samples.features import Features


class SparseFeatures(Samples):
    """Compressed sparse rows: memory is O(entries), a batch O(B F), whatever N.

    Args:
        rowptr: Where each row's entries begin, and their end. int64 [N + 1]
        col: Feature of each entry, ascending in a row. int64 [E]
        value: float32 [E]
        in_channels: F, features of a sample.

    Guide:
        given: scipy sparse matrix, sparse tensor
        an encoder is given: dense rows of the batch
    """

    kind, mark = "features", "samples.rowptr.npy"
    files = ("samples.col.npy", "samples.value.npy", "samples.width.npy")

    def __init__(self, rowptr: Tensor | HeldArray, col: Any, value: Any, in_channels: int) -> None:
        held = [part if isinstance(part, HeldArray) else HeldArray(part) for part in (rowptr, col, value)]
        self.rowptr, self.col, self.value = held
        self.in_channels = in_channels

    @classmethod
    def of(cls, matrix: Any) -> SparseFeatures:
        """Of a scipy sparse matrix or a sparse tensor, [N, F]; repeated entries are added, zeros dropped.

        Raises:
            ValueError: Entries are not finite.
        """
        if isinstance(matrix, Tensor):
            try:
                entries = matrix.detach().cpu().to_sparse_coo().coalesce()
                row, col = entries.indices().numpy()
            except (RuntimeError, ValueError) as error:  # of blocks, or dense in a dimension
                raise ValueError(
                    f"'samples' needs a sparse matrix of single entries, such as samples.to_dense().to_sparse(), in "
                    f"'SampleDataset' (got layout {matrix.layout}, {matrix.sparse_dim()} sparse dimensions)"
                ) from error
            matrix = coo_array((entries.values().numpy(), (row, col)), shape=tuple(matrix.shape))
        matrix = csr_array(matrix).astype(np.float32)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()  # also what float32 makes zero
        matrix.sort_indices()
        shape = matrix.shape
        rowptr, col = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
        value = torch.from_numpy(np.asarray(matrix.data))
        out = cls(rowptr.long(), col.long(), value.float(), int(shape[1]))
        out.check()
        return out

    @property
    def sizes(self) -> Mapping[str, int]:
        return {"in_channels": self.in_channels}

    def __len__(self) -> int:
        return len(self.rowptr) - 1

    def fetch(self, node: Tensor) -> Tensor:
        """Dense rows, float [B, F]."""
        # Twice: what reads the rows makes something of them.
        check_fits("SparseFeatures", 8.0 * len(node) * self.in_channels, rows=len(node), in_channels=self.in_channels)
        start, count = self._spans(node)
        row, entry = expand(start, count)
        out = np.zeros((len(node), self.in_channels), np.float32)  # on huge pages, which torch.zeros does not ask for
        place = row * self.in_channels + self.col.take(entry)
        out.reshape(-1)[place.numpy()] = self.value.take(entry).numpy()
        return torch.from_numpy(out)

    def _spans(self, node: Tensor) -> tuple[Tensor, Tensor]:
        start = self.rowptr.take(node)
        return start, self.rowptr.take(node + 1) - start

    def take(self, node: Tensor) -> SparseFeatures:
        start, count = self._spans(node)
        _, entry = expand(start, count)
        rowptr = torch.cat([count.new_zeros(1), count.cumsum(0)])
        return SparseFeatures(rowptr, self.col.take(entry), self.value.take(entry), self.in_channels)

    def describe(self) -> str:
        return f"rows of {self.in_channels} features, most of them zero"

    def vectors(self) -> Tensor:
        """Dense rows; refused where they do not fit into memory."""
        check_fits("SparseFeatures", 4.0 * len(self) * self.in_channels, rows=len(self), in_channels=self.in_channels)
        return self.fetch(torch.arange(len(self)))

    def check(self, owner: str = "SampleDataset") -> None:
        """Refuse values that are not finite, and entries outside the rows."""
        rowptr, col, value = self.rowptr.whole(), self.col.whole(), self.value.whole()
        if (bad := (~torch.isfinite(value)).nonzero().view(-1)).numel():
            row = int(torch.searchsorted(rowptr, bad[0], right=True)) - 1
            raise ValueError(
                f"'samples' needs finite features in {owner!r} (got NaN or infinite ones in {bad.numel()} "
                f"entries; first: row {row})"
            )
        if col.numel() and not 0 <= int(col.min()) <= int(col.max()) < self.in_channels:
            raise ValueError(
                f"'samples' needs features in [0, {self.in_channels}) in {owner!r} (got up to {int(col.max())})"
            )

    def feed(self, add: Add) -> None:
        add(f"sparse features of width {self.in_channels}\n".encode())
        for name in ("rowptr", "col", "value"):
            feed_array(add, name, getattr(self, name).whole())

    def save(self, folder: Path) -> None:
        for name, part in zip((self.mark, *self.files[:2]), (self.rowptr, self.col, self.value), strict=True):
            save_array(folder, name, part.whole())
        save_array(folder, self.files[2], torch.tensor([self.in_channels]))

    @classmethod
    def open(cls, files: Files) -> SparseFeatures:
        rowptr, col, value, width = (files.array(name) for name in (cls.mark, *cls.files))
        return cls(rowptr, col, value, int(width.whole()[0]))

    @classmethod
    def alike(cls, sets: Sequence[Any], ids: pa.Array | None, kinds: Mapping[str, str] | None) -> Alike:
        """By a 64-bit hash of the entries of a row; rows without any are no content."""
        sparse = [one for one in sets if isinstance(one, SparseFeatures)]
        if len(sparse) < len(sets):  # some are dense
            return Features.alike([Features(one.vectors()) for one in sets], ids, kinds)
        widths = {one.in_channels for one in sparse}
        if len(widths) > 1:
            raise ValueError(f"'sets' need feature rows of one width in 'find_alike' (got {sorted(widths)})")
        codes = numbered(np.concatenate([one._hashed() for one in sparse]))
        empty = np.concatenate([(one.rowptr.whole().diff() == 0).numpy() for one in sparse])
        return Alike({"exact": np.where(empty, -1, codes)}, f"rows of {widths.pop()} features")

    def _hashed(self) -> np.ndarray:
        rowptr, col = self.rowptr.whole().numpy(), self.col.whole().numpy().astype(np.uint64)
        bits = np.ascontiguousarray(self.value.whole().numpy()).view(np.uint32).astype(np.uint64)
        entry = np.cumsum(mixed(bits ^ mixed(col + np.uint64(1))), dtype=np.uint64)
        entry = np.concatenate([np.zeros(1, np.uint64), entry])
        return mixed(entry[rowptr[1:]] - entry[rowptr[:-1]])
