"""search in an experiment file: what a space may hold, which keys of it act, and what is refused."""

import pytest

from sigraph.config import ConfigError, config_from_dict, load_config
from sigraph.config.location import Place
from sigraph.config.search import read_space, search_seeds

TREE = {
    "name": "search",
    "seeds": [0, 1],
    "pretrain": {
        "dataset": "cora",
        "graph": "citation",
        "encoder": {"_target_": "sigraph.encoders.MLPEncoder", "out_channels": 8},
        "objective": {"_target_": "sigraph.objectives.MaskedFeature"},
        "structure_loss": {"_target_": "sigraph.losses.InfoNCELoss", "temperature": 0.2},
        "structure_weight": 0.5,
    },
    "finetune": [{"task": "topic", "head": "linear"}, {"task": "topic", "head": "full"}],
    "arms": {"sipt": {}, "objective-only": {"pretrain.structure_weight": 0.0}},
    "baseline": "objective-only",
}
LR, TEMPERATURE = "pretrain.optimizer.lr", "pretrain.structure_loss.temperature"


def with_search(**search):
    return config_from_dict({**TREE, "search": search})


def dimension(value):
    return read_space({"pretrain.x": value}, Place("test"))["pretrain.x"]


def test_the_keys_that_act_on_an_arm_are_open_for_it():
    weights, mask = "pretrain.structure_weight", "pretrain.objective.mask_rate"
    heads = {"finetune.0.optimizer.lr": [0.1, 0.2], "finetune.0.k": [3, 5], "finetune.1.dropout": [0.1, 0.2]}
    space = {LR: {"low": 1e-4, "high": 1e-2}, TEMPERATURE: [0.1, 0.2], mask: {"low": 0.1, "high": 0.5}, **heads}
    config = with_search(space=space)
    assert list(config.search_of("sipt")) == [LR, TEMPERATURE, mask, "finetune.0.optimizer.lr"]
    assert list(config.search_of("objective-only")) == [LR, mask, "finetune.0.optimizer.lr"]
    assert config.search_of("majority") == {}
    only = config_from_dict(
        {**TREE, "arms": {"a": {weights: 1.0}, "b": {LR: 0.1}}, "baseline": None} | {"search": {"space": space}}
    )
    assert mask not in only.search_of("a") and LR not in only.search_of("b")
    opened = with_search(space={weights: {"low": 0.0, "high": 1.0}, TEMPERATURE: [0.1, 0.2]})
    assert list(opened.search_of("sipt")) == [weights, TEMPERATURE] and opened.search_of("objective-only") == {}


def test_a_search_changes_no_setting_of_an_arm_and_comes_back_from_plain_values():
    config = with_search(space={LR: [0.1, 0.2]}, seeds=[7], redraws=20)
    assert config.arm("sipt") == config_from_dict(TREE).arm("sipt") and config_from_dict(TREE).search is None
    assert config_from_dict(config.to_dict()) == config
    assert config.arm("sipt", chosen={LR: 0.2}).pretrain.optimizer["lr"] == 0.2


def test_files_that_extend_one_and_overrides_add_to_the_space(tmp_path):
    import yaml

    (tmp_path / "base.yaml").write_text(yaml.safe_dump({**TREE, "search": {"space": {LR: [0.1, 0.2]}, "redraws": 3}}))
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nsearch: {space: {pretrain.batch_size: [8, 16]}}\n")
    given = {f"search.space.{LR}": {"low": 0.1, "high": 0.3}, "search.redraws": 5}
    config = load_config(tmp_path / "mine.yaml", given)
    assert config.search.space == {LR: {"low": 0.1, "high": 0.3}, "pretrain.batch_size": [8, 16]}
    assert config.search.redraws == 5 and load_config(tmp_path / "mine.yaml", ["search=null"]).search is None


def test_seeds_are_never_those_of_the_table():
    search = with_search(space={LR: [0.1, 0.2]}).search
    assert search_seeds(search, [0, 1]) == [1000, 1001] and search_seeds(search, [1000, 1002]) == [1001, 1003]
    with pytest.raises(ConfigError, match=r"'search.seeds' holds 1, which 'seeds' of the table has too"):
        with_search(space={LR: [0.1, 0.2]}, seeds=[5, 1])


