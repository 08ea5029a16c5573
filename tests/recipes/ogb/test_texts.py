"""Papers of ogbn-mag with texts, from small files of OGB's form and tables as users have them."""

import gzip

import numpy as np
import pytest
import torch
from ogb_files import NODES, types_as_text, write_texts, write_types

from sigraph.data.ogb_facts import ogb_facts
from sigraph.recipes import open_dataset, prepare
from sigraph.recipes.ogb.texts import papers_with_texts, read_texts

NAME = "ogbn-mag-text"


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGRAPH_DATA_SOURCE", str(tmp_path))
    monkeypatch.setenv("SIGRAPH_DATA", str(tmp_path / "kept"))
    return tmp_path


@pytest.mark.parametrize(("as_text", "ending"), [(False, ".tsv.gz"), (True, ".csv"), (True, ".tsv")])
def test_papers_have_their_texts_and_those_without_are_left_out(source, as_text, ending, caplog):
    caplog.set_level("INFO")
    folder, graph, y, split = write_types(source)
    if as_text:
        folder.rename(source / "binary")
        types_as_text(folder, graph, y, split, "time", 2)
    number = write_texts(source, folder, ending)
    dataset = open_dataset(NAME)
    kept = [i for i in range(NODES) if i % 15]
    assert dataset.ids.to_pylist() == number[kept].tolist()
    assert dataset.records["title"].to_pylist() == [f"Title {i}" for i in kept]
    texts = [f"Title {i}" if i % 10 == 1 else f"We, {i} in all, say so" for i in kept]
    assert dataset.records["text"].to_pylist() == texts
    place = {i: row for row, i in enumerate(kept)}
    cited = graph["edge_index_dict"]["paper", "cites", "paper"].T.tolist()
    expected = {frozenset((place[a], place[b])) for a, b in cited if a != b and a in place and b in place}
    found = dataset.graph("cites").edge_index
    assert {frozenset(one) for one in found.t().tolist()} == expected and found.size(1) == 2 * len(expected)
    task = dataset.task("venue")
    assert torch.equal(task.labels, torch.from_numpy(y["paper"][kept, 0])) and task.metric == "accuracy"
    for part, ids in split.items():
        assert sorted(task.split[part].tolist()) == sorted(place[i] for i in ids["paper"].tolist() if i in place)
    assert (
        "60 papers: 50 with an abstract, 6 with a title alone, which is their text, 4 of which the table" in caplog.text
    )
    assert "2 papers of the table are none of ogbn-mag" in caplog.text
    assert "have no text: no longer OGB's split" in caplog.text and "Without papers" in task.about


@pytest.mark.parametrize(
    "content",
    [
        'id,title,abstract\n5,A b,\n3,"C, d","E ""f"""\n5,A b,\n',
        'year,Abstract,PaperId,Title\n1999,,5,A b\n1999,"E ""f""",3,"C, d"\n',
        '3,"C, d","E ""f"""\n5,A b,  \n',
    ],
)
def test_a_table_is_read_as_users_have_it(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(content.encode()))
    for file in ("a.csv", "b.csv.gz"):
        ids, title, abstract = read_texts(tmp_path / file)
        assert ids.tolist() == [3, 5] and title.to_pylist() == ["C, d", "A b"]
        assert abstract.to_pylist() == ['E "f"', ""]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("mag_id,title\n1,a\n", "has no column 'abstract'"),
        ("1,a\n2,b\n", r"needs three columns, id, title and abstract, or a header that names them \(got 2\)"),
        ("mag_id,title,abstract\nW1,a,b\n", "column 'mag_id' needs the id of a paper"),
        ("mag_id,title,abstract\n1,a,b\n1,a,c\n", "holds paper 1 with different texts; leave one of them"),
    ],
)
def test_a_table_of_another_form_is_said(tmp_path, content, said):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(ValueError, match=said):
        read_texts(tmp_path / "a.csv")


def test_files_that_do_not_fit_are_said(source):
    folder, *_ = write_types(source)
    number, facts = write_texts(source, folder), ogb_facts("ogbn-mag")
    (source / "other.csv").write_text("mag_id,title,abstract\n1,a,b\n")

    def read():
        return papers_with_texts(folder, facts, source / "other.csv", NAME, "venue")

    with pytest.raises(
        ValueError, match=rf"needs texts of the 60 papers .* such as {number[0]} \(got 1 others, such as 1"
    ):
        read()
    mapping = folder / "mapping" / "paper_entidx2name.csv.gz"
    rows = np.stack([np.arange(9), np.arange(9)], axis=1)
    for head, body, said in (
        ("ent idx,ent name", rows, "needs labels and citations of the 9 papers"),
        ("ent idx,ent name", rows[1:], "needs every node from 0 on once"),
        ("node,paper", rows, "needs to be a CSV file with the columns 'ent idx'"),
    ):
        lines = [head, *(f"{a},{b}" for a, b in body)]
        mapping.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
        with pytest.raises(ValueError, match=said):
            read()
    mapping.unlink()
    with pytest.raises(FileNotFoundError, match="which OGB's release holds"):
        read()


def test_where_the_table_is_expected_is_said_and_one_alone_is_taken(source):
    folder, *_ = write_types(source)
    with pytest.raises(FileNotFoundError, match=r"abstracts.tsv.gz .*names; .tsv.gz, .tsv, .csv.gz, .csv may be its"):
        prepare(NAME)
    write_texts(source, folder)
    write_texts(source, folder, ".csv")
    with pytest.raises(
        ValueError, match=r"abstracts.tsv.gz and abstracts.csv are both there; leave the one that is meant"
    ):
        prepare(NAME)
