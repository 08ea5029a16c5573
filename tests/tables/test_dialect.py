"""Text tables as people's tools write them: other separators, decimal commas, quotes that are none; no row is lost."""

import csv
import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigraph.tables.dialect import _closes_in_line, _read_quoted, find_dialect
from sigraph.tables.stream import TableStream
from sigraph.tables.table_file import read_table
from sigraph.tables.text_faults import lines_of


def both(path, header=True):
    """The rows of a table and what is said, by both readers."""
    file = read_table(path, header)
    rows = list(zip(*(file.values(name).to_pylist() for name in file.table.column_names), strict=True))
    stream = TableStream(path, header)
    head = stream.head()
    assert head.table.column_names == file.table.column_names and head.notes == file.notes
    assert head.unnamed == file.unnamed
    pieces = [piece for piece, _ in stream.pieces(head.table.column_names)]
    for name in file.table.column_names:
        cells = [cell for piece in pieces for cell in piece.table.column(name).to_pylist()]
        assert cells == file.table.column(name).to_pylist()
        assert [cell for piece in pieces for cell in piece.values(name).to_pylist()] == file.values(name).to_pylist()
    return file.table.column_names, rows, list(file.notes)


def write(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text", "rows", "note"),
    [
        ("t.csv", "id;x;c\n0;0,5;a\n1;-2;b\n", [(0, 0.5, "a"), (1, -2.0, "b")], "separated by ';', and 0,5 is a num"),
        ("t.csv.gz", "id;x;c\n0;0,5;a\n1;-2;b\n", [(0, 0.5, "a"), (1, -2.0, "b")], "separated by ';'"),
        ("t.csv", "id\tx\n0\t0.5\n", [(0, 0.5)], "separated by tabs"),
        ("t.csv", "id|x\n0|0.5\n", [(0, 0.5)], r"separated by '|'"),
        ("t.tsv", "id,x\n0,0.5\n", [(0, 0.5)], "separated by ','"),
        ("t.csv", 'id;x\n0;"a;b, c"\n', [(0, "a;b, c")], "separated by ';'"),
        ("t.csv", "id;x\n0;1,234\n1;5,678\n", [(0, "1,234"), (1, "5,678")], "separated by ';'"),  # thousands, perhaps
        ("t.csv", "id,x\n0,a;b\n1,c;d\n", [(0, "a;b"), (1, "c;d")], None),  # lists of terms are cells
        ("t.tsv", "id\tx\n0\t0,5\n", [(0, "0,5")], None),
    ],
)
def test_other_separators_are_understood_and_said(tmp_path, name, text, rows, note):
    _, found, notes = both(write(tmp_path / name, text))
    assert found == rows and (note in notes[0] if note else notes == [])


def test_a_separator_that_is_open_is_asked_for(tmp_path):
    with pytest.raises(ValueError, match=r"can be read with ';' and with ',' between its cells; name its columns"):
        read_table(write(tmp_path / "t.csv", "0;0,5\n1;1,5\n"), header=False)


def test_blanks_around_names_do_not_count_and_a_column_without_a_name_is_numbered(tmp_path):
    names, rows, _ = both(write(tmp_path / "t.csv", ", id , x\n7,1,2\n"))
    assert names == ["column1", "id", "x"] and rows == [(7, 1, 2)]
    assert read_table(tmp_path / "t.csv").unnamed == ("column1",)
    with pytest.raises(ValueError, match="names several columns 'x'"):
        both(write(tmp_path / "t.csv", "id,x, x\n1,2,3\n"))


def test_a_header_without_a_line_end_is_a_table_without_rows(tmp_path):
    for text in ("u,v", "u,v\n", "\n u , v \n\n"):
        assert both(write(tmp_path / "t.csv", text)) == (["u", "v"], [], [])


TITLES = ["plain", '"Smart" graphs for 3" pipes', '"An unfinished thought', "b", "c", 'A reply to "it"', 'An end"', "d"]


def test_in_a_tsv_file_a_quote_inside_a_cell_is_a_character(tmp_path):
    text = "id\ttitle\n" + "".join(f"{i}\t{title}\n" for i, title in enumerate(TITLES))
    _, rows, notes = both(write(tmp_path / "t.tsv", text))
    assert rows == list(enumerate(TITLES))
    assert notes == ["quotes are read as characters, since those of line 3 enclose no cell"]
    open_again = [title for title in TITLES if not title.startswith('"Smart') and "reply" not in title]
    text = "id\ttitle\n" + "".join(f"{i}\t{title}\n" for i, title in enumerate(open_again))
    _, rows, notes = both(write(tmp_path / "t.tsv", text))  # well-formed if three rows are swallowed
    assert rows == list(enumerate(open_again)) and "line 3" in notes[0]
    assert both(write(tmp_path / "t.tsv", '"id"\t"title"\n"1"\t"a ""b"" c"\n'))[1:] == ([(1, 'a "b" c')], [])


