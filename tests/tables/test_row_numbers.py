"""What pandas writes to number rows is neither id nor feature nor end of an edge."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sigraph.tables import TableReport, build_store, from_tables
from sigraph.tables.row_numbers import row_number_columns
from sigraph.tables.table_file import read_table


@pytest.mark.parametrize(
    ("header", "cells", "found"),
    [
        ("", [0, 1, 2], True),
        ("", [7, 3, 4], True),  # of a table that was filtered or shuffled
        ("", [0, 0, 1], False),
        ("", ["a", "b", "c"], False),
        ("", [0.5, 1.5, 2.5], False),
        ("Unnamed: 0", [5, 6, 7], True),
        ("index", [2, 0, 1], True),
        ("index", [1, 2, 3], False),
        ("nr", [0, 1, 2], False),
    ],
)
def test_which_columns_number_rows(tmp_path, header, cells, found):
    path = tmp_path / "t.csv"
    path.write_text(f"{header},id,x\n" + "".join(f"{cell},p{i},{i}\n" for i, cell in enumerate(cells)))
    assert row_number_columns(read_table(path)) == ([header or "column1"] if found else [])


def test_they_are_left_out_and_said_in_samples_and_labels_and_edges(tmp_path):
    ids = [f"p{i}" for i in range(20)]
    (tmp_path / "s.csv").write_text(",id,x\n" + "".join(f"{i},{id},{i * i % 7}\n" for i, id in enumerate(ids)))
    (tmp_path / "t.csv").write_text(",id,y\n" + "".join(f"{i},{id},{'ab'[i % 2]}\n" for i, id in enumerate(ids)))
    (tmp_path / "e.csv").write_text(",a,b\n" + "".join(f"{i},{ids[i]},{ids[i + 1]}\n" for i in range(19)))
    report = TableReport()
    dataset = from_tables(tmp_path / "s.csv", tmp_path / "e.csv", tmp_path / "t.csv", report=report)
    assert dataset.feature_names == ["x"] and dataset.task().type == "classification"
    assert dataset.graph().num_edges == 38 and "columns not used: 'column1'" in str(report)
    assert str(report).count("left out: 'column1', which numbers the rows (rename it to keep it)") == 2
    index = pa.table({"id": ids, "x": [0.5] * 20, "__index_level_0__": list(range(20))})
    pq.write_table(index, tmp_path / "s.parquet")
    assert from_tables(tmp_path / "s.parquet", {}).feature_names == ["x"]


def test_numbers_of_rows_are_no_ends_of_edges(tmp_path):
    """Taken for ends they would give another graph, and nothing would tell."""
    (tmp_path / "e.csv").write_text(",a,b\n0,3,4\n1,4,5\n2,5,6\n")
    read = build_store(tmp_path / "e.csv", tmp_path / "g", memory_limit="8GB")
    assert read.num_samples == 7 and read.notes == ["columns not used: 'column1'"]
    (tmp_path / "e.csv").write_text("weight,a,b\n1,3,4\n1,4,5\n")
    assert build_store(tmp_path / "e.csv", tmp_path / "h", memory_limit="8GB").columns.startswith("ids in 'a' and 'b'")
    (tmp_path / "e.csv").write_text(",b\n3,4\n4,5\n")  # nothing else is there
    assert build_store(tmp_path / "e.csv", tmp_path / "i", memory_limit="8GB").num_edges == 2


def test_a_nameless_column_is_the_id_where_there_is_no_other(tmp_path):
    (tmp_path / "s.csv").write_text(",x\np0,1\np1,2\n")
    dataset = from_tables(tmp_path / "s.csv", {})
    assert dataset.ids.to_pylist() == ["p0", "p1"] and dataset.feature_names == ["x"]
