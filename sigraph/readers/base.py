"""The contract of a reader: raw records -> samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.files.columns import is_text
from sigraph.files.suggestions import did_you_mean
from sigraph.samples import Samples

SHOWN = 5


class Reader(ABC):
    """Makes samples of the records of a data set: features, token sequences, graphs.

    It learns what it needs (a vocabulary, means) from the samples that are pre-trained on, and goes home with the
    encoder that was trained on what it read: :meth:`state` is kept beside the weights. A new one is a subclass in a
    file of its own; constructor arguments come from the YAML, ``pretrain.reader: {_target_: ..., column: text}``.
    """

    @abstractmethod
    def fit(self, records: pa.Table) -> None:
        """Learn from records; the same ones always teach the same.

        Raises:
            ValueError: A column is missing, or of another kind, or there is nothing to learn from; it is named.
        """

    @abstractmethod
    def read(self, records: pa.Table) -> Samples:
        """Samples of records, these or others; row i becomes sample i.

        Raises:
            ValueError: As in :meth:`fit`.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What was learned, as JSON holds it."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave.

        Raises:
            ValueError: It is nothing of the kind.
        """

    def note(self, records: pa.Table) -> str:
        """What of some records is not known and read as unknown, counted in words; empty: everything is known."""
        return ""


def text_column(records: pa.Table, column: str, owner: str) -> pa.Array:
    """A column of text, nulls as empty text; at least one cell holds something.

    Raises:
        ValueError: There is no such column, it is of another kind, or all of it is empty.
    """
    names = records.column_names
    if column not in names:
        raise ValueError(
            f"'column' {column!r} of {owner!r} is not in the records{did_you_mean(column, names)}; there are: "
            f"{', '.join(map(repr, names))}"
        )
    cells = records.column(column).combine_chunks()
    cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    if not is_text(cells.type):
        raise ValueError(f"'column' {column!r} of {owner!r} needs text (got {cells.type}); name another column")
    text = pc.fill_null(cells.cast(pa.large_string()), "")
    if len(text) and not pc.any(pc.not_equal(pc.utf8_trim_whitespace(text), "")).as_py():
        raise ValueError(f"'column' {column!r} of {owner!r} is empty in all {len(text):,} rows; name another column")
    return text


def first_rows(where: np.ndarray) -> str:
    """The first of some rows, for a message."""
    rows = np.flatnonzero(where)
    return ", ".join(str(row + 1) for row in rows[:SHOWN]) + (", ..." if rows.size > SHOWN else "")


def stated(state: Mapping[str, Any], name: str, kind: type | tuple[type, ...], owner: str) -> Any:
    """A field of a state, of the kind it has to be."""
    found = state.get(name) if isinstance(state, Mapping) else None
    if not isinstance(found, kind):
        raise ValueError(f"the state of {owner!r} needs {name!r} (got {type(found).__name__})")
    return found
