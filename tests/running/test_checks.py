"""What is refused before anything trains, in arms and in all that their grids would try."""

import warnings

import pytest
from letter_run import dataset as letters

import sigraph.running.checks
import sigraph.running.run_one
from sigraph.config import ConfigError, config_from_dict
from sigraph.experiment import run
from sigraph.running import fitting, grid
from sigraph.running.arm_settings import check_all
from sigraph.running.checks import check_arms, check_components
from sigraph.running.plan import plan

ADAM, SCHEDULES = "torch.optim.AdamW", "torch.optim.lr_scheduler"
BROKEN = {
    "an overflow": ("optimizer", {"_target_": ADAM, "lr": 1e300}, "lr 1e[+]300.*overflow"),
    "sparse gradients alone": (
        "optimizer",
        {"_target_": "torch.optim.SparseAdam"},
        "does not support dense",
    ),
    "every 0 epochs": ("scheduler", {"_target_": f"{SCHEDULES}.StepLR", "step_size": 0}, "step_size 0.*ZeroDivision"),
    "needs a metric": ("scheduler", {"_target_": f"{SCHEDULES}.ReduceLROnPlateau"}, "asks for metrics"),
    "needs a momentum": (
        "scheduler",
        {"_target_": f"{SCHEDULES}.OneCycleLR", "max_lr": 0.1, "total_steps": 9},
        "momentum",
    ),
}


@pytest.fixture
def nothing_trains(monkeypatch):
    """Whatever would train fails the test."""

    def never(*_, **__):
        raise AssertionError("something trained")

    for module, name in ((fitting, "fit_parts"), (grid, "pretrain_stage"), (sigraph.running.run_one, "pretrain_stage")):
        monkeypatch.setattr(module, name, never)
    monkeypatch.setattr("sigraph.running.measured.fit", never)


