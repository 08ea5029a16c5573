"""Sums of files by blocks, and arrays whose blocks are checked against them when they are first touched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from tokenize import TokenError

import numpy as np
import torch
from torch import Tensor

from sigraph.files.sealed import DamagedError

BLOCK = 1 << 16  # bytes: small beside what is read ahead anyway, and large beside its sum
SUM_BYTES = 16  # of a block: a SHA-256, cut short
BLOCK_SUMS = "blocks.sums"  # of all arrays of a folder, in alphabetical order


def sums_of(file: Path) -> tuple[str, bytes]:
    """Hexadecimal SHA-256 of a file, and the sums of its blocks one after the other; the file is read once."""
    whole, blocks = hashlib.sha256(), []
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            whole.update(block)
            blocks.append(hashlib.sha256(block).digest()[:SUM_BYTES])
    return whole.hexdigest(), b"".join(blocks)


def num_blocks(size: int) -> int:
    """Blocks of a file of so many bytes."""
    return -(-size // BLOCK)


def split_sums(sums: bytes, sizes: Iterable[int]) -> list[bytes]:
    """The sums of each of several files, by their sizes in bytes."""
    ends = np.cumsum([0, *(num_blocks(size) * SUM_BYTES for size in sizes)]).tolist()
    if ends[-1] != len(sums):
        raise DamagedError(f"{len(sums) // SUM_BYTES} sums of blocks for {ends[-1] // SUM_BYTES} blocks")
    return [sums[start:end] for start, end in pairwise(ends)]


# What numpy raises at a file that is no array, or whose header says what cannot be.
NOT_PLAIN = (ValueError, TypeError, EOFError, OverflowError, SyntaxError, TokenError)


def map_array(file: str | Path) -> Tensor:
    """A ``.npy`` file as a memory-mapped tensor, copy-on-write; pickles and object arrays are refused."""
    try:
        try:
            return torch.from_numpy(np.load(file, mmap_mode="c", allow_pickle=False))
        except ValueError as error:
            if "mmap" in str(error) or "empty" in str(error):  # nothing to map in an array of size 0
                return torch.from_numpy(np.load(file, allow_pickle=False))
            raise
    except (*NOT_PLAIN, MemoryError) as error:
        raise ValueError(f"{file} is not a plain .npy array ({error})") from error


class HeldArray:
    """An array that lies in memory: nothing to check.

    Args:
        tensor: The array. Shape [N, ...].
    """

    def __init__(self, tensor: Tensor) -> None:
        self.raw = tensor  # as it lies there: nothing but its shape and type may be used unchecked

    def __len__(self) -> int:
        return self.raw.size(0)

    def whole(self) -> Tensor:
        """All of it. Shape [N, ...]."""
        return self.raw

    def take(self, index: Tensor) -> Tensor:
        """Some rows, in their order. Shape [M] -> [M, ...]."""
        return self.raw.index_select(0, index)

    def within(self, start: Tensor, end: Tensor) -> Tensor:
        """The array, of which only the rows in [start, end) are used. Shape [A] each -> [N, ...]."""
        return self.raw


class SummedArray(HeldArray):
    """A ``.npy`` file, memory-mapped, each block of which is checked against its sum when it is first touched.

    What was checked is remembered by this object alone: whoever opens the file again checks it again. It pickles as
    its path and its sums.

    Args:
        file: The file.
        sums: The sums of its blocks, as :func:`sums_of` gives them; or the SHA-256 of all of it, 32 bytes, which is
            then checked at the first touch of anything.
        again: What follows a colon in messages: what is wrong, and the way out.

    Raises:
        DamagedError: The file's first block, which says its shape, does not match its sum; so do later touches.
    """

    def __init__(self, file: Path, sums: bytes, again: str = "altered") -> None:
        self.file, self.sums, self.again = file, sums, again
        self._bytes = np.memmap(file, np.uint8, "r") if file.stat().st_size else np.empty(0, np.uint8)
        size = self._bytes.size
        by_block = len(sums) == num_blocks(size) * SUM_BYTES
        if not by_block and len(sums) != 32:
            raise DamagedError(f"{file} has {num_blocks(size)} blocks and {len(sums) // SUM_BYTES} sums: {again}")
        self._block, self._width = (BLOCK, SUM_BYTES) if by_block else (max(size, 1), 32)
        self._left = torch.ones(-(-size // self._block), dtype=torch.bool)  # blocks that nobody touched
        self._num_left = self._left.numel()
        self._check([0] if size else [])
        super().__init__(map_array(file))
        self._row = self.raw.element_size() * (self.raw[0].numel() if self.raw.dim() > 1 and len(self) else 1)
        self._start = size - self.raw.element_size() * self.raw.numel()

    def __reduce__(self):
        return SummedArray, (self.file, self.sums, self.again)

    def whole(self) -> Tensor:
        if self._num_left:
            self._check(self._left.nonzero().view(-1).tolist())
        return self.raw

    def take(self, index: Tensor) -> Tensor:
        if self._num_left:
            self._touch(index, index)
        return self.raw.index_select(0, index)

    def within(self, start: Tensor, end: Tensor) -> Tensor:
        if self._num_left:
            some = end > start
            self._touch(start[some], end[some] - 1)
        return self.raw

    def _touch(self, first: Tensor, last: Tensor) -> None:
        """Check the blocks that hold the rows from ``first`` to ``last``. Shape [A] each."""
        if first.numel() == 0:
            return
        first = (first * self._row + self._start) // self._block
        last = ((last + 1) * self._row + self._start - 1) // self._block
        if int((last - first).max()) <= 1:
            touched = torch.cat([first, last])
            self._check(touched[self._left[touched]].unique().tolist())
            return
        steps = torch.zeros(self._left.numel() + 1, dtype=torch.int32)
        one = torch.ones((), dtype=torch.int32).expand(first.numel())
        steps.index_add_(0, first, one).index_add_(0, last + 1, -one)
        self._check((self._left & (steps[:-1].cumsum(0) > 0)).nonzero().view(-1).tolist())

    def _check(self, blocks: list[int]) -> None:
        for block in blocks:
            place = block * self._block
            found = hashlib.sha256(self._bytes[place : place + self._block].data).digest()[: self._width]
            if found != self.sums[block * self._width : (block + 1) * self._width]:
                where = f"bytes {place} to {min(place + self._block, self._bytes.size) - 1}"
                raise DamagedError(f"{self.file} does not match its sum ({where}): {self.again}")
            self._left[block] = False
        self._num_left -= len(blocks)
