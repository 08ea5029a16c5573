"""Columns that are plainly labels; none where none is."""

import pyarrow as pa
import pytest

from sigraph.proposal.labels import label_columns

N = 12
COLUMNS = {
    "text": ["some words"] * N,
    "topic": ["a", "b"] * (N // 2),
    "venue": ["x", "y", "z"] * (N // 3),
    "active": [0, 1] * (N // 2),
    "toxic": [1, None, 0] * (N // 3),
    "year": list(range(N)),
}
USES = dict.fromkeys(COLUMNS, "number") | {"text": "text", "topic": "category", "venue": "category"}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["text", "topic", "venue", "year"], ["topic"]),
        (["text", "venue", "year"], ["venue"]),
        (["text", "toxic", "year", "venue"], ["toxic"]),
        (["text", "year"], []),
        (["venue", "year"], []),  # a table: any column may be what is asked
        (["venue", "year", "active"], ["active"]),
    ],
)
def test_what_is_plainly_a_label(columns, expected):
    found, why = label_columns(pa.table({name: COLUMNS[name] for name in columns}), {n: USES[n] for n in columns})
    assert found == expected and bool(why) == bool(expected)
