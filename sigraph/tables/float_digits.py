"""What is lost of a column of numbers when each becomes a float32 or a float64."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

EXACT = {np.dtype(np.float32): 2**24, np.dtype(np.float64): 2**53}  # integers up to here are kept as they are
_LOOKED_AT = 1 << 14  # floats that tell whether it is worth to count all
_FEW = 0.1  # of the different floats may meet: among many that lie close some do, and it is no loss


def as_float32(numbers: np.ndarray) -> np.ndarray:
    """Numbers in float32; what is beyond its range is infinite."""
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)


def lost_digits(column: pa.ChunkedArray | np.ndarray, dtype: type = np.float32) -> str:
    """How many different numbers are left of those of a column, in words; empty if it is (nearly) all.

    Integers count as lost if two of them become one; floats if more than a tenth do.

    Args:
        column: Integers, floats or true/false, as the file has them.
        dtype: float32 or float64.
    """
    numbers = column if isinstance(column, np.ndarray) else _plain(column)
    kind = np.dtype(dtype)
    if numbers.dtype.kind not in "iuf" or not numbers.size:
        return ""
    if numbers.dtype.kind == "f":
        if numbers.dtype.itemsize <= kind.itemsize:
            return ""
        numbers = numbers[np.isfinite(numbers)]
    elif max(abs(int(numbers.min())), abs(int(numbers.max()))) <= EXACT[kind]:
        return ""
    allowed = 0.0
    if numbers.dtype.kind == "f":
        part = numbers[:: -(-numbers.size // _LOOKED_AT)]
        different, left = _count_different(part, kind)
        if (different - left) * numbers.size < _FEW / 10 * part.size**2:  # two numbers meet by chance, all by as many
            return ""
        allowed = _FEW
    different, left = _count_different(numbers, kind)
    return f"{different:,} different numbers become {left:,}" if different - left > allowed * different else ""


def _count_different(numbers: np.ndarray, kind: np.dtype) -> tuple[int, int]:
    """How many numbers are different as they are, and in another type."""
    given = np.sort(numbers)
    with np.errstate(over="ignore"):
        rounded = given.astype(kind)
    different, left = (int((part[1:] != part[:-1]).sum()) + min(part.size, 1) for part in (given, rounded))
    return different, left


def _plain(column: pa.ChunkedArray) -> np.ndarray:
    known = column.drop_null()
    return known.to_numpy() if not pa.types.is_boolean(column.type) else pc.cast(known, pa.uint8()).to_numpy()
