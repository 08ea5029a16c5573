"""Files that are no tables, or bombs: an error with file and line, in bounded memory and time."""

import gzip
import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sigraph.tables import build_store, from_tables
from sigraph.tables.table_file import read_table
from sigraph.tables.text_faults import find_encoding_fault, lines_of, refuse_deep_rows

LIMIT, SIZE = 1 << 20, 8 << 20
ROW = r"line {}: the row is longer than 1 MiB, the most that is read as one"


@pytest.fixture(autouse=True)
def short_rows(monkeypatch):
    monkeypatch.setattr("sigraph.tables.text_faults.LONGEST_ROW", LIMIT)
    monkeypatch.setattr("sigraph.tables.text_faults.PIECE", 1 << 16)
    monkeypatch.setattr("sigraph.tables.table_file.BLOCK", 1 << 18)
    monkeypatch.setattr("sigraph.tables.stream.BLOCK", 1 << 18)


def bomb(path, before, fill, after):
    content = before.encode() + fill.encode() * (SIZE // len(fill)) + after.encode()
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "before", "fill", "after", "line"),
    [
        ("s.csv", "id,x\n0,1\n1,", "0", "\n", 3),
        ("s.csv", "id,x\n0,1\n", "7,", "\n", 3),
        ("s.csv", "", "c,", "\n", 1),
        ("s.tsv", 'id\tx\n0\t1\n1\t"', "a", '"\n', 3),
        ("s.jsonl", '{"id": 0, "x": 1}\n{"id": 1, "x": "', "a", '"}\n', 2),
        ("s.jsonl", '{"id": 0, "x": 1}\n{"id": 1, "x": ', "1", "}\n", 2),
    ],
)
def test_a_row_without_an_end_is_named_in_bounded_memory(tmp_path, name, before, fill, after, line, packed):
    path = bomb(tmp_path / f"{name}{packed}", before, fill, after)
    tracemalloc.start()
    before_it = pa.total_allocated_bytes()
    with pytest.raises(ValueError, match=f"{path.name}, {ROW.format(line)}"):
        read_table(path)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 6 * LIMIT and pa.total_allocated_bytes() - before_it < 6 * LIMIT


def test_a_cell_in_quotes_that_never_ends_is_named(tmp_path):
    path = bomb(tmp_path / "s.csv.gz", 'id,x\n0,1\n1,"', "a\n", '"\n')
    with pytest.raises(ValueError, match=rf"s.csv.gz, {ROW.format(3)}"):
        read_table(path)


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_edges_in_pieces_end_the_same(tmp_path, packed):
    path = bomb(tmp_path / f"e.csv{packed}", "u,v\n0,1\n1,", "0", "\n")
    with pytest.raises(ValueError, match=ROW.format(3)):
        build_store(path, tmp_path / "g", memory_limit="8GB")
    path.write_bytes((gzip.compress if packed else bytes)(b"u,v\n0,1\n1," + b"0" * (LIMIT // 2) + b"\n"))
    with pytest.raises(ValueError, match=r"line 3: the row is longer than 0.25 MiB"):  # what a piece holds
        build_store(path, tmp_path / "g", memory_limit="8GB")
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name]


def test_rows_up_to_the_limit_are_read(tmp_path):
    text = "word, " * (LIMIT // 8)
    (tmp_path / "s.csv").write_text(f'id,x\n0,"{text}"\n1,"{text}\n"\n')
    assert read_table(tmp_path / "s.csv").table.column("x").to_pylist() == [text, f"{text}\n"]
    (tmp_path / "s.jsonl").write_text("".join(json.dumps({"id": i, "x": text}) + "\n" for i in range(3)))
    assert read_table(tmp_path / "s.jsonl").table.num_rows == 3


@pytest.mark.parametrize("piece", [100, 1 << 12, 1 << 16])
def test_json_within_json_within_json_does_not_end_the_process(tmp_path, monkeypatch, piece):
    monkeypatch.setattr("sigraph.tables.text_faults.PIECE", piece)
    path = tmp_path / "s.jsonl"
    path.write_text('{"id": 0}\n{"id": 1, "x": ' + "[" * 70 + "]" * 70 + "}\n")
    with pytest.raises(
        ValueError, match=r"s.jsonl, line 2: lists and objects stand within each other more than 64 deep"
    ):
        read_table(path)
    path.write_text('{"id": 0}\n{"id": 1, "x": ' + "[" * 100_000 + "]" * 100_000 + "}\n")
    with pytest.raises(
        ValueError, match=r"s.jsonl, line 2: lists and objects stand within each other more than 64 deep"
    ):
        read_table(path)
    texts = ["[" * 500, '\\"{"' * 500, "]{" * 500]
    path.write_text("".join(json.dumps({"id": i, "x": text}) + "\n" for i, text in enumerate(texts * 100)))
    assert read_table(path).table.column("x").to_pylist() == texts * 100  # brackets of texts lead nowhere
    refuse_deep_rows(path)


def test_lines_are_counted_as_they_stand(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n\xe9")
    assert list(lines_of(path)) == ["a\r\n", "b\r", "c\n", "\xe9"]
    assert "line 3: not UTF-8 (byte 0xe9)" in find_encoding_fault(path)


def test_a_packed_file_that_is_cut_short_is_named(tmp_path):
    whole = gzip.compress(b"id,x\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(20_000)))
    for name in ("s.csv.gz", "s.jsonl.gz"):
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ValueError, match=rf"{name}.*(cannot be read|cut short|not JSON)") as raised:
            from_tables(tmp_path / name, {})
        assert "\n" not in str(raised.value)


def test_a_parquet_page_that_claims_to_be_huge_is_an_error_of_the_file(tmp_path):
    path = tmp_path / "s.parquet"
    pq.write_table(pa.table({"id": list(range(1000)), "x": [float(i) for i in range(1000)]}), path, compression="zstd")
    content = bytearray(path.read_bytes())
    for place in range(4, 40):  # the first page's header, a byte at a time
        damaged = bytearray(content)
        damaged[place] ^= 0x7F
        path.write_bytes(damaged)
        try:
            from_tables(path, {})
        except ValueError as error:
            assert "\n" not in str(error) and "s.parquet" in str(error)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ['{"id": 1, "y": "a"}', '{"id": 2, "y": null}', '{"id": 3, "y": 5}'],
            r"line 3: 'y' is a number \(5\), and text in line 1",
        ),
        (['{"y": 1}', '{"y": 2.5}', '{"y": true}'], "line 3: 'y' is true or false"),
        (['{"y": [1]}', '{"y": [2, "b"]}'], r"line 2: 'y\[\]' is text"),
        (['{"y": [1]}', '{"y": {"a": 1}}'], "line 2: 'y' is an object"),
    ],
)
def test_values_of_another_kind_are_named_by_their_line(tmp_path, lines, message):
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.jsonl")
