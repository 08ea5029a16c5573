"""run(config): run folders, records, failures, tables."""

import io

import pytest
import torch
import yaml

from sigraph.config import ConfigError, config_from_dict, load_config
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.encoders import Encoder, Encoding
from sigraph.experiment import run
from sigraph.files.sealed import read_sealed
from sigraph.running.progress import BarProgress, Progress
from sigraph.running.run_one import run_folder
from sigraph.tasks import Task


class FailsToTrain(Encoder):
    """Instantiates, then fails in the second batch it sees."""

    def __init__(self, in_channels, out_channels=4):
        super().__init__()
        self.out_channels = out_channels
        self.linear = torch.nn.Linear(in_channels, out_channels)
        self.calls = 0

    def forward(self, inputs):
        self.calls += 1
        if self.calls > 1:
            raise RuntimeError("the disk caught fire")
        return Encoding(self.linear(inputs))


@pytest.fixture
def tree(tmp_path):
    ids, generator = torch.arange(40), torch.Generator().manual_seed(0)
    edges = torch.randint(0, 20, (2, 60), generator=generator) * 2
    edges = torch.cat([edges, edges + 1], dim=1)
    edges = edges[:, edges[0] < edges[1]].unique(dim=1)
    split = {"train": ids[:10], "valid": ids[10:20], "test": ids[20:]}
    dataset = SampleDataset(
        torch.randn(40, 6, generator=generator),
        {"parity": PretrainGraph(edges, 40)},
        {"odd": Task("odd", ids % 2, split)},
        name="toy",
    )
    dataset.save(tmp_path / "toy")
    return {
        "name": "toy-experiment",
        "question": "Does parity show?",
        "seeds": [0, 1],
        "output_dir": str(tmp_path / "runs"),
        "pretrain": {
            "dataset": str(tmp_path / "toy"),
            "graph": "parity",
            "encoder": {"_target_": "sigraph.encoders.MLPEncoder", "hidden_channels": 8, "out_channels": 4},
            "objective": {"_target_": "sigraph.objectives.MaskedFeature"},
            "batch_size": 20,
            "trainer": {"max_epochs": 2, "accelerator": "cpu"},
        },
        "finetune": [{"task": "odd", "head": "linear", "max_epochs": 3}, {"task": "odd", "head": "knn", "k": 3}],
        "arms": {"sipt": {}, "objective-only": {"pretrain.structure_weight": 0.0}},
        "baseline": "objective-only",
        "references": False,
    }


class Recorder(Progress):
    def __init__(self):
        self.planned, self.done, self.lines = None, 0, []

    def start(self, num_runs, num_epochs):
        self.planned = (num_runs, num_epochs)

    def epochs(self, what, count=1):
        self.done += count

    def say(self, text):
        self.lines.append(text)


def test_run_folders_hold_what_the_design_says(tree, tmp_path):
    config = config_from_dict(tree)
    progress = Recorder()
    results = run(config, progress)
    assert progress.planned == (4, 8) and progress.done == 8 and len(progress.lines) == 5
    assert progress.lines[0].startswith("note: toy, task 'odd': transductive: 18 test samples")
    folder = run_folder(config, config.arm("sipt"), 1)
    assert folder.parts[-4:-2] == ("toy-experiment", "sipt") and folder.name == "seed-1"
    assert {"config.yaml", "results.json", "encoder.safetensors"} <= {file.name for file in folder.iterdir()}
    record = read_sealed(folder / "results.json")
    assert record in results.records
    assert record["status"] == "ok" and record["reason"] is None
    assert {t["head"] for t in record["tasks"]} == {"linear", "knn"}
    assert [t["primary"] for t in record["tasks"]] == [True, False]
    for key in ("data", "versions", "commit", "device", "peak_memory_mb", "wall_seconds", "hash"):
        assert key in record
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    assert settings["seed"] == 1 and settings["pretrain"]["structure_weight"] == 0.1


def test_an_experiment_may_be_a_file_or_plain_containers(tree, tmp_path):
    tree |= {"seeds": [0], "arms": {"sipt": {}}, "baseline": None}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(tree))
    first = run(tmp_path / "mine.yaml")
    for config in (str(tmp_path / "mine.yaml"), tree, load_config(tmp_path / "mine.yaml")):
        for overrides in ((), ["seeds=[0]", "baseline=null"], {"seeds": [0]}):
            again = run(config, only=[["sipt", 0]], overrides=overrides)
            assert again.config == first.config and again.records[0]["found"]
    changed = run(tree, overrides={"pretrain.trainer.max_epochs": 0, "name": "untrained"}).config
    assert changed.pretrain.trainer.max_epochs == 0 and changed.name == "untrained"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"config": None}, r"'config' needs what sigraph.load_config gives, the path of a YAML file, .*got None"),
        ({"config": 5}, "'config' needs .*got 5"),
        ({"config": "none.yaml"}, "none.yaml: there is no such file"),
        ({"config": {"name": "x", "sedes": [0]}}, "unknown key 'sedes'"),
        ({"jobs": 1.5}, "'jobs' needs to be >= 1 .*got 1.5"),
        ({"jobs": 0}, "'jobs' needs to be >= 1 .*got 0"),
        ({"max_seconds": float("nan")}, "'max_seconds' needs to be a number, or None, .*got nan"),
        ({"max_seconds": "1h"}, "'max_seconds' needs to be a number, or None, .*got '1h'"),
        ({"progress": True}, "'progress' needs to be a Progress"),
        ({"progress": ["seeds=[0]"]}, "settings that differ: overrides="),
        ({"overrides": {"sedes": [0]}}, "unknown key 'sedes'"),
        ({"only": "sipt"}, r"'only' needs pairs \(arm, seed\) .*got 'sipt'"),
        ({"only": ["sipt"]}, r"'only' needs pairs \(arm, seed\)"),
        ({"only": [("sipt", "0")]}, r"'only' needs pairs \(arm, seed\)"),
    ],
)
def test_what_run_is_given_is_named(tree, arguments, message):
    with pytest.raises(ValueError, match=message):
        run(**{"config": config_from_dict(tree), **arguments})


