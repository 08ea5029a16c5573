"""What YAML is refused before a parser builds something of it: sizes, depths, and numbers that may mean several."""

import re
import time

import pytest
import yaml

from sigraph.config import ConfigError, config_from_dict, load_config
from sigraph.config.location import DEEPEST
from sigraph.config.yaml_text import LARGEST, check_yaml
from sigraph.data import Card

BASE = "name: x\nseeds: [0]\npretrain:\n  dataset: cora\n  graph: citation\n  encoder: MLPEncoder\n"
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)
)


@pytest.fixture
def load(tmp_path):
    def _load(text, *overrides):
        path = tmp_path / "x.yaml"
        path.write_text(text)
        return load_config(path, overrides)

    return _load


def refused(load, text, *overrides):
    with pytest.raises(ConfigError) as caught:
        load(text, *overrides)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 2000
    return message


@pytest.mark.parametrize("number", ["1:40", "-1:40:00", "1:40.5", "010", "-0_7", "09", "0o17", "1_", "1__0"])
@pytest.mark.parametrize("form", ["{}", "!!int {}"])
def test_a_number_that_readers_take_for_several_is_refused_with_its_line(load, number, form):
    message = refused(load, BASE + f"  batch_size: {form.format(number)}\n")
    assert f"x.yaml:7: {number!r}" in message and message.endswith("or put quotes around a text")
    assert repr(number) in refused(load, BASE, f"pretrain.batch_size={number}")


def test_numbers_that_all_readers_take_for_one_are_read(load):
    for text, value in (("1_000", 1000), ("0x10", 16), ("+7", 7)):
        assert load(BASE + f"  batch_size: {text}\n").pretrain.batch_size == value
    assert load(BASE + "  structure_weight: 1e0\n").pretrain.structure_weight == 1.0


def test_what_yaml_takes_for_something_else_is_the_text_or_is_refused(load):
    assert load(BASE + "question: 2024-01-01\n").question == "2024-01-01"
    assert load(BASE + "question: '1:40'\n").question == "1:40"
    assert load(BASE + "  inductive: yes\n").pretrain.inductive is True
    assert "x.yaml:1: 'name' needs to be a str (got False); put quotes" in refused(load, BASE.replace("x", "no", 1))
    assert "x.yaml:7: 'arms' needs text as keys" in refused(load, BASE + "arms: {on: {}, off: {}}\n")


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999"])
@pytest.mark.parametrize("key", ["structure_weight", "optimizer.lr", "trainer.gradient_clip_val", "encoder.dropout"])
def test_no_setting_is_infinite_or_none(load, number, key):
    assert f"'pretrain.{key}' needs to be" in refused(load, BASE, f"pretrain.{key}={number}")


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("  sampler: " + "{a: " * 100 + "1" + "}" * 100 + "\n", 7, f"nests more than {DEEPEST}"),
        ("arms:\n" + "".join("  " * (i + 1) + "a:\n" for i in range(100)), 57, f"nests more than {DEEPEST}"),
        ("  sampler: " + "[" * 100_000, 7, "not valid YAML"),
        (LAUGHS, 11, "aliases unfold to more than 100,000 values"),
        ("arms: &a {x: *a}\n", 7, "the alias '*a' stands within what it names"),
        ("arms: !!set {x}\n", 7, "the tag '!!set'"),
        ("  batch_size: " + "9" * 5000 + "\n", 7, "a number of 5,000 digits"),
    ],
)
def test_what_would_overwhelm_a_parser_is_refused_at_once(load, text, line, problem):
    start = time.monotonic()
    message = refused(load, BASE + text)
    assert f"x.yaml:{line}: " in message and problem in message
    assert time.monotonic() - start < 5


def test_anchors_that_stay_small_are_fine(load):
    config = load(BASE + "arms: {a: &a {pretrain.batch_size: 3}, b: {<<: *a, pretrain.valid_every: 2}}\n")
    assert config.arms["b"] == {"pretrain.batch_size": 3, "pretrain.valid_every": 2}


