"""Labels as they come - tensors, arrays, lists, columns of tables - as one tensor of numbers or one column of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.files.columns import first_odd, is_text, missing_as_null, type_name
from sigraph.files.row_index import check_index

ACCEPTED = "numbers or text, a label a sample, as a tensor, an array, a list or a column of a table"
_WIDE = {torch.uint8, torch.uint16, torch.uint32, torch.bool}  # -1, for a missing class, does not fit in


@dataclass
class LabelCells:
    """What stands in the cells, not judged yet.

    Args:
        numbers: Integers or floats; None: they are text. Any shape.
        text: Text, missing cells null; None: they are numbers. Shape [N].
        absent: Cells of ``numbers`` that the container marks as missing (a mask, NA, None). Shape of ``numbers``.
        columns: Names of the columns, where the container has them.
    """

    numbers: Tensor | None = None
    text: pa.ChunkedArray | None = None
    absent: Tensor | None = None
    columns: list[str] | None = None


def read_cells(value: Any, what: str, at: Callable[[int], str] = "sample {}".format) -> LabelCells:
    """The cells of anything that holds labels; nothing is rounded, and what is marked as missing stays missing.

    Args:
        value: A tensor (dense or sparse), a numpy array (also masked, or of objects), a list, a pandas Series or
            DataFrame, a pyarrow array or table, a scipy matrix.
        what: Whose labels, for messages.
        at: Says where entry i stands, for messages.

    Raises:
        ValueError: It holds something else, or several kinds of things; an index of pandas orders it otherwise.
    """
    check_index(value, what)
    if isinstance(value, Tensor):
        return _of_tensor(value, what)
    if isinstance(value, np.ndarray):
        return _of_array(value, what)
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        return _of_array(np.asarray(value.toarray()), what)
    arrow = _as_arrow(value, what)
    if isinstance(arrow, pa.Table):
        return _of_table(arrow, what, at)
    if arrow is not None:
        return _of_column(arrow, what)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _of_list(value, what)
    raise ValueError(f"{what} needs {ACCEPTED} (got {type(value).__name__})")


def _of_tensor(value: Tensor, what: str) -> LabelCells:
    value = value.detach().cpu()
    value = value if value.layout == torch.strided else value.to_dense()
    if value.is_complex() or value.is_quantized:
        raise ValueError(f"{what} needs {ACCEPTED} (got a tensor of {value.dtype})")
    if value.dtype == torch.uint64:
        return _of_array(value.numpy(), what)
    if value.dtype in _WIDE:
        value = value.long()
    return LabelCells(value.float() if value.dtype in (torch.float16, torch.bfloat16) else value)


def _of_array(value: np.ndarray, what: str) -> LabelCells:
    if isinstance(value, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(value)
        plain = value.filled(None) if value.dtype.kind == "O" else value.data
        if value.dtype.kind in "US":
            plain = value.data.astype(object)
            plain[mask] = None
        found = _of_array(np.asarray(plain), what)
        if found.numbers is None:
            return found
        marked = torch.from_numpy(mask.copy())
        found.absent = marked if found.absent is None else found.absent | marked
        return found
    kind = value.dtype.kind
    if kind == "O":
        return _of_objects(value, what)
    if kind in "US":
        return _of_text(value, what)
    if kind not in "biuf":
        said = {"c": "complex numbers", "M": "dates", "m": "time spans"}.get(kind, str(value.dtype))
        raise ValueError(f"{what} needs {ACCEPTED} (got an array of {said}); convert them first")
    if kind == "u" and value.size and int(value.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"{what} needs integers below 2^63 (got {int(value.max())}); subtract an offset, or give text")
    if kind in "bu":
        value = value.astype(np.int64)
    elif kind == "f" and value.dtype.itemsize not in (4, 8):
        value = value.astype(np.float32 if value.dtype.itemsize < 4 else np.float64)
    value = value.astype(value.dtype.newbyteorder("="), copy=False)
    fits = value.flags.writeable and min(value.strides, default=0) >= 0
    return LabelCells(torch.from_numpy(value if fits else value.copy()))


def _of_list(value: Sequence[Any], what: str) -> LabelCells:
    if len(value) and all(isinstance(one, Tensor) for one in value):
        if len({one.shape for one in value}) > 1:
            raise ValueError(f"{what} needs rows of one length (got tensors of several shapes)")
        return _of_tensor(torch.stack(list(value)), what)
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise ValueError(f"{what} needs {ACCEPTED} (got {type(value).__name__}: {error})") from error
    if array.dtype.kind in "biuf":
        return _of_array(array, what)
    return _of_objects(np.array(value, dtype=object), what)  # as it was: numpy makes text of 1 beside "a"


def _of_objects(value: np.ndarray, what: str) -> LabelCells:
    """Python objects: numbers or text, None, NaN and NA where missing."""
    flat = _arrow_of(value.reshape(-1).tolist(), what)
    if value.ndim <= 1:
        return _of_column(flat, what)
    found = _of_column(flat, what)
    if found.numbers is None:
        raise ValueError(f"{what} needs label columns of 0 and 1, or one column of classes (got rows of text)")
    found.numbers = found.numbers.view(value.shape)
    found.absent = None if found.absent is None else found.absent.view(value.shape)
    return found


def _of_text(value: np.ndarray, what: str) -> LabelCells:
    if value.ndim != 1:
        raise ValueError(f"{what} needs text in one dimension, a class a sample (got shape {list(value.shape)})")
    if value.dtype.kind == "S":
        value = np.char.decode(value, "utf-8")
    return _of_column(pa.chunked_array([pa.array(value, pa.large_string())]), what)


def _as_arrow(value: Any, what: str) -> pa.ChunkedArray | pa.Table | None:
    """A pyarrow, pandas or polars object as one of pyarrow; None: it is another."""
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value])
    if isinstance(value, pa.Table | pa.ChunkedArray):
        return value
    if isinstance(value, pa.Array):
        return pa.chunked_array([value])
    if type(value).__module__.split(".")[0] == "pandas":
        if hasattr(value, "columns"):
            return pa.table({str(name): _arrow_of(value[name], what) for name in value.columns})
        return _arrow_of(value, what)
    if hasattr(value, "to_arrow"):
        return _as_arrow(value.to_arrow(), what)
    return None


def _arrow_of(value: Any, what: str) -> pa.ChunkedArray:
    try:
        found = pa.array(value, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, ValueError) as error:
        kinds = " and ".join(sorted({type(one).__name__ for one in value if one is not None})[:5])
        raise ValueError(f"{what} needs {ACCEPTED}, of one kind (got {kinds})") from error
    return found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])


def _of_table(table: pa.Table, what: str, at: Callable[[int], str]) -> LabelCells:
    """Columns side by side; of several, none may be text."""
    names = table.column_names
    parts = [_of_column(table.column(i), f"column {name!r} of {what}") for i, name in enumerate(names)]
    if len(parts) == 1:
        return parts[0]
    text = [name for name, part in zip(names, parts, strict=True) if part.numbers is None]
    if text or not parts:
        got, way = "no column", ""
        if text:
            column = parts[names.index(text[0])].text
            row = first_odd(column) if column is not None else -1
            got = f"text in column {text[0]!r}"
            got += f", such as {column[row].as_py()!r:.40} at {at(row)}" if row >= 0 and column is not None else ""
            way = "; a missing label is a blank cell, None or NaN; of several tasks give a column each"
        raise ValueError(f"{what} needs label columns of 0 and 1, or one column of classes or numbers (got {got}){way}")
    numbers = [part.numbers for part in parts if part.numbers is not None]
    absent = [torch.zeros(len(table), dtype=torch.bool) if part.absent is None else part.absent for part in parts]
    wide = torch.float64 if any(column.is_floating_point() for column in numbers) else torch.int64
    stacked = torch.stack([column.to(wide) for column in numbers], dim=1)
    return LabelCells(stacked, absent=torch.stack(absent, dim=1), columns=names)


def _of_column(column: pa.ChunkedArray, what: str) -> LabelCells:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        column = column.cast(pa.large_string())
        kind = column.type
    if is_text(kind):
        return LabelCells(text=missing_as_null(column.cast(pa.large_string())))
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif pa.types.is_boolean(kind) or pa.types.is_null(kind):
        column = column.cast(pa.int64())
    elif not pa.types.is_integer(kind) and not pa.types.is_floating(kind):
        raise ValueError(f"{what} needs {ACCEPTED} (got {type_name(kind)}); convert them first")
    if pa.types.is_floating(column.type):  # missing is NaN there
        return _of_array(column.to_numpy(), what)
    absent = torch.from_numpy(column.is_null().to_numpy().copy()) if column.null_count else None
    found = _of_array(pc.fill_null(column, 0).to_numpy(), what)
    found.absent = absent
    return found
