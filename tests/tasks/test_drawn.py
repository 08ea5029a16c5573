"""drawn: fewer items of a task, the same ones again; through a whole experiment, for every kind of arm."""

import json

import pyarrow.parquet as pq
import pytest
import torch
import yaml

from sigraph.cli import main
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.tasks import PairTask, Task, drawn
from sigraph.tasks.links import LinkTask

N = 90
SPLIT = {"train": torch.arange(50), "valid": torch.arange(50, 70), "test": torch.arange(70, 90)}


def topic():
    return Task("topic", torch.arange(N) % 3, SPLIT, about="given")


def test_items_are_some_of_the_parts_and_a_larger_draw_holds_a_smaller():
    task = topic()
    some, more = drawn(task, 10, 7), drawn(task, 30, 7)
    for part, count in {"train": 10, "valid": 7, "test": 7}.items():
        assert len(some.split[part]) == count and torch.isin(some.split[part], SPLIT[part]).all()
        assert bool((some.split[part].diff() > 0).all())
    assert torch.isin(some.split["train"], more.split["train"]).all()
    assert torch.equal(drawn(task, 10, 7).split["test"], some.split["test"])
    assert not torch.equal(drawn(task, 10, seed=1).split["train"], some.split["train"])
    assert some.about == "given; 10 of 50 of train, 7 of 20 of valid, 7 of 20 of test, drawn with seed 0"
    assert type(some) is Task and some.labels is task.labels and len(task.split["train"]) == 50
    assert drawn(task) is task is drawn(task, 50, 20)


@pytest.mark.parametrize("wrong", [{"max_train": -1}, {"max_scored": 1.5}, {"seed": -1}])
def test_numbers_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match="drawn"):
        drawn(topic(), **wrong)


def test_training_negatives_are_drawn_among_the_pairs_that_are_left():
    pairs = torch.stack([torch.arange(N - 1), torch.arange(1, N)])
    task = PairTask("link", pairs, None, {"train": range(50), "valid": range(50, 69), "test": range(69, 89)}, N)
    some = drawn(task, 10)
    nodes = pairs[:, some.split["train"]].unique()
    generator = torch.Generator().manual_seed(0)
    node, place = some.samples(some.split["train"], generator)
    assert torch.isin(node, nodes).all() and len(place) == 20


def test_links_keep_their_own_candidates():
    links = {part: torch.stack([ids, (ids + 1) % N]) for part, ids in SPLIT.items()}
    candidates = {part: {"target": (links[part][1][:, None] + torch.arange(3, 8)) % N} for part in ("valid", "test")}
    task = LinkTask("link", links, N, "mrr", candidates=candidates)
    some = drawn(task, max_scored=4)
    for part in ("valid", "test"):
        items = some.split[part]
        place = items - task.split[part][0]
        node, at = some.samples(items)
        ends = node[at].view(4, 6, 2)
        assert torch.equal(ends[:, 0].T, links[part][:, place])
        assert torch.equal(ends[:, 1:, 1], candidates[part]["target"][place])
        score = torch.rand(24, generator=torch.Generator().manual_seed(0)).view(4, 6)
        rank = 1 + (score[:, 1:] > score[:, :1]).sum(dim=1)
        assert some.evaluate(items, score.view(-1, 1))["mrr"] == pytest.approx(float((1 / rank).mean()))


def test_every_arm_of_an_experiment_has_the_same_draw(tmp_path, capsys):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(N, 6, generator=generator) + torch.eye(6)[torch.arange(N) % 3]
    graph = PretrainGraph(torch.stack([torch.arange(N - 3), torch.arange(3, N)]), N)
    SampleDataset(x, {"near": graph}, {"topic": topic()}).save(tmp_path / "data")
    tree = {
        "name": "few",
        "seeds": [0],
        "output_dir": str(tmp_path / "runs"),
        "pretrain": {
            "dataset": str(tmp_path / "data"),
            "graph": "near",
            "encoder": {"_target_": "MLPEncoder", "hidden_channels": 8, "out_channels": 4},
            "trainer": {"max_epochs": 1, "accelerator": "cpu"},
        },
        "finetune": [
            {"task": "topic", "head": "linear", "max_epochs": 2, "max_train_samples": 9, "max_scored_samples": 8},
            {"task": "topic", "head": "linear", "max_epochs": 2},
        ],
        "arms": {"sipt": {}, "words": {"kind": {"_target_": "RawFeatures"}}},
    }
    (tmp_path / "few.yaml").write_text(yaml.safe_dump(tree))
    assert main(["run", str(tmp_path / "few.yaml")]) == 0
    assert "9 of 50 of train, 8 of 20 of valid, 8 of 20 of test, drawn with seed 0" in "".join(capsys.readouterr())
    wanted = drawn(topic(), 9, 8).split["test"].tolist()
    runs = [json.loads(file.read_text()) for file in (tmp_path / "runs").rglob("results.json")]
    assert {run["arm"] for run in runs} >= {"sipt", "words"}
    for run in runs:
        found = sorted(
            len(pq.read_table(file)) for file in tmp_path.rglob(f"{run['arm']}/*/seed-0/predictions/*.parquet")
        )
        assert found == [8, 20], run["arm"]
    kept = [pq.read_table(file) for file in tmp_path.rglob("sipt/*/seed-0/predictions/*.parquet")]
    assert min(kept, key=len)["item" if "item" in kept[0].column_names else "node"].to_pylist() == wanted
