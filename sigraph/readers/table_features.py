"""TableFeatures: columns of numbers and categories, with gaps -> rows of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from sigraph.files.arguments import check_integers
from sigraph.files.columns import as_numbers, is_number, is_text, missing_as_null, odd_cells
from sigraph.files.counted import counted
from sigraph.readers.base import SHOWN, Reader, UnreadableRecordsError, column_of, stated
from sigraph.samples import Features

_MISSING = "\0missing"
_LARGEST = 1e30  # what is scaled and kept in single precision


class TableFeatures(Reader):
    """Numbers and categories as features; scikit-learn's StandardScaler and OneHotEncoder.

    Numbers are centred and scaled to unit variance, a gap is the mean and a feature that says so; each category is a
    feature, a gap is a category of its own.

    Args:
        columns: Which to read, in this order; null: all of numbers, true or false, and text.
        ignore: Which not to read, such as ids.
        max_categories: Values of a column of text at most, the commonest; rarer ones are one category, >= 1.

    A category that was not learned, or is rare, is a feature of its own.

    Guide:
        column(s): numbers, true/false, categories, with gaps
        gives: rows of features
    """

    def __init__(
        self, columns: Sequence[str] | None = None, ignore: Sequence[str] = ("id",), max_categories: int = 100
    ) -> None:
        check_integers("TableFeatures", 1, max_categories=max_categories)
        for name, value in (("columns", columns), ("ignore", ignore)):
            if value is None and name == "columns":
                continue
            if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
                raise ValueError(f"{name!r} needs a list of columns in 'TableFeatures' (got {value!r})")
        self.columns = None if columns is None else list(columns)
        self.ignore, self.max_categories = list(ignore), max_categories
        self._numbers: dict[str, tuple[float, float, bool]] = {}  # mean, scale, whether there were gaps
        self._categories: dict[str, list[str]] = {}
        self._order: list[str] = []

    def fit(self, records: pa.Table) -> None:
        from sklearn.preprocessing import StandardScaler

        self._order, self._numbers, self._categories = [], {}, {}
        if not isinstance(records, pa.Table):
            column_of(records, "", "TableFeatures")  # says so
        wanted = records.column_names if self.columns is None else self.columns
        for name in wanted:
            if name in self.ignore and self.columns is None:
                continue
            cells = self._column(records, name)
            if is_number(cells.type) or pa.types.is_boolean(cells.type):
                values = self._values(name, cells)
                gaps = np.isnan(values)
                if gaps.all():
                    raise ValueError(f"'TableFeatures' finds no number in column {name!r}; leave it out by 'ignore'")
                scaler = StandardScaler().fit(values[:, None])  # NaN are left out
                self._numbers[name] = float(scaler.mean_[0]), float(scaler.scale_[0]), bool(gaps.any())
            elif is_text(cells.type):
                count = pc.value_counts(self._texts(name, cells))
                both = zip(count.field("values").to_pylist(), count.field("counts").to_pylist(), strict=True)
                often = sorted((-number, value) for value, number in both)[: self.max_categories]
                self._categories[name] = sorted(value for _, value in often)
            elif self.columns is not None:
                raise ValueError(f"'TableFeatures' needs numbers or text in column {name!r} (got {cells.type})")
            else:
                continue
            self._order.append(name)
        if not self._order:
            raise ValueError(
                f"'TableFeatures' finds no column of numbers or text (there are: {', '.join(records.column_names)})"
            )

    def read(self, records: pa.Table) -> Features:
        if not self._order:
            raise ValueError("'TableFeatures' needs to be fitted first: fit(records)")
        blocks = []
        for name in self._order:
            cells = self._column(records, name)
            blocks += self._scaled(name, cells) if name in self._numbers else [self._one_hot(name, cells)]
        return Features(torch.from_numpy(np.concatenate(blocks, axis=1).astype(np.float32)))

    def note(self, records: pa.Table) -> str:
        said = []
        for name, known in self._categories.items():
            texts = self._texts(name, self._column(records, name))
            strange = pc.sum(pc.invert(pc.is_in(texts, value_set=pa.array(known, pa.large_string())))).as_py()
            if strange:
                said.append(f"{_cells(strange, name)} of other or rarer categories than the {len(known):,} learned")
        for name, (_, _, had_gaps) in self._numbers.items():
            gaps = int(np.isnan(self._values(name, self._column(records, name))).sum())
            if gaps and not had_gaps:
                said.append(f"{_cells(gaps, name)} missing, read as the mean")
        return "; ".join(said)

    def known(self, records: pa.Table) -> np.ndarray:
        """Share of the columns whose cell is there and, if it is a category, was learned."""
        known = np.zeros(len(records))
        for name in self._order:
            cells = self._column(records, name)
            if name in self._numbers:
                known += ~np.isnan(self._values(name, cells))
            else:
                learned = pa.array([one for one in self._categories[name] if one != _MISSING], pa.large_string())
                known += pc.is_in(self._texts(name, cells), value_set=learned).to_numpy()
        return known / len(self._order)

    def _scaled(self, name: str, cells: pa.ChunkedArray) -> list[np.ndarray]:
        mean, scale, had_gaps = self._numbers[name]
        values = self._values(name, cells)
        gaps = np.isnan(values)
        row = (np.where(gaps, mean, values) - mean) / scale
        return [row[:, None], *([gaps[:, None].astype(np.float64)] if had_gaps else [])]

    def _one_hot(self, name: str, cells: pa.ChunkedArray) -> np.ndarray:
        """A column a category, and one for all others. [N, C + 1]"""
        from sklearn.preprocessing import OneHotEncoder

        known = self._categories[name]
        place = pc.index_in(self._texts(name, cells), value_set=pa.array(known, pa.large_string()))
        code = pc.fill_null(place, len(known)).to_numpy(zero_copy_only=False)
        encoder = OneHotEncoder(categories=[np.arange(len(known) + 1)], sparse_output=False)
        return encoder.fit_transform(code[:, None])

    def _column(self, records: pa.Table, name: str) -> pa.ChunkedArray:
        return column_of(records, name, "TableFeatures")

    def _values(self, name: str, cells: pa.ChunkedArray) -> np.ndarray:
        if pa.types.is_boolean(cells.type):
            cells = cells.cast(pa.int8())
        cells = missing_as_null(cells)
        if cells.null_count == len(cells):  # a new table may hold no number at all
            return np.full(len(cells), np.nan)
        where = f"column {name!r} of 'TableFeatures' needs"
        if is_text(cells.type):
            _refuse(np.flatnonzero(odd_cells(cells)), cells, f"{where} numbers, as learned")
            cells = pc.cast(pc.replace_substring_regex(cells, r"^\s*\+?|\s+$", ""), pa.float64())
        if not is_number(cells.type):
            raise ValueError(f"{where} numbers, as learned (got {cells.type})")
        values = as_numbers(cells, np.float64)
        _refuse(np.flatnonzero(np.isinf(values)), cells, f"{where} finite numbers")
        _refuse(np.flatnonzero(np.abs(values) > _LARGEST), cells, f"{where} numbers within {_LARGEST:g}")
        return values

    def _texts(self, name: str, cells: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_integer(cells.type) or pa.types.is_null(cells.type):
            cells = cells.cast(pa.large_string())
        if pa.types.is_floating(cells.type):  # categories 1, 2 in a table where another cell says 2.0 or NaN
            values = [None if one is None or one != one else one for one in cells.unique().to_pylist()]
            called = [None if one is None else f"{one:.0f}" if one.is_integer() else str(one) for one in values]
            place = pc.index_in(cells, value_set=cells.unique())
            cells = pa.chunked_array([pa.array(called, pa.large_string()).take(place.combine_chunks())])
        if not is_text(cells.type):
            raise ValueError(f"column {name!r} of 'TableFeatures' needs text, as learned (got {cells.type})")
        return pc.fill_null(cells.cast(pa.large_string()), _MISSING)

    def state(self) -> dict[str, Any]:
        numbers = {name: list(values) for name, values in self._numbers.items()}
        return {"order": self._order, "numbers": numbers, "categories": self._categories}

    def restore(self, state: Mapping[str, Any]) -> None:
        owner = "TableFeatures"
        self._order = [str(name) for name in stated(state, "order", list, owner)]
        numbers, categories = (stated(state, name, dict, owner) for name in ("numbers", "categories"))
        try:
            self._numbers = {name: (float(m), float(s), bool(g)) for name, (m, s, g) in numbers.items()}
        except (TypeError, ValueError) as error:
            raise ValueError(f"the state of {owner!r} needs mean, scale and gaps of each number ({error})") from error
        self._categories = {name: [str(value) for value in values] for name, values in categories.items()}
        if set(self._order) != {*self._numbers, *self._categories}:
            raise ValueError(f"the state of {owner!r} needs to say of each column in 'order' what was learned")


def _refuse(rows: np.ndarray, cells: pa.ChunkedArray, needs: str) -> None:
    """Refuse records with cells that are no numbers one can reckon with, if there are any."""
    if rows.size:
        got = [str(cells[int(row)].as_py()) for row in rows[:SHOWN]]
        raise UnreadableRecordsError(f"{needs} (got {got[0]!r:.40} in row {rows[0] + 1})", rows, got)


def _cells(count: int, column: str) -> str:
    return counted(count, f"cell of {column!r} is", f"cells of {column!r} are")
