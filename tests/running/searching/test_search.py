"""search: drawn per arm within a space, chosen by validation on seeds of its own, kept trial by trial, and gone on."""

import math
import sys
import threading
import time

import pytest
import yaml

import sigraph.running.searching.search
from sigraph.cli import main
from sigraph.config import ConfigError, config_from_dict
from sigraph.experiment import run
from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.leaderboard import Leaderboard
from sigraph.leaderboard.result_files import SEARCH_FOLDER
from sigraph.running.arm_settings import settle
from sigraph.running.plan import plan
from sigraph.running.progress import Progress
from sigraph.running.run_one import experiment_folder, run_folder
from sigraph.running.searching.search import search
from sigraph.tasks import Evaluator

LR, ALPHA = "pretrain.optimizer.lr", "pretrain.structure_loss.alpha"
SPACE = {LR: {"low": 1e-4, "high": 1e-1, "log": True}, ALPHA: [1.0, 2.0, 4.0]}


@pytest.fixture
def searching(toy):
    toy["search"] = {"space": SPACE}
    toy["pretrain"]["trainer"]["max_epochs"] = 1
    return toy


class Trials:
    """In place of training: scores by the settings tried; remembers them, and fails or is killed when told."""

    def __init__(self, monkeypatch, score=lambda arm: arm.pretrain.optimizer["lr"]):
        self.score, self.arms, self.seeds = score, [], []
        monkeypatch.setattr(sigraph.running.searching.search, "scored_trial", self)

    def __call__(self, arm, seeds, redraws, folder, tick, deadline):
        self.arms.append(arm)
        self.seeds.append(list(seeds))
        found = self.score(arm)
        if isinstance(found, BaseException):
            raise found
        return {"valid": found, "scores": [found] * len(seeds), "spread": 0.0, "seconds": 1.0}


