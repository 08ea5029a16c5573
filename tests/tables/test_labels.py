"""Labels as they stand in a table: kept as they are, and said where they may mean something else."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from sigraph.tables import from_tables
from sigraph.tables.ids import IdColumn, IdIndex
from sigraph.tables.labels import LabelTable, encode_labels, read_labels
from sigraph.tables.sample_table import SampleTable


def rows(**columns):
    values = {name: pa.chunked_array([pa.array(column)]) for name, column in columns.items()}
    return LabelTable("file.csv", np.arange(len(next(iter(columns.values())))), values)


def samples(count):
    ids = IdColumn("s.csv", pa.array(map(str, range(count)), pa.large_string()), is_integer=True, is_typed=True)
    return SampleTable("s.csv", IdIndex(ids), torch.empty(count, 0))


@pytest.mark.parametrize("word", ["NA", "n/a", "nan", "NaN", "null", "NULL", "None", "?", "-", " na ", "  "])
def test_a_word_for_missing_is_a_class_and_said(word):
    table = rows(y=["a", word, "b", word, None, word])
    labels, classes = encode_labels("t", table, "")
    assert set(classes) == {"a", "b", word} and labels.tolist() == [
        -1 if cell is None else classes.index(cell) for cell in ["a", word, "b", word, None, word]
    ]
    said = f"3 labels are the text {word!r}, kept as a class; leave the cell blank if it means missing"
    assert table.notes == [said]


def test_each_word_is_counted_and_ordinary_classes_are_not_remarked_on():
    table = rows(y=["NA", "?", "NA", "a"])
    encode_labels("t", table, "")
    assert [note.split(",")[0] for note in table.notes] == ["2 labels are the text 'NA'", "1 label is the text '?'"]
    for cells in (["a", "nano", "no", "null hypothesis", "a-b"], [1, 2, 0]):
        table = rows(y=cells)
        encode_labels("t", table, "")
        assert table.notes == []


def test_numbers_beside_a_word_for_missing_are_pointed_out():
    table = rows(y=["0.5", "NA", "1.25", "2"])
    assert encode_labels("t", table, "")[1] == ["0.5", "1.25", "2", "NA"]
    assert "kept as a class (all others are numbers); leave the cell blank" in table.notes[0]


def test_regression_names_the_cell_that_is_no_number():
    said = r"file.csv: column 'y' needs numbers for regression \(got text, such as 'NA' at row 4\); .* blank"
    with pytest.raises(ValueError, match=said):
        encode_labels("t", rows(y=["0.5", "", "nan", "NA", "x"]), "regression")
    with pytest.raises(ValueError, match=r"\(got text\)"):  # numbers that are stored as text
        encode_labels("t", rows(y=["0.5", "1"]), "regression")
    labels, classes = encode_labels("t", rows(y=[0.5, None, float("nan")]), "")
    assert labels[0] == 0.5 and labels[1:].isnan().all() and classes is None


def test_a_column_of_yes_and_no_names_the_cell_that_is_neither():
    with pytest.raises(
        ValueError, match=r"file.csv needs label columns of 0 and 1, .*text in column 'b', such as 'NA'"
    ):
        encode_labels("t", rows(a=[0, 1], b=["1", "NA"]), "")
    with pytest.raises(ValueError, match=r"0, 1 or missing .*got 2 in column 'b' of row 2\); classes .* one column"):
        encode_labels("t", rows(a=[0, 1], b=[1, 2]), "")


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([0, 1, -1, 2], "-1 stands for 1 label and is taken for missing; a table of ids has -1 as a class"),
        ([1, 1, -1, 1], "the labels are 1 and -1 alone"),
    ],
)
def test_what_minus_one_is_in_an_array_is_said_once(tmp_path, values, note):
    np.save(tmp_path / "y.npy", np.array(values))
    table = read_labels(tmp_path / "y.npy", samples(4), "t")
    encode_labels("t", table, "", least=0)
    assert len(table.notes) == 1 and note in table.notes[0]


def test_arrays_of_text_are_classes_by_name(tmp_path):
    for array in (np.array(["b", "a", "", "b"]), np.array([b"b", b"a", b"", b"b"])):
        np.save(tmp_path / "y.npy", array)
        index, classes = encode_labels("t", read_labels(tmp_path / "y.npy", samples(4), "t"), "")
        assert (index.tolist(), classes) == ([1, 0, -1, 1], ["a", "b"])
    np.save(tmp_path / "y.npy", np.array([["a"], ["b"], ["a"], ["b"]]))
    with pytest.raises(ValueError, match=r"needs labels in one dimension, .*shape \[4, 1\]"):
        read_labels(tmp_path / "y.npy", samples(4), "t")


def test_text_among_label_columns_names_the_row():
    with pytest.raises(ValueError, match=r"text in column 'b', such as 'NA' at row 2\); a missing label is a blank"):
        encode_labels("t", rows(a=[0, 1, 1], b=["0", "NA", "1"]), "")


@pytest.mark.parametrize("kind", ["", "classification", "regression"])
def test_integers_beyond_int64_are_named_with_file_and_column(tmp_path, kind):
    pq.write_table(pa.table({"id": [0, 1], "y": pa.array([2**63, 1], pa.uint64())}), tmp_path / "y.parquet")
    samples, edges = pa.table({"id": [0, 1], "x": [0.5, 1.0]}), pa.table({"source": [0], "target": [1]})
    with pytest.raises(ValueError, match=r"y.parquet: column 'y' needs integers below 2\^63 \(got 9223372036854775808"):
        from_tables(samples, edges, tmp_path / "y.parquet", task_types=kind)
