"""`sigraph advise` on an experiment, a prepared folder and files; what it says, what it leaves, what it refuses."""

import json
import re
import shlex

import pytest
import torch
import yaml
from arm_cases import dataset
from pages import blocks, read

from sigraph.cli import main
from sigraph.data import SampleDataset
from sigraph.proposal.conclusion import CLOSED_FORM, LOOK_FIRST, NO, PRE_TRAIN
from sigraph.tasks import PairTask, Task


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sigraph.proposal.budget.MOST_EPOCHS", 3)
    monkeypatch.setattr("sigraph.running.measured.TIMED_STEPS", 2)
    return tmp_path


@pytest.fixture
def experiment(here):
    """Three arms on a data set of two blocks, in a YAML."""
    data = dataset("numbers")
    data.save(here / "blocks")
    encoder = {"_target_": "sigraph.encoders.MLPEncoder", "hidden_channels": 8, "out_channels": 4}
    settings = {
        "name": "mine",
        "seeds": [3, 4],
        "pretrain": {
            "dataset": "blocks",
            "graph": "g",
            "encoder": encoder,
            "objective": {"_target_": "sigraph.objectives.MaskedFeature"},
            "structure_weight": 0.5,
            "batch_size": 30,
            "trainer": {"max_epochs": 4, "accelerator": "cpu"},
        },
        "finetune": [{"task": "block", "head": "linear", "normalize": True}],
        "arms": {
            "sipt": {},
            "objective-only": {"pretrain.structure_weight": 0.0},
            "ridge": {"kind": {"_target_": "Ridge", "ridges": [0.3], "penalties": [0.1, 1.0]}},
        },
        "baseline": "objective-only",
    }
    (here / "mine.yaml").write_text(yaml.safe_dump(settings))
    return settings


