"""grid: chosen per arm by validation on the first seed, everything tried is kept, test labels are not looked at."""

import pytest
import torch

import sigraph.running.grid
from sigraph.config import ConfigError, config_from_dict
from sigraph.data import SampleDataset
from sigraph.experiment import run
from sigraph.files.sealed import read_sealed, write_sealed
from sigraph.machines.trainer import TimeIsUp
from sigraph.running.grid import GRID_FOLDER, choose
from sigraph.running.run_one import experiment_folder, pretrain_folder, run_folder
from sigraph.running.stages import FINETUNE, PROGRESS, pretrain_stage
from sigraph.tasks import Evaluator, Task

ALPHA = "pretrain.structure_loss.alpha"
LR = "finetune.0.optimizer.lr"


class Trials:
    """In place of training: validation scores by the settings tried; remembers who asked for what."""

    def __init__(self, monkeypatch, scores, greater=True):
        self.scores, self.greater, self.seeds, self.arms = scores, greater, [], []
        monkeypatch.setattr(sigraph.running.grid, "pretrain_stage", self.pretrain)
        monkeypatch.setattr(sigraph.running.grid, "finetune_stage", self.finetune)

    def pretrain(self, config, seed, folder, deadline=None, parts=None):
        self.arms.append(config)
        return None, None, {"data": "", "version": "", "sources": None}

    def finetune(self, config, seed, encoder, dataset, folder, accelerator="auto", score_test=True, **more):
        assert not score_test
        self.seeds.append(seed)
        score = self.scores[config.optimizer["lr"]]
        if isinstance(score, BaseException):
            raise score
        about = {"task": config.task, "head": config.head, "metric": "m", "greater_is_better": self.greater}
        return {**about, "valid": score, "test": None}


@pytest.mark.parametrize(
    ("scores", "greater", "best"),
    [
        ({0.1: 0.5, 0.2: 0.7, 0.3: 0.6}, True, 0.2),
        ({0.1: 0.5, 0.2: 0.7, 0.3: 0.7}, True, 0.2),  # the earlier of equals
        ({0.1: 0.7, 0.2: 0.7, 0.3: 0.6}, True, 0.1),
        ({0.1: 0.5, 0.2: 0.7, 0.3: 0.6}, False, 0.1),
        ({0.1: 0.5, 0.2: 0.4, 0.3: 0.4}, False, 0.2),
        ({0.1: -2.0, 0.2: -1.0, 0.3: -3.0}, True, 0.2),
    ],
)
def test_the_best_validated_wins_and_all_are_kept(toy, monkeypatch, scores, greater, best):
    trials = Trials(monkeypatch, scores, greater)
    toy["seeds"], toy["grid"] = [7, 0], {LR: list(scores)}
    arm, record = choose(config_from_dict(toy), "sipt")
    assert arm.finetune[0].optimizer["lr"] == best and record["chosen"] == {LR: best}
    assert record["tried"] == [{"settings": {LR: lr}, "valid": score} for lr, score in scores.items()]
    assert trials.seeds == [7] * 3 and record["seed"] == 7
    assert (record["task"], record["head"], record["metric"]) == ("block", "linear", "m")


def test_of_equals_what_the_file_states_wins(toy, monkeypatch):
    Trials(monkeypatch, {0.1: 0.7, 0.2: 0.5, 0.3: 0.7, 0.4: 0.7})
    toy["grid"] = {LR: [0.1, 0.2, 0.3, 0.4]}
    toy["finetune"][0]["optimizer"] = {"_target_": "torch.optim.Adam", "lr": 0.3}
    assert choose(config_from_dict(toy), "sipt")[1]["chosen"] == {LR: 0.3}
    toy["finetune"][0]["optimizer"]["lr"] = 0.2  # worse than others: being stated is no merit of its own
    assert choose(config_from_dict(toy), "sipt")[1]["chosen"] == {LR: 0.1}


