"""`sigraph prepare --samples ...`: from two CSV files to a table, by what the README says."""

import csv

import pyarrow as pa
import pytest
import torch
import yaml

from sigraph.cli import main
from sigraph.config import load_config
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import run
from sigraph.readers import TableFeatures

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
    assert "is no prepared data set of sigraph" in capsys.readouterr().err and (files / "papers.csv").is_file()
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


@pytest.mark.parametrize("given", ["mcc,accuracy", "topic=mcc, accuracy"])
def test_several_metrics_of_a_task(files, given, capsys):
    assert main(command(files, "--label", "topic", "--metric", given, "--out", str(files / "several"))) == 0
    assert "classification, metrics mcc (decides), accuracy\n" in capsys.readouterr().out
    task = SampleDataset.open(files / "several").task()
    assert task.metric == "mcc" and task.metrics == ("mcc", "accuracy")


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
        (["prepare", "--samples", "s.csv", "--edges", "e.csv"], "needs --out DIR"),
        (["prepare", "--samples", "s.csv", "--edges", "e.csv", "--out", "o"], "s.csv: there is no such file"),
        ([..., "--dry-run", "--split", "sometimes"], "needs to be random, stratified, group:COLUMN or scaffold:COLUMN"),
        ([..., "--dry-run", "--split-rates", "half"], "--split-rates needs numbers"),
        ([..., "--dry-run", "--label", "topic", "--metric", "rmse"], "needs to be one of accuracy, macro_f1"),
        ([..., "--dry-run", "--label", "topic", "--metric", "zz=accuracy"], "--metric ('metrics') names the task 'zz'"),
        ([..., "--dry-run", "--metric", "a", "--metric", "b"], "needs the task it is for"),
        ([..., "--dry-run", "--metric", "y=a", "--metric", "y=b"], "twice, a and b; give both at once, the one that"),
        ([..., "--dry-run", "--metric", "y=a,,b"], "needs names of metrics, separated by commas"),
        ([..., "--dry-run", "--task-type", "y=a", "--task-type", "y=b"], "twice, a and b; leave one out"),
        ([..., "--dry-run", "--label", "topic", "--metric", "accuracy,rmse"], "(got 'rmse')"),
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
    assert "58 undirected" in captured.out and "labels for 1 unknown id in 1 row ('nobody')" in captured.err


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
    assert "2 undirected, dropped 1 self-loop" in said.out and "3 of 6" in said.out and "sorting" in said.err
    assert PretrainGraph.open(files / "g", verify=True).edge_index.tolist() == [[0, 1, 1, 3], [1, 0, 3, 1]]
    assert main(request) == 2 and "is not empty" in capsys.readouterr().err
    assert main([*request, "--force"]) == 0 and PretrainGraph.open(files / "g").num_nodes == 4
    (files / "e.csv").write_text("source,target\na,b\n")
    assert main([*request, "--force"]) == 2 and "--samples FILE" in capsys.readouterr().err
    assert PretrainGraph.open(files / "g").num_nodes == 4


