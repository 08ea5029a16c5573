"""Lists of terms become label columns, the same by every way in which they may be written."""

import json

import pytest
import torch

from sigraph.cli import main
from sigraph.data import SampleDataset
from sigraph.tables import TableReport, from_tables

TERMS = [["a", "b"], ["b"], ["c", "a"], [], ["c", "b"], ["a"]] * 4 + [["rare", "a"]]
SPLIT = {"split_rates": (0.4, 0.3, 0.3)}


@pytest.fixture
def folder(tmp_path):
    """FASTA of 25 proteins, a ring of them, and their terms as lists in a cell, lists of JSON and a term a row."""
    records = (f">sp|P{i}|NAME_{i} protein {i}\nMKV\nLAAGI{'KR'[i % 2] * i}\n\n" for i in range(25))
    (tmp_path / "s.fasta").write_text("".join(records))
    (tmp_path / "ring.txt").write_text("".join(f"P{i} P{(i + 1) % 25}\n" for i in range(25)))
    for mark, name in ((",", "a.anno"), ("; ", "a.tsv"), ("|", "b.tsv")):
        (tmp_path / name).write_text("".join(f"P{i}\t{mark.join(terms)}\n" for i, terms in enumerate(TERMS)))
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"id": f"P{i}", "go": t}) for i, t in enumerate(TERMS)))
    (tmp_path / "a.csv").write_text("id,go\n" + "".join(f"P{i},{t}\n" for i, some in enumerate(TERMS) for t in some))
    return tmp_path


@pytest.mark.parametrize("file", ["a.anno", "a.tsv", "b.tsv", "a.jsonl", "a.csv"])
def test_all_ways_to_write_terms_give_the_same_labels(folder, file):
    report = TableReport()
    given = {"tasks": {"go": folder / file}, "task_types": {"go": "terms"}, "report": report, **SPLIT}
    dataset = from_tables(folder / "s.fasta", folder / "ring.txt", **given)
    task = dataset.task("go")
    assert task.type == "multilabel" and list(task.classes) == ["a", "b", "c"]
    expected = [[float(one in terms) if terms else float("nan") for one in "abc"] for terms in TERMS]
    assert torch.equal(task.labels.nan_to_num(-1), torch.tensor(expected).nan_to_num(-1))
    assert dataset.ids.to_pylist()[:2] == ["P0", "P1"] and dataset.graph().num_edges == 50
    assert dataset.records.column("sequence")[3].as_py() == "MKVLAAGIRRR"
    said = str(report)
    assert "terms on fewer than 5 samples are left out: 1 (--min-count)" in said
    assert "description  category" not in said and "protein  'MKVLAAGI'" in said


@pytest.mark.parametrize("file", ["a.anno", "a.tsv", "b.tsv", "a.jsonl"])
def test_cells_that_plainly_are_lists_are_terms_unasked_where_that_is_wanted(folder, file):
    tables, report = (folder / "s.fasta", folder / "ring.txt", {"go": folder / file}), TableReport()
    dataset = from_tables(*tables, lists_are_terms=True, report=report, **SPLIT)
    asked = from_tables(*tables, task_types="terms", **SPLIT)
    assert dataset.fingerprint == asked.fingerprint and report.tasks[0].of_terms
    assert "each term is a label, as --terms go asks for; --task-type go=classification" in str(report)
    if file == "b.tsv":
        classes = from_tables(*tables, lists_are_terms=True, task_types="classification", **SPLIT).task("go")
        assert classes.type == "classification" and "a|b" in classes.classes  # each list a class, as was asked


def test_a_term_a_row_is_refused_with_the_way(folder):
    with pytest.raises(ValueError, match=r"ids have rows that disagree.*each is a label of its own: --terms go"):
        from_tables(folder / "s.fasta", folder / "ring.txt", {"go": folder / "a.csv"}, lists_are_terms=True)


def test_the_way_out_is_suggested_and_works(folder, capsys):
    ask = ["prepare", "--samples", str(folder / "s.fasta"), "--edges", str(folder / "ring.txt"), "--task"]
    ask += [f"go={folder / 'b.tsv'}", "--split-rates", "0.4,0.3,0.3"]
    assert main([*ask, "--dry-run"]) in (0, 2)
    assert "to have each term be a label: --terms go" in "".join(capsys.readouterr())
    assert main([*ask, "--terms", "go", "--min-count", "9", "--out", str(folder / "out")]) == 0
    assert list(SampleDataset.open(folder / "out").task("go").classes) == ["a", "b"]
    for options, message in (
        (["--min-count", "2"], "--min-count is for terms"),
        (["--terms", "go", "--min-count", "0"], "--min-count needs an integer >= 1"),
        (["--terms", "go", "--min-count", "99"], "none of 4 terms is on 99 samples"),
        (["--terms", "go", "--task-type", "go=regression"], "is to be regression (--task-type) and of --terms"),
        (["--terms", "gone"], "has no column 'gone'"),
    ):
        assert main([*ask, *options, "--dry-run"]) == 2
        assert message in capsys.readouterr().err


def test_lists_that_are_classes_each_are_refused_with_the_way_out(folder):
    lists = [f"{a};{b}" for a in "abcde" for b in "vwxyz"]
    (folder / "c.csv").write_text("id,go\n" + "".join(f"P{i},{one}\n" for i, one in enumerate(lists)))
    with pytest.raises(
        ValueError, match=r"25 classes of 25 samples, since each list of terms \(such as 'a;v'\).*--terms go"
    ):
        from_tables(folder / "s.fasta", folder / "ring.txt", {"go": folder / "c.csv"})


def test_a_column_of_the_samples(folder, capsys):
    (folder / "s.csv").write_text("id,text,go\n" + "".join(f"{i},word,{';'.join(t)}\n" for i, t in enumerate(TERMS)))
    given = ["prepare", "--samples", str(folder / "s.csv"), "--split-rates", "0.4,0.3,0.3", "--dry-run"]
    assert main([*given, "--terms", "go"]) == 0
    said = capsys.readouterr().out
    assert "go      label" in said and "task 'go'" in said and "multilabel" in said