def test_what_the_grid_itself_may_switch_on_stays_open(toy):
    toy["grid"] = {ALPHA: [1.0, 2.0], "pretrain.structure_weight": [0.0, 0.5]}
    toy["pretrain"]["structure_weight"] = 0.0
    toy["arms"] = {"sipt": {}, "objective-only": {"pretrain.structure_weight": 0.0}}
    config = config_from_dict({**toy, "baseline": None})
    assert set(config.grid_of("sipt")) == set(toy["grid"]) and config.grid_of("objective-only") == {}
    toy["grid"] = {ALPHA: [1.0, 2.0]}
    assert config_from_dict({**toy, "baseline": None}).grid_of("sipt") == {}


def test_every_combination_is_tried_the_last_key_fastest(toy, monkeypatch):
    Trials(monkeypatch, {0.1: 1.0, 0.2: 2.0})
    toy["grid"] = {ALPHA: [1.0, 3.0], LR: [0.1, 0.2]}
    arm, record = choose(config_from_dict(toy), "sipt")
    tried = [tuple(trial["settings"].values()) for trial in record["tried"]]
    assert tried == [(1.0, 0.1), (1.0, 0.2), (3.0, 0.1), (3.0, 0.2)]
    assert record["chosen"] == {ALPHA: 1.0, LR: 0.2} and arm.pretrain.structure_loss["alpha"] == 1.0


def test_the_primary_entry_decides(toy, monkeypatch):
    Trials(monkeypatch, {0.1: 1.0, 0.2: 2.0})
    toy["finetune"] = [{"task": "block", "head": "knn"}, {"task": "block", "head": "full", "primary": True}]
    toy["grid"] = {"finetune.1.optimizer.lr": [0.1, 0.2]}
    _, record = choose(config_from_dict(toy), "sipt")
    assert record["head"] == "full" and record["chosen"] == {"finetune.1.optimizer.lr": 0.2}


def test_a_search_is_found_again_until_something_of_it_changes(toy, monkeypatch, toy_dataset, tmp_path):
    trials = Trials(monkeypatch, {0.1: 1.0, 0.2: 2.0, 0.3: 3.0})
    toy["grid"] = {LR: [0.1, 0.2]}

    def num_trials(**changes):
        trials.seeds.clear()
        choose(config_from_dict({**toy, **changes}), "sipt")
        return len(trials.seeds)

    assert num_trials() == 2 and num_trials() == 0
    assert num_trials(seeds=[0, 5, 6]) == 0  # a seed more
    assert num_trials(arms={"sipt": {}}, baseline=None) == 0
    assert num_trials(finetune=[*toy["finetune"], {"task": "size", "head": "knn"}]) == 0  # a task more
    assert num_trials(seeds=[1, 0]) == 2
    assert num_trials(grid={LR: [0.1, 0.2, 0.3]}) == 3
    assert num_trials(pretrain={**toy["pretrain"], "batch_size": 10}) == 2
    assert num_trials(finetune=[{**toy["finetune"][0], "max_epochs": 5}]) == 2
    monkeypatch.setattr("sigraph.running.stages.__version__", "99")
    monkeypatch.setattr("sigraph.running.grid.__version__", "99")
    assert num_trials() == 2 and num_trials() == 0
    toy_dataset.replace(graphs=toy_dataset.graphs, tasks={"block": toy_dataset.task("block")}).save(
        tmp_path / "toy", overwrite=True
    )
    assert num_trials() == 2 and num_trials() == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 5}, "'seed' is 5, not 0"),
        ({"settings": "0"}, "'settings' is '0', not"),
        ({"chosen": {LR: 7.0}}, "'chosen' was not tried"),
        ({"chosen": {ALPHA: 0.1}}, "'chosen' was not tried"),
        ({"chosen": {}}, "'chosen' was not tried"),
        ({"chosen": [1]}, "'chosen' needs a mapping (got a list)"),
        ({"tried": [{"settings": {LR: 0.2}, "valid": 1.0}]}, "'tried' is not what the grid holds"),
        ({"tried": [{"settings": {LR: value}, "valid": 1.0} for value in (0.2, 7.0)]}, "'tried' is not what the grid"),
        ({"tried": [{"settings": {LR: 0.1}, "valid": "x"}]}, "'tried.0.valid' needs a number"),
    ],
)
def test_a_search_of_something_else_is_said_and_made_again(toy, monkeypatch, caplog, change, said):
    trials = Trials(monkeypatch, {0.1: 1.0, 0.2: 2.0})
    toy["grid"] = {LR: [0.1, 0.2]}
    config = config_from_dict(toy)
    _, first = choose(config, "sipt")
    (file,) = (experiment_folder(config) / GRID_FOLDER).glob("*.json")
    write_sealed(file, {**first, **change})
    _, again = choose(config, "sipt")
    (record,) = caplog.records
    assert said in record.message and str(file) in record.message and again == first and len(trials.seeds) == 4