class Said(Progress):
    """Remembers what is said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def file_of(config, name="sipt"):
    (found,) = (experiment_folder(config) / SEARCH_FOLDER).glob(f"{name}-*.json")
    return found


def test_the_best_validated_is_chosen_and_every_trial_kept(searching, monkeypatch):
    trials = Trials(monkeypatch)
    config = config_from_dict(searching)
    record = search(config, "sipt", 6)
    assert len(record["tried"]) == 6 and record == read_sealed(file_of(config))
    assert record["chosen"] == max(record["tried"], key=lambda trial: trial["valid"])["settings"]
    assert trials.seeds == [[1000, 1001]] * 6 and record["seeds"] == [1000, 1001]
    assert (record["task"], record["head"], record["metric"]) == ("block", "linear", "accuracy")
    assert record["tried"][0]["settings"] == {LR: 0.001, ALPHA: 2.0}  # the file's own, and the loss's default
    arm = settle(config, "sipt").arm
    assert arm.pretrain.optimizer["lr"] == record["chosen"][LR] and arm.pretrain.structure_loss["alpha"]
    searching["seeds"] = [0, 1000]
    assert search(config_from_dict(searching), "sipt", 1)["seeds"] == [1001, 1002]  # never one of the table's


def test_a_search_that_is_killed_goes_on_and_more_trials_are_added(searching, monkeypatch, tmp_path):
    trials = Trials(monkeypatch)
    whole = search(config_from_dict({**searching, "output_dir": str(tmp_path / "whole")}), "sipt", 14)
    trials.arms.clear()
    trials.score = lambda arm: KeyboardInterrupt() if len(trials.arms) == 4 else arm.pretrain.optimizer["lr"]
    config = config_from_dict(searching)
    with pytest.raises(KeyboardInterrupt):
        search(config, "sipt", 11)
    assert read_sealed(file_of(config))["tried"] == whole["tried"][:3]
    assert search(config, "sipt", 11)["tried"] == whole["tried"][:11] and len(trials.arms) == 4 + 8
    assert search(config, "sipt", 14) == whole and len(trials.arms) == 15
    assert search(config, "sipt", 5) == search(config, "sipt", None) == whole and len(trials.arms) == 15


def test_a_failure_is_a_trial_with_its_reason_and_time_up_is_none(searching, monkeypatch):
    trials = Trials(monkeypatch)
    trials.score = lambda arm: ConfigError("sizes do not fit") if len(trials.arms) == 1 else len(trials.arms)
    config = config_from_dict(searching)
    tried = search(config, "sipt", 3)["tried"]
    assert [trial["valid"] for trial in tried] == [None, 2, 3]
    assert tried[0]["reason"] == "ConfigError: sizes do not fit" and tried[0]["settings"]
    trials.score = lambda arm: RuntimeError("all of them")
    assert search(config, "objective-only", 2)["chosen"] == {LR: 0.001}  # the file's own, which is tried first
    monkeypatch.undo()
    results = run(config, max_seconds=-1, search=4)
    assert len(results.unfinished) == 4 and "search" in results.unfinished[0]["reason"]
    assert len(read_sealed(file_of(config))["tried"]) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chosen": {LR: 0.05, ALPHA: 1.0}}, "'chosen' is not the best"),
        ({"tried": []}, "'tried', 'num_asked' or"),
        ({"tried": [{"settings": {LR: 5.0, ALPHA: 1.0}, "valid": 1.0}]}, "'tried.0' is not of the space"),
        ({"seeds": [0]}, "'seeds' is another"),
    ],
)
def test_a_search_of_something_else_is_said_and_made_again(searching, monkeypatch, caplog, change, said):
    Trials(monkeypatch)
    config = config_from_dict(searching)
    first = search(config, "sipt", 2)
    write_sealed(file_of(config), {**first, **change})
    assert search(config, "sipt", 2) == first
    assert said in caplog.text


def test_another_space_version_or_data_is_another_search_and_the_former_stays(searching, monkeypatch):
    trials = Trials(monkeypatch)
    search(config_from_dict(searching), "sipt", 2)
    for change in ({"search": {"space": {LR: SPACE[LR]}}}, {"search": {"space": SPACE, "seeds": [7]}}):
        config = config_from_dict({**searching, **change})
        assert search(config, "sipt", None) is None and len(search(config, "sipt", 1)["tried"]) == 1
    monkeypatch.setattr("sigraph.running.searching.search.__version__", "99")
    assert search(config_from_dict(searching), "sipt", None) is None
    monkeypatch.undo()
    assert len(search(config_from_dict(searching), "sipt", None)["tried"]) == 2 and len(trials.arms) == 4


def test_two_processes_do_not_search_twice(searching, monkeypatch):
    started, trials = threading.Event(), Trials(monkeypatch)

    def slow(arm):
        started.set()
        time.sleep(0.02)
        return arm.pretrain.optimizer["lr"]

    trials.score = slow
    config, said = config_from_dict(searching), Said()
    first = threading.Thread(target=search, args=(config, "sipt", 6))
    first.start()
    started.wait(10)
    search(config, "sipt", 6, said)
    first.join()
    assert len(trials.arms) == 6 and said.lines == ["sipt: another process searches for its settings; waiting for it"]


# In real runs #########################################################################################################


def test_a_run_uses_what_its_search_chose_and_so_does_a_later_plain_one(searching, monkeypatch):
    searching["grid"] = {"finetune.0.optimizer.lr": [0.01, 0.1]}
    searching["seeds"] = [0]
    config, said = config_from_dict(searching), Said()
    results = run(config, said, search=2)
    records = {record["arm"]: record for record in results.records}
    assert all(record["status"] == "ok" for record in records.values())
    for name, keys in (("sipt", {LR, ALPHA}), ("objective-only", {LR})):  # each gets as many, of the keys that act
        found = records[name]["search"]
        assert len(found["tried"]) == 2 and set(found["space"]) == set(found["chosen"]) == keys
        assert records[name]["visible"]["trials"] == 2 + 2
        for trial in found["tried"]:
            assert trial["valid"] == pytest.approx(sum(trial["scores"]) / 2) and trial["seconds"] > 0
        arm = config.arm(name, chosen={**found["chosen"], **records[name]["grid"]["chosen"]})
        assert read_sealed(run_folder(config, arm, 0) / "results.json") == records[name]
    base = records["objective-only"]
    assert {record["baseline_hash"] for record in records.values()} == {base["hash"]}
    told = "sipt runs with what a search of 2 trials chose by validation (mean accuracy"
    assert any(line.startswith(told) for line in said.lines)
    monkeypatch.setitem(sys.modules, "optuna", None)  # is not asked for what was chosen before
    said = Said()
    again = run(config, said)
    assert [{**record, "found": True} for record in results.records] == again.records
    assert any(line.startswith(told) for line in said.lines)
    board = Leaderboard(again.records)
    form = next(one for one in board.ogb_records() if one["arm"] == "sipt")["form"]["Tuned hyper-parameters"]
    chosen = records["sipt"]["search"]["chosen"]
    assert f"{LR}: {chosen[LR]}* of [0.0001 ... 0.1, log], {ALPHA}: {chosen[ALPHA]}* of [1.0, 2.0, 4.0]" in form
    assert "drawn settings: 2 trials, each by validation on seeds 1000, 1001" in form and "by hand" not in form


def test_without_a_record_the_file_s_own_settings_are_run_and_it_is_said(searching):
    searching["seeds"] = [0]
    config, said = config_from_dict(searching), Said()
    record = run(config, said, only=[("sipt", 0)]).records[0]
    assert "search" not in record and record["visible"]["trials"] == 1
    assert (
        record["hash"] == run_folder(config_from_dict({**searching, "search": None}), config.arm("sipt"), 0).parent.name
    )
    assert any(
        line.startswith("sipt, objective-only: the file's own settings are run; a search stands") for line in said.lines
    )


def test_arms_that_were_searched_unequally_are_said(searching, monkeypatch):
    Trials(monkeypatch)
    searching["seeds"] = [0]
    config = config_from_dict(searching)
    search(config, "sipt", 3)
    search(config, "objective-only", 2)
    monkeypatch.undo()
    said = Said()
    run(config, said)
    assert any("searched unequally" in line and "--search 3" in line for line in said.lines)


def test_trials_and_arms_that_pretrain_the_same_share_it(searching):
    head = "finetune.0.optimizer.lr"
    searching["search"] = {"space": {head: {"low": 0.01, "high": 0.1}}, "seeds": [5]}
    searching["arms"] = {"sipt": {}, "sipt-patient": {"finetune.0.patience": 3}}
    config = config_from_dict({**searching, "baseline": None})
    tried = [trial for name in config.arms for trial in search(config, name, 3)["tried"]]
    assert len({trial["settings"][head] for trial in tried}) == 3 and all(trial["valid"] for trial in tried)
    folder = experiment_folder(config) / SEARCH_FOLDER / "pretrained"
    assert [file.name for file in folder.glob("*/seed-5/log-*")] == ["log-0"]


@pytest.mark.parametrize("redraws", [0, 3])
def test_a_trial_never_scores_the_test_set(searching, monkeypatch, redraws):
    """Its labels are more than those of the other parts, so that asking for so many at once is asking for them."""
    original = Evaluator.eval

    def eval(self, given, *names):
        if len(given["y_true"]) == self.task.split["test"].numel():
            raise AssertionError("the test set was scored")
        return original(self, given, *names)

    monkeypatch.setattr(Evaluator, "eval", eval)
    searching["search"] |= {"redraws": redraws, "seeds": [1000]}
    searching["pretrain"]["inductive"] = bool(redraws)  # then hidden samples validate alone
    config = config_from_dict(searching)
    tried = search(config, "sipt", 1)["tried"]
    assert [trial.get("reason") for trial in tried] == [None]
    assert all(math.isfinite(trial["valid"]) and ("spread_redraws" in trial) == bool(redraws) for trial in tried)
    failed = run(config, only=[("sipt", 0)]).failed
    assert failed and "the test set was scored" in failed[0]["reason"]  # the guard guards


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (
            {"pretrain.optimizer.weight_decay": {"low": 0, "high": 1}},
            r"takes any number.*write \{low: 0.0, high: 1.0\}",
        ),
        ({"pretrain.encoder.hidden_channels": {"low": 8.0, "high": 16.0}}, "an integer"),
        ({"pretrain.encoder.hiden_channels": [8, 16]}, "has no argument 'hiden_channels'"),
        ({"pretrain.structure_loss.alpha": [1.0, -1.0]}, "search.space pretrain.structure_loss.alpha=-1.0: "),
    ],
)
def test_what_no_trial_could_do_is_said_before_the_first(searching, space, said):
    searching["search"]["space"] = space
    with pytest.raises(ConfigError, match=said):
        run(config_from_dict(searching), search=2)


def test_redrawn_splits_are_refused_where_labels_were_seen(searching):
    searching["search"]["redraws"] = 2
    searching["pretrain"]["graph"] = {"_target_": "sigraph.graphs.LabelCliques", "labels": "block"}
    with pytest.raises(ConfigError, match=r"'search.redraws'.*learns the labels of train"):
        run(config_from_dict({**searching, "arms": {"sipt": {}}, "baseline": None}), search=2)


# The command ##########################################################################################################


@pytest.fixture
def file(searching, tmp_path):
    path = tmp_path / "searching.yaml"
    path.write_text(yaml.safe_dump(searching, sort_keys=False))
    return str(path)


def test_the_command_searches_and_writes_every_trial(file, searching, capsys):
    assert main(["run", file, "--search", "2", "seeds=[0]", "search.seeds=[7]"]) == 0
    said = capsys.readouterr()
    assert "sipt, search 2/2: lr " in said.err
    told = (
        "settings of toy-experiment were chosen by validation among drawn ones: sipt 2 trials, objective-only 2 trials"
    )
    assert told in said.out
    assert main(["leaderboard", searching["output_dir"], "--format", "trials"]) == 0
    page = capsys.readouterr().out
    assert "# Trials of toy-experiment" in page and "## sipt: 2 trials" in page and "## objective-only: 2" in page
    assert "- `pretrain.optimizer.lr`: low 0.0001, high 0.1, log true" in page
    rows = [line for line in page.splitlines() if line.startswith(("| 1 |", "| 2 |"))]
    assert len(rows) == 4 and sum("chosen" in row for row in rows) == 2


def test_a_plan_counts_trials_and_the_list_asks_for_them(file, searching, monkeypatch, capsys):
    one = {"num_parameters": 1, "num_samples": 1, "num_edges": 1, "num_steps": 1, "seconds": 10.0, "peak_memory_mb": 1}
    one |= {"num_tokens": None, "tokens_per_second": None}
    monkeypatch.setattr("sigraph.running.plan.measure", lambda *_: one)
    assert main(["run", file, "--dry-run", "--search", "5"]) == 0
    out = capsys.readouterr().out
    assert "5 trials" in out and "about 4 min" in out  # two arms of two seeds, and of five trials of two
    Trials(monkeypatch)
    search(config_from_dict(searching), "sipt", 3)
    rows = {row["arm"]: row for row in plan(config_from_dict(searching), search=5)}
    assert (rows["sipt"]["draws"], rows["objective-only"]["draws"]) == (2, 5)
    assert main(["run", file, "--list", "--search", "5"]) == 0
    assert all("--search 5 --arm" in line for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--search", "0"], "'search' needs a number of trials from 1 to 2,500 (got 0)"),
        (["--search", "3", "search=null"], "the experiment states no space"),
    ],
)
def test_a_search_that_cannot_be_is_refused(file, capsys, options, said):
    assert main(["run", file, *options]) == 2
    assert said in capsys.readouterr().err
