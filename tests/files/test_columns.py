"""What the cells of a column are."""

import numpy as np
import pyarrow as pa
import pytest

from sigraph.files.columns import as_numbers, first_odd, list_width, missing_as_null, type_name, typed_column


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-2", ""], "integers", [1, -2, None]),
        (["1", "2.5", " 3 "], "numbers", [1.0, 2.5, 3.0]),
        (["1e3", "", "inf"], "numbers", [1000.0, None, float("inf")]),
        (["9" * 25], "numbers", [1e25]),
        (["0", "0.5", "-0.5"], "numbers", [0.0, 0.5, -0.5]),
        (["001", "2"], "text", ["001", "2"]),
        (["True", "false", ""], "true/false", [True, False, None]),
        (["true", "maybe"], "text", ["true", "maybe"]),
        (["1", "n/a"], "text", ["1", "n/a"]),
        (["0x1F"], "text", ["0x1F"]),
        (["", ""], "text", ["", ""]),
        ([], "text", []),
    ],
)
def test_a_column_is_what_all_its_cells_are(cells, kind, values):
    column = typed_column(pa.chunked_array([pa.array(cells, pa.string())]))
    assert type_name(column.type) == kind and column.to_pylist() == values


def test_missing_cells_are_nan_as_numbers_and_null_otherwise():
    assert np.isnan(as_numbers(pa.chunked_array([[1, None]]))).tolist() == [False, True]
    assert as_numbers(pa.chunked_array([[True, False]])).tolist() == [1, 0]
    assert missing_as_null(pa.chunked_array([["", "a"]])).to_pylist() == [None, "a"]
    assert missing_as_null(pa.chunked_array([[float("nan"), 1.0]])).to_pylist() == [None, 1.0]


@pytest.mark.parametrize(
    ("cells", "row"),
    [
        (["1", "-2.5e3", "", None, " .5 ", "nan", "-inf", "7."], -1),
        (["1", "NA", "x"], 1),
        ([None, "", "1,5"], 2),
        (["", "-"], 1),
        ([], -1),
    ],
)
def test_the_first_cell_that_is_no_number(cells, row):
    assert first_odd(pa.chunked_array([pa.array(cells[:1], pa.string()), pa.array(cells[1:], pa.string())])) == row


def test_lists_of_one_length_have_a_width():
    assert list_width(pa.chunked_array([[[1.0, 2.0], [3.0, 4.0]]])) == 2
    assert list_width(pa.chunked_array([[[1.0, 2.0], [3.0]]])) is None
    assert list_width(pa.chunked_array([[["a"], ["b"]]])) is None
    assert list_width(pa.chunked_array([[1.0]])) is None
