"""Data sets that an experiment names: worlds in a YAML, held-out samples of the same world."""

import json

import numpy as np
import pytest
import yaml

from sigraph.cli import main
from sigraph.config import ConfigError, config_from_dict, load_config
from sigraph.experiment import run
from sigraph.files.sealed import read_sealed
from sigraph.running.data_source import open_data
from sigraph.running.plan import plan_table
from sigraph.running.run_one import run_folder
from sigraph.synthetic import ManifoldWorld

WORLD = {"_target_": "sigraph.synthetic.ManifoldWorld", "manifold": "torus", "num_samples": 60}


@pytest.fixture
def tree(tmp_path):
    return {
        "name": "tiny",
        "seeds": [0],
        "output_dir": str(tmp_path / "runs"),
        "pretrain": {
            "dataset": WORLD,
            "graph": {"name": "radius", "flip": 0.1},
            "encoder": {"_target_": "BagOfWordsEncoder", "hidden_channels": 8, "out_channels": 4},
            "objective": "MaskedToken",
            "batch_size": 60,
            "trainer": {"max_epochs": 2},
        },
        "finetune": [
            {"task": "topic", "head": "knn", "k": 3, "leave_one_out": True, "primary": True},
            {"task": "topic", "head": "knn", "k": 3, "dataset": {"num_held_out": 20}},
        ],
        "arms": {"sipt": {}, "larger": {"pretrain.dataset.num_samples": 80}},
        "references": False,
    }


def test_world_is_the_one_that_python_makes():
    dataset = open_data({**WORLD, "seed": 4})
    assert dataset.fingerprint == ManifoldWorld("torus", num_samples=60, seed=4).generate(4).fingerprint
    assert dataset.fingerprint != open_data(WORLD).fingerprint
    assert open_data({**WORLD, "seed": 4}) is dataset  # generated once


def test_names_and_paths_stay_what_they_were(toy_dataset, tmp_path):
    toy_dataset.save(tmp_path / "toy")
    assert open_data(str(tmp_path / "toy")).fingerprint
    with pytest.raises(ValueError, match="no-such-set"):
        open_data("no-such-set")


def test_entries_change_the_world_of_their_arm(tree):
    config = config_from_dict(tree)
    assert config.finetune[1].dataset == {"num_held_out": 20}  # open until an arm says its world
    sipt, larger = config.arm("sipt"), config.arm("larger")
    assert sipt.pretrain.dataset == sipt.finetune[0].dataset == WORLD
    assert sipt.finetune[1].dataset == {**WORLD, "num_held_out": 20}
    assert larger.finetune[1].dataset == {**WORLD, "num_samples": 80, "num_held_out": 20}


