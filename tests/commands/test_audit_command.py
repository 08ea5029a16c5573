"""`sigraph audit` on data sets, experiments and files, right ones and wrong ones."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from sigraph.cli import main
from sigraph.commands.audit import describe_graph
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.tables import build_store
from sigraph.tasks import Task

KEYS = {
    *("rank", "graph", "task", "type", "labels", "num_samples", "num_labelled", "num_counted", "coverage", "null"),
    *("labelled_coverage", "shape", "local_consistency", "low", "high", "null_draws", "null_mean", "null_std", "z"),
    *("majority", "parts", "leakage", "verdict", "reason", "notes", "gain"),
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two groups of 30 with edges within, some across; labels of them, of two more and of one who has no edge."""
    monkeypatch.chdir(tmp_path)
    generator = torch.Generator().manual_seed(0)
    pairs = torch.combinations(torch.arange(60)).t()
    chance = torch.where(pairs[0] % 2 == pairs[1] % 2, 0.25, 0.03)
    kept = pairs[:, torch.rand(pairs.size(1), generator=generator) < chance].t().tolist()
    edges = "\n".join(f"p{i},p{j}" for i, j in kept)
    (tmp_path / "edges.csv").write_text(f"source,target\n{edges}\n")
    (tmp_path / "numbers.csv").write_text("\n".join(["source,target", *(f"{i},{j}" for i, j in kept)]))
    pq.write_table(pa.table({"u": [i for i, _ in kept], "v": [j for _, j in kept]}), tmp_path / "edges.parquet")
    (tmp_path / "topic.csv").write_text("id,topic\n" + "\n".join(f"p{i},{'ab'[i % 2]}" for i in range(61)))
    parts = ("train", "train", "valid", "test")
    rows = [f"p{i},{i % 2},{int(i % 3 == 0)},{parts[i // 2 % 4]}" for i in range(60)]
    (tmp_path / "functions.csv").write_text("\n".join(["id,even,third,split", *rows]))
    (tmp_path / "size.csv").write_text("id,size\n" + "\n".join(f"{i},{i % 2 + i / 100}" for i in range(60)))
    np.save(tmp_path / "labels.npy", np.arange(60) % 2)
    return tmp_path


