"""What an experiment file may say, and what each mistake in it is answered with."""

import subprocess
import sys

import pytest
import yaml

from sigraph.config import ConfigError, ExperimentConfig, config_from_dict, load_config, settings_hash

EXPERIMENT = """\
name: cora-mlp
question: Can an MLP profit from citations?
seeds: [0, 1, 2]
pretrain:
  dataset: cora
  graph: {name: citation, hops: 2}
  encoder: {_target_: sigraph.encoders.MLPEncoder, hidden_channels: 512}
  structure_loss: {_target_: sigraph.losses.InfoNCELoss, temperature: 0.2}
  objective: MaskedFeature
  structure_weight: 0.9
  batch_size: 512
  trainer: {max_epochs: 100}
finetune:
  - {task: topic, head: linear}
  - {task: topic, head: full}
arms:
  sipt: {}
  objective-only: {pretrain.structure_weight: 0.0}
  rewired-graph: {pretrain.graph.rewire: 1.0}
  no-pretraining: {pretrain.trainer.max_epochs: 0}
baseline: objective-only
"""
MINIMAL = {"name": "x", "seeds": [0], "pretrain": {"dataset": "cora", "graph": "citation", "encoder": "MLPEncoder"}}


@pytest.fixture
def write(tmp_path):
    """Writes a YAML file (text, bytes or a tree) and returns its path."""

    def _write(content, name="experiment.yaml"):
        path = tmp_path / name
        if isinstance(content, dict):
            content = yaml.safe_dump(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


def minimal(**pretrain):
    """The shortest experiment, with other pre-training settings."""
    return {**MINIMAL, "pretrain": {**MINIMAL["pretrain"], **pretrain}}


def error_of(tree, *overrides):
    with pytest.raises(ConfigError) as caught:
        config_from_dict(tree, overrides)
    return str(caught.value)


def edited(old, new):
    assert old in EXPERIMENT
    return EXPERIMENT.replace(old, new)


# Reading


def test_the_file_of_the_design(write):
    config = load_config(write(EXPERIMENT))
    own, references = (
        ["sipt", "objective-only", "rewired-graph", "no-pretraining"],
        ["majority", "raw-features", "ridge"],
    )
    assert config.arm_names == [*own, *references] and list(config.arms) == own
    assert config.seeds == [0, 1, 2]
    assert config.pretrain.graph == {"_target_": "sigraph.graphs.DatasetGraph", "name": "citation", "hops": 2}
    assert config.pretrain.objective == {"_target_": "sigraph.objectives.MaskedFeature"}
    assert config.pretrain.trainer.max_epochs == 100
    assert config.pretrain.trainer.precision == "32-true"  # a default inside a given section
    assert config.finetune[1].head == "full"
    assert config.output_dir == "runs"


def test_defaults():
    config = config_from_dict({**MINIMAL, "finetune": [{"task": "topic", "head": "knn"}]})
    assert config.arms == {"sipt": {}}
    assert config.baseline is None
    assert config.pretrain.sampler == {"_target_": "sigraph.samplers.NeighborPairSampler"}
    assert config.pretrain.structure_loss == {"_target_": "sigraph.losses.MultiSimilarityLoss"}
    assert config.pretrain.optimizer == {"_target_": "torch.optim.AdamW", "lr": 1e-3}
    assert config.finetune[0].optimizer == {"_target_": "torch.optim.AdamW", "lr": 1e-2, "weight_decay": 0.0}
    assert (config.pretrain.batch_size, config.finetune[0].patience, config.finetune[0].k) == (1024, 50, 5)


def test_defaults_are_not_shared():
    first = config_from_dict(MINIMAL)
    first.pretrain.optimizer["lr"] = 7.0
    first.arms["sipt"]["pretrain.batch_size"] = 1
    second = config_from_dict(MINIMAL)
    assert second.pretrain.optimizer["lr"] == 1e-3
    assert second.arms == {"sipt": {}}


def test_plain_containers_survive_a_round_trip(write):
    config = load_config(write(EXPERIMENT))
    plain = config.to_dict()
    assert config_from_dict(plain) == config
    assert config_from_dict(yaml.safe_load(yaml.safe_dump(plain))) == config
    plain["pretrain"]["graph"]["hops"] = 99
    assert config.pretrain.graph["hops"] == 2


def test_numbers_in_scientific_notation_are_numbers(write):
    path = write(
        edited("  batch_size: 512", "  optimizer: {lr: 5e-3}\n  structure_weight: 1e-1").replace(
            "  structure_weight: 0.9\n", ""
        )
    )
    assert load_config(path).pretrain.optimizer == {"_target_": "torch.optim.AdamW", "lr": 0.005}
    assert load_config(path).pretrain.structure_weight == 0.1


def test_import_needs_no_torch():
    code = "import sys, sigraph.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Files


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml: there is no such file"):
        load_config(tmp_path / "gone.yaml")


def test_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(str(tmp_path))


def test_a_file_that_is_not_utf8(write):
    with pytest.raises(ConfigError, match=r"experiment\.yaml:2: needs to be UTF-8 text \(got byte 0xe9\)"):
        load_config(write(b"name: x\nquestion: caf\xe9\n"))


def test_a_byte_order_mark_is_no_part_of_the_first_key(write):
    assert load_config(write(b"\xef\xbb\xbf" + EXPERIMENT.encode())).name == "cora-mlp"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: x\nseeds: [0\npretrain: 1\n", 3),
        ("name: x\n\tseeds: [0]\n", 2),
        ("name: x\nseeds: [0]\nname: y\n", 3),
        ("name: x\nquestion: \x07\n", 2),
        ("name: x\nseeds: !!python/object/apply:os.getpid []\n", 2),
        ("name: x\nseeds: &s [*s]\n", 2),
    ],
    ids=["bracket", "tab", "repeated key", "control character", "python tag", "recursive"],
)
def test_a_yaml_error_has_file_and_line(write, text, line):
    with pytest.raises(ConfigError, match=rf"experiment\.yaml:{line}: not valid YAML"):
        load_config(write(text))


