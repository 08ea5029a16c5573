"""Heads of a run: kept with their sums, and read again as they were."""

import pytest
import text_run
import torch
from torch import nn

from sigraph.data import Task
from sigraph.evaluation.nearest_head import NearestHead
from sigraph.export.heads import damage, keep_head, read_head
from sigraph.files.sealed import read_sealed
from sigraph.tasks.base import UnitLength
from sigraph.tasks.kinds import TargetUnit
from sigraph.tasks.pairs import PairFeatures

HEADS = {
    "classes": nn.Sequential(UnitLength(), nn.Dropout(0.5), nn.Linear(4, 3)),
    "numbers": nn.Sequential(nn.Dropout(0.1), nn.Linear(4, 1), TargetUnit(torch.tensor([1e9 + 0.1, 3.0]))),
    "nearest": NearestHead(torch.randn(9, 4), torch.arange(9) % 3, 2, 3, gives_shares=True),
    "columns": NearestHead(torch.randn(9, 4), torch.eye(9)[:, :2], 2),
}


@pytest.fixture
def task():
    return text_run.dataset().tasks["topic"]


@pytest.mark.parametrize("name", HEADS)
def test_it_predicts_to_the_bit_as_before(name, task, tmp_path):
    head, z, random = HEADS[name].eval(), torch.randn(20, 4), torch.get_rng_state()
    kept = keep_head(tmp_path, name, task, "linear", head)["trained_head"]
    read = read_head(tmp_path, kept)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(read.module(z), head(z)) and not read.module.training
    assert (read.task, read.item, read.type, read.classes) == ("topic", "sample", "classification", text_run.TOPICS)


def test_the_file_says_task_classes_unit_and_metric(task, tmp_path):
    keep_head(
        tmp_path,
        "h",
        Task("year", torch.rand(9), {p: [i] for i, p in enumerate(("train", "valid", "test"))}),
        "linear",
        HEADS["numbers"],
    )
    about = read_sealed(tmp_path / "h.json")
    assert about["task"] == "year" and about["head"] == "linear" and about["metric"] == "rmse"
    assert about["unit"] == {"mean": HEADS["numbers"][2].mean, "scale": HEADS["numbers"][2].scale}
    keep_head(tmp_path, "t", task, "full", HEADS["classes"])
    assert read_sealed(tmp_path / "t.json")["classes"] == text_run.TOPICS


def test_damage_is_said_and_never_read(task, tmp_path):
    kept = keep_head(tmp_path, "h", task, "linear", HEADS["classes"])["trained_head"]
    assert damage(tmp_path, kept) is None
    for name in ("h.safetensors", "h.json"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[:-3] + b"}} " if name.endswith("json") else whole[:-1] + b"\x01")
        with pytest.raises(ValueError, match="damaged"):
            read_head(tmp_path, kept)
        (tmp_path / name).unlink()
        assert "missing" in damage(tmp_path, kept)
        (tmp_path / name).write_bytes(whole)


def test_a_head_of_ones_own_is_kept_and_not_guessed(task, tmp_path):
    own = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3))
    head = read_head(tmp_path, keep_head(tmp_path, "own", task, "linear", own)["trained_head"])
    with pytest.raises(ValueError, match=r"layers of your own.*load_encoder"):
        head.predict(torch.randn(2, 4))


@pytest.mark.parametrize("item", ["pair", "triple"])
def test_a_head_of_pairs_predicts_them_and_one_of_other_items_says_that_it_does_not(item, tmp_path):
    pairs = type("Pairs", (), {"name": "links", "item": item, "type": "classification", "metric": "rocauc"})
    pairs.classes = None
    head = nn.Sequential(nn.Dropout(0.0), PairFeatures("hadamard", False), nn.Linear(4, 2)).eval()
    read = read_head(tmp_path, keep_head(tmp_path, "p", pairs, "linear", head)["trained_head"])
    z = torch.randn(5, 2, 4)
    assert torch.equal(read.module(z), head(z))
    if item == "triple":
        with pytest.raises(ValueError, match="is of triples, and what is predicted are samples, pairs and parts"):
            read.predict(z)
        return
    assert torch.equal(read.predict(z)[1], head(z).double().softmax(dim=1))
