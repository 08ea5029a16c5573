"""Tables from files: nothing is changed on the way, and what is broken is named with file and line."""

import csv
import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sigraph.tables import build_store, from_tables
from sigraph.tables.table_file import is_array_file, read_array, read_table

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def rows_of(table):
    return [list(row.values()) for row in table.to_pylist()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6), st.sampled_from([".csv", ".tsv", ".csv.gz"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example([('"', ","), ("\n", "\r\n"), ("👩‍🔬", "\t"), ("", "'"), (" a ", "001")], ".csv")
def test_cells_survive_whatever_they_hold(folder, rows, ending):
    path = folder / f"t{ending}"
    opener = gzip.open if ending.endswith("gz") else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t" if ending == ".tsv" else ",")
        writer.writerows([("id", "text"), *rows])
    table = read_table(path)
    assert not table.is_typed
    assert rows_of(table.table) == [list(row) for row in rows]


def test_a_row_longer_than_a_block_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("sigraph.tables.table_file.BLOCK", 1 << 12)
    text = 'a "quoted"\nline, ' * 2000
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "text"), ("1", text), ("2", "short")])
    assert rows_of(read_table(tmp_path / "t.csv").table) == [["1", text], ["2", "short"]]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"id": i, "text": text}) for i in range(3)))
    assert read_table(tmp_path / "t.jsonl").table.column("text").to_pylist() == [text] * 3


def test_without_header_columns_are_numbered(tmp_path):
    (tmp_path / "t.csv").write_text("7,a\n8,b\n")
    table = read_table(tmp_path / "t.csv", header=False)
    assert table.table.column_names == ["column1", "column2"] and table.table.num_rows == 2


def test_a_header_is_not_taken_for_a_row(tmp_path):
    (tmp_path / "t.csv").write_text("id,x\na,1\nb,2\n")
    for text in ("id,x\na,1\nb,2\n", "name,x\na,1\nb,2\n", "id,x\na,b\nb,c\n", "x,id\n1,2\n2,3\n", "u,v\na,b\nb,c\n"):
        (tmp_path / "t.csv").write_text(text)
        file = read_table(tmp_path / "t.csv", header=False)
        assert file.table.num_rows == 2 and file.table.column_names == text.split("\n")[0].split(",")
        assert "its first row names the columns" in file.notes[0]
    for text in ("a,n/a\nb,1\nc,?\n", "a,NA\nb,1\nc,2\n", "5,a\n6,1\n7,2\n", "a,b\nb,c\nc,d\n"):
        (tmp_path / "t.csv").write_text(text)
        assert read_table(tmp_path / "t.csv", header=False).table.num_rows == 3


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfid,x\n1,2\n")
    assert read_table(tmp_path / "t.csv").table.column_names == ["id", "x"]


def test_jsonl_keeps_types_and_texts_that_look_like_dates(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"id": 1, "when": "2020-01-01"}\n{"id": 2, "when": "2020-01-02"}\n')
    table = read_table(tmp_path / "t.jsonl")
    assert table.is_typed and rows_of(table.table) == [[1, "2020-01-01"], [2, "2020-01-02"]]


def test_parquet_categories_become_what_they_stand_for(tmp_path):
    path = tmp_path / "label=3"  # pyarrow would read a column `label` off this name
    path.mkdir()
    pq.write_table(pa.table({"id": [1, 2], "c": pa.array(["a", "b"]).dictionary_encode()}), path / "t.parquet")
    table = read_table(path / "t.parquet")
    assert table.table.column_names == ["id", "c"] and table.values("c").to_pylist() == ["a", "b"]