def test_in_a_csv_file_a_stray_quote_is_an_error_or_said_with_its_lines(tmp_path):
    rows = ["0,plain", '1,"An unfinished thought', "2,b", '3,An end"', "4,d"]
    _, found, notes = both(write(tmp_path / "t.csv", "id,title\n" + "\n".join(rows) + "\n"))
    assert [row[0] for row in found] == [0, 1, 4]
    assert "from line 3 to line 5, each of which looks like a row" in notes[0]
    for reader in (read_table, lambda path: TableStream(path).head()):
        with pytest.raises(ValueError, match=r"t.csv, line 2: a quote closes in the middle of a cell; write quotes"):
            reader(write(tmp_path / "t.csv", 'id,title\n0,"Smart" graphs\n'))
        with pytest.raises(ValueError, match=r"t.csv, line 3: a quote opens in this row and never closes"):
            reader(write(tmp_path / "t.csv", 'id,title\n0,a\n1,"b\n2,c\n'))


def test_honest_texts_are_not_remarked_on(tmp_path):
    text = 'id,title,x\n0,"two\nlines, and ""more""",1\n1,"a\r\n\r\nb",2\n2,12" pipe,3\n'
    _, rows, notes = both(write(tmp_path / "t.csv", text))
    assert [row[1] for row in rows] == ['two\nlines, and "more"', "a\r\n\r\nb", '12" pipe'] and notes == []
    assert both(write(tmp_path / "t.csv", '\ufeff"id","x"\n"1","a"\n'))[:2] == (["id", "x"], [(1, "a")])


CELLS = st.text(st.sampled_from('a",;\t\n\r é'), max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4), st.sampled_from(",\t"), st.integers(1, 9))
def test_the_quick_look_at_quotes_says_what_the_slow_one_says(tmp_path, rows, mark, size):
    """Of honest files and of such with any quotes: a file that closes in each line is read so row by row too."""
    path = tmp_path / ("t.csv" if mark == "," else "t.tsv")
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=mark).writerows(rows)
    stray = "\n".join(mark.join(cell.replace("\n", "").replace("\r", "") for cell in row) for row in rows)
    for text in (path.read_bytes(), stray.encode()):
        path.write_bytes(text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sigraph.tables.text_faults.PIECE", 10 * size)
            is_plain = _closes_in_line(path, mark)
        if is_plain:
            assert _read_quoted(path, mark, 0)[1] is None
            assert len(list(csv.reader(lines_of(path), delimiter=mark))) == len(list(lines_of(path)))


def test_one_cell_without_end_is_named(tmp_path):
    (tmp_path / "zeros.csv").write_bytes(bytes(200_000))
    with pytest.raises(ValueError, match=r"zeros\.csv"):
        read_table(tmp_path / "zeros.csv", True, "samples")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0  1\n1  2\n", "has several blanks between its cells"),
        ("0 1 \n1 2 \n", r"blanks around them \('0 1 '\): write one blank"),
    ],
)
@pytest.mark.parametrize("name", ["e.csv", "e.tsv"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("read", [read_table, lambda path, header: TableStream(path, header).head()])
def test_forms_that_are_not_read_are_told(tmp_path, text, message, name, header, read):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / name, header)


@pytest.mark.parametrize("name", ["e.csv", "e.tsv", "e.txt", "e.txt.gz"])
@pytest.mark.parametrize("read", [read_table, lambda path: next(TableStream(path).pieces(["source", "target"]))[0]])
@pytest.mark.parametrize(
    ("text", "is_commented"),
    [
        ("source target\n0 1\n1 2\n", False),
        ('# "Nodes": 3, Edges: 2\n# source\ttarget\n0\t1\n1\t2\n', True),
        ("% sym unweighted\n\n% 3 2\nsource\ttarget\n0\t1\n1\t2\n", True),
        ("# one, two, three\nsource,target\n0,1\n1,2\n", True),
        ("# a comment\r\nsource target\r\n0 1\r\n1 2\r\n", True),
    ],
)
def test_comments_and_blanks_are_read(tmp_path, text, is_commented, name, read):
    opened = gzip.open if name.endswith("gz") else open
    with opened(tmp_path / name, "wb") as file:
        file.write(text.encode())
    found = read(tmp_path / name)
    assert found.values("source").to_pylist() == [0, 1] and found.values("target").to_pylist() == [1, 2]
    assert is_commented == any("of comments above the table" in note for note in found.notes)


def test_the_line_below_comments_is_named(tmp_path):
    (tmp_path / "e.txt").write_text("# one comment\n\n# and some more\n" + "0 1\n" * 25 + "5\n")
    for read in (read_table, lambda path: list(TableStream(path).pieces(["0", "1"]))):
        with pytest.raises(ValueError, match="line 29: 1 cell, but the header has 2"):
            read(tmp_path / "e.txt")


@pytest.mark.parametrize(
    "text", ["#id,x\n1,2\n", "a b\n1\n", "a b\nc d e\n", '#id,x\n1,"a\nb"\n', "first name,x\na b,1\n"]
)
def test_what_looks_a_little_like_another_form_is_read(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    assert read_table(tmp_path / "t.csv").table.column_names == text.split("\n")[0].split(",")


def test_a_self_interaction_above_all_is_no_header(tmp_path):
    path = tmp_path / "binds.txt"
    path.write_text("P06786\tP06786\t+1.0\nP40357\tP39926\t+1.0\n")
    dialect = find_dialect(path, "\t")
    assert not dialect.has_header and "alike" in dialect.notes[-1]
    path.write_text("id\tid\nP40357\tP39926\n")  # names, of which one is said twice: refused where it is read
    assert find_dialect(path, "\t").has_header