def test_overrides_reach_into_worlds(tree):
    overrides = ["pretrain.dataset.manifold=sphere", "finetune.1.dataset.num_held_out=7", "finetune.0.dataset=cora"]
    arm = config_from_dict(tree, overrides).arm("sipt")
    assert arm.finetune[1].dataset == {**WORLD, "manifold": "sphere", "num_held_out": 7}
    assert arm.finetune[0].dataset == "cora"
    arm = config_from_dict(tree, ["finetune.0.dataset.seed=5"]).arm("sipt")
    assert arm.finetune[0].dataset == {**WORLD, "seed": 5}
    other = {"_target_": "sigraph.synthetic.CliqueWorld"}
    tree["pretrain"]["dataset"] = "CliqueWorld"  # a text is a data set's name, never a class
    tree["arms"] = {"sipt": {"pretrain.dataset": other}}
    assert config_from_dict(tree).arm("sipt").pretrain.dataset == other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("pretrain.dataset={num_samples: 5, _target_: ManifoldWolrd}", "has no 'ManifoldWolrd' .did you mean 'Mani"),
        ("pretrain.dataset.num_sample=5", "has no argument 'num_sample' .did you mean 'num_samples'"),
        ("pretrain.dataset.num_samples=5", "pretrain.dataset: 'num_samples' needs to be an integer >= 10"),
        ("pretrain.dataset._target_=sigraph.losses.InfoNCELoss", "needs to be a subclass of sigraph.synthetic"),
        ("finetune.1.dataset.num_held_out=-1", "finetune.1.dataset: 'num_held_out' needs"),
    ],
)
def test_wrong_worlds_are_said_before_anything_trains(tree, change, message):
    with pytest.raises(ConfigError, match=message):
        run(config_from_dict({**tree, "arms": {"sipt": {}}}, [change]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["pretrain.dataset=cora"], "finetune.1.dataset' has no '_target_', so it changes .* 'pretrain.dataset' is 'c"),
        (["pretrain.dataset=[1]"], "'pretrain.dataset' needs to be the name or path of a data set or a mapping"),
        (["finetune.0.head=linear"], "'finetune.0.leave_one_out' needs 'head: knn' .got 'linear'"),
        (["finetune.1.dataset={}"], "an empty mapping changes nothing|needs '_target_'"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tree, change, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict({**tree, "arms": {"sipt": {}}}, change)


def test_a_named_data_set_has_no_arguments(tree):
    tree["pretrain"]["dataset"] = "cora"
    tree["finetune"] = []
    tree["arms"] = {"sipt": {"pretrain.dataset.num_samples": 4}}
    with pytest.raises(ConfigError, match=r"'pretrain\.dataset' is 'cora', so it has no 'num_samples'"):
        config_from_dict(tree)


def test_round_trip_of_a_tiny_experiment(tree, tmp_path, capsys):
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(tree, sort_keys=False))
    assert main(["run", str(file), "--list"]) == 0
    assert "larger" in capsys.readouterr().out
    assert main(["run", str(file), "--dry-run"]) == 0
    assert "| larger |" in capsys.readouterr().out
    assert main(["audit", str(file)]) == 0
    assert "is of ManifoldWorld(manifold=torus, num_samples=60, num_held_out=20)" in capsys.readouterr().out
    assert main(["run", str(file)]) == 0
    capsys.readouterr()
    config = load_config(file)
    folder = run_folder(config, config.arm("sipt"), 0)
    record = read_sealed(folder / "results.json")
    assert record["data"] == ManifoldWorld("torus", num_samples=60).generate().fingerprint
    assert [task["dataset"] for task in record["tasks"]] == ["manifold-world-torus", "manifold-world-torus-held-out"]
    assert yaml.safe_load((folder / "config.yaml").read_text())["finetune"][1]["dataset"]["num_held_out"] == 20
    assert main(["leaderboard", config.output_dir, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len(rows) == 4 and all(row["n"] == 1 for row in rows)
    assert main(["embed", str(folder), "--out", str(tmp_path / "z.npy")]) == 0
    assert np.load(tmp_path / "z.npy").shape == (60, 4)
    assert run(config).failed == [] and "config.yaml" in [path.name for path in folder.iterdir()]


def test_the_plan_of_a_world(tree):
    assert "| sipt |" in plan_table(config_from_dict(tree))


def test_a_grid_over_worlds_is_kept(tree):
    tree["arms"], tree["grid"] = {"sipt": {}}, {"pretrain.structure_weight": [0.1, 0.5]}
    first = run(config_from_dict(tree))
    assert not first.failed and not run(config_from_dict(tree)).failed


def test_a_run_of_a_world_that_changed_is_not_embedded(tree, tmp_path, monkeypatch, capsys):
    config = config_from_dict({**tree, "arms": {"sipt": {}}})
    run(config)
    folder = run_folder(config, config.arm("sipt"), 0)
    changed = open_data({**WORLD, "seed": 1})
    monkeypatch.setattr("sigraph.export.own_samples.generated", lambda source, where: changed)
    assert main(["embed", str(folder), "--out", str(tmp_path / "z.npy")]) != 0
    assert "ManifoldWorld(manifold=torus, num_samples=60)' has changed since the run" in capsys.readouterr().err
