"""Readers of raw text on small files with the traps of real ones: blank lines, CRLF, repeats, loops, empty lists."""

import gzip
import logging

import pyarrow as pa
import pytest
import torch

from sigraph.recipes.raw_text import (
    commonest,
    graph_between,
    multi_hot,
    numbered_graph,
    read_columns,
    read_fasta,
    read_lines,
    read_rows,
    read_terms,
)


@pytest.fixture
def written(tmp_path):
    """Writes a file, byte for byte."""

    def write(content):
        path = tmp_path / "raw.txt"
        path.write_bytes(content.encode())
        return path

    return write


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last_end", [True, False])
def test_blank_lines_are_lines(written, end, last_end):
    assert read_lines(written(end.join(["0", "", "", "1"]) + end * last_end)) == ["0", "", "", "1"]


def test_only_line_ends_end_a_line(written):
    assert read_lines(written("a\x0bb\x1cc\u2028d\x85e\n\n")) == ["a\x0bb\x1cc\u2028d\x85e", ""]
    assert read_lines(written("")) == [] and read_lines(written("\n")) == [""]


def test_rows_have_the_fields_they_need(written):
    assert read_rows(written("a\tb c\r\n\r\n\td\n"), 2, "\t") == [["a", "b c"], ["", "d"]]
    assert read_rows(written("1 2\t3 \n"), 3) == [["1", "2", "3"]]
    with pytest.raises(ValueError, match=r"raw\.txt, line 3: needs 2 fields \(got 3: '1 2 3'\)"):
        read_rows(written("1 2\n\n1 2 3\n"), 2)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last_end", [True, False])
def test_columns_keep_text_as_it_stands_and_blank_lines_in_place(tmp_path, end, last_end):
    path = tmp_path / "ids.csv.gz"
    text = end.join(["id", "2010.07920", "", "NA", '"a, ""b"""', "007"]) + end * last_end
    path.write_bytes(gzip.compress(text.encode()))
    assert read_columns(path, {"id": pa.string()})["id"].to_pylist() == ["2010.07920", "", "NA", 'a, "b"', "007"]
    with pytest.raises(ValueError, match=r"ids\.csv\.gz needs .* with the columns 'id' \(int64\) \(got: "):
        read_columns(path, {"id": pa.int64()})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"ids\.csv\.gz needs to be a CSV file"):
        read_columns(path, {"id": pa.string()})


def test_fasta_joins_wrapped_lines_under_the_accession(written):
    text = ">sp|P1|ONE_YEAST Protein one OS=x\r\nMKV\r\nLLA\r\n\r\n>P2 plain\r\nMM\r\n>tr|P3|\r\nMA"
    assert read_fasta(written(text)) == {"P1": "MKVLLA", "P2": "MM", "P3": "MA"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MKV\n>P1\nM\n", r"line 1: needs a header"),
        (">P1\nM\n>sp|P1|X\nMM\n", r"line 3: needs an accession of its own \(got 'P1'"),
        (">\nM\n", r"line 1: needs an accession of its own \(got ''"),
        (">P1\n>P2\nM\n", "the header 'P1' has no sequence"),
    ],
)
def test_fasta_that_is_none_is_refused(written, text, message):
    with pytest.raises(ValueError, match=message):
        read_fasta(written(text))


def test_terms_may_be_none(written):
    text = "P1\tGO:1,GO:2\r\nP2\t\r\nP3\n\nP4\tGO:2,\n"
    assert read_terms(written(text)) == {"P1": ["GO:1", "GO:2"], "P2": [], "P3": [], "P4": ["GO:2"]}
    for wrong in ("P1\ta\nP1\tb\n", "P1\ta\n\tb\n"):
        with pytest.raises(ValueError, match="line 2: needs a name of its own"):
            read_terms(written(wrong))


def test_commonest_counts_carriers_not_mentions():
    terms = {"P1": ["b", "a"], "P2": ["b", "c", "c", "c"], "P3": [], "P4": ["c", "a"], "P5": ["b"]}
    assert commonest(terms, 3) == ["b", "a", "c"]  # 3, 2, 2: equal ones by name
    assert commonest(terms, 1) == ["b"]


def test_nothing_known_is_not_zero():
    y = multi_hot([["a", "z"], ["z"], [], None, ["b", "a", "a"]], ["a", "b"])
    nan = float("nan")
    wanted = torch.tensor([[1, 0], [0, 0], [nan, nan], [nan, nan], [1, 1]])
    assert torch.equal(y.isnan(), wanted.isnan()) and torch.equal(y.nan_to_num(9), wanted.nan_to_num(9))


def test_edges_between_names(caplog, recwarn):
    pairs = [("p", "q"), ("q", "p"), ("q", "q"), ("r", "q", "1.0"), ("p", "q"), ("x", "p"), ("x", "x")]
    with caplog.at_level(logging.INFO, logger="sigraph"):
        graph = graph_between(pairs, ["q", "r", "p", "alone"], drop_unknown=True)
    assert graph.num_nodes == 4 and graph.edge_index.t().tolist() == [[0, 1], [0, 2], [1, 0], [2, 0]]
    said = "7 lines, 2 with an end that is no sample, 1 self-loops, 2 repeats: 2 undirected edges"
    assert said in caplog.text and not recwarn.list


def test_edges_of_unknown_names_are_refused_unless_said():
    with pytest.raises(ValueError, match=r"2 edges have an end that is no sample \(first: 'x'\)"):
        graph_between([("p", "q"), ("p", "x"), ("y", "p")], ["p", "q"])
    with pytest.raises(ValueError, match="needs an edge between two samples"):
        graph_between([("p", "x"), ("q", "q")], ["p", "q"], drop_unknown=True)
    with pytest.raises(ValueError, match=r"distinct names in 'graph_between' \(got 1 repeats\)"):
        graph_between([("p", "q")], ["p", "q", "p"])


def test_edges_between_numbers(recwarn):
    graph = numbered_graph(torch.tensor([[0, 2, 3, 2, 0], [2, 0, 3, 1, 2]]), 5)
    assert (
        graph.num_nodes == 5 and graph.edge_index.t().tolist() == [[0, 2], [1, 2], [2, 0], [2, 1]] and not recwarn.list
    )
    for wrong in (5, -1):
        with pytest.raises(ValueError, match=r"needs sample numbers in \[0, 5\) \(got"):
            numbered_graph(torch.tensor([[0], [wrong]]), 5)
