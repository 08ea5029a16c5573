"""Arms that pre-train nothing: from a YAML to a row, found again, with what they saw."""

import pytest
import torch
import yaml

from sigraph.cli import main
from sigraph.config import ConfigError, config_from_dict
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import run
from sigraph.files.sealed import read_sealed
from sigraph.running.kinds import kind_settings
from sigraph.running.plan import plan, plan_table
from sigraph.running.progress import Progress
from sigraph.running.run_one import run_folder
from sigraph.tasks import Task

RIDGE = {"_target_": "sigraph.arms.Ridge", "ridges": [1.0], "penalties": [1.0]}


class Lines(Progress):
    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


@pytest.fixture
def only_kinds(toy):
    """No arm of it trains."""
    toy["arms"] = {"mine": {"kind": RIDGE}, "hidden": {"kind": RIDGE, "pretrain.inductive": True}}
    toy["baseline"] = None
    toy["finetune"] = [
        {"task": "block", "head": "linear"},
        {"task": "block", "head": "full"},
        {"task": "size", "head": "linear"},
    ]
    return toy


def test_a_row_for_each_task_with_what_was_seen(only_kinds):
    only_kinds["arms"] |= {"spread": {"kind": "LabelPropagation"}, "words": {"kind": "LSA"}}
    results = run(config_from_dict(only_kinds))
    assert not results.failed and len(results.records) == 8
    by = {(record["arm"], record["seed"]): record for record in results.records}
    record = by["mine", 0]
    assert record["kind"] == "closed-form" and record["pretrain"] is None
    assert [(t["task"], t["head"], t["primary"]) for t in record["tasks"]] == [
        ("block", "–", True),
        ("size", "–", False),
    ]
    seen = {name: by[name, 0]["visible"] for name in ("mine", "hidden", "spread", "words")}
    assert seen["mine"]["samples"][0] == 40 and seen["mine"]["edges"][0] > seen["hidden"]["edges"][0] > 0
    assert (seen["hidden"]["inductive"], seen["hidden"]["samples"][0]) == ("yes", 11)
    assert seen["words"]["edges"] is None and seen["words"]["samples"] == seen["mine"]["samples"]
    assert [seen[name]["graph_at_inference"] for name in seen] == [False, False, True, False]
    assert seen["spread"]["trials"] == 6 and seen["mine"]["trials"] == 1
    for name in ("mine", "words"):  # nothing is drawn: one result stands for all seeds
        assert [t["test"] for t in by[name, 0]["tasks"]] == [t["test"] for t in by[name, 1]["tasks"]]
    rows = {(row["arm"], row["task"]): row for row in results.leaderboard().rows()}
    row = rows["mine", "block"]
    assert (row["n"], row["test_std"], row["kind"], row["head"]) == (2, 0.0, "closed-form", "–")
    assert row["num_parameters"] == record["tasks"][0]["num_parameters"] > 6
    assert "| mine " in results.leaderboard().table()


def test_finished_work_is_found_and_other_settings_are_other_work(only_kinds, monkeypatch):
    from sigraph.arms import Ridge

    calls, original = [], Ridge.predict
    monkeypatch.setattr(Ridge, "predict", lambda self, *rest: calls.append(1) or original(self, *rest))
    config = config_from_dict(only_kinds)
    first = run(config)
    assert len(calls) == 4  # two arms x two tasks, for all seeds
    again = run(config)
    assert len(calls) == 4 and all(record["found"] for record in again.records)
    assert [r["tasks"] for r in again.records] == [r["tasks"] for r in first.records]
    only_kinds["pretrain"]["encoder"]["hidden_channels"] = 16  # nobody looks at it
    only_kinds["pretrain"]["trainer"]["max_epochs"] = 9
    assert all(record["found"] for record in run(config_from_dict(only_kinds)).records) and len(calls) == 4
    only_kinds["pretrain"]["graph"] = {"name": "blocks", "rewire": 1.0}  # another graph for each seed
    run(config_from_dict(only_kinds))
    assert len(calls) == 4 + 8


def test_a_result_that_is_damaged_is_made_again(only_kinds, tmp_path):
    only_kinds["arms"].pop("hidden")
    config = config_from_dict({**only_kinds, "seeds": [0]})
    first = run(config)
    file = next((tmp_path / "runs").glob("toy-experiment/_kinds/*/block-*.json"))
    file.write_text(file.read_text().replace('"valid"', '"vbl"'))
    again = run(config)
    assert [t["test"] for t in again.records[0]["tasks"]] == [t["test"] for t in first.records[0]["tasks"]]
    assert read_sealed(file)["valid"] == again.records[0]["tasks"][0]["valid"]
    assert {"config.yaml", "results.json", "predictions"} <= {
        f.name for f in run_folder(config, config.arm("mine"), 0).iterdir()
    }


