"""Leakage in a run: said before training, refused where nobody allowed it; scores without what training knows."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from sigraph.cli import main
from sigraph.config import ConfigError, config_from_dict
from sigraph.data import SampleDataset
from sigraph.encoders import MLPEncoder
from sigraph.experiment import run
from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.finetune import FinetuneSettings, fine_tune
from sigraph.leaderboard import Leaderboard
from sigraph.leaderboard.leakage_lines import leakage_lines
from sigraph.leaderboard.result_files import RESULTS
from sigraph.running.leakage_check import without_repeated
from sigraph.running.plan import plan_table
from sigraph.running.progress import Progress
from sigraph.running.run_one import run_folder
from sigraph.running.stages import FINETUNE
from sigraph.tasks import Evaluator, Task
from sigraph.theory.leakage.leakage import repeated_in_training


class Heard(Progress):
    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


@pytest.fixture
def leaky(toy_dataset, toy, tmp_path):
    """The toy experiment, three of whose 17 test samples are copies of training samples."""
    x = toy_dataset.samples.clone()
    x[[20, 25, 30]] = x[[0, 1, 2]]
    data = SampleDataset(x, toy_dataset.graphs, toy_dataset.tasks, name="toy")
    data.save(tmp_path / "toy", overwrite=True)
    toy["finetune"] = [
        {"task": "block", "head": "linear", "max_epochs": 4},
        {"task": "block", "head": "knn", "k": 3},
        {"task": "size", "head": "linear", "max_epochs": 4},
    ]
    return toy


def fine_tuned(head: str, task: Task, dataset: SampleDataset):
    torch.manual_seed(0)
    encoder = MLPEncoder(dataset.in_channels, 8, 4)
    return fine_tune(encoder, dataset, task, FinetuneSettings(head, max_epochs=3, k=3), accelerator="cpu")


@pytest.mark.parametrize("head", ["linear", "full", "knn"])
@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression"])
def test_the_score_without_them_is_that_of_the_same_predictions(head, kind):
    x = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))
    x[[45, 50]] = x[[3, 4]]
    labels = {"classification": x[:, 0].gt(0).long(), "multilabel": x[:, :3].gt(0).float(), "regression": x[:, 0]}[kind]
    ids = torch.arange(60)
    task = Task("t", labels, {"train": ids[:30], "valid": ids[30:40], "test": ids[40:].flip(0)})
    dataset = SampleDataset(x, tasks={"t": task})
    result = fine_tuned(head, task, dataset)
    test = task.split["test"]
    score = Evaluator(task).eval({"y_true": labels[test], "y_pred": result.predicted})[task.metric]
    assert score == result.test
    (found,) = without_repeated(dataset, task, result.predicted, head + kind).values()
    others = [place for place, node in enumerate(test.tolist()) if node not in (45, 50)]
    given = {"y_true": labels[test][others], "y_pred": result.predicted[others]}
    assert found == {"num_affected": 2, "num_test": 20, "test_without": Evaluator(task).eval(given)[task.metric]}


def test_nothing_is_said_of_honest_tasks_and_of_grids(toy_dataset):
    task = toy_dataset.task("block")
    assert without_repeated(toy_dataset, task, torch.zeros(17, 2), "honest") == {}
    assert without_repeated(toy_dataset, task, None, "honest") == {}


def test_a_score_that_is_not_defined_without_them_is_null_with_the_reason():
    x = torch.eye(10)
    x[[6, 7, 8]] = x[[0, 1, 2]]
    y = torch.tensor([[0.0], [1], [0], [1], [0], [1], [0], [1], [0], [1]])
    dataset = SampleDataset(x)
    one = Task("one", y, {"train": range(4), "valid": [4, 5], "test": [6, 7, 8, 9]})
    found = without_repeated(dataset, one, torch.rand(4, 1), "undefined")["leakage"]
    assert found["num_affected"] == 3 and found["test_without"] is None and "no label column" in found["reason"]
    every = Task("every", y, {"train": range(4), "valid": [4, 5], "test": [6, 7, 8]})
    found = without_repeated(dataset, every, torch.rand(3, 1), "undefined")["leakage"]
    assert found["test_without"] is None and found["reason"] == "every test sample also occurs in training"


def test_the_search_is_made_once_a_task_and_data_set(toy_dataset, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "sigraph.running.leakage_check.repeated_in_training", lambda *a: calls.append(a) or repeated_in_training(*a)
    )
    for data in ("first", "first", "second"):
        without_repeated(toy_dataset, toy_dataset.task("block"), torch.zeros(17, 2), data)
    assert len(calls) == 2


def test_a_run_says_it_before_and_keeps_the_scores(leaky):
    config, heard = config_from_dict(leaky), Heard()
    results = run(config, heard)
    assert not results.failed
    assert heard.lines[0].startswith("leakage: toy, task 'block': suspicious: 3 of 17 test samples also occur")
    said = "3 repeated samples carry different labels in all splits, 0 of them in training"
    transductive = "transductive: 2 test samples are nodes of the graph"
    assert heard.lines[1] == f"note: toy, task 'size': {said}; {transductive}"  # no danger
    assert all(line.startswith("[") for line in heard.lines[2:])
    for record in results.records:
        linear, knn, size = record["tasks"]
        assert linear["leakage"]["num_affected"] == knn["leakage"]["num_affected"] == 3
        assert 0 <= linear["leakage"]["test_without"] <= 1 and "leakage" not in size
    assert read_sealed(run_folder(config, config.arm("sipt"), 0) / RESULTS) in results.records
    (line,) = leakage_lines(results.records)
    assert line.startswith("leakage: 3 of 17 test samples of task 'block' of toy also occur in training; ")


def test_scores_are_those_of_a_run_that_does_not_look(leaky, monkeypatch, tmp_path):
    looked = run(config_from_dict(leaky)).records
    monkeypatch.setattr("sigraph.running.stages.without_repeated", lambda *a: {})
    plain = run(config_from_dict({**leaky, "output_dir": str(tmp_path / "plain")})).records
    scores = [
        [(task["valid"], task["test"]) for record in records for task in record["tasks"]] for records in (looked, plain)
    ]
    assert scores[0] == scores[1]


def test_records_from_before_are_found_as_finished(leaky):
    config = config_from_dict(leaky)
    run(config)
    folder = run_folder(config, config.arm("sipt"), 0)
    for file in [
        *folder.parents[2].glob(f"_pretrain/*/*/{FINETUNE}/*.json"),
        *folder.parents[2].glob(f"*/*/*/{RESULTS}"),
    ]:
        record = read_sealed(file)
        for entry in [record, *record.get("tasks", [])]:
            entry.pop("leakage", None)
        write_sealed(file, record)
    again = run(config)
    assert all(record["found"] for record in again.records)
    assert leakage_lines(again.records) == []
    rows = again.leaderboard().rows()
    assert {row["num_affected"] for row in rows} == {0} and {row["test_without"] for row in rows} == {None}


def test_the_leaderboard_and_the_form_hold_it(leaky):
    board = run(config_from_dict(leaky)).leaderboard()
    rows = json.loads(board.table("json"))["rows"]
    records = [record for record in board.records if record["arm"] == "sipt"]
    (row,) = [row for row in rows if (row["arm"], row["task"], row["head"]) == ("sipt", "block", "knn")]
    scores = [record["tasks"][1]["leakage"]["test_without"] for record in records]
    assert row["num_affected"] == 3 and row["test_without"] == pytest.approx(np.mean(scores))
    assert (
        f"# warning: leakage: 3 test samples also occur in training (test accuracy {np.mean(scores):.4f} without"
        in (board.table("ogb"))
    )
    older = json.loads(json.dumps(records))
    del older[0]["tasks"][1]["leakage"]
    (row,) = [row for row in Leaderboard(older).rows() if row["head"] == "knn"]
    assert row["num_affected"] == 3 and row["test_without"] is None
    older[0]["tasks"][1]["leakage"] = "?"
    (row,) = [row for row in Leaderboard(older).rows() if row["head"] == "knn"]
    assert row["n"] == 1 and "'tasks.1.leakage' needs a mapping (got '?')" in row["status"]


def save_with(tmp_path, dataset: SampleDataset, **tasks: Task) -> None:
    dataset.replace(tasks={**dataset.tasks, **tasks}).save(tmp_path / "toy", overwrite=True)


def turned(task: Task) -> Task:
    """The same labels, the parts exchanged."""
    parts = {"train": task.split["test"], "valid": task.split["valid"], "test": task.split["train"]}
    return replace(task, name="turned", split=parts)


def test_training_labels_that_are_tested_elsewhere_are_refused_before_training(toy, toy_dataset, tmp_path):
    save_with(tmp_path, toy_dataset, turned=turned(toy_dataset.task("block")))
    cliques = {"_target_": "sigraph.graphs.LabelCliques", "labels": "block"}
    toy["pretrain"]["graph"] = {"_target_": "sigraph.graphs.HopClosure", "hops": 1, "graph": cliques}
    toy["pretrain"]["valid_edge_rate"] = 0.0
    heard = Heard()
    run(config_from_dict(toy), heard)  # by its own split it is honest: supervised pre-training
    assert not any("suspicious" in line for line in heard.lines)
    toy["finetune"] = [{"task": "turned", "head": "linear", "max_epochs": 2}]
    with pytest.raises(ConfigError, match=r"those of 10 test samples of task 'turned'.*allow_label_edges: true"):
        run(config_from_dict(toy))


def test_label_edges_that_are_allowed_run_and_are_suspicious(toy):
    cliques = {"_target_": "sigraph.graphs.LabelCliques", "labels": "block", "allow_label_edges": True}
    toy["pretrain"]["graph"], toy["seeds"] = cliques, [0]
    toy["pretrain"]["valid_edge_rate"] = 0.0
    heard = Heard()
    results = run(config_from_dict(toy), heard)
    assert not results.failed
    made = "LabelCliques of task 'block' makes edges that tell the labels of 17 of 17"
    assert heard.lines[0].startswith(f"leakage: toy, task 'block': suspicious: {made}")
    toy["arms"] = {"none": {"pretrain.trainer.max_epochs": 0}}  # a graph that nobody trains on leaks nothing
    toy["baseline"] = None
    heard = Heard()
    run(config_from_dict(toy), heard)
    assert not any(line.startswith("leakage") for line in heard.lines)


@pytest.fixture
def telling(toy):
    """The toy experiment on the cliques of all labels."""
    cliques = {"_target_": "sigraph.graphs.LabelCliques", "labels": "block", "allow_label_edges": True}
    toy["pretrain"] |= {"graph": cliques, "valid_edge_rate": 0.0}
    toy["finetune"] = [{"task": task, "head": "linear", "max_epochs": 2} for task in ("block", "size")]
    toy["seeds"] = [0]
    return toy


TOLD = "LabelCliques of task 'block' makes edges that tell the labels of 17 of 17 test and"


def test_labels_in_edges_are_recorded_and_said_everywhere(telling, capsys):
    config = config_from_dict(telling)
    results = run(config)
    record = read_sealed(run_folder(config, config.arm("sipt"), 0) / RESULTS)
    block, size = record["tasks"]
    assert list(block["leakage"]) == ["label_edges"] and block["leakage"]["label_edges"].startswith(TOLD)
    assert "leakage" not in size
    board = results.leaderboard()
    rows = json.loads(board.table("json"))["rows"]
    told = {(row["arm"], row["task"]): row["label_edges"] for row in rows}
    assert told["sipt", "block"] == block["leakage"]["label_edges"] and told["sipt", "size"] is None
    assert told["objective-only", "block"] is None  # does not train on the graph
    status = {(row["arm"], row["task"]): row["status"] for row in rows}
    assert status["sipt", "block"].startswith(f"suspicious: {TOLD}")
    assert status["sipt", "size"] == "ok; not compared: used labels of all, objective-only of none"
    for format in ("csv", "markdown"):
        assert f"suspicious: {TOLD}" in board.table(format)
    assert f"# warning: suspicious: {TOLD}" in board.table("ogb")
    (line,) = leakage_lines(results.records)
    assert line.startswith("leakage: suspicious: toy-experiment (sipt") and f"task 'block' of toy: {TOLD}" in line
    assert main(["leaderboard", telling["output_dir"]]) == 0
    assert [said for said in capsys.readouterr().out.splitlines() if said.startswith("leakage")] == [line]
    assert main(["leaderboard", telling["output_dir"], "--task", "size"]) == 0
    assert "leakage" not in capsys.readouterr().out


def test_records_that_lack_it_are_completed_and_stay_finished(telling):
    config = config_from_dict(telling)
    run(config)
    file = run_folder(config, config.arm("sipt"), 0) / RESULTS
    record = read_sealed(file)
    older = {**record, "tasks": [{k: v for k, v in task.items() if k != "leakage"} for task in record["tasks"]]}
    del older["visible"]  # which those of before it lack too
    write_sealed(file, older)
    assert leakage_lines([older]) == []
    again = run(config)
    assert all(found["found"] for found in again.records) and read_sealed(file) == record


def test_a_damaged_record_says_nothing():
    tasks = [{"task": "t", "dataset": "d", "leakage": "?"}, {"task": "t", "dataset": "d", "leakage": {}}]
    assert leakage_lines([{"experiment": "e", "arm": "a", "tasks": tasks}]) == []


def test_a_failed_run_stays_beside_the_suspicion(telling):
    results = run(config_from_dict(telling))
    failed = [{**record, "seed": 1, "status": "failed", "reason": "no luck", "tasks": []} for record in results.records]
    row = next(row for row in Leaderboard([*results.records, *failed]).rows() if row["label_edges"])
    assert row["status"].startswith(f"suspicious: {TOLD}") and "; 1 failed: no luck" in row["status"]


def test_the_table_of_runs_says_repeated_samples(leaky, capsys):
    results = run(config_from_dict(leaky))
    assert main(["leaderboard", leaky["output_dir"]]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("leakage")]
    assert said == leakage_lines(results.records)
    assert main(["leaderboard", leaky["output_dir"], "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]


def test_the_dry_run_says_it(leaky):
    assert "\nleakage: toy, task 'block': suspicious: 3 of 17 test" in plan_table(config_from_dict(leaky))
