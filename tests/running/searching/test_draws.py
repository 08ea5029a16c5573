"""draws: what is tried next is a function of what was tried before, within the space, and never twice."""

import math
import sys

import pytest

from sigraph.config.location import Place
from sigraph.config.search import read_space
from sigraph.running.searching.draws import STARTUP, check_optuna, next_settings, num_settings

SPACE = read_space(
    {
        "pretrain.optimizer.lr": {"low": 1e-5, "high": 1e-1, "log": True},
        "pretrain.encoder.dropout": {"low": 0.0, "high": 0.8},
        "pretrain.batch_size": {"low": 16, "high": 64, "step": 16},
        "pretrain.structure_loss": [{"_target_": "A", "t": 0.1}, "B", None],
    },
    Place("test"),
)
KEYS = list(SPACE)


def score(settings):
    """Best at a learning rate of 0.001 and no dropout; batches of 16 fail."""
    if settings["pretrain.batch_size"] == 16:
        return None
    return -((math.log10(settings["pretrain.optimizer.lr"]) + 3) ** 2) - settings["pretrain.encoder.dropout"]


def searched(number, tried=(), space=SPACE, keys=KEYS, score=score, greater=True):
    tried = list(tried)
    while len(tried) < number and (settings := next_settings(space, keys, {}, tried, greater)) is not None:
        tried.append({"settings": settings, "valid": score(settings)})
    return tried


def test_a_search_that_goes_on_draws_what_it_would_have_drawn():
    whole = searched(18)
    for stop in (1, STARTUP, 15):
        assert searched(18, whole[:stop]) == whole
    assert all(SPACE[key].holds(value) for trial in whole for key, value in trial["settings"].items())
    worse = [{**trial, "valid": 1.0 if i == 3 else trial["valid"]} for i, trial in enumerate(whole[:STARTUP])]
    assert searched(STARTUP + 1, worse)[-1] != whole[STARTUP]  # it depends on what came out, and on nothing else


@pytest.mark.parametrize("greater", [True, False])
def test_later_trials_are_drawn_from_where_the_better_ones_lie(greater):
    sign = 1 if greater else -1
    tried = searched(40, score=lambda settings: (found := score(settings)) and sign * found, greater=greater)
    scores = [sign * trial["valid"] for trial in tried if trial["valid"] is not None]
    early = [sign * trial["valid"] for trial in tried[:STARTUP] if trial["valid"] is not None]
    assert sum(scores[-15:]) / 15 > sum(early) / len(early) + 0.5
    failed = [trial["valid"] is None for trial in tried]
    assert sum(failed[-20:]) <= 3  # settings that fail are kept away from


def test_what_the_file_states_comes_first_where_it_lies_in_the_space():
    stated = dict(zip(KEYS, (0.005, 0, 32, "B"), strict=True))
    first = next_settings(SPACE, KEYS, stated, (), True)
    assert first == stated and isinstance(first["pretrain.encoder.dropout"], float)
    for key, outside in (("pretrain.optimizer.lr", 1.0), ("pretrain.batch_size", 20), ("pretrain.structure_loss", "C")):
        assert next_settings(SPACE, KEYS, {**stated, key: outside}, (), True) != stated
    numbers = read_space({"a.b": [1, 2], "c.d": [True, False]}, Place("test"))
    assert next_settings(numbers, list(numbers), {"a.b": 2.0, "c.d": False}, (), True) == {"a.b": 2, "c.d": False}
    assert next_settings(SPACE, KEYS, {}, (), True) == next_settings(SPACE, KEYS, {KEYS[0]: 0.005}, (), True)


def test_arms_get_the_same_values_of_the_keys_that_they_share_while_draws_are_random():
    whole, control = searched(STARTUP), searched(STARTUP, keys=KEYS[1:3], score=lambda settings: 0.0)
    assert [{key: trial["settings"][key] for key in KEYS[1:3]} for trial in whole] == [t["settings"] for t in control]


def test_nothing_is_tried_twice_and_a_small_space_ends():
    space = read_space({"a.b": [1, 1.0, True], "c.d": {"low": 1, "high": 4}}, Place("test"))
    assert num_settings(space, list(space)) == 12 and num_settings(SPACE, KEYS) == math.inf
    tried = searched(50, space=space, keys=list(space), score=lambda settings: 0.0)
    assert len(tried) == len({repr(trial["settings"]) for trial in tried}) == 12


def test_without_optuna_the_way_out_is_said(monkeypatch):
    check_optuna()
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match=r"pip install 'sigraph\[search\]'"):
        check_optuna()


def test_optuna_is_as_loud_afterwards_as_it_was(capfd):
    import optuna

    before = optuna.logging.get_verbosity()
    searched(2)
    assert optuna.logging.get_verbosity() == before and capfd.readouterr().err == ""