def test_ranges_hold_their_ends_and_numbers_are_written_with_few_digits():
    whole, wide = dimension({"low": 16, "high": 64, "step": 16}), dimension({"low": 1e-4, "high": 1e-2, "log": True})
    assert (whole.whole, whole.size, wide.whole, str(wide)) == (True, 4, False, "0.0001 ... 0.01, log")
    assert [whole.holds(value) for value in (16, 64, 20, 80, 16.0, True)] == [True, True, False, False, False, False]
    assert wide.rounded(0.00123456) == 0.00123 and wide.rounded(0.0000999) == 1e-4
    assert dimension({"low": 0.99, "high": 0.9999}).rounded(0.9912345) == 0.991235
    assert dimension({"low": 0.0, "high": 0.8}).rounded(0.123456) == 0.1235
    steps = dimension({"low": 0.0, "high": 0.9, "step": 0.3})
    assert steps.rounded(0.1 * 3 * 3) == 0.9 and steps.holds(0.6) and not steps.holds(0.5) and steps.size == 4
    several = dimension([1, 1.0, True, None, {"_target_": "A"}])
    assert [several.place(value) for value in (True, 1.0, {"_target_": "A"}, 2)] == [2, 1, 4, None]


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ({"space": {}}, "needs a 'space'"),
        ({"space": {LR: 0.1}}, "needs a list of values or a range"),
        ({"space": {LR: None}}, "needs a list of values or a range"),
        ({"space": {LR: []}}, "different values to choose from"),
        ({"space": {LR: [0.1, 0.1]}}, "different values to choose from"),
        ({"space": {LR: {"low": 1}}}, "needs a number as 'high'"),
        ({"space": {LR: {"low": 1, "high": True}}}, "needs a number as 'high'"),
        ({"space": {LR: {"low": 2, "high": 1}}}, "needs low < high"),
        ({"space": {LR: {"low": 0, "high": 1, "log": True}}}, "needs low > 0"),
        ({"space": {LR: {"low": 1, "high": 2, "log": "yes"}}}, "'log' of a range needs to be true or false"),
        ({"space": {LR: {"low": 1, "high": 2, "logg": True}}}, "did you mean 'log'"),
        ({"space": {LR: {"low": 1, "high": 9, "log": True, "step": 2}}}, "'step' does not act with 'log'"),
        ({"space": {LR: {"low": 1, "high": 9, "step": 3}}}, "'step' of a range needs to divide"),
        ({"space": {LR: {"low": 1, "high": 9, "step": -1}}}, "'step' of a range needs to divide"),
        ({"space": {"seeds": [1, 2]}}, "needs to start with 'pretrain.' or 'finetune.'"),
        ({"space": {"pretrain.optimiser.lr": [1, 2]}}, "optimizer"),
        ({"space": {"pretrain.structure_weight": [0.5, 2.0]}}, "structure_weight=2.0"),
        ({"space": {"pretrain.optimizer": ["SGD", "Adam"], LR: [0.1, 0.2]}}, "one decides about it"),
        ({"space": {LR: [1, 2]}, "seeds": [7, 7]}, "lists \\[7\\] more than once"),
        ({"space": {"finetune.0.dropout": [0.1, 0.2]}, "redraws": 20}, "does not act with 'search.redraws: 20'"),
        ({"space": {LR: [1, 2]}, "redraw": 20}, "did you mean 'redraws'"),
    ],
)
def test_a_search_that_does_not_fit(search, said):
    with pytest.raises(ConfigError, match=said):
        with_search(**search)


def test_a_grid_and_a_search_share_no_key():
    for key in (LR, "pretrain.optimizer"):
        values = [0.1, 0.2] if key == LR else ["SGD", "Adam"]
        with pytest.raises(ConfigError, match=r"is in 'search.space' and 'pretrain.optimizer.*' in 'grid'"):
            config_from_dict({**TREE, "grid": {key: values}, "search": {"space": {LR: [0.3, 0.4]}}})
    both = config_from_dict({**TREE, "grid": {TEMPERATURE: [0.1, 0.2]}, "search": {"space": {LR: [0.3, 0.4]}}})
    assert list(both.grid_of("sipt")) == [TEMPERATURE] and list(both.search_of("sipt")) == [LR]


def test_without_a_task_there_is_nothing_to_choose_by():
    with pytest.raises(ConfigError, match="'search' chooses by validation of the primary task"):
        config_from_dict({**TREE, "finetune": [], "search": {"space": {LR: [0.1, 0.2]}}})
