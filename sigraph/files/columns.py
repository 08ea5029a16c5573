"""What the cells of a column are: integers, numbers, true/false or text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NUMBER = r"(?i)^\s*([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|nan|[+-]?inf(inity)?)\s*$"


_COMMA = r"^\s*[+-]?\d*,\d+\s*$"
_THOUSANDS = r"^\s*[+-]?[1-9]\d{0,2}(,\d{3})+\s*$"
_MARKED = r"(?i)^\s*[+-]?(\d{1,3}([.,]\d{3})+|\d*)([.,]\d+)?(e[+-]?\d+)?\s*$"  # 5 and 1.234,5, not 1,2,3


def typed_column(text: pa.ChunkedArray, decimal_comma: bool = False) -> pa.ChunkedArray:
    """The cells of a text file as what they all are; empty ones are missing (in text: stay empty).

    Integers (int64) if every cell is one, else numbers (double), else true/false (bool), else text. ``007`` is text:
    as a number it would lose its zeros.

    Args:
        text: The cells as written.
        decimal_comma: Whether ``0,5`` is a number; ``1.234,5`` and a column of ``1,234`` alone stay text.
    """
    present = pc.if_else(pc.equal(text, ""), pa.scalar(None, text.type), text)
    if present.null_count == len(present):
        return text
    if decimal_comma:
        present = _with_points(present)
    for cells in (present, pc.utf8_trim_whitespace(present)):
        try:
            numbers = pc.cast(cells, pa.float64())
        except pa.ArrowInvalid:
            continue
        if pc.any(pc.match_substring_regex(cells, r"^[+-]?0[0-9]")).as_py():
            return text
        try:
            return pc.cast(cells, pa.int64())
        except pa.ArrowInvalid:
            return numbers
    first = present.drop_null()[0].as_py().strip().lower()
    if first in ("true", "false"):
        lower = pc.utf8_lower(pc.utf8_trim_whitespace(present))
        if pc.all(pc.is_in(lower.drop_null(), pa.array(["true", "false"], text.type))).as_py():
            return pc.equal(lower, "true")
    return text


def _with_points(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decimal commas as points, in a column that has commas for nothing else."""
    comma = pc.filter(cells, pc.fill_null(pc.match_substring(cells, ","), False))
    if (
        not len(comma)
        or not pc.all(pc.match_substring_regex(comma, _COMMA)).as_py()
        or pc.all(pc.match_substring_regex(comma, _THOUSANDS)).as_py()
        or pc.any(pc.match_substring(cells, ".")).as_py()
    ):
        return cells
    return pc.replace_substring(cells, ",", ".")


def decimal_marks(text: pa.ChunkedArray) -> dict[str, int]:
    """``,`` and ``.`` where a column of numbers has them, each with the row of the first; of other columns nothing."""
    if not pc.all(pc.match_substring_regex(text, _MARKED)).as_py():
        return {}
    rows = {mark: pc.index(pc.match_substring(text, mark), pa.scalar(True)).as_py() for mark in ",."}
    return {mark: row for mark, row in rows.items() if row >= 0}


def is_number_text(text: str) -> bool:
    """Whether a text is that of a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type holds integers, numbers or true/false."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def type_name(kind: pa.DataType) -> str:
    """A column's type in a user's words."""
    if is_text(kind):
        return "text"
    if pa.types.is_boolean(kind):
        return "true/false"
    if pa.types.is_integer(kind):
        return "integers"
    return "numbers" if pa.types.is_floating(kind) else str(kind)


def as_numbers(column: pa.ChunkedArray, dtype: type = np.float64) -> np.ndarray:
    """A column of numbers as an array, missing ones as NaN."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    return column.to_numpy().astype(dtype, copy=False)


def list_width(column: pa.ChunkedArray) -> int | None:
    """The common length of a column of lists of numbers (an embedding a row); None if it is no such column."""
    kind = column.type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not lists or not is_number(kind.value_type) or column.null_count or not len(column):
        return None
    shortest, longest = pc.min_max(pc.list_value_length(column)).as_py().values()
    return longest if shortest == longest and longest else None


def first_odd(column: pa.ChunkedArray) -> int:
    """Row of the first cell of a column of text that is neither a number nor missing; -1 if there is none."""
    return pc.index(_odd(column).combine_chunks(), pa.scalar(True)).as_py()


def odd_cells(column: pa.ChunkedArray) -> np.ndarray:
    """Which cells of a column of text are neither a number nor missing. Shape [N] bool."""
    return _odd(column).to_numpy()


def is_mostly_numbers(column: pa.ChunkedArray) -> bool:
    """Whether most cells of a column of text that are not missing are numbers."""
    present = len(column) - missing_as_null(column).null_count
    return 2 * (pc.sum(_odd(column)).as_py() or 0) < present


def _odd(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.fill_null(pc.invert(pc.match_substring_regex(missing_as_null(column), _NUMBER)), False)


def missing_as_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Empty text and NaN as what they mean: missing."""
    if is_text(column.type):
        return pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column