def test_the_hash_holds_what_a_kind_looks_at(toy):
    toy["arms"] |= {"mine": {"kind": RIDGE}, "common": {"kind": "Majority"}}
    ours = [kind_settings(config_from_dict(toy).arm(name)) for name in ("mine", "common")]
    assert "graph" in ours[0]["pretrain"] and "graph" not in ours[1]["pretrain"]
    toy["pretrain"]["graph"] = {"name": "blocks", "hops": 2}
    theirs = [kind_settings(config_from_dict(toy).arm(name)) for name in ("mine", "common")]
    assert ours[0] != theirs[0] and ours[1] == theirs[1]


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"kind": RIDGE, "pretrain.batch_size": 3}, "'pretrain.batch_size' changes nothing in an arm of a 'kind'"),
        ({"kind": RIDGE, "finetune.0.head": "knn"}, "'finetune.0.head' changes nothing in an arm of a 'kind'"),
        (
            {"kind": "Majority", "pretrain.graph.hops": 2},
            "'pretrain.graph.hops' changes nothing: 'Majority' looks at no",
        ),
        ({"kind": "Ridgee"}, r"'sigraph.arms' has no 'Ridgee' \(did you mean 'Ridge'"),
        ({"kind": {**RIDGE, "restart": 2}}, "'restart' needs to be in"),
        ({"kind": {**RIDGE, "restrat": 0.5}}, "has no argument 'restrat'"),
        ({"kind": "sigraph.losses.InfoNCELoss"}, "needs to be a subclass of sigraph.arms.base.ArmKind"),
        ({"kin": RIDGE}, "'kin' needs to start with 'pretrain.' or 'finetune.'"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_runs(toy, tmp_path, arm, message):
    toy["arms"]["mine"] = arm
    with pytest.raises(ConfigError, match=message):
        run(config_from_dict(toy))
    assert not (tmp_path / "runs").exists()


def test_an_argument_of_a_kind_can_be_overridden_by_its_path(toy):
    toy["arms"] = {"mine": {"kind": "Ridge", "kind.restart": 0.5}}
    config = config_from_dict({**toy, "baseline": None}, ["arms.mine.kind.num_steps=3"])
    assert config.arm("mine").kind == {"_target_": "sigraph.arms.Ridge", "restart": 0.5, "num_steps": 3}


# References ###########################################################################################################


def test_three_references_stand_in_a_table_by_default(toy):
    toy |= {"references": True, "arms": {"ridge": {"kind": RIDGE}, "sipt": {}}, "baseline": "sipt", "seeds": [0]}
    config = config_from_dict(toy)
    assert config.arm_names == ["ridge", "sipt", "majority", "raw-features"]
    assert config.arm("ridge").kind == RIDGE  # the file's own
    assert config_from_dict(config.to_dict()).arm_names == config.arm_names
    results = run(config)
    assert [record["arm"] for record in results.records] == config.arm_names and not results.failed
    assert [row["arm"] for row in plan(config)] == config.arm_names
    assert "closed-form: pre-trains nothing" in plan_table(config)
    rows = {row["arm"]: row for row in results.leaderboard().rows()}
    reach = {name: (row["visible"], row["transductive"]) for name, row in rows.items()}
    assert reach["majority"] == (None, None)  # it looks at training labels alone
    assert reach["raw-features"] == reach["ridge"] == ("transductive", True)  # scaled by all visible samples
    notes = {row["arm"]: row["status"] for row in results.leaderboard().rows()}
    assert "not compared: sipt predicts through a head" in notes["majority"] and "not compared" not in notes["sipt"]
    some = run(config, only=[("majority", 0)])
    assert [(record["arm"], record["found"]) for record in some.records] == [("majority", True)]
    assert "raw-features" not in config_from_dict({**toy, "references": False}).arm_names


def test_every_head_is_compared_with_a_baseline_that_has_none(toy):
    """On the same test items, so that an interval is there."""
    toy["arms"] = {"ridge": {"kind": RIDGE}, "sipt": {}}
    toy |= {"baseline": "ridge", "finetune": [{"task": "block", "head": head} for head in ("linear", "knn")]}
    found = {(row["arm"], row["head"]): row for row in run(config_from_dict(toy)).leaderboard().rows()}
    for head in ("linear", "knn"):
        row, base = found["sipt", head], found["ridge", "–"]
        assert row["difference"] == pytest.approx(row["test_mean"] - base["test_mean"]) and row["num_pairs"] == 2
        assert row["difference_low"] <= row["difference"] <= row["difference_high"] and row["status"] == "ok"


def test_references_that_do_not_apply_are_left_out_and_said(toy, toy_dataset, tmp_path, capsys):
    from torch_geometric.data import Data

    line = torch.tensor([[0, 1], [1, 0]])
    graphs = [Data(x=torch.tensor([[i % 3], [0]]), edge_index=line) for i in range(40)]
    data = SampleDataset(graphs, dict(toy_dataset.graphs), {"block": toy_dataset.task("block")}, name="graphs")
    data.save(tmp_path / "graphs")
    toy |= {"references": True, "arms": {"sipt": {}}, "baseline": None, "seeds": [0]}
    toy["pretrain"] |= {"dataset": str(tmp_path / "graphs"), "objective": None, "structure_weight": 1.0}
    toy["pretrain"]["encoder"] = {"_target_": "sigraph.encoders.GraphEncoder", "hidden_channels": 4, "out_channels": 3}
    lines = Lines()
    results = run(config_from_dict(toy), lines)
    assert [record["arm"] for record in results.records] == ["sipt", "majority"]
    for name in ("raw-features", "ridge"):
        assert any(f"arm {name!r} is left out" in line and "needs features, tokens or" in line for line in lines.said)
    toy["arms"] = {"mine": {"kind": "RawFeatures"}}
    with pytest.raises(ConfigError, match="arm 'mine': kind: 'RawFeatures' needs features"):
        run(config_from_dict(toy))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**toy, "arms": {"sipt": {}}}))
    assert main(["run", str(tmp_path / "mine.yaml"), "--arm", "ridge"]) == 0
    assert "nothing was run" in capsys.readouterr().out