@pytest.mark.parametrize("text", ["- a\n- b\n", "3\n"])
def test_a_file_that_is_no_mapping(write, text):
    with pytest.raises(ConfigError, match=r"experiment\.yaml: needs to be a mapping"):
        load_config(write(text))


def test_an_empty_file_lacks_a_name(write):
    with pytest.raises(ConfigError, match="'name' is missing"):
        load_config(write(""))


# Keys


def test_an_unknown_key_gets_file_line_path_and_the_nearest_key(write):
    with pytest.raises(ConfigError) as caught:
        load_config(write(edited("  structure_weight", "  structur_weight")))
    message = str(caught.value)
    assert "experiment.yaml:10: unknown key 'pretrain.structur_weight' (did you mean 'structure_weight'?)" in message
    assert "valid keys: dataset, graph, reader, encoder, sampler, structure_loss" in message


@pytest.mark.parametrize(
    ("old", "new", "path", "nearest"),
    [
        ("baseline:", "base_line:", "base_line", "baseline"),
        ("{max_epochs: 100}", "{max_epoch: 100}", "pretrain.trainer.max_epoch", "max_epochs"),
        ("head: full", "heads: full", "finetune.1.heads", "head"),
        ("pretrain.structure_weight: 0.0", "pretrain.structur_weight: 0.0", "pretrain.structur_weight",
         "structure_weight"),
        ("pretrain.trainer.max_epochs", "pretrain.traner.max_epochs", "pretrain.traner", "trainer"),
    ],
)  # fmt: skip
def test_unknown_keys_at_every_level(write, old, new, path, nearest):
    with pytest.raises(ConfigError, match=rf"unknown key '{path}' \(did you mean '{nearest}'\?\); valid keys: "):
        load_config(write(edited(old, new)))


def test_a_key_like_no_other_gets_the_list_only():
    message = error_of({**MINIMAL, "zzz": 1})
    assert "did you mean" not in message
    assert "unknown key 'zzz'; valid keys: name, question, seeds" in message


def test_grid_is_open_where_an_arm_says_nothing_and_it_acts(write):
    arms = {
        "sipt": {},
        "objective-only": {"pretrain.structure_weight": 0.0},
        "other-loss": {"pretrain.structure_loss": "InfoNCELoss"},
        "no-pretraining": {"pretrain.trainer.max_epochs": 0},
    }
    knn = [{"task": "topic", "head": "knn"}]
    tree = {**load_config(write(EXPERIMENT)).to_dict(), "arms": arms, "baseline": None, "finetune": knn}
    config = config_from_dict({**tree, "grid": {"pretrain.structure_weight": [0.2, 0.5], "finetune.0.k": [3, 5]}})
    assert set(config.grid_of("sipt")) == {"pretrain.structure_weight", "finetune.0.k"}
    assert set(config.grid_of("objective-only")) == set(config.grid_of("no-pretraining")) == {"finetune.0.k"}
    assert config.arm("sipt", chosen={"pretrain.structure_weight": 0.2}).pretrain.structure_weight == 0.2
    assert config.arm("objective-only", chosen={"pretrain.structure_weight": 0.2}).pretrain.structure_weight == 0.0
    loss = config_from_dict({**tree, "grid": {"pretrain.structure_loss.alpha": [1, 2]}})
    assert loss.grid_of("sipt") and not loss.grid_of("objective-only") and not loss.grid_of("other-loss")


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ("{pretrain.batch_size: [1, many]}", "batch_size"),
        ("{pretrain.batch_size: []}", "different values to try"),
        ("{pretrain.batch_size: [8, 8]}", "different values to try"),
        ("{pretrain.batch_sice: [8, 9]}", "batch_size"),
        ("{seeds: [8, 9]}", "'pretrain.' or 'finetune.'"),
        ("{pretrain.batch_size: 8}", "list of values to try"),
    ],
)
def test_a_grid_that_does_not_fit(write, grid, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write(f"grid: {grid}\n" + EXPERIMENT))


