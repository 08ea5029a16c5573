"""Which columns of the samples are labels, where nobody said."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.columns import is_number

NAMES = ("label", "labels", "class", "target", "topic", "category", "subject", "y", "active", "activity", "outcome")
CONTENT = ("text", "protein", "dna", "rna", "smiles", "tokens")  # beside which a short column is rather a label


def label_columns(records: pa.Table, uses: Mapping[str, str]) -> tuple[list[str], str]:
    """Columns that are labels, and why; none where no column plainly is.

    A column that is called like one; else, beside texts, sequences or molecules, all columns of 0 and 1, or the single
    column of categories.

    Args:
        records: The samples.
        uses: What each column is.
    """
    usable = [name for name in records.column_names if uses.get(name) in ("number", "category", "terms")]
    called = [name for name in usable if name.lower().strip() in NAMES]
    if called:
        return called[:1], f"column {called[0]!r} is called like a label"
    if not set(CONTENT) & set(uses.values()):
        return [], ""
    binary = [name for name in usable if _is_binary(records[name])]
    if binary:
        return binary, f"0 and 1 beside the samples: {', '.join(binary[:3])}{', ...' * (len(binary) > 3)}"
    categories = [name for name in usable if uses[name] == "category"]
    if len(categories) == 1:
        return categories, f"column {categories[0]!r} has few different values and is no text"
    return [], ""


def is_two_classes(cells: pa.ChunkedArray) -> bool:
    """Whether there are two different values."""
    return len(pc.unique(cells.drop_null())) == 2


def _is_binary(cells: pa.ChunkedArray) -> bool:
    if not is_number(cells.type):
        return False
    values = pc.unique(cells.drop_null()).to_pylist()
    return sorted(values) == [0, 1]