@pytest.mark.parametrize("metric", ["spearman", ["mae", "spearman"]])
def test_what_a_metric_cannot_score_is_left_out_and_said(toy, toy_dataset, tmp_path, metric, capsys):
    """The same prediction for all has no correlation; the arm's other tasks, and other metrics, stay."""
    size = toy_dataset.task("size")
    split = toy_dataset.task("block").split
    tasks = {"block": toy_dataset.task("block"), "size": Task("size", size.labels, split, metric=metric)}
    toy_dataset.replace(tasks=tasks).save(tmp_path / "ranked")
    toy["pretrain"]["dataset"] = str(tmp_path / "ranked")
    toy |= {"references": True, "arms": {"mine": {"kind": RIDGE}}, "baseline": None, "seeds": [0]}
    toy["finetune"].append({"task": "size", "head": "linear"})
    (tmp_path / "ranked.yaml").write_text(yaml.safe_dump(toy))
    assert main(["run", str(tmp_path / "ranked.yaml")]) == 0
    said = capsys.readouterr().err
    results = run(config_from_dict(toy))
    by = {record["arm"]: {t["task"]: t for t in record["tasks"]} for record in results.records}
    assert set(by) == {"mine", "majority", "raw-features", "ridge"} and not results.failed
    if metric == "spearman":
        assert set(by["majority"]) == {"block"}
        assert "arm 'majority' leaves out size: predicts the same for all samples, which 'spearman' cannot" in said
    else:
        assert set(by["majority"]["size"]["scores"]) == {"mae"}
        assert "arm 'majority' leaves out 'spearman' of size, which cannot score" in said
    assert list(by["mine"]["size"]["scores"]) == ([metric] if isinstance(metric, str) else metric)


def test_what_is_found_constant_only_when_it_is_predicted_is_left_out_too(toy, toy_dataset, tmp_path):
    """A file's arm whose kind does not know before: no other result is lost."""
    ranked = Task("size", toy_dataset.task("size").labels, toy_dataset.task("block").split, metric="pearson")
    tasks = {"block": toy_dataset.task("block"), "size": ranked}
    SampleDataset(torch.zeros(40, 6), dict(toy_dataset.graphs), tasks, name="same").save(tmp_path / "same")
    toy["pretrain"]["dataset"] = str(tmp_path / "same")
    toy |= {"arms": {"mine": {"kind": "RawFeatures"}}, "baseline": None, "seeds": [0]}
    toy["finetune"].append({"task": "size", "head": "linear"})
    lines = Lines()
    results = run(config_from_dict(toy), lines)
    assert [[t["task"] for t in record["tasks"]] for record in results.records] == [["block"]]
    assert any("arm 'mine' leaves out size: 'pearson' cannot score what it predicts" in line for line in lines.said)