@pytest.mark.parametrize("missing", ["name", "seeds", "pretrain"])
def test_a_required_key_that_is_missing(missing):
    tree = {key: value for key, value in MINIMAL.items() if key != missing}
    assert f"'{missing}' is missing" in error_of(tree)


@pytest.mark.parametrize("missing", ["dataset", "graph", "encoder"])
def test_a_required_pretraining_key_that_is_missing(missing):
    pretrain = {key: value for key, value in MINIMAL["pretrain"].items() if key != missing}
    assert f"'pretrain.{missing}' is missing" in error_of({**MINIMAL, "pretrain": pretrain})


def test_a_task_without_head():
    assert "'finetune.0.head' is missing" in error_of({**MINIMAL, "finetune": [{"task": "topic"}]})


# Types and ranges


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("batch_size", "many", "an int (got 'many')"),
        ("batch_size", True, "an int (got True)"),
        ("batch_size", 2.0, "an int (got 2.0)"),
        ("batch_size", None, "an int (got None)"),
        ("structure_weight", "half", "a float or null (got 'half')"),
        ("dataset", 3, "the name or path of a data set or a mapping with '_target_' (got 3); put quotes around it"),
        (
            "trainer",
            [1],
            "a mapping with keys max_epochs, gradient_clip_val, weight_average, precision, accelerator, "
            "devices, num_nodes, strategy (got [1])",
        ),
        ("encoder", 3, "a class name or a mapping with '_target_' (got 3)"),
        ("optimizer", None, "a class name or a mapping with '_target_' (got None)"),
        ("encoder", "", "a class name or a mapping with '_target_' (got '')"),
        ("batch_size", 0, "in [1, 2147483647] (got 0)"),
        ("structure_weight", 1.5, "in [0, 1] (got 1.5)"),
        ("structure_weight", float("nan"), "in [0, 1] (got nan)"),
        ("valid_edge_rate", 1.0, "in [0, 1) (got 1.0)"),
    ],
)
def test_a_wrong_type_or_range_names_path_need_and_value(key, value, wanted):
    assert f"'pretrain.{key}' needs to be {wanted}" in error_of(minimal(**{key: value}))


def test_a_wrong_type_in_a_file_has_its_line(write):
    with pytest.raises(ConfigError, match=r"experiment\.yaml:11: 'pretrain\.batch_size' needs to be an int"):
        load_config(write(edited("batch_size: 512", "batch_size: many")))


@pytest.mark.parametrize(
    ("seeds", "problem"),
    [
        ([], "'seeds' needs at least one seed"),
        ([0, 1, 0], "'seeds' lists [0] more than once"),
        ([0, -1], "'seeds.1' needs to be in [0, 4294967295] (got -1)"),
        ([0, 2**32], "'seeds.1' needs to be in"),
        (3, "'seeds' needs to be a list (got 3)"),
        ([0.5], "'seeds.0' needs to be an int (got 0.5)"),
    ],
)
def test_seeds(seeds, problem):
    assert problem in error_of({**MINIMAL, "seeds": seeds})


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"task": "t", "head": "linea"}, "needs to be one of linear, full, knn (got 'linea') (did you mean 'linear'?)"),
        ({"task": "t", "head": "knn", "k": 0}, "'finetune.0.k' needs to be in [1, 2147483647]"),
        ({"task": "t", "head": "full", "dropout": 1.1}, "'finetune.0.dropout' needs to be in [0, 1]"),
        ({"task": "t", "head": "full", "primary": "yes"}, "'finetune.0.primary' needs to be true or false"),
        ("topic", "'finetune.0' needs to be a mapping"),
        *(
            (
                {"task": "t", "head": "linear", "class_weight": weight},
                f".class_weight' needs to be balanced, or a list of numbers > 0, one a class (got {weight!r})",
            )
            for weight in (-1, {"bio": 2}, [-1, 1, 1], [0, 1], [], [True, 1], ["a"], "balansed")
        ),
        *(
            (
                {"task": "t", "head": "linear", "converged": True, **idle},
                f"'finetune.0.{next(iter(idle))}' does not act with 'converged: true'",
            )
            for idle in (
                {"max_epochs": 5},
                {"patience": 5},
                {"optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.1}},
                {"scheduler": "CosineAnnealingLR"},
                {"batch_size": 5},
                {"dropout": 0.5},
            )
        ),
    ],
)
def test_a_wrong_finetune_entry(entry, problem):
    assert problem in error_of({**MINIMAL, "finetune": [entry]})