def rows_of(capsys, *arguments):
    assert main(["audit", *arguments, "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    return said["rows"], said["notes"]


def test_a_rare_class_is_noted_by_its_name(files, capsys):
    labels = "\n".join(f"p{i},{'yes' if i in (0, 30) else 'no'}" for i in range(60))
    (files / "rare.csv").write_text("id,active\n" + labels)
    (row,), _ = rows_of(capsys, "edges.csv", "rare.csv")
    assert "class 'yes' has 3.3% of the labels: always 'no' gives accuracy 0.967; metrics that fit" in row["notes"][0]


def test_own_files(files, capsys):
    rows, notes = rows_of(capsys, "edges.csv", "topic.csv", "functions.csv")
    assert [(row["graph"], row["task"], row["rank"]) for row in rows] == [
        ("edges", "topic", 1),
        ("edges", "functions", 2),
    ]
    assert all(row.keys() == KEYS for row in rows)
    topic, functions = rows
    assert topic["verdict"] == "promising" and topic["labels"] == "given" and topic["leakage"] is None
    assert sorted(part["name"] for part in topic["parts"]) == ["a", "b"]
    assert topic["num_samples"] == 61 and topic["coverage"] == pytest.approx(60 / 61)
    assert any("1 unknown id in 1 row ('p60'); nodes without edges" in note for note in notes)
    assert functions["type"] == "multilabel" and functions["labels"] == "seen" and functions["num_labelled"] < 60
    assert [part["name"] for part in functions["parts"]] == ["even", "third"]
    assert functions["leakage"]["transductive"]["test"] > 0


def test_integers_that_look_like_numbers_are_said(files, capsys):
    said = "integer classes; if they are numbers: --task-type year=regression"
    for count, classes in ((60, 21), (60, 20), (50, 20), (8, 4)):
        rows = "".join(f"p{i},{1990 + i % classes}\n" for i in range(count))
        (files / "year.csv").write_text(f"id,year\n{rows}")
        _, notes = rows_of(capsys, "edges.csv", "year.csv")
        expected = classes > 20 or count < 3 * classes
        assert [f"task 'year': {classes} {said}" in note for note in notes].count(True) == expected
    assert not any(said in note for note in rows_of(capsys, "edges.csv", "year.csv", "--task-type", "regression")[1])


def test_the_table_says_the_verdict_and_its_reason(files, capsys):
    assert main(["audit", "edges.csv", "topic.csv"]) == 0
    said = capsys.readouterr().out
    assert "| verdict   |\n" in said and "edges × topic: **promising**. LC 0." in said and "p60" in said
    assert "edges × topic: class" in said and "| isolated |" in said


@pytest.mark.parametrize("edges", ["numbers.csv", "edges.parquet"])
def test_numbered_nodes_give_the_same_in_every_form(files, capsys, edges):
    (text,), _ = rows_of(capsys, "edges.csv", "topic.csv")
    (row,), _ = rows_of(capsys, edges, "labels.npy")
    assert row["local_consistency"] == pytest.approx(text["local_consistency"]) and row["z"] == pytest.approx(text["z"])
    (size,), _ = rows_of(capsys, edges, "size.csv", "--draws", "20")
    assert size["type"] == "regression" and size["null_draws"] == 20 and size["verdict"] == "promising"


def test_a_graph_built_out_of_core_is_mapped(files, capsys):
    build_store("edges.parquet", "store", num_nodes=60)
    (row,), _ = rows_of(capsys, "store", "labels.npy")
    (plain,), _ = rows_of(capsys, "edges.parquet", "labels.npy")
    assert {**row, "graph": "edges"} == plain
    rows, _ = rows_of(capsys, "store", "size.csv", "--edges", "again=edges.parquet", "--draws", "10")
    assert [row["graph"] for row in rows] == ["store", "again"] and rows[0]["z"] == rows[1]["z"]


def test_several_edges_named(files, capsys):
    (files / "few.csv").write_text("source,target\np0,p1\np1,p2\nq,p0\nq,q\np0,p1\n")
    rows, notes = rows_of(capsys, "all=edges.csv", "t=topic.csv", "--edges", "few=few.csv", "--graph", "few")
    assert [(row["graph"], row["task"]) for row in rows] == [("few", "t")]
    assert rows[0]["shape"]["num_nodes"] == 62 and rows[0]["num_samples"] == 61
    assert "graph 'few': dropped 1 self loops and 1 repeated edges" in notes


def test_a_split_that_is_not_whole_is_said(files, capsys):
    (files / "part.csv").write_text("id,topic,split\n" + "\n".join(f"p{i},{'ab'[i % 2]},train" for i in range(60)))
    (row,), notes = rows_of(capsys, "edges.csv", "part.csv")
    assert row["labels"] == "given" and any("leaves valid, test empty" in note for note in notes)


def test_a_data_set_and_what_is_chosen_of_it(toy_dataset, tmp_path, capsys):
    toy_dataset.save(tmp_path / "toy")
    rows, _ = rows_of(capsys, str(tmp_path / "toy"))
    assert [(row["graph"], row["task"]) for row in rows] == [("blocks", "block"), ("blocks", "size")]
    assert rows[0]["verdict"] == "promising" and rows[0]["labels"] == "seen" and rows[0]["num_labelled"] == 19
    assert rows[0]["leakage"]["read_as"] != "nothing: no samples, no ids"
    (row,), _ = rows_of(capsys, str(tmp_path / "toy"), "--task", "block", "--labels", "all")
    assert row["num_labelled"] == 40 and row["local_consistency"] == 1
    assert main(["audit", str(tmp_path / "toy"), "--task", "blok"]) == 2
    assert "--task blok: there is none; there are: block, size" in capsys.readouterr().err


def test_a_data_set_without_a_graph_is_looked_at_for_leakage(toy_dataset, tmp_path, capsys):
    x = toy_dataset.samples.clone()
    x[19:25] = x[:6]
    SampleDataset(x, None, {"block": toy_dataset.task("block")}, name="bare").save(tmp_path / "bare")
    (row,), notes = rows_of(capsys, str(tmp_path / "bare"))
    assert row["verdict"] == "suspicious" and "6 of 17 test samples" in row["reason"] and row["graph"] == "none"
    assert "has no graph: only leakage" in notes[0]
    SampleDataset(toy_dataset.samples, None, {"block": toy_dataset.task("block")}, name="b").save(tmp_path / "honest")
    (row,), _ = rows_of(capsys, str(tmp_path / "honest"))
    assert (row["verdict"], row["reason"]) == ("useless", "there is no graph to judge")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([], "there are no labels"),
        (["p0,", "p1,"], "there are no labels"),
        (["p0,a", "p1,a", "p2,a"], "all labelled samples with a labelled neighbour are of one class"),
        (["p0,7", "p1,7", "p2,"], "all labelled samples with a labelled neighbour are of one class"),
    ],
)
def test_labels_that_tell_nothing_are_a_row_with_the_reason(tmp_path, monkeypatch, capsys, cells, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edges.csv").write_text("source,target\np0,p1\np1,p2\n")
    (tmp_path / "topic.csv").write_text("\n".join(["id,topic", *cells]) + "\n")
    (row,), _ = rows_of(capsys, "edges.csv", "topic.csv")
    assert (row["verdict"], row["reason"]) == ("useless", reason)


def test_a_component_that_does_not_fit_is_said_with_its_arm(toy, tmp_path, capsys):
    toy["arms"]["odd"] = {"pretrain.graph": {"_target_": "sigraph.graphs.LabelCliques", "label": "block"}}
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(toy, sort_keys=False))
    assert main(["audit", str(tmp_path / "toy.yaml")]) == 2
    assert "sigraph: arm 'odd': pretrain.graph: " in capsys.readouterr().err