def test_columns_are_found_whatever_their_case(tmp_path):
    (tmp_path / "t.csv").write_text("ID,Text,text\n1,a,b\n")
    table = read_table(tmp_path / "t.csv")
    assert table.find("id") == "ID" and table.find("text") == "text" and table.first_of("u", "id") == "ID"
    with pytest.raises(ValueError, match=r"has no column 'tex' \(did you mean 'text'\?\); there are: 'ID', 'Text'"):
        table.find("tex")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"id,x\n1,a\n2,caf\xe9\n", r"t.csv, line 3: not UTF-8 \(byte 0xe9\)"),
        ("t.csv", b"id,caf\xe9\n1,2\n", r"t.csv, line 1: not UTF-8"),
        ("t.csv", "id,x\n1,2\n".encode("utf-16"), r"t.csv, line 1: not UTF-8 \(byte 0xff\)"),
        ("t.tsv", b"id\tx\n1\ta\n" * 200_000 + b"2\t\xe9\n", r"t.tsv, line 400001: not UTF-8"),
        ("t.jsonl", b'{"id": 1}\n{"id": "\xe9"}\n', r"t.jsonl, line 2: not UTF-8"),
        ("t.csv", b'id,x\n1,"two\nlines"\n3\n', r"t.csv, line 4: 1 cell, but the header has 2"),
        ("t.csv", b"id,x\n1,2\n1,2,3\n", r"t.csv, line 3: 3 cells, but the header has 2"),
        ("t.csv", b'id,x\n1,a\n2,"b\n3,c\n', r"t.csv, line 3: a quote opens in this row and never closes"),
        ("t.csv", b"", r"t.csv cannot be read: .*[Ee]mpty"),
        ("t.csv", b"id,x,id\n1,2,3\n", r"names several columns 'id'"),
        ("t.csv", b"id;x;y\n1;2\n", r"separated by ';'\?|line 2: 2 cells, but the header has 3"),
        ("t.csv", b"1,0.5\n2,0.25\n", r"names its columns 1, 0.5: no header\? Say so \(--no-header\)"),
        ("t.jsonl", b'{"id": 1}\n{"id": \n', r"t.jsonl, line 2: not JSON"),
        ("t.jsonl", b'{"id": 1}\n[2]\n', r"t.jsonl, line 2: needs one JSON object a line \(got \[2\]\)"),
        ("t.jsonl", b'{"id": 1}\n{"id": "a"}\n', r"t.jsonl, line 2: 'id' is text .*and a number in line 1"),
        ("t.parquet", b"PAR1nonsense", r"t.parquet is not a Parquet file"),
        ("t.xlsx", b"x", r"needs to be a .csv, .tsv, .jsonl, .parquet or .npy file \(got .xlsx\)"),
        ("t", b"x", r"got no ending"),
    ],
)
def test_what_is_broken_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / name)


def test_missing_files_and_arrays_of_objects(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"t\.csv: there is no such file"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(FileNotFoundError, match=r"t\.npy: there is no such file"):
        read_array(tmp_path / "t.npy")
    np.save(tmp_path / "t.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"t\.npy holds Python objects, a pickle, .*np.asarray\(y, dtype=str\)"):
        read_array(tmp_path / "t.npy")
    np.save(tmp_path / "t.npy", np.array(["a"]))
    assert read_array(tmp_path / "t.npy", text=True).tolist() == ["a"]
    with pytest.raises(ValueError, match="needs numbers"):
        read_array(tmp_path / "t.npy")
    assert is_array_file("T.NPY") and not is_array_file("t.csv") and not is_array_file(pa.table({}))


@pytest.mark.parametrize("text", ["id;x;y\n0;1.005;5,5\n1;2.010;6,5\n", "id;x;y\n0;1.005,5;1\n1;0,5;2\n"])
def test_marks_of_thousands_beside_decimal_commas_are_refused(tmp_path, text, monkeypatch):
    """1.005 would be read as one and a bit, which it may be or not."""
    (tmp_path / "t.csv").write_text(text)
    (tmp_path / "e.csv").write_text("source,target\n0,1\n")
    edges = pa.table({"source": [0, 1], "target": [1, 0]})
    with pytest.raises(ValueError, match=r"'1.005.*\(column 'x', row 1\).*which is the decimal mark"):
        from_tables(tmp_path / "t.csv", edges)
    samples = pa.table({"id": [0, 1], "x": [0.5, 1.0]})
    with pytest.raises(ValueError, match="which is the decimal mark"):
        from_tables(samples, edges, tmp_path / "t.csv")
    with pytest.raises(ValueError, match="which is the decimal mark"):
        from_tables(samples, {"g": tmp_path / "t.csv"}, edge_columns=("id", "id"), weight_column="x")
    lines = "".join(f"{i};{i + 1};{'1.005' if i < 9 else '5,5'}\n" for i in range(10))
    (tmp_path / "w.csv").write_text("source;target;weight\n" + lines)
    monkeypatch.setattr("sigraph.tables.stream.BLOCK", 40)
    with pytest.raises(ValueError, match=r"'1.005' \(column 'weight', row \d+\): which is the decimal mark"):
        build_store(tmp_path / "w.csv", tmp_path / "g")


def test_points_and_commas_that_are_no_numbers_may_stand_together(tmp_path):
    (tmp_path / "t.csv").write_text("id;version;terms;x\n0;1.2.3;1,2,3;0,5\n1;2.0.1;4,5,6;7\n")
    file = read_table(tmp_path / "t.csv")
    assert [file.values(c).type for c in ("version", "terms", "x")] == [pa.string(), pa.string(), pa.float64()]
    (tmp_path / "t.csv").write_text("id;x\n0;0.5\n1;7\n")
    assert read_table(tmp_path / "t.csv").values("x").to_pylist() == [0.5, 7.0]