def test_a_converged_probe_takes_what_says_nothing_of_steps_and_an_arm_or_a_grid_may_ask_for_it():
    entry = {"task": "t", "head": "linear", "converged": True, "max_epochs": 300, "optimizer": {"lr": 0.01}}
    tree = {**MINIMAL, "finetune": [{**entry, "class_weight": [1, 2], "normalize": True}]}
    assert config_from_dict(tree).finetune[0].class_weight == [1.0, 2.0]
    tree = {**MINIMAL, "finetune": [{**entry, "converged": False, "max_epochs": 5}]}
    arm = {"finetune.0.converged": True}
    assert "arm 'a': 'finetune.0.max_epochs' does not act" in error_of({**tree, "arms": {"a": arm}})
    assert config_from_dict({**tree, "arms": {"a": {**arm, "finetune.0.max_epochs": 300}}}).arm("a")
    tried = config_from_dict({**tree, "arms": {"a": {}}, "grid": {"finetune.0.converged": [True, False]}})
    assert tried.arm("a", chosen={"finetune.0.converged": True}).finetune[0].max_epochs == 5


@pytest.mark.parametrize("value", ["${name}", "${oc.env:HOME}", "???"])
def test_text_that_would_be_replaced_is_refused(value):
    assert "'pretrain.dataset'" in error_of(minimal(dataset=value))
    assert "'pretrain.encoder.x.0'" in error_of(minimal(encoder={"_target_": "MLPEncoder", "x": [value]}))


@pytest.mark.parametrize("text", ["!!python/object/apply:pathlib.PosixPath [x]", "!!binary aGk="])
def test_only_plain_values_get_in(write, text):
    path = write(edited("hidden_channels: 512", f"hidden_channels: {text}"))
    with pytest.raises(ConfigError, match=r"experiment\.yaml:7: not valid YAML here: the tag '!!(python|binary)"):
        load_config(path)


# Finetune entries


def test_the_first_task_is_primary_unless_one_says_so():
    entries = [{"task": "a", "head": "full"}, {"task": "b", "head": "full"}]
    assert [entry.primary for entry in config_from_dict({**MINIMAL, "finetune": entries}).finetune] == [True, False]
    entries[1]["primary"] = True
    assert [entry.primary for entry in config_from_dict({**MINIMAL, "finetune": entries}).finetune] == [False, True]


def test_two_primary_tasks():
    entries = [{"task": task, "head": "full", "primary": True} for task in "ab"]
    assert "only one entry of 'finetune' can be primary (got entries [0, 1])" in error_of(
        {**MINIMAL, "finetune": entries}
    )


def test_entries_that_repeat_each_other():
    entries = [{"task": "a", "head": "full"}, {"task": "a", "head": "full", "patience": 50}]
    assert "'finetune.1' repeats 'finetune.0'" in error_of({**MINIMAL, "finetune": entries})
    entries[1]["patience"] = 10
    assert len(config_from_dict({**MINIMAL, "finetune": entries}).finetune) == 2


def test_naming_the_pretraining_dataset_is_no_difference():
    entries = [{"task": "a", "head": "full"}, {"task": "a", "head": "full", "dataset": "cora"}]
    assert "'finetune.1' repeats 'finetune.0'" in error_of({**MINIMAL, "finetune": entries})


# Shorthand


@pytest.mark.parametrize(
    ("slot", "given", "expanded"),
    [
        ("graph", "citation", {"_target_": "sigraph.graphs.DatasetGraph", "name": "citation"}),
        ("graph", {"name": "c", "hops": 2}, {"_target_": "sigraph.graphs.DatasetGraph", "name": "c", "hops": 2}),
        ("graph", {"_target_": "KNNGraph", "k": 9}, {"_target_": "sigraph.graphs.KNNGraph", "k": 9}),
        ("encoder", "MLPEncoder", {"_target_": "sigraph.encoders.MLPEncoder"}),
        ("encoder", "mine.net.Encoder", {"_target_": "mine.net.Encoder"}),
        ("sampler", "HardSampler", {"_target_": "sigraph.samplers.HardSampler"}),
        ("structure_loss", "InfoNCELoss", {"_target_": "sigraph.losses.InfoNCELoss"}),
        ("objective", "MaskedFeature", {"_target_": "sigraph.objectives.MaskedFeature"}),
        ("optimizer", "SGD", {"_target_": "torch.optim.SGD"}),
        ("optimizer", {"lr": 0.5}, {"_target_": "torch.optim.AdamW", "lr": 0.5}),
        ("optimizer", {"_target_": "SGD", "momentum": 0.9}, {"_target_": "torch.optim.SGD", "momentum": 0.9}),
        ("scheduler", {"_target_": "StepLR", "step_size": 3},
         {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 3}),
    ],
)  # fmt: skip
def test_shorthand(slot, given, expanded):
    assert getattr(config_from_dict(minimal(**{slot: given})).pretrain, slot) == expanded


