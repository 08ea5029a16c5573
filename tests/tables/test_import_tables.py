"""from_tables: a stranger's files become a data set that opens, with their ids; or an error that says why not."""

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sigraph.data import SampleDataset
from sigraph.tables import TableReport, from_tables

IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)


def write(path, *rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def files(tmp_path):
    """Thirty samples a0 ... a29 with two features, a ring, and three classes."""
    ids = [f"a{i}" for i in range(30)]
    return {
        "samples": write(tmp_path / "my samples.csv", ("id", "x", "y"), *((a, i, i / 2) for i, a in enumerate(ids))),
        "edges": write(tmp_path / "ring.csv", ("from", "to"), *zip(ids, ids[1:] + ids[:1], strict=True)),
        "tasks": write(tmp_path / "kind.csv", ("id", "label"), *((a, "cab"[i % 3]) for i, a in enumerate(ids))),
        "folder": tmp_path,
    }


def build(files, **changes):
    given = {key: files[key] for key in ("samples", "edges", "tasks")}
    return from_tables(**{**given, **changes})


@given(st.lists(IDS, min_size=4, max_size=8, unique=True), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(['"', ",", "\n", "👩‍🔬", "001", "1", " ", "'\r\n"], __import__("random").Random(0))
def test_hostile_ids_and_texts_make_the_round_trip(tmp_path, ids, random):
    edges = [(random.choice(ids), random.choice(ids)) for _ in range(6)] + [(ids[0], ids[1])]
    samples = write(tmp_path / "s.csv", ("id", "text"), *((id, f"<{id}>") for id in ids))
    dataset = from_tables(samples, write(tmp_path / "e.csv", ("source", "target"), *edges))
    dataset.save(tmp_path / "out", overwrite=True)
    opened = SampleDataset.open(tmp_path / "out", verify=True)
    back = [str(id) for id in opened.ids.to_pylist()]
    assert back == ids
    rows = opened.fetch(torch.arange(len(ids)))
    assert [(str(row["id"]), row["text"]) for row in rows] == [(id, f"<{id}>") for id in ids]
    found = {frozenset((back[i], back[j])) for i, j in opened.graph().edge_index.t().tolist()}
    assert found == {frozenset(edge) for edge in edges if edge[0] != edge[1]}


def test_features_graph_task_and_names(files):
    report = TableReport()
    dataset = build(files, report=report)
    assert dataset.name == "my-samples" and list(dataset.graphs) == ["ring"] and list(dataset.tasks) == ["kind"]
    assert dataset.samples.dtype == torch.float32 and dataset.samples[3].tolist() == [3.0, 1.5]
    assert dataset.graph().num_edges == 60 and dataset.ids.to_pylist()[:2] == ["a0", "a1"]
    task = dataset.task()
    assert task.classes == ["a", "b", "c"] and task.labels[:4].tolist() == [2, 0, 1, 2]
    assert [ids.numel() for ids in task.split.values()] == [24, 3, 3]
    for text in ("30 samples", "column 'id', text, such as 'a0'", "'a' 10", "30 undirected", "train 24", "stratified"):
        assert text in str(report)


def test_what_was_saved_opens_with_ids_and_classes(files):
    build(files).save(files["folder"] / "out")
    opened = SampleDataset.open(files["folder"] / "out", verify=True)
    assert opened.ids.to_pylist()[29] == "a29" and opened.task().classes == ["a", "b", "c"]
    assert "ids.parquet" in json.loads((files["folder"] / "out" / "manifest.json").read_text())["files"]
    assert "kind.csv" in opened.task().about
    assert opened.replace(graphs={}).ids.to_pylist()[0] == "a0"


def test_same_seed_same_data_set_whatever_the_format(files, tmp_path):
    dataset = build(files, seed=5)
    table = pa.table({"id": dataset.ids, "x": dataset.samples[:, 0].numpy(), "y": dataset.samples[:, 1].numpy()})
    pq.write_table(table, tmp_path / "s.parquet")
    with (tmp_path / "s.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in table.to_pylist())
    embedded = pa.table({"id": dataset.ids, "z": pa.array(dataset.samples.tolist(), pa.list_(pa.float32()))})
    for samples in (tmp_path / "s.parquet", tmp_path / "s.jsonl", table, embedded):
        assert build(files, samples=samples, seed=5).fingerprint == dataset.fingerprint
    assert build(files, seed=6).fingerprint != dataset.fingerprint


def test_arrays(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 2
    y[3] = -1
    edges = np.stack([np.arange(19), np.arange(1, 20)])
    for name, array in (("x", x), ("e", edges), ("t", edges.T), ("y", y), ("r", x[:, 0]), ("m", (x[:, :2] > 0) * 1.0)):
        np.save(tmp_path / f"{name}.npy", array)
    files = {name: tmp_path / f"{name}.npy" for name in "xetyrm"}
    dataset = from_tables(files["x"], [files["e"], files["t"]], [files["y"], files["r"], files["m"]])
    assert torch.equal(dataset.samples, torch.from_numpy(x).float()) and dataset.ids.to_pylist() == list(range(20))
    assert torch.equal(dataset.graph("e").edge_index, dataset.graph("t").edge_index)
    assert [task.type for task in dataset.tasks.values()] == ["classification", "regression", "multilabel"]
    assert dataset.task("y").labels[3] == -1 and dataset.task("y").classes == [0, 1]


def test_weights_several_graphs_and_what_is_dropped(files, tmp_path):
    rows = [("u", "v", "Weight", "since"), ("a0", "a1", 0.5, 1), ("a1", "a0", 1.5, 1), ("a2", "a2", 1, 1)]
    edges = {"w": write(tmp_path / "w.tsv.csv", *rows), "ring": files["edges"]}
    report = TableReport()
    dataset = build(files, edges=edges, report=report)
    assert list(dataset.graphs) == ["w", "ring"] and dataset.graph("w").edge_weight.tolist() == [1.0, 1.0]
    assert report.graphs[0].self_loops == 1 and report.graphs[0].num_isolated == 28
    for text in ("weights in 'Weight'", "1 self-loop", "28 of 30 samples have none", "columns not used: 'since'"):
        assert text in str(report)
    assert "1 edge is given with different weights; each takes the mean of them" in str(report)
    other = write(tmp_path / "o.csv", ("w", "b", "a", "n"), (0.25, "a1", "a0", 4))
    dataset = build(files, edges=other, edge_columns=("a", "B"), weight_column="w")
    assert dataset.graph().edge_weight.tolist() == [0.25, 0.25]


def test_no_header(tmp_path):
    samples = write(tmp_path / "s.csv", *((i, i * 0.5) for i in range(10)))
    edges = write(tmp_path / "e.csv", (0, 1), (2, 3))
    task = write(tmp_path / "t.csv", *((i, i % 2) for i in range(10)))
    dataset = from_tables(samples, edges, task, header=False, split_rates=(0.4, 0.3, 0.3))
    assert len(dataset) == 10 and dataset.graph().num_edges == 4 and dataset.task().classes == [0, 1]
    same, task = task, write(tmp_path / "t2.csv", *((i, i % 2) for i in range(2, 10)))
    with_header = write(tmp_path / "h.csv", ("id", "x"), *((i, i * 0.5) for i in range(10)))
    report = TableReport()  # each file for itself
    dataset = from_tables(with_header, edges, task, split_rates=(0.4, 0.3, 0.3), report=report)
    assert dataset.graph().num_edges == 4 and int((dataset.task().labels >= 0).sum()) == 8
    assert "its first row, 0, 1, is an edge, so that" in str(report) and "names the sample '2', so" in str(report)
    report = TableReport()
    from_tables(with_header, write(tmp_path / "e2.csv", ("u", "v"), (0, 1)), same, report=report)
    assert "its first row names no columns, as its first two cells are alike" in str(report)  # 0, 0


def test_text_makes_records_and_the_report_says_which_column_did(files, tmp_path):
    samples = write(tmp_path / "s.csv", ("id", "x", "y"), *((f"a{i}", i, "n/a" if i == 7 else i) for i in range(30)))
    report = TableReport()
    dataset = build(files, samples=samples, report=report)
    assert dataset.in_channels is None and "'y' holds no numbers (row 8: 'n/a')" in str(report)
    assert dataset.fetch(torch.tensor([7])) == [{"id": "a7", "x": 7, "y": "n/a"}]
    assert build(files, samples=samples, ignore=["y"]).in_channels == 1


def test_a_label_in_the_samples_is_no_feature(files, tmp_path):
    rows = [(f"a{i}", i, "pq"[i % 2], ["train", "VAL", "test"][i % 3], i // 5) for i in range(30)]
    samples = write(tmp_path / "s.csv", ("id", "x", "side", "split", "team"), *rows)
    dataset = build(files, samples=samples, tasks=None, labels=["Side"], split="group:team")
    assert dataset.in_channels == 1 and list(dataset.tasks) == ["Side"]
    assert dataset.task().split["valid"].numel() % 5 == 0  # whole teams, though a split is given
    kept = build(files, samples=samples, tasks=None, labels=["Side"])
    assert kept.task().split["valid"].tolist() == list(range(1, 30, 3))
    samples = write(tmp_path / "s.csv", ("id", "x", "side", "team"), *((r[0], r[1], r[2], r[4]) for r in rows))
    task = build(files, samples=samples, tasks=None, labels=["side"], split="group:team").task()
    for part in task.split.values():
        assert part.numel() and part.numel() % 5 == 0


def test_ids_missing_from_the_samples(files, tmp_path):
    rows = [("source", "target"), ("a0", "a1"), ("a0", "zz"), *((f"b{i}", "a0") for i in range(11))]
    edges = write(tmp_path / "e.csv", *rows)
    message = r"e.csv, columns 'source' and 'target': 12 unknown ids in 12 edges \('b0'.*'b9', \.\.\.\).*--drop-unk"
    with pytest.raises(ValueError, match=message):
        build(files, edges=edges)
    report = TableReport()
    assert build(files, edges=edges, drop_unknown=True, report=report).graph().num_edges == 2
    assert "dropped 12 unknown ids in 12 edges" in str(report)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([("id", "x"), ("a0", 1), ("a0", 2)], r"1 id occurs more than once \('a0'\)"),
        ([("id", "x"), ("a0", 1), ("", 2)], r"column 'id' lacks ids in 1 row \(row 2\)"),
        ([("id", "x"), ("a0", 1), ("a1", "")], r"column 'x': 1 cell is missing or not finite \(row 2\).*--ignore x"),
        ([("id", "x"), ("a0", 1), ("a1", "nan")], r"column 'x': 1 cell is missing or not finite"),
        ([("x", "z"), (0.5, 1), (0.25, 2)], r"no column 'id', and the first one, 'x', holds numbers"),
        ([("x", "z"), (5, 1), (5, 2)], r"no column 'id', and the first one, 'x', repeats 1 value"),
        ([("id",), ("a0",)], r"no column left to describe a sample"),
        ([("id", "x")], r"holds no samples"),
    ],
)
def test_samples_that_are_none(files, tmp_path, samples, message):
    with pytest.raises(ValueError, match=message):
        build(files, samples=write(tmp_path / "s.csv", *samples))


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([("source",), ("a0",)], r"needs two columns of ids"),
        ([("u", "v", "weight"), ("a0", "a1", "")], r"'weight' (lacks 1 weight|needs weights)"),
        ([("u", "v", "weight"), ("a0", "a1", "big")], r"'weight' needs weights that are numbers \(got text\)"),
        (
            [("u", "v", "weight"), ("a0", "a1", -1)],
            r"e.csv, column 'weight' needs finite values >= 0 \(got 1 other; first: -1 in row 1\)",
        ),
        ([("u", "v"), ("a0", "")], r"column 'v' lacks ids in 1 row \(row 1\)"),
        ([("u", "v"), (1, 2)], r"mixed id types"),
    ],
)
def test_edges_that_are_none(files, tmp_path, edges, message):
    with pytest.raises(ValueError, match=message):
        build(files, edges=write(tmp_path / "e.csv", *edges))


def test_arguments_that_do_not_fit(files, tmp_path):
    np.save(tmp_path / "e.npy", np.zeros((2, 2), dtype=int))
    for changes, message in (
        ({"edges": [files["edges"], files["edges"]]}, "two edges sources have the name 'ring'"),
        ({"labels": ["nope"]}, r"has no column 'nope'.*there are: 'id', 'x', 'y'"),
        ({"metrics": {"nope": "accuracy"}}, "names the task 'nope'; there are: kind"),
        ({"split": "group:nope"}, "neither .* has the column 'nope' to split by"),
        ({"id_column": "key"}, "has no column 'key'"),
        ({"edges": tmp_path / "e.npy"}, r"shape \[2, 2\]"),
    ):
        with pytest.raises(ValueError, match=message):
            build(files, **changes)