def test_an_altered_search_is_made_again(toy, monkeypatch, caplog):
    Trials(monkeypatch, {0.1: 1.0, 0.2: 2.0})
    toy["grid"] = {LR: [0.1, 0.2]}
    config = config_from_dict(toy)
    choose(config, "sipt")
    (file,) = (experiment_folder(config) / GRID_FOLDER).glob("*.json")
    file.write_text(file.read_text().replace(f'"chosen": {{\n  "{LR}": 0.2', f'"chosen": {{\n  "{LR}": 0.1'))
    assert choose(config, "sipt")[1]["chosen"] == {LR: 0.2}
    assert "does not match its sum" in caplog.text


def test_changed_labels_of_a_task_elsewhere_are_searched_again(toy, monkeypatch, toy_dataset, tmp_path):
    trials = Trials(monkeypatch, {0.1: 1.0, 0.2: 2.0})
    toy_dataset.save(tmp_path / "elsewhere")
    toy["finetune"][0]["dataset"] = str(tmp_path / "elsewhere")
    toy["grid"] = {LR: [0.1, 0.2]}
    choose(config_from_dict(toy), "sipt")
    flipped = Task("block", 1 - toy_dataset.task("block").labels, toy_dataset.task("block").split)
    toy_dataset.replace(tasks={"block": flipped}).save(tmp_path / "elsewhere", overwrite=True)
    choose(config_from_dict(toy), "sipt")
    assert len(trials.seeds) == 4


def test_a_trial_that_fails_is_kept_with_its_reason_and_never_chosen(toy, monkeypatch):
    trials = Trials(monkeypatch, {0.1: ValueError("the loss is nan"), 0.2: 1.0, 0.3: 0.5}, greater=False)
    toy["grid"] = {LR: [0.1, 0.2, 0.3]}
    arm, record = choose(config_from_dict(toy), "sipt")
    failed = {"settings": {LR: 0.1}, "valid": None, "reason": "ValueError: the loss is nan"}
    assert record["tried"][0] == failed and len(record["tried"]) == 3
    assert arm.finetune[0].optimizer["lr"] == 0.3
    trials.scores = {0.1: RuntimeError("a"), 0.2: RuntimeError("b")}
    arm, record = choose(config_from_dict({**toy, "grid": {LR: [0.1, 0.2]}}), "sipt")
    assert arm.finetune[0].optimizer["lr"] == 0.1 and [t["reason"][-1] for t in record["tried"]] == ["a", "b"]


@pytest.mark.parametrize("error", [TimeIsUp(), ConfigError("no such argument"), KeyboardInterrupt()])
def test_what_is_no_failure_of_a_trial_ends_the_search_and_keeps_nothing(toy, monkeypatch, error):
    trials = Trials(monkeypatch, {0.1: 1.0, 0.2: error})
    toy["grid"] = {LR: [0.1, 0.2]}
    with pytest.raises(type(error)):
        choose(config_from_dict(toy), "sipt")
    trials.scores = {0.1: 1.0, 0.2: 2.0}
    trials.seeds.clear()
    assert choose(config_from_dict(toy), "sipt")[1]["chosen"] == {LR: 0.2} and len(trials.seeds) == 2