def test_a_component_without_target():
    assert "'pretrain.encoder' needs '_target_'" in error_of(minimal(encoder={"hidden_channels": 3}))


@pytest.mark.parametrize("target", ["a b", "os.system('x')", "", 3, ".losses.X", "a..b"])
def test_a_target_that_is_no_dotted_path(target):
    assert "'pretrain.encoder._target_' needs to be the dotted path of a class" in error_of(
        minimal(encoder={"_target_": target})
    )


# extends


def test_extends_merges_mappings_and_replaces_lists(write):
    write(EXPERIMENT, "base.yaml")
    child = load_config(
        write("extends: base.yaml\nname: child\nseeds: [7]\npretrain: {batch_size: 8, graph: {hops: 3}}\n")
    )
    base = load_config(write(EXPERIMENT))
    assert (child.name, child.seeds, child.pretrain.batch_size) == ("child", [7], 8)
    assert child.pretrain.graph == {"_target_": "sigraph.graphs.DatasetGraph", "name": "citation", "hops": 3}
    assert child.pretrain.encoder == base.pretrain.encoder
    assert child.arms == base.arms
    only = load_config(write("extends: base.yaml\nfinetune: [{task: topic, head: knn}]\n"))
    assert [entry.head for entry in only.finetune] == ["knn"]


@pytest.mark.parametrize(
    ("given", "merged"),
    [
        ("{temperature: 0.5}", {"_target_": "sigraph.losses.InfoNCELoss", "temperature": 0.5, "extra": 1}),
        ("{_target_: InfoNCELoss, temperature: 0.5}",
         {"_target_": "sigraph.losses.InfoNCELoss", "temperature": 0.5, "extra": 1}),
        ("{_target_: ContrastiveLoss}", {"_target_": "sigraph.losses.ContrastiveLoss"}),
        ("InfoNCELoss", {"_target_": "sigraph.losses.InfoNCELoss"}),  # a bare name means the defaults
    ],
)  # fmt: skip
def test_a_changed_target_drops_the_arguments_of_the_old_one(write, given, merged):
    write(edited("temperature: 0.2", "temperature: 0.2, extra: 1"), "base.yaml")
    child = load_config(write(f"extends: base.yaml\npretrain: {{structure_loss: {given}}}\n"))
    assert child.pretrain.structure_loss == merged


def test_a_changed_nested_target_drops_its_arguments(write):
    nested = {"_target_": "W", "head": {"_target_": "torch.nn.Linear", "out_features": 3}, "keep": 1}
    write(minimal(encoder=nested), "base.yaml")
    path = write("extends: base.yaml\npretrain: {encoder: {head: {_target_: torch.nn.ReLU}}}\n")
    encoder = {"_target_": "sigraph.encoders.W", "head": {"_target_": "torch.nn.ReLU"}, "keep": 1}
    assert load_config(path).pretrain.encoder == encoder


def test_a_graph_of_the_card_replaces_a_constructed_one(write):
    write(minimal(graph={"_target_": "KNNGraph", "k": 9}), "base.yaml")
    child = load_config(write("extends: base.yaml\npretrain: {graph: {name: citation}}\n"))
    assert child.pretrain.graph == {"_target_": "sigraph.graphs.DatasetGraph", "name": "citation"}
    child = load_config(write("extends: base.yaml\npretrain: {graph: {k: 3}}\n"))
    assert child.pretrain.graph == {"_target_": "sigraph.graphs.KNNGraph", "k": 3}


def test_null_empties_a_mapping_and_takes_a_section_back_to_its_defaults(write):
    tree = {**MINIMAL, "grid": {"pretrain.batch_size": [8, 16]}, "arms": {"sipt": {}, "b": {}}, "baseline": "b"}
    base = write(tree, "base.yaml")
    assert load_config(base).grid and load_config(base, ["grid=null"]).grid == {}
    assert load_config(base, ["arms=null", "baseline=null"]).arm_names == ["sipt"]
    child = load_config(write("extends: base.yaml\narms: null\nbaseline: null\ngrid:\n"))
    assert child.arm_names == ["sipt"] and child.grid == {}
    later = write({**tree, "pretrain": {**tree["pretrain"], "trainer": {"max_epochs": 3}}}, "later.yaml")
    assert load_config(later, ["pretrain.trainer=null"]).pretrain.trainer.max_epochs == 100
    with pytest.raises(ConfigError, match=r"'pretrain\.\w+' is missing"):
        load_config(base, ["pretrain=null"])