def table(folder, name, *rows, mark=","):
    (folder / name).write_text("".join(mark.join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return str(folder / name)


@pytest.fixture
def small(tmp_path):
    """Sixty numbered samples with two features and a class, edges by the class, and what asks for them."""
    rows = [(i, "abc"[i % 3], (i * 37 % 101) / 10, (i * 53 % 97) / 10) for i in range(60)]
    table(tmp_path, "s.csv", ("id", "topic", "x1", "x2"), *rows)
    table(tmp_path, "e.csv", ("source", "target"), *((i, i + 3) for i in range(57)))

    def ask(*more, samples="s.csv", edges="e.csv", label=("--label", "topic"), dry_run=True):
        paths = ["--samples", str(tmp_path / samples), "--edges", str(tmp_path / edges)]
        return main(["prepare", *paths, *label, *["--dry-run"] * dry_run, *more])

    return tmp_path, rows, ask


@pytest.mark.parametrize("limit", [[], ["--memory-limit", "8GB"]])
@pytest.mark.parametrize(
    ("edges", "why"),
    [
        ([], "e.csv has no edges, only columns"),
        ([(1000 + i, 2000 + i) for i in range(5)], "none of its 5 rows is an edge: 5 are of ids that no sample has"),
        ([(i, i) for i in range(60)], "none of its 60 rows is an edge: 60 join a sample to itself"),
        ([(1, 1), (1, 99)], "1 is of ids that no sample has (such as 99) and 1 joins a sample to itself"),
    ],
)
def test_a_graph_of_which_nothing_is_left_is_an_error_that_says_why(small, capsys, edges, why, limit):
    folder, _, ask = small
    table(folder, "e.csv", ("source", "target"), *edges)
    assert ask("--drop-unknown", *limit) == 2
    assert why in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["e.csv", "s.csv"]


def test_a_title_with_a_stray_quote_swallows_no_row(small, capsys):
    folder, rows, ask = small
    titles = {10: '"Smart" graphs for 3" pipes', 20: '"An unfinished thought', 33: 'A reply to "it"', 34: 'An end"'}
    lines = [(*row[:2], titles.get(row[0], f"Paper {row[0]}")) for row in rows]
    table(folder, "s.tsv", ("id", "topic", "title"), *lines, mark="\t")
    assert ask(samples="s.tsv") == 0
    said = capsys.readouterr().out
    assert "60 samples" in said and "quotes are read as characters, since those of line 12 enclose no cell" in said
    table(folder, "t.csv", ("id", "topic", "title"), *lines)
    assert ask(samples="t.csv") == 2 and "t.csv, line 12: a quote closes in the middle" in capsys.readouterr().err


def test_other_spellings_of_a_table_give_the_same_samples(small, capsys):
    folder, rows, ask = small
    assert ask() == 0
    plain = capsys.readouterr().out.replace("s.csv", "FILE")
    with_commas = ((*row[:2], *map(comma, row[2:])) for row in rows)
    table(folder, "semi.csv", ("id", "topic", "x1", "x2"), *with_commas, mark=";")
    table(folder, "padded.csv", ("id", " topic", " x1", " x2"), *rows)
    table(folder, "index.csv", ("", "id", "topic", "x1", "x2"), *((i, *row) for i, row in enumerate(rows)))
    for name, note in (
        ("semi.csv", "  note     its cells are separated by ';', and 0,5 is a number\n"),
        ("padded.csv", ""),
        ("index.csv", "  note     left out: 'column1', which numbers the rows (rename it to keep it)\n"),
    ):
        assert ask(samples=name) == 0
        said = capsys.readouterr().out.replace(name, "FILE")
        assert note in said and without_columns(said.replace(note, "")) == without_columns(plain)


def without_columns(said):
    return [line for line in said.splitlines() if not line.startswith("    ")]


def comma(number):
    return str(number).replace(".", ",")


def ends(*cells):
    return [(i, *cell) if isinstance(cell, tuple) else (i, cell) for i, cell in enumerate(cells)]


@pytest.mark.parametrize(
    ("header", "cells", "options", "note"),
    [
        (("id", "t"), ["y"] + ["x"] * 59, [], "1 class is missing from valid and test"),
        (("id", "t"), [i % 3 + 0.0 for i in range(60)], [], "(or --task-type t=classification)"),
        (("id", "t"), [i % 3 + 0.0 for i in range(60)], ["--task-type", "t=classification"], "3 classes, 0 20, 1 20"),
        (("id", "a", "b"), [(i % 2, 1 - i % 2) for i in range(60)], [], "say so (--task-type"),
        (
            ("id", "a", "b"),
            [(i % 2, 1 - i % 2) for i in range(60)],
            ["--task-type", "classification"],
            "t.csv: classification, metric accuracy",
        ),
        (("id", "t"), [f"T{i % 20 % 6};T{i % 20 % 7}" for i in range(60)], [], "lists of terms"),
        (("id", "t"), ["abc"[i % 3] for i in range(60)], [], "the column 'twin' tells the class of every labelled"),
        (("id", "t"), ["abc"[i % 3] for i in range(60)], ["--ignore", "twin"], "left out: 'twin'"),
    ],
)
def test_what_may_surprise_about_labels_is_said_with_a_way_out(small, capsys, header, cells, options, note):
    folder, rows, ask = small
    table(folder, "s.csv", ("id", "twin", "x1", "x2"), *((i, i % 3, *more) for i, _, *more in rows))
    table(folder, "t.csv", header, *ends(*cells))
    assert ask(*options, label=("--task", str(folder / "t.csv"))) == 0
    said = capsys.readouterr().out
    assert note in said and not ("--ignore" in options and "tells the class" in said)


def test_records_are_said_with_what_reads_them(small, capsys):
    folder, rows, ask = small
    table(folder, "s.csv", ("id", "topic", "x1", "colour"), *((*row[:3], ["red", "blue"][row[0] % 2]) for row in rows))
    assert ask() == 0
    said = capsys.readouterr().out
    assert "since 'colour' holds no numbers (row 1: 'red'); without 'colour' (--ignore) the rest are features" in said
    assert "{_target_: sigraph.readers.TableFeatures, columns: [x1, colour]}`" in said


@pytest.mark.parametrize("cell", ["1_0", "unknown", "\u22121.5"])
def test_the_cell_that_makes_text_of_the_only_column_is_named(small, capsys, cell):
    folder, rows, ask = small
    table(folder, "s.csv", ("id", "topic", "x"), *((i, y, cell if i == 6 else x) for i, y, x, *_ in rows))
    assert ask() == 0
    assert f"since 'x' holds no numbers (row 7: {cell!r})" in capsys.readouterr().out


def test_numbers_with_gaps_and_categories_are_records_that_a_reader_reads(small, capsys):
    folder, rows, ask = small
    wide = [(i, y, "NA" if i % 9 == 4 else x, "" if i == 2 else z, i % 4) for i, y, x, z in rows]
    table(folder, "s.csv", ("id", "topic", "x1", "x2", "site"), *wide)
    assert ask("--out", str(folder / "all"), dry_run=False) == 0
    said = capsys.readouterr().out
    assert "7 cells are 'NA' in 'x1', taken for missing numbers" in said
    assert "integers, 4 different; are they names? --category site" in said
    assert "records, since 'x1' lacks 7 of its numbers, and so does 1 more column: TableFeatures reads" in said
    assert ask("--category", "site", "--out", str(folder / "out"), dry_run=False) == 0
    records = SampleDataset.open(folder / "out").records
    reader = TableFeatures()
    reader.fit(records)
    x = reader.read(records).vectors()
    assert x.shape == (60, 2 + 2 + 5) and x[4].tolist()[:2] == [0, 1] and x[:, 1].sum() == 7 and x[:, 3].sum() == 1
    new = records.slice(0, 3).set_column(1, "x1", [pa.array(["", "", ""])])  # as a table of new samples may be
    assert reader.read(new).vectors()[:, :2].tolist() == [[0, 1]] * 3


def test_labels_without_a_header_beside_tables_with_one(small, capsys):
    folder, rows, ask = small
    table(folder, "t.tsv", *((row[0], row[1]) for row in rows), mark="\t")
    assert ask(label=("--task", str(folder / "t.tsv"))) == 0
    assert "names the sample '0', so that no row names the columns" in capsys.readouterr().out
    assert ask("--no-header", label=("--task", str(folder / "t.tsv"))) == 0


@pytest.mark.parametrize("limit", [(), ("--memory-limit", "9GB")])
def test_edges_without_a_header_beside_tables_with_one(small, capsys, limit):
    folder, _, ask = small
    lines = (folder / "e.csv").read_text().split("\n", 1)
    assert ask() == 0
    (folder / "e.csv").write_text(lines[1])
    capsys.readouterr()
    assert ask(*limit) == 0 and "is an edge, so that no row names the columns" in capsys.readouterr().out
    assert ask("--no-header", *limit) == 0
    said = capsys.readouterr().out
    assert "ids in 'column1' and 'column2'" in said and "its first row names the columns, though --no-header" in said


def test_targets_keep_what_the_file_says(small, capsys):
    folder, rows, _ = small
    when = [1_700_000_000 + i for i in range(60)]
    table(folder, "s.csv", ("id", "when", "cid", "x"), *((i, when[i], 2**24 + i, x) for i, _, x, _ in rows))
    label = ("--label", "when", "--task-type", "when=regression", "--out", str(folder / "out"))
    assert main(["prepare", "--samples", str(folder / "s.csv"), "--edges", str(folder / "e.csv"), *label]) == 0
    said = capsys.readouterr().out
    assert "numbers from 1700000000 to 1700000059" in said and "60 different numbers become 31 in 'cid'" in said
    labels = SampleDataset.open(folder / "out").task().labels
    assert labels.dtype == torch.float64 and labels.tolist() == when


def test_home_is_spelled_out_in_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "e.csv").write_text("a,b\n0,1\n1,2\n")
    assert main(["prepare", "--edges", str(tmp_path / "e.csv"), "--out=~/graph"]) == 0
    assert (tmp_path / "graph").is_dir()


def test_samples_without_edges_make_their_own_graph(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"n{i},{'ab'[i % 2]},{i % 2 + 0.01 * i},{i % 3}" for i in range(30)]
    (tmp_path / "s.csv").write_text("\n".join(["id,topic,x,y", *rows]))
    assert main(["prepare", "--samples", "s.csv", "--label", "topic", "--out", "own"]) == 0
    assert "graphs   none: a YAML names one made of the samples" in capsys.readouterr().out
    tree = {
        "name": "own",
        "seeds": [0],
        "references": False,
        "pretrain": {
            "dataset": "own",
            "graph": {"_target_": "sigraph.graphs.KNNGraph", "k": 3},
            "encoder": {"_target_": "sigraph.encoders.MLPEncoder", "hidden_channels": 4, "out_channels": 2},
            "trainer": {"max_epochs": 1, "accelerator": "cpu"},
        },
        "finetune": [{"task": "topic", "head": "linear", "max_epochs": 1}],
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(tree))
    assert main(["run", "own.yaml"]) == 0
    assert "| sipt " in capsys.readouterr().out