def test_an_experiment_with_the_graphs_of_its_arms(toy, tmp_path, capsys):
    toy["finetune"] = [{"task": "block", "head": "linear"}, {"task": "size", "head": "linear"}]
    toy["arms"] = {
        "sipt": {},
        "objective-only": {"pretrain.structure_weight": 0.0},
        "rewired-graph": {"pretrain.graph.rewire": 1.0},
        "sipt-inductive": {"pretrain.inductive": True},
        "cliques": {"pretrain.graph": {"_target_": "sigraph.graphs.LabelCliques", "labels": "block"}},
        "leaky": {
            "pretrain.graph": {"_target_": "sigraph.graphs.LabelCliques", "labels": "block", "allow_label_edges": True}
        },
    }
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(toy, sort_keys=False))
    rows, notes = rows_of(capsys, str(tmp_path / "toy.yaml"), "--task", "block")
    verdict = {row["graph"]: row["verdict"] for row in rows}
    assert list(verdict) == [
        *("blocks", "blocks (rewire 1)", "blocks, inductive", "LabelCliques (labels block)"),
        "LabelCliques (labels block, allow_label_edges True)",
    ]
    assert list(verdict.values())[:2] == ["promising", "useless"] and list(verdict.values())[-1] == "suspicious"
    assert "graph blocks: arms sipt, objective-only" in notes
    assert any(note.startswith("graph LabelCliques (labels block) is made of LabelCliques of task") for note in notes)
    inductive = rows[2]
    assert inductive["num_samples"] == 40 and inductive["leakage"]["transductive"]["test"] == 0
    assert inductive["shape"]["num_nodes"] == 40 and inductive["num_counted"] <= 10
    more, _ = rows_of(capsys, str(tmp_path / "toy.yaml"), "pretrain.graph.add=2.0", "--graph", "blocks (add 2)")
    assert {row["task"] for row in more} == {"block", "size"}


def test_describe_graph():
    assert describe_graph({"_target_": "sigraph.graphs.DatasetGraph", "name": "cites", "hops": 2}) == "cites (hops 2)"
    nested = {"_target_": "sigraph.graphs.Rewired", "rate": 1, "graph": {"_target_": "sigraph.graphs.KNNGraph", "k": 5}}
    assert describe_graph(nested) == "Rewired (rate 1, KNNGraph (k 5))"


