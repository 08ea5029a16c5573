"""Numbers with gaps: cells that are blank, or hold a word for a missing value such as NA."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.columns import is_number, is_text, missing_as_null, typed_column
from sigraph.files.counted import counted
from sigraph.tasks.class_names import MISSING_WORDS


def words_as_gaps(
    values: Mapping[str, pa.ChunkedArray], decimal_comma: bool = False
) -> tuple[dict[str, pa.ChunkedArray], list[str]]:
    """Columns of text that hold numbers but for words such as NA, as numbers with gaps; others as they are. And notes.

    Args:
        values: Cells by column.
        decimal_comma: Whether ``0,5`` is a number.
    """
    out, notes = {}, []
    for name, cells in values.items():
        out[name] = cells
        if not is_text(cells.type):
            continue
        cells = cells.cast(pa.large_string())
        is_word = pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(cells)), pa.array(MISSING_WORDS, pa.large_string()))
        numbers = typed_column(pc.fill_null(pc.if_else(is_word, "", cells), ""), decimal_comma)
        if not is_number(numbers.type) or pa.types.is_boolean(numbers.type):
            continue
        out[name] = numbers
        words = pc.unique(cells.filter(pc.and_(is_word, pc.not_equal(cells, "")))).to_pylist()
        if words:
            count = pc.sum(pc.is_in(cells, pa.array(words, pa.large_string()))).as_py()
            cell = counted(count, "cell is", "cells are")
            notes.append(f"{cell} {', '.join(map(repr, words[:3]))} in {name!r}, taken for missing numbers")
    return out, notes


def columns_with_gaps(values: Mapping[str, pa.ChunkedArray]) -> dict[str, int]:
    """How many cells are missing, of the columns of numbers that lack any."""
    count = {name: missing_as_null(cells).null_count for name, cells in values.items() if is_number(cells.type)}
    return {name: missing for name, missing in count.items() if missing}


def say_gaps(gaps: Mapping[str, int]) -> str:
    """That numbers are records for their gaps."""
    name, missing = next(iter(gaps.items()))
    others = len(gaps) - 1
    more = f", and so {'does' if others == 1 else 'do'} {counted(others, 'more column')}" if others else ""
    return (
        f"records, since {name!r} lacks {missing:,} of its numbers{more}: TableFeatures reads a gap as the mean and "
        "says that it is one; filled, or without (--ignore), all columns are features"
    )