def test_an_arm_whose_every_value_fails_is_a_failed_row_beside_the_others(toy):
    toy["finetune"][0]["optimizer"] = {"_target_": "torch.optim.AdamW", "lr": 0.01, "weight_decay": 1e-4}
    toy["finetune"][0]["max_epochs"] = 20
    toy["grid"] = {LR: [1e9, 2e9]}  # the decay makes infinite weights of these, yet not in two steps
    toy["arms"]["sipt-fixed"] = {LR: 0.01}
    toy["seeds"] = [0]
    results = run(config_from_dict(toy))
    assert {record["arm"]: record["status"] for record in results.records} == {
        "sipt": "failed",
        "objective-only": "failed",
        "sipt-fixed": "ok",
    }
    assert results.failed[0]["reason"].startswith("ValueError: ")
    assert len(results.failed[0]["grid"]["tried"]) == 2


# In real runs #########################################################################################################


def fits(monkeypatch):
    """Epochs of every pre-training that starts from here on."""
    from sigraph.running import fitting

    started, original = [], fitting.quiet_trainer
    monkeypatch.setattr(fitting, "quiet_trainer", lambda **o: started.append(o["max_epochs"]) or original(**o))
    return started


def test_the_search_is_recorded_and_its_winner_not_trained_again(toy, monkeypatch):
    toy["arms"]["no-pretraining"] = {"pretrain.trainer.max_epochs": 0}
    toy["arms"]["sipt-stated"] = {ALPHA: 5.0}
    toy["grid"] = {ALPHA: [1.0, 3.0], LR: [0.01, 0.5]}
    started, config = fits(monkeypatch), config_from_dict(toy)
    results = run(config)
    # sipt: two alphas, then seed 1. The others search nothing that pre-trains: once a seed, none for no-pretraining.
    assert started == [2] * (3 + 2 + 2)
    records = {(record["arm"], record["seed"]): record for record in results.records}
    assert all(record["status"] == "ok" for record in records.values())
    for name in config.arm_names:
        grid = records[name, 0]["grid"]
        keys = {ALPHA, LR} if name == "sipt" else {LR}
        assert records[name, 1]["grid"] == grid and set(grid["chosen"]) == keys
        assert len(grid["tried"]) == (4 if name == "sipt" else 2)
        assert all(set(trial) == {"settings", "valid"} for trial in grid["tried"])
        best = max(trial["valid"] for trial in grid["tried"])
        won = next(trial for trial in grid["tried"] if trial["valid"] == best)
        assert grid["chosen"] == won["settings"]
        assert records[name, 0]["tasks"][0]["valid"] == best  # the run is the winning trial
        arm = config.arm(name, chosen=grid["chosen"])
        for seed in (0, 1):
            folder = run_folder(config, arm, seed)
            assert read_sealed(folder / "results.json") == records[name, seed]
    assert config.arm("sipt-stated", chosen={ALPHA: 1.0}).pretrain.structure_loss["alpha"] == 5.0
    baseline = config.arm("objective-only", chosen=records["objective-only", 0]["grid"]["chosen"])
    wanted = {seed: run_folder(config, baseline, seed).parent.name for seed in (0, 1)}
    for (_, seed), record in records.items():
        assert record["baseline_hash"] == wanted[seed] == records["objective-only", seed]["hash"]
    started.clear()
    assert [r["tasks"] for r in run(config).records] == [r["tasks"] for r in results.records] and started == []
    # Losers leave no fine-tuning behind, so no test score of theirs exists anywhere.
    losing = 3.0 if records["sipt", 0]["grid"]["chosen"][ALPHA] == 1.0 else 1.0
    loser = pretrain_folder(config, config.arm("sipt", chosen={ALPHA: losing}), 0)
    assert loser.is_dir() and not (loser / FINETUNE).exists()


def test_one_arm_alone_names_the_same_baseline(toy):
    toy["grid"], toy["seeds"] = {LR: [0.01, 0.5]}, [0, 1]
    config = config_from_dict(toy)
    alone = run(config, only=[("sipt", 1)]).records
    together = run(config).records
    assert alone[0]["baseline_hash"] == next(r["hash"] for r in together if r["arm"] == "objective-only")
    assert {**alone[0], "found": True} == next(r for r in together if (r["arm"], r["seed"]) == ("sipt", 1))