def test_a_picture(files, capsys):
    assert main(["audit", "edges.csv", "topic.csv", "functions.csv", "--picture", "audit.png"]) == 0
    assert (files / "audit.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    drawn = (files / "audit.png").read_bytes()
    assert main(["audit", "edges.csv", "topic.csv", "--picture", "audit.png"]) == 0  # its own is drawn anew
    assert (files / "audit.png").read_bytes() != drawn
    for name, text in (("thesis.png", b"years of work"), ("thesis.svg", drawn)):
        (files / name).write_bytes(text)
        assert main(["audit", "edges.csv", "topic.csv", "--picture", name]) == 2
        assert f"--picture would replace {name}, which is no" in capsys.readouterr().err
        assert (files / name).read_bytes() == text
    assert main(["audit", "edges.csv", "topic.csv", "--picture", "audit.txt"]) == 2
    assert "--picture needs a file ending in .png, .svg, .pdf" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edges.csv"], "need a table of labels: sigraph audit edges.csv LABELS.csv"),
        (["none.csv", "topic.csv"], "none.csv: there is no such file"),
        (["edges.csv", "none.csv"], "none.csv: there is no such file"),
        (["nothing"], "unknown data set 'nothing'"),
        (["cora", "topic.csv"], "a data set has its own tasks, so 'topic.csv' is one too many"),
        (["cora", "--id-column", "id"], "--id-column is for tables of your own"),
        (["edges.csv", "topic.csv", "--task-type", "size=regression"], "names the task 'size'"),
        (["edges.csv", "stranger.csv"], "not one of its ids (such as 'z1') is an end of an edge"),
        (["edges.csv", "size.csv"], "mixed id types"),
        (["edges.csv", "twice.csv"], "rows that disagree about label or split"),
        (["edges.csv", "labels.npy"], "mixed id types"),
        (["numbers.csv", "short.npy"], "short.npy says that there are 10 nodes, from 0 on"),
        (["edges.csv", "a b=topic.csv"], "sigraph: a b=topic.csv: the name 'a b' needs letters"),
        (["edges.csv", "topic.csv", "--task-type", "ranking"], "('task_types') needs classification, regression"),
        (["text.doc", "topic.csv"], "text.doc is no table of edges"),
        (["edges.csv", "topic.csv", "--draws", "1"], "'draws' needs to be an integer >= 2"),
    ],
)
def test_wrong_requests_say_what_to_do(files, capsys, arguments, message):
    (files / "stranger.csv").write_text("id,topic\nz1,a\nz2,b\n")
    (files / "twice.csv").write_text("id,topic\np1,a\np1,b\n")
    (files / "text.doc").write_text("p1 p2\n")
    np.save(files / "short.npy", np.arange(10) % 2)
    assert main(["audit", *arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err and said.out == "" and "Traceback" not in said.err


def test_edges_alone_may_be_empty(files, capsys):
    pq.write_table(pa.table({"u": pa.array([], pa.int64()), "v": pa.array([], pa.int64())}), files / "empty.parquet")
    (row,), _ = rows_of(capsys, "empty.parquet", "labels.npy")
    assert row["verdict"] == "useless" and row["reason"] == "the graph has no edges" and row["coverage"] == 0


def test_a_saved_graph_with_groups_is_a_folder_too(files, capsys):
    PretrainGraph([[0, 1], [1, 2]], 60, group=torch.arange(60) % 2).save(files / "saved")
    (row,), _ = rows_of(capsys, "saved", "labels.npy")
    assert row["shape"]["num_edges"] == 2


def test_what_prepare_says_of_files_the_audit_says_too(files, capsys):
    (files / "none.csv").write_text("source,target\n")
    ids = [f"p{i}" for i in range(60)]
    (files / "f.csv").write_text("id,y\n" + "".join(f"{id},{i % 3}.0\n" for i, id in enumerate(ids)))
    (row,), notes = rows_of(capsys, "none.csv", "f.csv")
    assert row["reason"] == "the graph has no edges" and row["num_labelled"] == 60
    assert "graph 'none': none.csv has no edges, only columns" in notes[0]
    assert any("if they are classes, say --task-type classification" in note for note in notes)
    (files / "semi.csv").write_text("id;y\n" + "".join(f"{id};{i % 3}\n" for i, id in enumerate(ids)))
    (files / "w.csv").write_text(",source,target,weight\n0,p0,p1,0.5\n1,p1,p2,0.5\n")
    _, notes = rows_of(capsys, "w.csv", "semi.csv")
    assert "graph 'w': columns not used: 'column1', 'weight'" in notes
    assert "task 'semi': its cells are separated by ';', and 0,5 is a number" in notes


def test_a_label_among_the_features_of_a_data_set_is_said(files, capsys):
    y = torch.arange(60) % 3
    split = {"train": torch.arange(40), "valid": torch.arange(40, 50), "test": torch.arange(50, 60)}
    x = torch.stack([torch.randn(60, generator=torch.Generator().manual_seed(0)), y.float()], dim=1)
    graph = PretrainGraph([[0, 1], [1, 2]], 60)
    SampleDataset(x, {"g": graph}, {"t": Task("t", y, split)}, feature_names=["x", "twin"]).save(files / "d")
    _, notes = rows_of(capsys, "d")
    assert len(notes) == 1 and "the column 'twin' tells the class of every labelled sample" in notes[0]