def test_a_tab_in_a_value_does_not_hide_what_is_wrong(write):
    with pytest.raises(ConfigError, match="'question' needs to be a str"):
        load_config(
            write("question: [a,\tb]\n" + EXPERIMENT.replace("question: Can an MLP profit from citations?\n", ""))
        )


def test_extends_is_relative_to_the_file(write, tmp_path):
    write(EXPERIMENT, "base.yaml")
    (tmp_path / "deep").mkdir()
    assert load_config(write("extends: ../base.yaml\nname: child\n", "deep/child.yaml")).name == "child"


def test_extends_works_one_level_deep(write):
    write(EXPERIMENT, "base.yaml")
    write("extends: base.yaml\n", "middle.yaml")
    with pytest.raises(ConfigError, match=r"middle\.yaml:1: 'extends' works one level deep only"):
        load_config(write("extends: middle.yaml\n"))
    with pytest.raises(ConfigError, match="one level deep only"):
        load_config(write("extends: experiment.yaml\n"))


@pytest.mark.parametrize(
    ("extends", "problem"), [("gone.yaml", "does not exist: .*gone"), ("[a]", "needs to be the path"), ("''", "path")]
)
def test_extends_of_nothing(write, extends, problem):
    with pytest.raises(ConfigError, match=rf"experiment\.yaml:2: 'extends' .*{problem}"):
        load_config(write(f"name: x\nextends: {extends}\n"))


def test_a_mistake_in_the_base_names_the_base(write):
    write(edited("batch_size: 512", "batch_siz: 512"), "base.yaml")
    with pytest.raises(ConfigError, match=r"base\.yaml:11: unknown key 'pretrain.batch_siz'"):
        load_config(write("extends: base.yaml\n"))


# Overrides


def test_overrides_are_yaml_values(write):
    config = load_config(
        write(EXPERIMENT),
        [
            "pretrain.structure_weight=0.3",
            "seeds=[0,1]",
            "finetune.0.head=full",
            "finetune.1.head=linear",
            "pretrain.optimizer.lr=5e-3",
            "question=So, a=b?",
            "pretrain.graph=coauthor",
            "pretrain.trainer={precision: bf16-mixed}",
            "pretrain.scheduler={_target_: StepLR, step_size: 3}",
        ],
    )
    assert config.pretrain.structure_weight == 0.3
    assert (config.seeds, config.question) == ([0, 1], "So, a=b?")
    assert [entry.head for entry in config.finetune] == ["full", "linear"]
    assert config.pretrain.optimizer["lr"] == 0.005
    assert config.pretrain.graph == {"_target_": "sigraph.graphs.DatasetGraph", "name": "coauthor"}
    assert (config.pretrain.trainer.precision, config.pretrain.trainer.max_epochs) == ("bf16-mixed", 100)
    assert config.pretrain.scheduler == {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 3}


def test_the_last_of_two_overrides_wins():
    assert config_from_dict(MINIMAL, ["pretrain.batch_size=1", "pretrain.batch_size=2"]).pretrain.batch_size == 2


def test_a_new_target_goes_before_its_arguments():
    overrides = ["pretrain.structure_loss.temperature=0.2", "pretrain.structure_loss._target_=InfoNCELoss"]
    tree = minimal(structure_loss={"_target_": "MultiSimilarityLoss", "alpha": 1.0})
    expected = {"_target_": "sigraph.losses.InfoNCELoss", "temperature": 0.2}
    assert config_from_dict(tree, overrides).pretrain.structure_loss == expected
    assert config_from_dict(tree, overrides[::-1]).pretrain.structure_loss == expected


def test_overrides_alone_can_make_a_section():
    overrides = ["pretrain.dataset=cora", "pretrain.graph=citation", "pretrain.encoder=MLPEncoder", "seeds.0=3"]
    config = config_from_dict({"name": "x", "seeds": [0]}, overrides)
    assert (config.pretrain.dataset, config.pretrain.batch_size, config.seeds) == ("cora", 1024, [3])


def test_component_arguments_are_free_and_deep():
    tree = minimal(encoder={"_target_": "mine.Net", "sizes": [8, 9], "inner": {"_target_": "mine.In", "a": {"b": 1}}})
    config = config_from_dict(tree, ["pretrain.encoder.sizes.1=7", "pretrain.encoder.inner.a.c=2"])
    inner = {"_target_": "mine.In", "a": {"b": 1, "c": 2}}
    assert config.pretrain.encoder == {"_target_": "mine.Net", "sizes": [8, 7], "inner": inner}
    assert tree["pretrain"]["encoder"]["sizes"] == [8, 9]