def test_a_new_seed_task_or_arm_repeats_nothing(tree, monkeypatch):
    run(config_from_dict(tree))
    fits = []
    from sigraph import finetune
    from sigraph.running import fitting

    original = finetune.quiet_trainer
    for module in (fitting, finetune):
        monkeypatch.setattr(module, "quiet_trainer", lambda **o: fits.append(o["max_epochs"]) or original(**o))
    run(config_from_dict(tree))
    assert fits == []
    tree["finetune"].append({"task": "odd", "head": "full", "max_epochs": 4})
    run(config_from_dict(tree))
    assert fits == [4, 4, 4, 4]  # two arms x two seeds of the new entry, no pre-training
    fits.clear()
    tree["seeds"] = [0, 1, 2]
    run(config_from_dict(tree))
    assert fits == [2, 3, 4, 2, 3, 4]
    fits.clear()
    tree["arms"]["sipt-strong"] = {"pretrain.structure_weight": 0.9}
    run(config_from_dict(tree))
    assert fits == [2, 3, 4] * 3


def test_results_do_not_depend_on_other_seeds_and_arms(tree, tmp_path):
    both = run(config_from_dict(tree))
    alone = run(
        config_from_dict(
            {**tree, "output_dir": str(tmp_path / "alone"), "seeds": [1], "arms": {"sipt": {}}, "baseline": None}
        )
    )
    wanted = next(r for r in both.records if (r["arm"], r["seed"]) == ("sipt", 1))
    assert [t["test"] for t in alone.records[0]["tasks"]] == [t["test"] for t in wanted["tasks"]]
    assert alone.records[0]["pretrain"]["validation"] == wanted["pretrain"]["validation"]


def test_a_failed_run_is_a_row_with_its_reason(tree, tmp_path, monkeypatch):
    import sys
    import types

    module = types.ModuleType("failing_parts")
    module.FailsToTrain = FailsToTrain
    monkeypatch.setitem(sys.modules, "failing_parts", module)
    tree["arms"]["sipt-broken"] = {"pretrain.encoder": {"_target_": "failing_parts.FailsToTrain"}}
    results = run(config_from_dict(tree), trust=["failing_parts"])
    assert [r["arm"] for r in results.failed] == ["sipt-broken"] * 2
    assert results.failed[0]["reason"] == "RuntimeError: the disk caught fire"
    rows = {(row["arm"], row["head"]): row for row in results.leaderboard().rows()}
    assert rows["sipt", "linear"]["n"] == 2 and rows["sipt-broken", None]["n"] == 0
    assert "2 failed" in results.leaderboard().table()


def test_what_cannot_work_is_said_before_anything_trains(tree, tmp_path):
    for change, message in (
        ({"pretrain.graph.name": "nope"}, "unknown graph 'nope'"),
        ({"pretrain.encoder.hidden": 3}, "has no argument 'hidden'.*hidden_channels"),
        ({"pretrain.graph.hops": 0}, "'hops' needs to be"),
        ({"pretrain.structure_loss": {"_target_": "sigraph.encoders.MLPEncoder"}}, "subclass"),
        ({"finetune.0.task": "even"}, "unknown task 'even'"),
    ):
        with pytest.raises(ValueError, match=message):
            run(config_from_dict({**tree, "arms": {"sipt": {}, "objective-only": change}}))
    assert not (tmp_path / "runs").exists()


def test_targets_that_are_not_parts_are_never_called(tree, tmp_path):
    flag = tmp_path / "flag"
    for target in ("os.system", "subprocess.Popen", "pathlib.Path.touch", "sigraph.recipes.prepare"):
        tree["pretrain"]["encoder"] = {"_target_": target, "args": f"touch {flag}"}
        with pytest.raises(ConfigError):
            run(config_from_dict(tree))
    assert not flag.exists()


def test_bar_progress_writes_lines_without_a_terminal(capsys):
    import sys

    progress = BarProgress(sys.stderr)
    progress.start(2, 10)
    progress.epochs("a, seed 0: pre-training")
    progress.say("[1/2] done")
    progress.close()
    assert capsys.readouterr().err == "[1/2] done\n"


def test_a_log_hears_now_and_then_of_what_is_not_finished(toy):
    for every, heard in ((0.0, True), (60.0, False)):
        log = io.StringIO()
        progress = BarProgress(log, every_seconds=every)
        run(config_from_dict({**toy, "name": f"every-{every:g}"}), progress)
        assert ("sipt, seed 0: pre-training (1 of 8 epochs of pre-training in all)" in log.getvalue()) is heard
        assert "[4/4]" in log.getvalue()
