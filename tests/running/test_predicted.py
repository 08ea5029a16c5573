"""Predictions of a run: kept beside its record, found again, made again where they were lost, said where altered."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from sigraph.config import config_from_dict
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.experiment import run
from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.leaderboard import Leaderboard
from sigraph.leaderboard.predictions import PREDICTIONS
from sigraph.leaderboard.records import FORMAT, NewerFormatError
from sigraph.running import stages
from sigraph.running.run_one import run_folder
from sigraph.tasks import Task


@pytest.fixture
def config(tmp_path):
    ids = torch.arange(40)
    graph = PretrainGraph(torch.stack([ids[:-2], ids[2:]]), 40)
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)) + (ids % 2)[:, None]
    task = Task("odd", ids % 2, {"train": ids[:10], "valid": ids[10:20], "test": ids[20:].flip(0)})
    names = [f"paper-{i}" for i in range(40)]
    SampleDataset(x, {"line": graph}, {"odd": task}, name="toy", ids=names).save(tmp_path / "toy")
    pretrain = {"dataset": str(tmp_path / "toy"), "graph": "line", "batch_size": 20, "trainer": {"max_epochs": 1}}
    pretrain |= {"encoder": {"_target_": "sigraph.encoders.MLPEncoder", "hidden_channels": 4, "out_channels": 2}}
    pretrain |= {"objective": {"_target_": "sigraph.objectives.MaskedFeature"}}
    plain = {"name": "e", "seeds": [0, 1], "pretrain": pretrain, "baseline": "none", "output_dir": str(tmp_path / "r")}
    plain |= {"arms": {"sipt": {}, "none": {"pretrain.trainer.max_epochs": 0}}}
    return config_from_dict({**plain, "finetune": [{"task": "odd", "head": "linear", "max_epochs": 3}]})


@pytest.fixture
def made(monkeypatch):
    """Fine-tunings that start."""
    started, original = [], stages.fine_tune
    monkeypatch.setattr(stages, "fine_tune", lambda *a, **o: started.append(1) or original(*a, **o))
    return started


def test_predictions_stand_beside_the_record_and_are_what_was_scored(config, made):
    results = run(config)
    for record in results.records:
        (task,) = record["tasks"]
        folder = run_folder(config, config.arm(record["arm"]), record["seed"])
        table = pq.read_table(folder / PREDICTIONS / task["predictions"]["file"]).to_pydict()
        assert table["item"] == list(range(39, 19, -1)) and table["id"][:2] == ["paper-39", "paper-38"]
        chosen = np.stack([table["y_pred_0"], table["y_pred_1"]]).argmax(axis=0)
        assert (chosen == np.array(table["y_true"])).mean() == pytest.approx(task["test"])
        assert table["y_true"] == [i % 2 for i in table["item"]]
    assert all(record["found"] for record in run(config).records) and len(made) == 4
    read, given = (board.rows()[0] for board in (Leaderboard.from_folder(config.output_dir), results.leaderboard()))
    assert given["difference_low"] <= given["difference"] <= given["difference_high"]
    assert (read["difference_low"], read["difference_high"]) == (given["difference_low"], given["difference_high"])
    assert f"{given['difference']:+.4f} [{given['difference_low']:+.3f}, " in results.leaderboard().table()
    row = json.loads(results.leaderboard().table("json"))["rows"][0]
    assert row["difference_high"] == given["difference_high"]


@pytest.mark.parametrize("change", [lambda file: file.unlink(), lambda file: file.write_bytes(b"x")])
def test_lost_or_altered_ones_are_said_and_made_again(config, made, caplog, change):
    (first, *_) = run(config).records
    name = first["tasks"][0]["predictions"]["file"]
    folder = run_folder(config, config.arm("sipt"), 0)
    shared = next(file for file in folder.parents[2].glob(f"_pretrain/*/seed-0/{PREDICTIONS}/{name}")
                  if file.samefile(folder / PREDICTIONS / name))  # fmt: skip
    before = shared.read_bytes()
    change(shared)
    (again, *_) = run(config).records
    assert len(made) == 5 and f"{name} is" in caplog.text and "it is made again" in caplog.text
    assert shared.read_bytes() == before == (folder / PREDICTIONS / name).read_bytes()
    assert again["tasks"][0]["predictions"] == first["tasks"][0]["predictions"]


def test_a_table_says_that_they_were_altered_and_has_no_interval(config):
    (first, *_) = run(config).records
    file = run_folder(config, config.arm("sipt"), 0) / PREDICTIONS / first["tasks"][0]["predictions"]["file"]
    file.unlink()
    row = Leaderboard.from_folder(config.output_dir).rows()[0]
    assert row["difference"] is not None and row["difference_low"] is None
    assert "no interval: predictions of sipt, seed 0, are missing or damaged; run it again" in row["status"]


@pytest.mark.parametrize("name", ["results.json", "pretrain.json"])
def test_what_a_newer_sigraph_wrote_stops_the_run_and_stays(config, made, name):
    run(config)
    top = run_folder(config, config.arm("sipt"), 0)
    for file in (top / name, *top.parents[2].glob(f"_pretrain/*/seed-0/{name}")):
        if file.exists():
            write_sealed(file, {**read_sealed(file), "format": FORMAT + 1})
            kept = file
    before, count = kept.read_bytes(), len(made)
    with pytest.raises(NewerFormatError, match=f"{name} is of a newer sigraph"):
        run(config)
    assert kept.read_bytes() == before and len(made) == count
