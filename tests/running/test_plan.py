"""What is said before a run: --dry-run, --list; and what is run of it: --arm, --seed, --max-time."""

import json
import shlex

import pytest
import torch
import yaml

from sigraph.cli import main
from sigraph.config import config_from_dict
from sigraph.experiment import run
from sigraph.running.plan import plan, plan_table
from sigraph.running.run_one import run_folder
from sigraph.tasks import Task


@pytest.fixture
def file(toy, tmp_path):
    path = tmp_path / "toy's experiment.yaml"
    path.write_text(yaml.safe_dump(toy, sort_keys=False))
    return str(path)


def rows(capsys, folder):
    """The leaderboard of a folder, without what differs between any two runs."""
    assert main(["leaderboard", str(folder), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["rows"]
    assert found
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found]


def test_the_plan_is_what_then_runs(toy):
    toy["arms"]["no-pretraining"] = {"pretrain.trainer.max_epochs": 0}
    toy["arms"]["sipt-inductive"] = {"pretrain.inductive": True}
    toy["arms"]["sipt-wide"] = {"pretrain.encoder.hidden_channels": 32}
    toy["seeds"] = [0]
    config = config_from_dict(toy)
    planned = {row["arm"]: row for row in plan(config)}
    assert list(planned) == config.arm_names
    for record in run(config).records:
        row, done = planned[record["arm"]], record["pretrain"]
        assert row["num_parameters"] == sum(done["num_parameters"].values())
        assert row["num_steps"] == done["num_steps"] and row["num_samples"] == done["num_nodes"]
        assert row["num_edges"] == done["num_edges"]
        assert (row["seconds"] > 0) is (row["num_steps"] > 0) and row["peak_memory_mb"] > 1


def test_the_plan_counts_trials_and_shared_pretrainings(toy, monkeypatch):
    toy["arms"]["sipt-head"] = {"finetune.0.max_epochs": 9}
    toy["arms"]["no-pretraining"] = {"pretrain.trainer.max_epochs": 0}
    toy["grid"] = {"pretrain.structure_loss.alpha": [1.0, 3.0], "finetune.0.optimizer.lr": [0.01, 0.1, 1.0]}
    toy["seeds"] = [0, 1, 2]
    config = config_from_dict(toy)
    planned = {row["arm"]: row for row in plan(config)}
    assert {name: row["shares"] for name, row in planned.items() if row["shares"]} == {"sipt-head": "sipt"}
    assert {name: row["trials"] for name, row in planned.items()} == {
        "sipt": 6,
        "objective-only": 3,
        "sipt-head": 6,
        "no-pretraining": 3,
    }
    different = {name: row["pretrainings"] for name, row in planned.items()}
    assert different == {"sipt": 2, "objective-only": 1, "sipt-head": 2, "no-pretraining": 1}  # the head's rate is none
    assert "| sipt-head | " in plan_table(config) and "shares sipt's" in plan_table(config)


@pytest.mark.parametrize(("grid", "total"), [({}, "about 60 s"), ({"structure_loss.alpha": [1, 2, 3]}, "about 80 s")])
def test_the_total_is_every_pretraining_once(toy, monkeypatch, grid, total):
    """Two arms of three seeds at ten seconds; two trials more for the arm that has a structure loss."""
    one = {"num_parameters": 1, "num_samples": 1, "num_edges": 1, "num_steps": 1, "seconds": 10.0, "peak_memory_mb": 1}
    one |= {"num_tokens": None, "tokens_per_second": None}
    monkeypatch.setattr("sigraph.running.plan.measure", lambda *_: one)
    toy["arms"]["sipt-head"] = {"finetune.0.max_epochs": 9}
    toy["grid"] = {f"pretrain.{key}": values for key, values in grid.items()}
    assert total in plan_table(config_from_dict({**toy, "seeds": [0, 1, 2]}))


def test_dry_run_says_and_keeps_nothing(file, toy, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    assert main(["run", file, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before
    record = run(config_from_dict({**toy, "seeds": [0]}), only=[("sipt", 0)]).records[0]["pretrain"]
    cells = [cell.strip() for cell in next(line for line in out.splitlines() if "| sipt " in line).split("|")]
    assert cells[2] == str(sum(record["num_parameters"].values())) and cells[3] == "40"
    assert cells[4] == str(record["num_edges"]) and cells[5] == str(record["num_steps"]) == "4"
    assert "4 runs (2 arms), 1 fine-tunings each" in out and "MB" in out


def test_dry_run_times_a_sampler_that_looks_at_embeddings(toy):
    toy["pretrain"]["sampler"] = {"_target_": "sigraph.samplers.HardNegativeSampler", "guard_rank": 1, "pool_size": 4}
    assert all(row["seconds"] > 0 for row in plan(config_from_dict(toy)))


def test_dry_run_is_of_the_arms_and_seeds_asked_for(file, capsys):
    assert main(["run", file, "--dry-run", "--arm", "objective-only", "--seed", "1"]) == 0
    out = capsys.readouterr().out
    assert "1 runs (1 arms)" in out and "| sipt" not in out


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--list"]])
@pytest.mark.parametrize("below", ["", "deep"])
def test_results_cannot_be_kept_in_a_file(file, tmp_path, capsys, options, below):
    (tmp_path / "afile").write_text("mine")
    assert main(["run", file, *options, "--output-dir", str(tmp_path / "afile" / below)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and f"{tmp_path / 'afile'} is a file" in said.err


@pytest.mark.parametrize("option", ["--dry-run", "--list"])
@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("pretrain.encoder.hidden=3", "arm 'sipt': pretrain.encoder: 'MLPEncoder' has no argument 'hidden'"),
        ("pretrain.structure_loss=NoSuchLoss", "arm 'sipt': pretrain.structure_loss: 'sigraph.losses' has no"),
        ("finetune.0.optimizer.learning_rate=3", "arm 'sipt': finetune.0.optimizer: 'AdamW' has no argument"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_planned(file, capsys, option, override, said):
    assert main(["run", file, override, option]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and said in captured.err


def test_dry_run_looks_the_tasks_up(file, capsys):
    assert main(["run", file, "finetune.0.task=blok", "--dry-run"]) == 2
    assert "unknown task 'blok'" in capsys.readouterr().err


def test_a_metric_that_a_part_leaves_undefined_is_said_before_anything_trains(file, toy_dataset, toy, capsys):
    whole = toy_dataset.task()
    columns = torch.stack([whole.labels == 0, whole.labels == 1], dim=1).float()
    columns[whole.split["valid"]] = 1.0
    with pytest.warns(UserWarning, match="task 'late': metric 'rocauc' is not defined"):
        late = Task("late", columns, whole.split, classes=["a", "b"])
    toy_dataset.replace(tasks={"late": late}).save(toy["pretrain"]["dataset"], overwrite=True)
    said = "task 'late': metric 'rocauc' is not defined: no label column holds both 0 and 1 in 'valid'"
    for options in (["--dry-run"], []):
        assert main(["run", file, "finetune.0.task=late", *options]) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and said in captured.err and "('a' " in captured.err


def test_more_neighbours_than_samples_are_said_before_anything_trains(file, capsys):
    assert main(["run", file, "finetune.0.head=knn", "finetune.0.k=99"]) == 2
    assert "'k' needs to be <= " in capsys.readouterr().err


def test_the_estimate_is_of_the_order_of_the_run(toy):
    toy |= {"seeds": [0], "arms": {"sipt": {"pretrain.trainer.max_epochs": 60}}, "baseline": None}
    config = config_from_dict(toy)
    (row,) = plan(config)
    took = run(config).records[0]["pretrain"]["seconds"]
    assert took / 4 < row["seconds"] < 4 * took


def test_listed_commands_run_one_by_one_give_the_same_table(file, tmp_path, capsys):
    options = ["pretrain.batch_size=15", "--output-dir", str(tmp_path / "it's listed"), "seeds=[0, 3]"]
    assert main(["run", file, *options, "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and not (tmp_path / "it's listed").exists()
    for line in reversed(lines):
        program, *command = shlex.split(line)
        assert program == "sigraph" and main(command) == 0
    assert main(["run", file, "seeds=[0, 3]", "pretrain.batch_size=15", "--output-dir", str(tmp_path / "whole")]) == 0
    capsys.readouterr()
    listed, whole = rows(capsys, tmp_path / "it's listed"), rows(capsys, tmp_path / "whole")
    assert [row["n"] for row in listed] == [2, 2] and listed == whole


def test_listed_commands_are_of_the_arms_and_seeds_asked_for(file, capsys):
    assert main(["run", file, "--list", "--arm", "sipt", "--seed", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("yaml'", 1)[1] for line in lines] == [" --arm sipt --seed 1"]


@pytest.mark.parametrize("place", ["before", "behind", "between"])
def test_overrides_stand_anywhere(file, tmp_path, place, capsys):
    override, options = ["seeds=[4]", "pretrain.batch_size=10"], ["--arm", "sipt", "--jobs", "1"]
    command = {
        "before": [file, *override, *options],
        "behind": [file, *options, *override],
        "between": [file, override[0], *options, override[1]],
    }[place]
    assert main(["run", *command]) == 0
    results = list((tmp_path / "runs").rglob("results.json"))
    assert len(results) == 1 and results[0].parent.name == "seed-4" and results[0].parts[-4] == "sipt"
    assert yaml.safe_load((results[0].parent / "config.yaml").read_text())["pretrain"]["batch_size"] == 10


@pytest.mark.parametrize("more", [[], ["--list"], ["--dry-run"]])
@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--arm", "sopt"], ["'sopt'", "did you mean 'sipt'?", "objective-only"]),
        (["--arm", "sipt", "--arm", "x"], ["'x'"]),
        (["--seed", "7"], ["seed 7", "[0, 1]", "override"]),
    ],
)
def test_an_arm_or_a_seed_that_is_none_is_said(file, tmp_path, capsys, option, said, more):
    assert main(["run", file, *option, *more]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("sigraph: ") and all(text in captured.err for text in said)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("only", "said"), [([("nope", 0)], "'nope'"), ([("sipt", 9)], "seed 9 is none")])
def test_run_says_it_too(toy, tmp_path, only, said):
    with pytest.raises(ValueError, match=said):
        run(config_from_dict(toy), only=only)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("option", [["--jobs", "0"], ["--jobs", "-2"]])
def test_no_jobs_at_all_is_said(file, capsys, option):
    assert main(["run", file, *option]) == 2
    assert f"'jobs' needs to be >= 1 (got {option[1]})" in capsys.readouterr().err


def test_a_word_that_is_no_override_is_said(file, capsys):
    assert main(["run", file, "--arm", "sipt", "seeds"]) == 2
    assert "override 'seeds': needs the form key=value" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["run", file, "--seeds=3"])
    assert stop.value.code == 2 and "unrecognized arguments: --seeds=3" in capsys.readouterr().err


def test_max_time_stops_says_how_to_go_on_and_goes_on(file, toy, tmp_path, capsys):
    assert main(["run", file, "--max-time", "0"]) == 1
    captured = capsys.readouterr()
    assert "4 runs are not finished; the same command resumes" in captured.err
    assert captured.err.count("UNFINISHED") == 4 and "Traceback" not in captured.err
    assert not list((tmp_path / "runs").rglob("results.json"))
    assert main(["run", file, "--max-time", "5"]) == 0
    again = capsys.readouterr()
    assert "| sipt" in again.out and "not finished" not in again.err
    assert run_folder(config_from_dict(toy), config_from_dict(toy).arm("sipt"), 0).is_dir()
    assert len(list((tmp_path / "runs").rglob("results.json"))) == 4