def test_name_of_a_graph_that_is_the_users_own_keeps_its_target():
    tree = minimal(graph={"_target_": "KNNGraph"})
    graph = config_from_dict(tree, ["pretrain.graph.name=x"]).pretrain.graph
    assert graph == {"_target_": "sigraph.graphs.KNNGraph", "name": "x"}


def test_overrides_reach_arms(write):
    overrides = ["arms.sipt.pretrain.batch_size=4", "arms.sipt-wide={pretrain.encoder.hidden_channels: 1024}"]
    config = load_config(write(EXPERIMENT), overrides)
    assert config.arm("sipt").pretrain.batch_size == 4
    assert config.arm("sipt-wide").pretrain.encoder["hidden_channels"] == 1024
    assert config.arm("objective-only").pretrain.batch_size == 512


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("pretrain.structur_weight=1", "unknown key 'pretrain.structur_weight' (did you mean 'structure_weight'?)"),
        ("pretain.batch_size=1", "unknown key 'pretain' (did you mean 'pretrain'?)"),
        ("pretrain.batch_size=many", "'pretrain.batch_size' needs to be an int (got 'many')"),
        ("pretrain.batch_size.x=1", "'pretrain.batch_size' is an int; it has no key 'x'"),
        ("pretrain.objective.mask_rate=1", "'pretrain.objective' is null, so it has no 'mask_rate'"),
        ("finetune.2.head=full", "'finetune' has 1 entries, counted from 0 (got index 2)"),
        ("finetune.-1.head=full", "'finetune' is a list; give an index, e.g. 'finetune.0' (got '-1')"),
        ("finetune.0.hed=full", "unknown key 'finetune.0.hed' (did you mean 'head'?)"),
        ("seeds=[0", "not valid YAML"),
        ("seeds", "needs the form key=value"),
        ("=3", "an override needs a dotted key"),
        ("pretrain..x=3", "an override needs a dotted key"),
        ("extends=a.yaml", "'extends' can only stand in a file"),
        ("grid={a: 1}", "list of values to try"),
        ("pretrain.batch_size=!!python/object/apply:os.getpid []", "not valid YAML"),
        (3, "needs the form key=value"),
    ],
)
def test_an_override_that_does_not_fit(override, problem):
    message = error_of({**MINIMAL, "finetune": [{"task": "t", "head": "full"}]}, override)
    assert message.startswith("override")
    assert problem in message


def test_with_overrides_no_line_of_the_file_is_blamed(write):
    with pytest.raises(ConfigError, match=r"experiment\.yaml with overrides: 'baseline' needs to be an arm"):
        load_config(write(EXPERIMENT), ["baseline=nobody"])


# Arms


def test_arms_differ_in_their_overrides_and_nothing_else(write):
    config = load_config(write(EXPERIMENT))
    base = config.arm("sipt").to_dict()
    assert config.arm("objective-only").pretrain.structure_weight == 0.0
    assert config.arm("no-pretraining").pretrain.trainer.max_epochs == 0
    rewired = config.arm("rewired-graph").to_dict()
    assert rewired["pretrain"]["graph"].pop("rewire") == 1.0
    assert rewired == base
    assert config.arm("sipt").to_dict() == base  # the others left it alone


def test_an_arm_leaves_nothing_open():
    tree = {**MINIMAL, "finetune": [{"task": "a", "head": "full"}, {"task": "b", "head": "full", "dataset": "other"}]}
    arm = config_from_dict(tree).arm("sipt")
    assert arm.pretrain.structure_weight == 1.0
    assert [entry.dataset for entry in arm.finetune] == ["cora", "other"]
    assert config_from_dict(minimal(objective="MaskedFeature")).arm("sipt").pretrain.structure_weight == 0.1


def test_arms_take_shorthand_and_list_indices():
    arms = {"a": {"pretrain.structure_loss": "InfoNCELoss", "pretrain.graph": "other", "finetune.0.head": "knn"}}
    arm = config_from_dict({**MINIMAL, "finetune": [{"task": "t", "head": "full"}], "arms": arms}).arm("a")
    assert arm.pretrain.structure_loss == {"_target_": "sigraph.losses.InfoNCELoss"}
    assert arm.pretrain.graph == {"_target_": "sigraph.graphs.DatasetGraph", "name": "other"}
    assert arm.finetune[0].head == "knn"


def test_an_arm_without_a_value_has_no_overrides(write):
    assert load_config(write(edited("sipt: {}", "sipt:"))).arms["sipt"] == {}


@pytest.mark.parametrize("name", ["_hidden", ".x", "x.", "a/b", "..", "", "a b", "-x", "x" * 101, "ä", "a\n"], ids=repr)
def test_an_arm_name_that_is_no_folder_name(name):
    assert "an arm's name needs letters, digits" in error_of({**MINIMAL, "arms": {name: {}}})


