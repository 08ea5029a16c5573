"""Tables, columns and lists as Python has them: feature rows where all is numbers, records otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.arguments import is_frame, said
from sigraph.files.columns import is_number, is_text
from sigraph.files.row_index import has_index

TEXT, ID = "text", "id"
_ERRORS = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError, ValueError, OverflowError)


class GivenTable(NamedTuple):
    """What a table holds.

    Args:
        records: Its columns, without ``id``; N rows.
        rows: The same as float32 or float64 [N, F], if all of them are numbers; None: records.
        ids: What each row is called: its column ``id``, or a pandas index that names rows; None: neither.
    """

    records: pa.Table
    rows: np.ndarray | None
    ids: Any


def read_table(samples: Any, owner: str, has_ids: bool = False) -> GivenTable | None:
    """A table of pandas, polars or another tool that speaks Arrow, columns by name, one column of text, or a list of
    texts or of dictionaries; None: it is none of them.

    Args:
        samples: Anything.
        owner: Who was given it, for messages.
        has_ids: Whether ids are given besides, so that those of the table are not asked for.

    Raises:
        ValueError: Columns or ids that cannot be told apart, that Arrow does not know, or numbers with gaps.
    """
    if is_frame(samples):
        return _of_frame(samples, owner, has_ids)
    if isinstance(samples, Mapping):
        return _of_columns({str(name): values for name, values in samples.items()}, samples, owner, has_ids)
    if isinstance(samples, list | tuple) and samples and all(isinstance(one, Mapping) for one in samples):
        names = dict.fromkeys(name for one in samples for name in one)  # not every row has every column
        return _of_columns({str(name): [one.get(name) for one in samples] for name in names}, samples, owner, has_ids)
    if _is_column(samples):
        return _of_text(samples, owner, has_ids)
    if hasattr(samples, "__arrow_c_stream__"):
        table = pa.table(samples)
        return _of_columns(dict(zip(table.column_names, table.columns, strict=True)), samples, owner, has_ids)
    return None


def _is_column(samples: Any) -> bool:
    """Whether it is one column of a table, or a list or an array of texts."""
    if isinstance(samples, np.ndarray):
        return samples.ndim == 1 and samples.dtype.kind in "OUT" and _is_column(samples.tolist())
    if isinstance(samples, list | tuple):
        return any(isinstance(one, str) for one in samples)
    return isinstance(samples, pa.Array | pa.ChunkedArray) or has_index(samples) or hasattr(samples, "to_arrow")


def _of_text(samples: Any, owner: str, has_ids: bool) -> GivenTable:
    """One column as records; it is called ``text`` if it has no name."""
    name = getattr(samples, "name", None)
    column = _column(samples.tolist() if isinstance(samples, np.ndarray) else samples, "'samples'", samples, owner)
    if not is_text(column.type):
        raise ValueError(
            f"'samples' needs text, or rows of several columns, in {owner!r} (got {said(samples)} of {column.type}); "
            "of one feature: shape [N, 1]"
        )
    ids = _index_of(samples, owner) if has_index(samples) and not has_ids else None
    return GivenTable(pa.table({str(name) if name else TEXT: column}), None, ids)


def _of_frame(frame: Any, owner: str, has_ids: bool) -> GivenTable:
    names = [str(name) for name in frame.columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"'samples' needs each column once in {owner!r} (got {', '.join(map(repr, twice[:5]))} again)")
    if not has_index(frame):
        columns = {name: frame[name] for name in names}
        return _of_columns(columns, frame, owner, has_ids)
    given = _of_columns({name: frame.iloc[:, i] for i, name in enumerate(names)}, frame, owner, has_ids)
    if has_ids or (index := _index_of(frame, owner)) is None:
        return given
    if given.ids is not None:
        raise ValueError(
            f"'samples' needs one name a row in {owner!r} (got an index and a column 'id'); to take the column: "
            ".reset_index(drop=True); to take others: ids=..."
        )
    return given._replace(ids=index)


def _of_columns(columns: dict[str, Any], given: Any, owner: str, has_ids: bool) -> GivenTable:
    found = {name: _column(values, f"column {name!r} of 'samples'", given, owner) for name, values in columns.items()}
    lengths = {name: len(column) for name, column in found.items()}
    if len({*lengths.values()}) > 1:
        shown = ", ".join(f"{name!r} {count}" for name, count in list(lengths.items())[:5])
        raise ValueError(f"'samples' needs columns of one length in {owner!r} (got {shown})")
    called = next((name for name in found if name.strip().lower() == ID), None)
    ids = None if called is None else found.pop(called)
    if not found:
        raise ValueError(f"'samples' needs a column besides ids in {owner!r} (got {said(given)} with none)")
    rows = _rows(found, owner) if all(map(is_number, (column.type for column in found.values()))) else None
    return GivenTable(pa.table(found), rows, None if has_ids else ids)


def _column(values: Any, what: str, given: Any, owner: str) -> pa.ChunkedArray:
    """One column as Arrow has it, categories by their values."""
    if hasattr(values, "to_arrow"):
        values = values.to_arrow()
    try:
        found = pa.array(values, from_pandas=True) if not isinstance(values, pa.ChunkedArray) else values
        column = found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_string_view(column.type):  # which Parquet does not know
            column = column.cast(pa.large_string())
    except _ERRORS as error:
        sparse = "; sparse columns: frame.sparse.to_coo()" if hasattr(values, "sparse") else ""
        raise ValueError(
            f"{what} needs numbers, text or lists of one kind in {owner!r} (got {said(given)}: "
            f"{str(error).partition(chr(10))[0]}){sparse}"
        ) from error
    return column


def _rows(columns: dict[str, pa.ChunkedArray], owner: str) -> np.ndarray:
    for name, column in columns.items():
        floats = pa.types.is_floating(column.type)
        absent = pc.fill_null(pc.is_null(column, nan_is_null=floats), True).to_numpy()
        if absent.any():
            raise ValueError(
                f"'samples' needs a number in every row in {owner!r} (column {name!r} lacks {int(absent.sum()):,}, "
                f"first in row {int(absent.argmax())}); fill the gaps, or let a reader do it: a pyarrow Table is kept "
                "as records, which sigraph.readers.TableFeatures reads"
            )
    single = all(column.type in (pa.float16(), pa.float32()) for column in columns.values())
    out = np.empty((len(next(iter(columns.values()))), len(columns)), np.float32 if single else np.float64)
    for i, column in enumerate(columns.values()):
        out[:, i] = column.to_numpy()
    return out


def _index_of(frame: Any, owner: str) -> Any:
    """What a pandas index calls each row; None: it counts them.

    Raises:
        ValueError: It numbers the rows otherwise than 0, 1, ..., or is no name.
    """
    index = frame.index
    found = np.asarray(index)
    ways = "its own: ids=frame.index; none: .reset_index(drop=True)"
    if getattr(index, "nlevels", 1) > 1 or found.dtype.kind not in "iuOUT":
        raise ValueError(
            f"'samples' needs an index of integers or text in {owner!r} (got {said(index)}); names of {ways}"
        )
    if found.dtype.kind in "iu":
        rows = np.arange(len(found))
        if np.array_equal(found, rows):
            return None
        if bool(((found >= 0) & (found < len(found))).any()):
            first = int((found != rows).argmax())
            raise ValueError(
                f"'samples' needs to say what its index means in {owner!r} (row {first} is {found[first]}, so that an "
                f"edge or a label of sample {found[first]} could mean either row); names of {ways}; row numbers: "
                ".sort_index()"
            )
    return index