def test_an_experiment(experiment, here, capsys):
    before = sorted(here.iterdir())
    assert main(["advise", "mine.yaml", "seeds=[5]", "--draws", "2", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert sorted(here.iterdir()) == before  # nothing is left
    assert (said["arm"], said["baseline"], said["task"], said["metric"]) == (
        "sipt",
        "objective-only",
        "block",
        "accuracy",
    )
    assert said["audit"]["verdict"] == "promising" and said["audit"]["graph"] == "g" and said["num_valid"] == 20
    assert [point["labels_per_class"] for point in said["points"]] == [1, 2, 5, None]
    assert [point["labels"] for point in said["points"]] == [2, 4, 10, 20] and said["points"][-1]["all"]
    for point in said["points"]:
        assert set(point["scores"]) == {"raw-features", "ridge", "objective-only", "sipt"}
        (gain,) = (one for one in point["gains"] if (one["arm"], one["over"]) == ("sipt", "objective-only"))
        scores = {name: one["mean"] for name, one in point["scores"].items()}
        assert gain["value"] == pytest.approx(scores["sipt"] - scores["objective-only"])
        assert gain["low"] <= gain["value"] <= gain["high"]
    runs = said["runs"]
    assert {(run["epochs"], run["num_steps"], run["whole_epochs"]) for run in runs.values()} == {(4, 8, 4)}
    assert said["num_seeds"] == 1 and said["verdict"] in ("pre-train", "closed form", "no")
    assert "sigraph run mine.yaml 'seeds=[5]'" in said["next"]
    assert any("as long as the experiment's own, 4 epochs" in one for one in said["conclusion"])


def test_a_short_run_is_said_to_be_one_and_both_take_as_many_steps(experiment, monkeypatch, capsys):
    monkeypatch.setattr("sigraph.proposal.short_run.measure", lambda arm, seed: {"seconds": 80.0, "num_steps": 8})
    assert main(["advise", "mine.yaml", "--minutes", "1.4", "--draws", "1", "--out", "out"]) == 0
    out = capsys.readouterr().out  # 42 s each: 4 of 8 steps, 2 of 4 epochs
    assert "This was a short run, 2 of 4 epochs (4 steps) of both with one seed" in out
    assert "sipt 80 s, objective-only 80 s; both with 2 seeds: 5 minutes" in out and "inductive=true asks" in out
    assert "| labels a class | labels in all | raw-features | ridge" in out and "| sipt over objective-only" in out
    assert "written: out/learning-curve.png" in out


def test_a_prepared_folder_and_its_numbers(here, capsys):
    data = dataset("numbers", of_type="regression")
    data.save(here / "blocks")
    assert main(["advise", "blocks", "--draws", "1", "--out", "out"]) == 0
    out = capsys.readouterr().out
    assert "| labels in all | raw-features" in out and "a class" not in out and f"{data.task().metric} on 20" in out
    assert sorted(file.name for file in (here / "out").iterdir()) == ["blocks.yaml", "learning-curve.png"]
    assert "`sigraph run out/blocks.yaml`" in out
    assert (here / "out/learning-curve.png").read_bytes().startswith(b"\x89PNG")
    assert yaml.safe_load((here / "out/blocks.yaml").read_text())["pretrain"]["trainer"] == {"max_epochs": 3}


def test_the_page_runs_leaves_nothing_and_init_is_what_comes_next(here, capsys):
    """The first example of docs/advise.md, on files like its own."""
    page = read("docs/advise.md")
    command, *request = shlex.split(blocks(page, "sh")[0])
    assert (command, request[0]) == ("sigraph", "advise")
    words = ["red apple fruit", "blue sky cloud", "green tree leaf"]
    rows = [f"p{i},{words[i % 3]} word{i % 7} only{i},{'abc'[i % 3]}" for i in range(120)]
    (here / "papers.csv").write_text("id,text,topic\n" + "\n".join(rows) + "\n")
    (here / "cites.csv").write_text("source,target\n" + "\n".join(f"p{i},p{(i + 3) % 120}" for i in range(120)) + "\n")
    assert main([*request, "--draws", "1", "--split-rates", "0.4,0.3,0.3"]) == 0
    said = capsys.readouterr()
    assert sorted(file.name for file in here.iterdir()) == ["cites.csv", "papers.csv"]
    assert "sigraph init papers.csv cites.csv --label topic --split-rates 0.4,0.3,0.3 --run" in said.out
    assert "cites × topic: **promising**" in said.out and "cites.csv holds edges" in said.err
    shown, found = (
        [cell.strip() for cell in re.search(r"^\| labels a class.*$", text, re.M)[0].split("|")]
        for text in (page, said.out)
    )
    assert shown == found  # the page shows the table as it is
    for verdict in re.findall(r"^\| (pre-train|closed form|no|look first) \|", page, re.M):
        assert verdict in (PRE_TRAIN, CLOSED_FORM, NO, LOOK_FIRST)


def test_labels_that_pre_training_reads_are_all_or_nothing(experiment, here, capsys):
    experiment["pretrain"]["graph"] = {"_target_": "sigraph.graphs.LabelCliques", "labels": "block"}
    (here / "mine.yaml").write_text(yaml.safe_dump(experiment))
    assert main(["advise", "mine.yaml", "--draws", "1", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [point["all"] for point in said["points"]] == [True]
    assert "sipt reads labels of training samples in pre-training" in said["notes"][0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mine.yaml", "--minutes", "0"], "--minutes needs to be above 0"),
        (["mine.yaml", "--draws", "0"], "--draws needs to be >= 1"),
        (["mine.yaml", "--task", "blok"], "--task blok: there is none (did you mean 'block'?); there are: block"),
        (["mine.yaml", "--arm", "ridge"], "no arm of this name that pre-trains; arms that do: objective-only, sipt"),
        (["mine.yaml", "--graph", "h"], "that pre-trains on the graph 'h'; name one by --arm"),
        (["mine.yaml", "--arm", "sipt", "--graph", "g"], "give --arm or --graph, not both"),
        (["mine.yaml", "baseline=null"], "add one, such as objective-only"),
        (["mine.yaml", "--label", "kind"], "--label is for tables of your own, not for an experiment's YAML"),
        (["mine.yaml", "--out", "mine.yaml"], "is a file, and --out needs a folder"),
        (["blocks", "more.csv"], "choose by --task NAME"),
        (["blocks", "--trust", "mine"], "--trust is for an experiment's YAML"),
        (["nothing"], "unknown data set 'nothing'"),
        (["no.csv"], "no.csv: there is no such file"),
        (["bare"], "has no task to advise on"),
        (["few"], "needs at least 10 validation samples"),
        (["pairs.yaml"], "not of pairs or parts (the items of task 'links' are pairs)"),
    ],
)
def test_what_cannot_be_is_said_before_anything_trains(experiment, here, capsys, monkeypatch, words, said):
    monkeypatch.setattr("sigraph.proposal.short_run.fit_parts", lambda *_: pytest.fail("it trains"))
    data, ids = dataset(), torch.arange(60)
    SampleDataset(data.samples, data.graphs, name="bare").save(here / "bare")
    few = Task("block", data.task().labels, {"train": ids[:20], "valid": ids[20:25], "test": ids[40:]})
    SampleDataset(data.samples, data.graphs, {"block": few}, name="few").save(here / "few")
    ends = torch.stack([ids, (ids + 7) % 60])
    links = PairTask("links", ends, ids % 2, few.split, num_samples=60)
    SampleDataset(data.samples, data.graphs, {"links": links}, name="p").save(here / "p")
    pairs = {**experiment, "finetune": [{"task": "links", "head": "linear"}]}
    pairs["pretrain"] = {**pairs["pretrain"], "dataset": "p"}
    (here / "pairs.yaml").write_text(yaml.safe_dump(pairs))
    assert main(["advise", *words]) == 2
    assert said in capsys.readouterr().err