def test_a_file_is_not_read_beyond_what_an_experiment_needs(tmp_path):
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigError, match=f"huge.yaml: is larger than {LARGEST:,} bytes"):
        load_config(path)


def test_depth_is_bounded_wherever_settings_come_from(load):
    deep = {}
    for _ in range(2000):
        deep = {"a": deep}
    assert f"nests more than {DEEPEST}" in refused(
        lambda tree: config_from_dict(tree), {**yaml.safe_load(BASE), "arms": {"a": deep}}
    )
    deep["a"]["a"]["a"] = deep  # goes round in a circle
    with pytest.raises(ConfigError, match="nests more than"):
        config_from_dict({**yaml.safe_load(BASE), "arms": {"a": deep}})
    assert f"needs at most {DEEPEST} parts (got 5,003)" in refused(load, BASE, f"pretrain.encoder.x{'.y' * 5000}=1")


@pytest.mark.parametrize("text", [LAUGHS, "name: " + "[" * 60 + "]" * 60 + "\n", "name: x\nsamples: {count: 1:40}\n"])
def test_a_card_is_looked_at_in_the_same_way(tmp_path, text):
    (tmp_path / "card.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"card\.yaml:\d+: (its aliases|nests more|'1:40')"):
        Card.read(tmp_path / "card.yaml")


def test_a_grid_is_counted_before_it_is_built(load):
    many = list(range(1, 1416))
    message = refused(load, BASE + f"grid: {{pretrain.batch_size: {many}, pretrain.valid_every: {many}}}\n")
    assert "'grid' has 2,002,225 combinations of pretrain.batch_size (1,415 values), pretrain.valid_every" in message
    assert "at most 2,500" in message


def test_many_seeds_are_compared_in_one_pass(load):
    start = time.monotonic()
    assert len(config_from_dict({**yaml.safe_load(BASE), "seeds": list(range(5_000))}).seeds) == 5_000
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("seeds", f"seeds: {list(range(100_000))}\n"),
        ("arms", "arms:\n" + "".join(f"  a{i}: {{}}\n" for i in range(20_000))),
        ("grid", f"grid: {{pretrain.batch_size: {list(range(20_000))}}}\n"),
        ("question", f"question: [{'a, ' * 50_000}]\n"),
        ("question", "extra: &a [" + "1, " * 2_000 + "]\nquestion: [" + "*a, " * 10 + "]\n"),
    ],
    ids=["seeds", "arms", "grid", "no list at all", "aliases"],
)
def test_more_values_than_an_experiment_has_are_said_with_their_key(load, key, text):
    others = [line for line in BASE.splitlines() if not line.startswith(f"{key}:")]
    message = refused(load, "\n".join([*others, text]))
    assert re.search(rf"\.yaml:\d+: .*at most 9,000 values .* under '{key}'\); leave some out", message)
    assert "omegaconf" not in message.lower() and "max_yaml" not in message


@pytest.mark.parametrize(
    ("key", "entries"),
    [
        ("seeds", list(range(5_001))),
        ("arms", {f"a{i}": {} for i in range(1_001)}),
        ("finetune", [{"task": f"t{i}", "head": "knn"} for i in range(201)]),
        ("grid", {f"pretrain.encoder.a{i}": [1] for i in range(101)}),
    ],
)
def test_lists_have_an_end(key, entries):
    with pytest.raises(ConfigError, match=rf"'{key}' needs at most [\d,]+ entries \(got [\d,]+\); leave some out"):
        config_from_dict({**yaml.safe_load(BASE), key: entries})


def test_home_is_spelled_out(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(BASE + "output_dir: ~/x\n").output_dir == str(tmp_path / "x")
    assert "names a home that is not there" in refused(load, BASE + "output_dir: ~nobody-of-this-name/x\n")
    assert "'output_dir' needs to be a folder" in refused(load, BASE + "output_dir: ' '\n")
    (tmp_path / "base.yaml").write_text(BASE)
    assert load("extends: ~/base.yaml\nname: y\n").pretrain.dataset == "cora"


def test_quoted_text_is_never_a_number():
    check_yaml("a: '1:40'\nb: \"010\"\nc: |\n  1:40\n", "x")
