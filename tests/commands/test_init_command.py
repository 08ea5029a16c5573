"""sigraph init: from files to an experiment that runs, and what stops it."""

import pytest

from sigraph.cli import main
from sigraph.config import load_config


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    topics = ["red apple fruit", "blue sky cloud", "green tree leaf"]
    rows = [f"p{i},{topics[i % 3]} word{i % 7} more{i % 5},{'abc'[i % 3]}" for i in range(60)]
    (tmp_path / "papers.csv").write_text("id,text,topic\n" + "\n".join(rows) + "\n")
    edges = [f"p{i},p{(i + 3) % 60}" for i in range(60)]
    (tmp_path / "cites.csv").write_text("source,target\n" + "\n".join(edges) + "\n")
    return tmp_path


def test_two_files_to_a_table(files, capsys, monkeypatch):
    monkeypatch.setattr("sigraph.proposal.budget.MOST_EPOCHS", 3)
    assert main(["init", "papers.csv", "cites.csv", "--run", "--minutes", "1"]) == 0
    out = capsys.readouterr().out
    assert "cites.csv holds edges" in out and "'topic' is called like a label" in out
    assert "promising" in out  # the audit, before anything is written
    assert "| sipt " in out and "| rewired-graph " in out
    config = load_config(files / "papers.yaml")
    assert config.pretrain.reader["column"] == "text" and config.pretrain.graph["name"] == "cites"
    text = (files / "papers.yaml").read_text()
    assert "# Written by `sigraph init papers.csv cites.csv`" in text and "s an epoch here" in text
    assert main(["init", "papers.csv", "cites.csv"]) == 2  # nothing of the user's is replaced
    assert "--out" in capsys.readouterr().err and (files / "papers.yaml").read_text() == text


def test_a_dry_run_and_a_no_write_nothing(files, capsys, monkeypatch):
    assert main(["init", "papers.csv", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "KNNGraph" in out and "no edges were given" in out and "nothing was written" in out
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert main(["init", "papers.csv", "cites.csv"]) == 1
    assert sorted(file.name for file in files.iterdir()) == ["cites.csv", "papers.csv"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["papers.csv", "--minutes", "0"], "--minutes needs to be above 0"),
        (["no.csv"], "no.csv: there is no such file"),
        (["papers.csv", "."], "a single folder"),
        (["few.csv"], "at least 20 samples"),
        (["papers.csv", "half.csv"], "--drop-unknown leaves them out"),
    ],
)
def test_what_cannot_be_is_said(files, words, said, capsys):
    (files / "few.csv").write_text("id,text\na,some words\nb,other words\nc,more words\n")
    (files / "half.csv").write_text("source,target\np1,p2\np2,z3\np5,p7\n")
    assert main(["init", *words]) == 2
    assert said in capsys.readouterr().err
