"""`sigraph prepare --samples ...`: from two CSV files to a table, by what the README says."""

import csv

import pytest
import torch

from sigraph.cli import main
from sigraph.config import load_config
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import run

YAML = """\
name: mine
question: Do my edges help to tell my papers' topics?
seeds: [0, 1]
pretrain:
  dataset: {out}
  graph: cites
  encoder: {{_target_: sigraph.encoders.MLPEncoder, hidden_channels: 8, out_channels: 4}}
  trainer: {{max_epochs: 1, accelerator: cpu}}
finetune: [{{task: topic, head: linear, max_epochs: 1}}]
arms:
  sipt: {{}}
  no-pretraining: {{pretrain.trainer.max_epochs: 0}}
"""


@pytest.fixture
def files(tmp_path):
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(0)).tolist()
    ids = [f'paper "{i}", 🧪' for i in range(60)]
    with (tmp_path / "papers.csv").open("w", newline="", encoding="utf-8") as file:
        rows = ([id, *row, "ab"[i % 2]] for i, (id, row) in enumerate(zip(ids, x, strict=True)))
        csv.writer(file).writerows([("id", "x1", "x2", "x3", "topic"), *rows])
    with (tmp_path / "cites.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("source", "target"), *zip(ids, ids[2:], strict=False)])
    return tmp_path


def command(files, *more):
    return ["prepare", "--samples", str(files / "papers.csv"), "--edges", str(files / "cites.csv"), *more]


def test_two_csv_files_become_a_table(files, capsys):
    out = files / "mine"
    assert main(command(files, "--label", "topic", "--out", str(out))) == 0
    said = capsys.readouterr().out
    for text in ("60 samples", "graph 'cites'", "58 undirected", "task 'topic'", "train 48, valid 6, test 6", str(out)):
        assert text in said
    dataset = SampleDataset.open(out, verify=True)
    assert dataset.in_channels == 3 and dataset.ids[59].as_py() == 'paper "59", 🧪'
    yaml = YAML.format(out=out)
    assert yaml.count("\n") <= 12
    (files / "mine.yaml").write_text(yaml)
    results = run(load_config(files / "mine.yaml", [f"output_dir={files / 'runs'}"]))
    assert not results.failed
    table = results.leaderboard().table()
    assert "sipt" in table and "no-pretraining" in table


def test_words_for_missing_labels_are_said(files, capsys):
    text = (files / "papers.csv").read_text(encoding="utf-8").splitlines()
    lines = [line[:-1] + "NA" if i % 4 == 1 else line for i, line in enumerate(text)]
    (files / "papers.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(command(files, "--label", "topic", "--dry-run")) == 0
    assert "15 labels are the text 'NA', kept as a class; leave the cell blank if it" in capsys.readouterr().out


def test_dry_run_says_the_same_and_writes_nothing(files, capsys):
    assert main(command(files, "--dry-run", "--label", "topic")) == 0
    assert "nothing was written" in capsys.readouterr().out
    assert sorted(path.name for path in files.iterdir()) == ["cites.csv", "papers.csv"]


def test_an_existing_folder_is_replaced_only_if_asked_and_only_if_prepared(files, capsys):
    out = files / "mine"
    assert main(command(files, "--out", str(out))) == 0
    assert main(command(files, "--out", str(out))) == 2
    assert "exists and is not empty" in capsys.readouterr().err
    assert main(command(files, "--out", str(out), "--force", "--label", "topic")) == 0
    assert list(SampleDataset.open(out).tasks) == ["topic"]
    assert main(command(files, "--out", str(files), "--force")) == 2
    assert "not a prepared data set" in capsys.readouterr().err and (files / "papers.csv").is_file()
    (out / "papers.csv").write_bytes((files / "papers.csv").read_bytes())
    inside = ["prepare", "--samples", str(out / "papers.csv"), "--edges", str(files / "cites.csv")]
    assert main([*inside, "--out", str(out), "--force"]) == 2 and (out / "papers.csv").is_file()


def test_names_metrics_and_types_for_one_task_or_all(files):
    named = ["prepare", "--samples", str(files / "papers.csv"), "--edges", f"who=cites={files / 'cites.csv'}"]
    assert main([*named, "--dry-run"]) == 2  # the name ends at the first '='
    named[-1] = f"cite={files / 'cites.csv'}"
    options = ["--edges", f"again={files / 'cites.csv'}", "--label", "topic", "--metric", "topic=macro_f1"]
    assert main([*named, *options, "--name", "my papers", "--out", str(files / "o"), "--split", "random"]) == 0
    dataset = SampleDataset.open(files / "o")
    assert list(dataset.graphs) == ["cite", "again"] and dataset.name == "my-papers"
    assert dataset.task().metric == "macro_f1" and "random" in dataset.task().about


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare"], "needs the name of a data set"),
        (["prepare", "--edges", "e.csv"], "--edges needs --out DIR"),
        (["prepare", "--edges", "e.csv", "--label", "y", "--out", "o"], "--label needs --samples"),
        (["prepare", "--edges", "a=e.csv", "--edges", "b=e.csv", "--out", "o"], "several --edges need --samples"),
        (["prepare", "--samples", "s.csv", "--edges", "e.csv", "--dry-run", "--num-nodes", "3"], "--num-nodes is for"),
        (["prepare", "--memory-limit", "2GB"], "--memory-limit needs --samples"),
        (["prepare", "cora", "--samples", "s.csv"], "not both"),
        (["prepare", "--samples", "s.csv"], "--samples needs --edges"),
        (["prepare", "--samples", "s.csv", "--edges", "e.csv"], "needs --out DIR"),
        (["prepare", "--samples", "s.csv", "--edges", "e.csv", "--out", "o"], "s.csv: there is no such file"),
        ([..., "--dry-run", "--split", "sometimes"], "needs to be random, stratified or group:COLUMN"),
        ([..., "--dry-run", "--split-rates", "half"], "--split-rates needs numbers"),
        ([..., "--dry-run", "--label", "topic", "--metric", "rmse"], "needs to be one of accuracy, macro_f1"),
        ([..., "--dry-run", "--metric", "a", "--metric", "b"], "needs the task it is for"),
        ([..., "--dry-run", "--edges", "a b=e.csv"], "the name 'a b' needs letters"),
        ([..., "--dry-run", "--label", "topik"], "has no column 'topik' (did you mean 'topic'?)"),
    ],
)
def test_requests_that_cannot_be_carried_out(files, arguments, message, capsys):
    arguments = command(files, *arguments[1:]) if arguments[0] is ... else arguments
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("sigraph: ") and message in captured.err and "Traceback" not in captured.err