@pytest.mark.parametrize("section", ["pretrain", "finetune.0"])
@pytest.mark.parametrize("case", BROKEN)
def test_an_optimizer_or_schedule_that_fails_in_a_step_is_refused_with_its_key(toy, section, case):
    slot, component, said = BROKEN[case]
    part = toy["pretrain"] if section == "pretrain" else toy["finetune"][0]
    if case == "needs a momentum":
        part["optimizer"] = {"_target_": "torch.optim.Adagrad"}
    part[slot] = component
    arm = config_from_dict(toy).arm("sipt")
    for check in (check_components, lambda arm: check_arms([arm], 0)):
        with pytest.raises(ConfigError, match=rf"arm 'sipt': {section}.{slot}: .*{said}") as caught:
            check(arm)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("door", [run, plan])
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pretrain.encoder.hidden_channels": [8, 10**11]}, "hidden_channels=100000000000: pretrain.encoder: "),
        ({"pretrain.structure_loss.alpha": [1.0, -1.0]}, "alpha=-1.0: pretrain.structure_loss: "),
        ({"pretrain.valid_edge_rate": [0.1, 0.2], "pretrain.graph.name": ["blocks", "none"]}, "name='none': "),
        ({"finetune.0.optimizer.lr": [0.1, 1e300]}, r"lr=1e\+300: finetune.0.optimizer: "),
        ({"finetune.0.head": ["knn"], "finetune.0.k": [1, 11]}, "k=11: 'k' needs to be <= 10"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_every_combination_of_a_grid_is_looked_at_before_anything_trains(toy, nothing_trains, door, values, said):
    toy["grid"] = values
    with pytest.raises(ConfigError, match=rf"^arm 'sipt': grid .*{said}"):
        door(config_from_dict(toy), **({"only": [("sipt", 1)]} if door is run else {"jobs": [("sipt", 1)]}))


def test_the_baseline_is_searched_with_the_others_and_so_looked_at(toy, nothing_trains):
    toy["grid"], toy["arms"]["sipt"]["finetune.0.optimizer.lr"] = {"finetune.0.optimizer.lr": [0.1, 1e300]}, 0.1
    with pytest.raises(ConfigError, match=r"^arm 'objective-only': grid finetune.0.optimizer.lr=1e\+300"):
        run(config_from_dict(toy), only=[("sipt", 0)])


def test_a_graph_is_built_once_for_all_combinations_that_share_it(toy, monkeypatch):
    made, build = [], sigraph.running.checks.build_ground
    monkeypatch.setattr("sigraph.running.checks.build_ground", lambda *given: made.append(1) or build(*given))
    toy["grid"] = {"pretrain.encoder.hidden_channels": [4, 8, 9], "pretrain.graph.drop": [0.0, 0.1]}
    toy["arms"] = {"sipt": {}}
    check_all(config_from_dict({**toy, "baseline": None}), ["sipt"])
    assert len(made) <= 3  # the arm's own, and one for each value of drop


def test_values_that_change_nothing_are_said_and_not_tried(toy):
    toy["grid"] = {"finetune.0.k": [1, 2], "finetune.1.optimizer.lr": [0.1, 0.2], "finetune.0.dropout": [0.0, 0.1]}
    toy["finetune"].append({"task": "size", "head": "linear"})
    config = config_from_dict(toy)
    assert list(config.grid_of("sipt")) == ["finetune.0.dropout"]
    said = check_all(config, ["sipt"])
    assert [line.split("'")[1] for line in said.lines if line.startswith("grid: ")] == [
        "finetune.0.k",
        "finetune.1.optimizer.lr",
    ]
    toy["finetune"][0]["head"] = "knn"
    assert list(config_from_dict(toy).grid_of("sipt")) == ["finetune.0.k"]
    toy["grid"]["finetune.0.head"] = ["knn", "linear"]  # each is looked at by one of the heads
    assert list(config_from_dict(toy).grid_of("sipt")) == ["finetune.0.k", "finetune.0.dropout", "finetune.0.head"]


NESTED = {
    "several objectives": ("objective", "sigraph.objectives.JointObjective", {"objectives": [
        {"_target_": "sigraph.objectives.MaskedFeature"}, {"_target_": "sigraph.objectives.MultiTask"}]}),
    "a head in a memory": ("structure_loss", "sigraph.losses.CrossBatchMemory", {"loss": {
        "_target_": "sigraph.losses.ProjectedLoss", "loss": {"_target_": "sigraph.losses.InfoNCELoss"}}}),
    "labels in a target": ("structure_loss", "sigraph.losses.TargetLoss", {"target": {
        "_target_": "sigraph.targets.TaskTeacher", "task": "block"}}),
}  # fmt: skip


@pytest.mark.parametrize("case", NESTED)
def test_what_is_filled_in_inside_a_component_is_asked_of_nobody(toy, case):
    slot, target, arguments = NESTED[case]
    toy["pretrain"][slot] = {"_target_": target, **arguments}
    check_components(config_from_dict(toy).arm("sipt"))


def test_what_a_reader_cuts_off_a_task_is_said_once_for_all_arms(tmp_path):
    letters().save(tmp_path / "letters")
    settings = {
        "name": "cut",
        "seeds": [0],
        "pretrain": {
            "dataset": str(tmp_path / "letters"),
            "graph": "alike",
            "test_pairs": "leave-out",
            "reader": {"_target_": "sigraph.readers.SymbolTokens", "max_length": 7},
            "encoder": {"_target_": "sigraph.encoders.GRUEncoder", "embedding_channels": 8, "out_channels": 8},
            "trainer": {"max_epochs": 1, "accelerator": "cpu"},
        },
        "finetune": [
            {"task": task, "head": head, "max_epochs": 1} for task in ("first", "touch") for head in ("linear", "full")
        ],
        "arms": {"sipt": {}, "other": {"pretrain.encoder.out_channels": 4}},
        "references": False,
    }
    config = config_from_dict(settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lines = check_arms([config.arm(name) for name in config.arm_names], 0).lines
    assert not [one for one in caught if "left out" in str(one.message)]
    for task, what in (("first", "labels"), ("touch", "contacts")):
        said = [line for line in lines if f"{what} are left out" in line]
        assert len(said) == 1 and f"'letters', task {task!r}: " in said[0] and "more than 7 parts" in said[0]