def test_time_up_in_the_search_is_unfinished_and_resumes(toy):
    toy["grid"], toy["seeds"] = {ALPHA: [1.0, 3.0]}, [0]
    config = config_from_dict(toy)
    results = run(config, max_seconds=-1)  # looked at after an epoch: one of the first trial is done
    assert [r["status"] for r in results.unfinished] == ["unfinished"] * 2 and "grid" in results.unfinished[0]["reason"]
    assert (pretrain_folder(config, config.arm("sipt", chosen={ALPHA: 1.0}), 0) / PROGRESS).is_file()
    assert not pretrain_folder(config, config.arm("sipt", chosen={ALPHA: 3.0}), 0).exists()
    assert [r["status"] for r in run(config).records] == ["ok"] * 2


# Test labels ##########################################################################################################


@pytest.fixture
def guarded(monkeypatch):
    """A metric that raises when it is given the test samples, which are more than the validation samples."""
    original = Evaluator.eval

    def eval(self, given, *names):
        if len(given["y_true"]) == self.task.split["test"].numel():
            raise AssertionError("the test set was scored")
        return original(self, given, *names)

    monkeypatch.setattr(Evaluator, "eval", eval)


@pytest.mark.parametrize("head", ["linear", "full", "knn"])
def test_the_search_never_scores_the_test_set(toy, guarded, head):
    toy["finetune"][0]["head"] = head
    toy["grid"] = {ALPHA: [1.0, 3.0]}
    config = config_from_dict(toy)
    _, record = choose(config, "sipt")
    assert len(record["tried"]) == 2 and all(trial["valid"] is not None for trial in record["tried"])
    failed = run(config, only=[("sipt", 0)]).failed
    assert failed and "the test set was scored" in failed[0]["reason"]  # the guard guards


@pytest.mark.parametrize("head", ["linear", "full", "knn"])
def test_other_test_labels_same_search(toy, toy_dataset, tmp_path, head):
    task = toy_dataset.task("block")
    labels = task.labels.clone()
    labels[task.split["test"]] = 1 - labels[task.split["test"]]
    tasks = {**toy_dataset.tasks, "block": Task("block", labels, task.split)}
    toy_dataset.replace(tasks=tasks).save(tmp_path / "flipped")
    toy["finetune"][0]["head"] = head
    toy["grid"] = {ALPHA: [1.0, 3.0], "pretrain.batch_size": [10, 20]}
    searches = []
    for folder in ("toy", "flipped"):
        toy["pretrain"]["dataset"] = str(tmp_path / folder)
        config = config_from_dict(toy)
        searches.append(choose(config, "sipt")[1])
        arm = config.arm("sipt")
        encoder, _, figures = pretrain_stage(arm.pretrain, 0, pretrain_folder(config, arm, 0))
        searches[-1]["figures"] = figures["validation"]
        searches[-1]["weights"] = torch.cat([value.flatten() for value in encoder.state_dict().values()]).tolist()
    one, two = searches
    assert one["data"] != two["data"]
    assert all(one[key] == two[key] for key in ("tried", "chosen", "figures", "weights"))


def test_other_validation_labels_another_search(toy, toy_dataset, tmp_path):
    """What the test above would miss if no label mattered."""
    task = toy_dataset.task("block")
    labels = task.labels.clone()
    labels[task.split["valid"]] = 1 - labels[task.split["valid"]]
    SampleDataset(
        toy_dataset.samples, toy_dataset.graphs, {"block": Task("block", labels, task.split)}, name="toy"
    ).save(tmp_path / "flipped")
    toy["grid"] = {ALPHA: [1.0, 3.0]}
    tried = []
    for folder in ("toy", "flipped"):
        toy["pretrain"]["dataset"] = str(tmp_path / folder)
        tried.append(choose(config_from_dict(toy), "sipt")[1]["tried"])
    assert tried[0] != tried[1]