def test_an_arm_that_nobody_asked_for_fails_no_run(toy, tmp_path, capsys, monkeypatch):
    from sigraph.arms import Majority

    def broken(*arguments):
        raise ValueError("no such thing")

    monkeypatch.setattr(Majority, "predict", broken)
    toy |= {"references": True, "arms": {"mine": {"kind": RIDGE}}, "baseline": None, "seeds": [0]}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(toy))
    assert main(["run", str(tmp_path / "mine.yaml")]) == 0
    out = capsys.readouterr()
    assert "| mine " in out.out and "failed: majority, seed 0" in out.err and "no such thing" in out.err
    toy["arms"]["majority"] = {"kind": "Majority"}  # one of the file's own does
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(toy))
    assert main(["run", str(tmp_path / "mine.yaml")]) != 0


def test_a_task_of_another_data_set_has_no_node_in_the_graph(toy, toy_dataset, tmp_path):
    x = toy_dataset.store.vectors().flip(0).contiguous()
    ids = torch.arange(40)
    split = {"train": ids[:20], "valid": ids[20:30], "test": ids[30:]}
    other = SampleDataset(
        x, {"none": PretrainGraph(num_nodes=40)}, {"half": Task("half", ids % 2, split)}, name="other"
    )
    other.save(tmp_path / "other")
    toy |= {"arms": {"mine": {"kind": RIDGE}, "spread": {"kind": "LabelPropagation"}}, "baseline": None, "seeds": [0]}
    toy["finetune"].append({"task": "half", "head": "linear", "dataset": str(tmp_path / "other")})
    lines = Lines()
    results = run(config_from_dict(toy), lines)
    assert [[t["task"] for t in record["tasks"]] for record in results.records] == [["block", "half"], ["block"]]
    assert any("arm 'spread' leaves out half: needs the task's samples in the pre-tr" in line for line in lines.said)


def test_a_graph_of_labels_is_refused_for_kinds_too(toy):
    toy["arms"] = {"spread": {"kind": "LabelPropagation", "pretrain.inductive": True}}
    toy["baseline"] = None
    toy["pretrain"]["graph"] = {"_target_": "sigraph.graphs.LabelCliques", "labels": "block", "allow_label_edges": True}
    found = run(config_from_dict({**toy, "seeds": [0]})).records[0]["tasks"][0]
    assert "label" in found["leakage"]["label_edges"]  # allowed, and told


OWN = '''
"""A kind of one's own: the nearest training sample's label, as one reads it off the features."""
import torch
from sigraph.arms import ArmKind, Prediction

class Nearest(ArmKind):
    """Labels of the nearest training sample.

    Args:
        power: Of the distance.
    """
    kind = "closed-form"
    def __init__(self, power: float = 2.0): self.power = power
    def applies(self, given, task): return "" if task.type == "classification" else "needs classes"
    def predict(self, given, task, seed=0, score_test=True):
        fetch = given.dataset.fetch
        train = fetch(task.split["train"])
        def of(part):
            nearest = torch.cdist(fetch(task.split[part]), train, p=self.power).argmin(dim=1)
            return task.labels[task.split["train"]][nearest]
        return Prediction(of("valid"), of("test") if score_test else None, train.numel())
'''


def test_a_kind_of_ones_own_runs_from_a_yaml(toy, tmp_path, capsys):
    (tmp_path / "own_nearest.py").write_text(OWN)
    toy["arms"] = {"nearest": {"kind": {"_target_": "own_nearest.Nearest", "power": 1.0}}}
    toy["finetune"].append({"task": "size", "head": "linear"})
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({**toy, "baseline": None}))
    assert main(["run", str(tmp_path / "own.yaml")]) == 0
    out = capsys.readouterr()
    assert "| nearest " in out.out and "leaves out size: needs classes" in out.err
    record = read_sealed(next((tmp_path / "runs").glob("*/nearest/*/seed-1/results.json")))
    assert "own_nearest" in record["sources"] and record["tasks"][0]["num_parameters"] == 60


def test_what_a_kind_cannot_read_is_refused_before_anything_trains(only_kinds, monkeypatch):
    def refuse(self, given, task):
        raise ValueError(f"{len(given.dataset)} samples cannot be read")

    monkeypatch.setattr("sigraph.arms.Ridge.check", refuse)
    monkeypatch.setattr("sigraph.arms.Ridge.predict", lambda *_: pytest.fail("predicts"))
    with pytest.raises(ConfigError, match="kind: 40 samples cannot be read"):
        run(config_from_dict(only_kinds))