@pytest.mark.parametrize("name", ["../x", "", "_x", "a/b"])
def test_an_experiment_name_that_is_no_folder_name(name):
    assert "'name' needs to be usable as a folder name" in error_of({**MINIMAL, "name": name})


@pytest.mark.parametrize("name", ["sipt", "sipt-t0.5", "A_1", "hops=2"])
def test_arm_names_that_are_fine(name):
    assert config_from_dict({**MINIMAL, "arms": {name: {}}}).arm_names == [name]


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"seeds": [0]}, "'seeds' needs to start with 'pretrain.' or 'finetune.'"),
        ({"pretrain": {"batch_size": 1}}, "'pretrain' needs to start with"),
        ({"pretrain.batch_size": "many"}, "'pretrain.batch_size' needs to be an int"),
        ({"pretrain.objective": None}, "'pretrain.structure_weight' below 1 needs 'pretrain.objective'"),
        ({"finetune.4.head": "full"}, "'finetune' has 0 entries"),
        ({"pretrain.": 1}, "an override needs a dotted key"),
    ],
)
def test_an_arm_that_does_not_fit_is_found_on_loading(overrides, problem):
    tree = minimal(objective="MaskedFeature", structure_weight=0.5)
    message = error_of({**tree, "arms": {"sipt": {}, "odd": overrides}})
    assert message.startswith("config: arm 'odd': ")
    assert problem in message


@pytest.mark.parametrize("arms", [3, {"a": 3}, ["a"]])
def test_arms_that_are_no_mappings(arms):
    assert "needs to be a mapping" in error_of({**MINIMAL, "arms": arms})


def test_an_arm_name_that_yaml_reads_as_something_else(write):
    with pytest.raises(ConfigError, match="'arms' needs text as keys; put quotes around False"):
        load_config(write(edited("  sipt: {}", "  off: {}")))


def test_a_baseline_that_is_no_arm():
    assert "'baseline' needs to be an arm (got 'sipd') (did you mean 'sipt'?); arms: sipt" in error_of(
        {**MINIMAL, "baseline": "sipd"}
    )


def test_an_arm_that_does_not_exist():
    with pytest.raises(ConfigError, match=r"no such arm \(did you mean 'sipt'\?\); arms: sipt"):
        config_from_dict(MINIMAL).arm("sip")


# Hashes


def test_hash_ignores_the_order_of_keys_only():
    assert settings_hash({"a": 1, "b": {"c": [1, 2], "d": None}}) == settings_hash(
        {"b": {"d": None, "c": [1, 2]}, "a": 1}
    )
    assert settings_hash({"a": [1, 2]}) != settings_hash({"a": [2, 1]})
    assert settings_hash({"a": 1}) != settings_hash({"a": 2})
    assert settings_hash({}) == "44136fa355b3"  # sha256 of "{}"


def test_hash_of_an_arm_is_stable_over_spelling(write):
    def reverse(value):
        if isinstance(value, dict):
            return {key: reverse(value[key]) for key in reversed(value)}
        return [reverse(item) for item in value] if isinstance(value, list) else value

    def hashes(config: ExperimentConfig):
        return {name: settings_hash(config.arm(name).to_dict()) for name in config.arms}

    plain = yaml.safe_load(EXPERIMENT)
    expected = hashes(load_config(write(EXPERIMENT)))
    assert len(set(expected.values())) == 4
    assert hashes(config_from_dict(reverse(plain))) == expected
    assert hashes(config_from_dict({**plain, "seeds": [5], "output_dir": "elsewhere", "name": "y"})) == expected
    plain["pretrain"]["valid_edge_rate"] = 0.05  # the default, spelled out
    assert hashes(config_from_dict(plain)) == expected


def test_hash_of_a_typed_float_is_the_same_for_1_and_1_0():
    one, one_point_zero = (config_from_dict(minimal(structure_weight=weight)).arm("sipt") for weight in (1, 1.0))
    assert settings_hash(one.to_dict()) == settings_hash(one_point_zero.to_dict())


def test_hash_takes_plain_containers_only():
    with pytest.raises(TypeError):
        settings_hash({"a": {1, 2}})


@pytest.mark.parametrize("override", ["arms={}", "arms.sipt={}", "grid={}", "pretrain.encoder={}"])
def test_an_empty_mapping_that_changes_nothing_is_said(write, override):
    with pytest.raises(ConfigError, match="changes nothing"):
        load_config(write(EXPERIMENT), [override])


def test_an_empty_mapping_may_add_an_arm(write):
    assert "another" in load_config(write(EXPERIMENT), ["arms.another={}"]).arm_names
