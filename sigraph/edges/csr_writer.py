"""A CSR store written front to back, its number of edges unknown until the end."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np

from sigraph.edges.runs import Piece
from sigraph.files.array_folder import seal_folder
from sigraph.files.ownership import CSR

ROWS = 1 << 20  # whose ends are found at a time


class NpyStream:
    """A one-dimensional ``.npy`` file that grows; its header, of fixed size, is written last."""

    HEADER = 128

    def __init__(self, path: Path, dtype: type) -> None:
        self.dtype, self.size = np.dtype(dtype), 0
        self._file = path.open("wb")
        self._file.write(bytes(self.HEADER))

    def write(self, array: np.ndarray) -> None:
        """Append. Shape [any]."""
        if array.size:
            self._file.write(np.ascontiguousarray(array, self.dtype).data)
            self.size += array.size

    def close(self) -> None:
        """Write the header: a ``.npy`` file from now on."""
        text = f"{{'descr': {self.dtype.str!r}, 'fortran_order': False, 'shape': ({self.size},), }}"
        start = b"\x93NUMPY\x01\x00" + (self.HEADER - 10).to_bytes(2, "little")
        self._file.seek(0)
        self._file.write(start + text.encode().ljust(self.HEADER - 11) + b"\n")
        self._file.close()

    def abandon(self) -> None:
        """Close what will not be finished; it is no ``.npy`` file."""
        self._file.close()


class CSRWriter:
    """The files of a :class:`~sigraph.edges.store.CSRStore`, as sorted pieces of edges come.

    Args:
        folder: Where, a new folder.
        num_nodes: N.
        weighted: Whether edges have weights.
    """

    def __init__(self, folder: Path, num_nodes: int, weighted: bool) -> None:
        self.folder, self.num_nodes, self.num_isolated = folder, num_nodes, 0
        self._rowptr = NpyStream(folder / "rowptr.npy", np.int64)
        self._col = NpyStream(folder / "col.npy", np.int32)
        self._weight = NpyStream(folder / "weight.npy", np.float32) if weighted else None
        self._next, self._end = 0, 0  # the first row whose end is not written, and the end of the row before
        self._rowptr.write(np.zeros(1))

    @property
    def num_edges(self) -> int:
        """Directed edges so far."""
        return self._col.size

    def add(self, piece: Piece) -> None:
        """The next edges."""
        if piece.row.size:
            self._end_rows(piece.row, int(piece.row[-1]))  # the last row may go on in the next piece
            self._col.write(piece.col)
            if self._weight is not None and piece.weight is not None:
                self._weight.write(piece.weight)

    def seal(self) -> None:
        """End the remaining rows and write the header: a whole store from now on."""
        self._end_rows(np.empty(0, np.int64), self.num_nodes)
        for stream in self._streams:
            stream.close()
        about = {"num_nodes": self.num_nodes, "num_edges": self.num_edges}
        seal_folder(self.folder, CSR, about)

    def _end_rows(self, row: np.ndarray, stop: int) -> None:
        """The ends of the rows up to ``stop``; ``row``, sorted, are those of edges about to be written."""
        while self._next < stop:
            rows = np.arange(self._next, min(self._next + ROWS, stop))
            ends = self.num_edges + np.searchsorted(row, rows, side="right")
            self.num_isolated += int((np.diff(ends, prepend=self._end) == 0).sum())
            self._rowptr.write(ends)
            self._next, self._end = int(rows[-1]) + 1, int(ends[-1])

    @property
    def _streams(self) -> list[NpyStream]:
        return [stream for stream in (self._rowptr, self._col, self._weight) if stream is not None]

    def __enter__(self) -> CSRWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in self._streams:
            stream.abandon()
