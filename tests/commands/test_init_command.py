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
    assert "# Written by `sigraph init papers.csv cites.csv --run --minutes 1`" in text
    assert "s a pass over the samples here" in text
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


def test_lists_in_a_file_of_labels_are_terms(files, capsys):
    lists = [("red", "blue", "red;blue", "", "green;red", "green;blue")[i % 6] for i in range(60)]
    (files / "tags.csv").write_text("id,tags\n" + "".join(f"p{i},{cell}\n" for i, cell in enumerate(lists)))
    assert main(["init", "papers.csv", "cites.csv", "tags.csv", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "task 'tags'  tags.csv: multilabel" in out and "3 terms, each a label" in out
    assert "--task-type tags=classification makes each list a class" in out
    assert main(["init", "papers.csv", "cites.csv", "tags.csv", "--dry-run", "--task-type", "classification"]) == 0
    assert "task 'tags'  tags.csv: classification" in capsys.readouterr().out
    assert main(["init", "papers.csv", "cites.csv", "--min-count", "3", "--dry-run"]) == 2
    assert "no labels are lists of them" in capsys.readouterr().err


def test_a_prepared_folder_says_what_its_columns_are_for(files, capsys, monkeypatch):
    monkeypatch.setattr("sigraph.commands.init._fit_into", lambda proposal, file, _: file.write_text(proposal.text()))
    text = (files / "papers.csv").read_text().replace("id,text,", "id,place,").replace(" word", "_word")
    (files / "papers.csv").write_text(text)
    ask = ["--text", "place", "--samples", "papers.csv", "--edges", "cites.csv", "--label", "topic"]
    assert main(["prepare", *ask, "--out", "mine"]) == 0
    columns = [line for line in capsys.readouterr().out.splitlines() if line.startswith("    ")]
    assert columns[2].startswith("    place   text ") and columns[2].endswith("as asked")
    assert main(["datasets", "mine"]) == 0
    assert "\n".join(columns) in capsys.readouterr().out
    assert main(["init", "mine"]) == 0
    assert "\n".join(columns) in capsys.readouterr().out
    proposed = (files / "mine.yaml").read_text()
    config = load_config(files / "mine.yaml")
    assert config.pretrain.dataset == "mine" and config.pretrain.reader["column"] == "place"
    assert all(f"#   {line}" in proposed for line in columns) and config.finetune[0].task == "topic"
    for words, said in (([], "mine.yaml is there already"), (["--label", "topic"], "--label is for files of your own")):
        assert main(["init", "mine", *words]) == 2 and said in capsys.readouterr().err


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