def test_what_was_understood_is_said_before_an_error(files, capsys):
    (files / "t.csv").write_text("id,label\nnobody,1\n")
    assert main(command(files, "--task", str(files / "t.csv"), "--dry-run")) == 2
    captured = capsys.readouterr()
    assert "58 undirected" in captured.out and "labels for 1 unknown ids in 1 rows ('nobody')" in captured.err


def test_blank_text_labels_in_the_samples_are_missing(tmp_path):
    lines = ["id,topic,a,b"] + [f"p{i},{['x', 'y', ''][i % 3]},{i},{i * i}" for i in range(60)]
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "e.csv").write_text("source,target\n" + "".join(f"p{i},p{i + 1}\n" for i in range(59)))
    command = ["prepare", "--samples", str(tmp_path / "s.csv"), "--edges", str(tmp_path / "e.csv")]
    assert main([*command, "--label", "topic", "--out", str(tmp_path / "mine")]) == 0
    task = SampleDataset.open(tmp_path / "mine").task()
    assert task.num_outputs == 2 and int((task.labels < 0).sum()) == 20


def test_edges_out_of_core_give_the_same_data_set_and_leave_nothing(files, capsys):
    assert main(command(files, "--label", "topic", "--out", str(files / "in"))) == 0
    assert main(command(files, "--label", "topic", "--out", str(files / "out"), "--memory-limit", "8GB")) == 0
    assert "58 undirected" in capsys.readouterr().out
    whole, built = (SampleDataset.open(files / name, verify=True).graph() for name in ("in", "out"))
    assert torch.equal(whole.edge_index, built.edge_index)
    assert sorted(path.name for path in files.iterdir()) == ["cites.csv", "in", "out", "papers.csv"]


def test_edges_alone_become_a_graph(files, capsys):
    (files / "e.csv").write_text("source,target\n0,1\n1,0\n2,2\n1,3\n")
    request = ["prepare", "--edges", str(files / "e.csv"), "--out", str(files / "g"), "--memory-limit", "8GB"]
    assert main([*request, "--num-nodes", "6"]) == 0
    said = capsys.readouterr()
    assert "2 undirected, dropped 1 self-loops" in said.out and "3 of 6" in said.out and "sorting" in said.err
    assert PretrainGraph.open(files / "g", verify=True).edge_index.tolist() == [[0, 1, 1, 3], [1, 0, 3, 1]]
    assert main(request) == 2 and "is not empty" in capsys.readouterr().err
    assert main([*request, "--force"]) == 0 and PretrainGraph.open(files / "g").num_nodes == 4
    (files / "e.csv").write_text("source,target\na,b\n")
    assert main([*request, "--force"]) == 2 and "--samples FILE" in capsys.readouterr().err
    assert PretrainGraph.open(files / "g").num_nodes == 4


def test_home_is_spelled_out_in_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "e.csv").write_text("a,b\n0,1\n1,2\n")
    assert main(["prepare", "--edges", str(tmp_path / "e.csv"), "--out=~/graph"]) == 0
    assert (tmp_path / "graph").is_dir()
