"""Ids: found as they are written, never changed to fit."""

import numpy as np
import pyarrow as pa
import pytest

from sigraph.tables.ids import IdIndex, read_ids
from sigraph.tables.table_file import TableFile


def ids(values, is_typed=False, name="samples.csv"):
    return read_ids(TableFile(name, pa.table({"id": values}), is_typed), "id")


def test_positions_of_integers_and_of_text():
    index = IdIndex(ids(["30", "-1", "0"]))
    assert index.column.kind == "integers" and index.column.ids.to_pylist() == [30, -1, 0]
    assert index.find(ids(["0", "30", "7"])).tolist() == [2, 0, -1]
    assert index.find(ids([0, 30, 7], True)).tolist() == [2, 0, -1]
    index = IdIndex(ids(["a", '"', "a,b\n", "👩‍🔬"]))
    assert index.column.kind == "text" and index.find(ids(["👩‍🔬", "a,b\n", "A"])).tolist() == [3, 2, -1]


def test_many_integers_are_found_where_they_stand():
    generator = np.random.default_rng(0)
    own = generator.permutation(2_000) * 7 - 3_000
    asked = generator.integers(-4_000, 12_000, 5_000)
    position = {int(value): i for i, value in enumerate(own)}
    index = IdIndex(ids(pa.array(own), True))
    assert index.find(ids(pa.array(asked), True)).tolist() == [position.get(int(value), -1) for value in asked]
    assert index.find(ids(pa.array([2**63 + 1, int(own[5])], pa.uint64()), True)).tolist() == [-1, 5]
    large = IdIndex(ids(pa.array([2**63 + 1, 4], pa.uint64()), True))
    assert large.find(ids(pa.array([4, 5]), True)).tolist() == [1, -1]


@pytest.mark.parametrize("written", ["007", "+7", "7.0", " 7", "7" * 19, "-0", ""])
def test_only_integers_as_one_writes_them_are_integers(written):
    if written:
        assert ids([written, "8"]).kind == ids(["8", written]).kind == "text"


def test_text_that_happens_to_look_like_integers_matches_as_text():
    index = IdIndex(ids(["a1", "7", "b"]))
    assert index.find(ids(["7", "7"])).tolist() == [1, 1]
    assert index.find(ids(["7", "9"])).tolist() == [1, -1]


@pytest.mark.parametrize(
    ("samples", "edges"),
    [
        (ids(["001", "002", "100"]), ids(["1", "2", "100"], name="edges.csv")),
        (ids(["1", "2"]), ids(["001", "2"], name="edges.csv")),
        (ids(["a", "b"]), ids(["1", "2"], name="edges.csv")),
        (ids([1, 2], True), ids(["1", "2"], True, name="edges.csv")),
        (ids(["1", "x"], True), ids([1, 1], True, name="edges.csv")),
    ],
)
def test_mixed_types_name_both_columns_and_examples(samples, edges):
    with pytest.raises(ValueError, match=r"mixed id types: samples.csv, column 'id' holds .*such as .*edges.csv"):
        IdIndex(samples).find(edges)


def test_repeated_ids_are_counted_and_ten_listed():
    values = [str(i % 15) for i in range(30)] + ["15"]
    message = r"15 ids occur more than once \(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, \.\.\.\)"
    with pytest.raises(ValueError, match=message):
        IdIndex(ids(values))


def test_unknown_ids_are_counted_and_ten_listed():
    index, column = IdIndex(ids(["0"])), ids([str(i // 2) for i in range(26)])
    position = index.find(column)
    said = index.say_unknown(column, position, position < 0, "edge")
    assert said == "12 unknown ids in 24 edges (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...)"


def test_missing_ids_are_named_by_row():
    with pytest.raises(ValueError, match=r"samples.csv, column 'id' lacks ids in 2 rows \(row 2, 3\)"):
        ids(["a", "", ""])
    with pytest.raises(ValueError, match=r"lacks ids in 1 row \(row 2\)"):
        ids([1, None], True)


@pytest.mark.parametrize("values", [[1.0, 2.0], [True], [None]])
def test_other_types_are_no_ids(values):
    with pytest.raises(ValueError, match="needs ids that are integers or text"):
        ids(values, True)


def test_no_rows_are_no_error():
    assert IdIndex(ids(["1"])).find(ids(pa.array([], pa.string()))).dtype == np.int64
