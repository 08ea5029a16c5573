"""Every key of an experiment and every argument of what sigraph ships, with values nobody means: one line, or it works.

A value may be refused anywhere up to the point at which training would begin, but as a setting: in one line that names
the key or the argument. Larger tables of values are tried by hand; these are quick.
"""

import copy
import dataclasses
import inspect

import pyarrow as pa
import pytest
import torch
from token_cases import TINY_BERT
from torch_geometric.data import Data

from sigraph.config import ConfigError, config_from_dict
from sigraph.config.build import build
from sigraph.config.experiment import ExperimentConfig
from sigraph.config.reference import LATE, NESTED_BASES, _shipped
from sigraph.config.schema import FinetuneConfig, PretrainConfig, TrainerConfig
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.losses import InfoNCELoss
from sigraph.running.checks import check_arms, check_components
from sigraph.samples import token_table
from sigraph.tasks import SeenLabels, Task

HOSTILE = ["", True, -1, 10**12, 2**70, 1e308, float("nan"), ["x"], {"a": 1}, "\u202ea\0b", {"_target_": "x.Y"}]
SECTIONS = {
    (): ExperimentConfig,
    ("pretrain",): PretrainConfig,
    ("pretrain", "trainer"): TrainerConfig,
    ("finetune", 0): FinetuneConfig,
}
HOMES = {field.name: field.metadata.get("home") for field in dataclasses.fields(PretrainConfig)}
CLASSES = {found.__name__: (slot, found) for slot in LATE for found in _shipped(HOMES[slot], NESTED_BASES[HOMES[slot]])}
NEEDED = {
    "CrossBatchMemory": {"loss": {"_target_": "sigraph.losses.InfoNCELoss"}},
    "ContextPrediction": {"context_encoder": {"_target_": "sigraph.encoders.GraphEncoder", "hidden_channels": 4}},
    "HuggingFaceEncoder": {"config": TINY_BERT},
    "HuggingFaceTokens": {"train": {"vocab_size": 60}},
    "JointObjective": {
        "objectives": [{"_target_": "sigraph.objectives.MaskedFeature"}, {"_target_": "sigraph.objectives.MultiTask"}]
    },
    "JointLoss": {"losses": [{"_target_": "sigraph.losses.InfoNCELoss"}, {"_target_": "sigraph.losses.NPairLoss"}]},
    "KNNGraph": {"k": 3},
    "ModuleEncoder": {
        "module": {"_target_": "torch.nn.Linear", "in_features": 6, "out_features": 4},
        "out_channels": 4,
    },
    "ProjectedLoss": {"loss": {"_target_": "sigraph.losses.InfoNCELoss"}},
    "RadiusGraph": {"radius": 1.0},
    "TargetLoss": {"target": {"_target_": "sigraph.targets.GraphEmbedding", "out_channels": 4}},
    "TorusWorld": {"num_samples": 60, "num_topics": 2, "num_valid": 10, "num_test": 10, "vocabulary": 20},
}
ON_GRAPHS = ("GraphEncoder", "AttributeMasking", "ContextPrediction", "EdgePrediction", "GraphMAE")
SLOW = {("CliqueWorld", "num_topics"), ("CliqueWorld", "exponent")}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Feature rows, token sequences and graphs with the same graph and task."""
    ids, folder = torch.arange(40), tmp_path_factory.mktemp("data")
    graph = PretrainGraph(torch.stack([ids, (ids + 2) % 40]), 40)
    split = {"train": ids[:20], "valid": ids[20:30], "test": ids[30:]}
    tokens = token_table((torch.arange(0, 161, 4), 2 + torch.arange(160) % 10), 12)
    assert isinstance(tokens, pa.Table)
    pair = Data(x=torch.zeros(2, 9).long(), edge_index=torch.tensor([[0], [1]]), edge_attr=torch.zeros(1, 3).long())
    for name, samples in (("rows", torch.rand(40, 6)), ("tokens", tokens), ("graphs", [pair] * 40)):
        SampleDataset(samples, {"ring": graph}, {"parity": Task("parity", ids % 2, split)}, name=name).save(
            folder / name
        )
    return folder


def experiment(folders, kind="rows"):
    encoder = {"rows": "MLPEncoder", "tokens": "BagOfWordsEncoder", "graphs": "GraphEncoder"}[kind]
    return {
        "name": "hostile",
        "seeds": [0],
        "pretrain": {
            "dataset": str(folders / kind),
            "graph": {"_target_": "sigraph.graphs.DatasetGraph"},
            "encoder": {"_target_": f"sigraph.encoders.{encoder}", "hidden_channels": 4, "out_channels": 4},
            "batch_size": 20,
            "trainer": {"max_epochs": 1, "accelerator": "cpu"},
        },
        "finetune": [{"task": "parity", "head": "linear"}],
        "references": False,
    }


def with_class(folders, name):
    """An experiment that has a class in its slot."""
    slot, found = CLASSES[name]
    reads_tokens = "num_tokens" in inspect.signature(found).parameters
    kind = "tokens" if reads_tokens or (slot == "dataset" and name != "TorusWorld") else "rows"
    tree = experiment(folders, "graphs" if name in ON_GRAPHS else kind)
    tree["pretrain"][slot] = {"_target_": f"{HOMES[slot]}.{name}", **NEEDED.get(name, {})}
    if slot == "objective":
        tree["pretrain"]["structure_weight"] = 0.5
    if slot == "dataset":
        tree["finetune"] = []
    return tree, slot


def wrong_answer(tree, path, value):
    """What is wrong with how a value is answered; None if nothing is."""
    tree = copy.deepcopy(tree)
    at = tree
    for key in path[:-1]:
        at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
    at[path[-1]] = value
    try:
        config = config_from_dict(tree)
        arms = [config.arm(name) for name in config.arm_names]
        for arm in arms:
            check_components(arm)
        check_arms(arms, config.seeds[0])
    except (ConfigError, ValueError) as error:
        said = str(error)
        if "\n" in said or len(said) > 900:
            return f"{len(said)} characters: {said[:200]!r}"
        if not any(str(part) in said for part in path[-2:]):
            return f"names no key: {said!r}"
    except Exception as error:  # what this test is for
        return f"{type(error).__name__}: {error}"
    return None


def all_wrong(tree, paths, values=HOSTILE):
    answers = {(path[-1], repr(value)[:40]): wrong_answer(tree, path, value) for path in paths for value in values}
    return {case: answer for case, answer in answers.items() if answer}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: ".".join(map(str, section)) or "top")
def test_keys(section, folders):
    keys = [field.name for field in dataclasses.fields(SECTIONS[section])]
    assert all_wrong(experiment(folders), [(*section, key) for key in keys]) == {}


@pytest.mark.parametrize("name", CLASSES)
def test_arguments_of_shipped_classes(name, folders):
    found = CLASSES[name][1]
    tree, slot = with_class(folders, name)
    paths = [("pretrain", slot, key) for key in inspect.signature(found).parameters if (name, key) not in SLOW]
    assert all_wrong(tree, paths) == {}


@pytest.mark.parametrize(
    ("component", "key"),
    [
        ({"_target_": "torch.nn.Linear", "in_features": 10**11, "out_features": 10**11}, "in_features"),
        ({"_target_": "torch.nn.Linear", "in_features": 2**62, "out_features": 3}, "in_features"),
        ({"_target_": "torch.nn.GRU", "input_size": 3, "hidden_size": 3, "num_layers": 10**9}, "num_layers"),
        ({"_target_": "torch.nn.Transformer", "num_encoder_layers": 10**9}, "num_encoder_layers"),
        ({"_target_": "torch_geometric.nn.MLP", "in_channels": 3, "hidden_channels": 10**11, "out_channels": 10**11,
          "num_layers": 3}, "hidden_channels"),
        ({"_target_": "torch.nn.Linear", "in_features": "x", "out_features": 3}, "in_features"),
        ({"_target_": "torch.nn.Conv1d", "in_channels": 3, "out_channels": 4, "kernel_size": 1, "groups": 2},
         "groups"),
    ],
)  # fmt: skip
def test_modules_of_libraries(component, key, folders):
    tree = experiment(folders)
    tree["pretrain"]["structure_loss"] = {"_target_": "sigraph.losses.CrossBatchMemory", "loss": component}
    with pytest.raises(ConfigError) as caught:
        check_arms([config_from_dict(tree).arm("sipt")], 0)
    assert str(caught.value).startswith("arm 'sipt': pretrain.structure_loss.loss") and key in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["num_workers", "trainer.devices"])
def test_more_processes_than_a_machine_runs(key, folders):
    config = config_from_dict(experiment(folders), [f"pretrain.{key}=10_000"])
    with pytest.raises(ValueError, match=rf"'pretrain.{key}' needs to be <= \d+ on this machine of \d+ processors"):
        check_arms([config.arm("sipt")], 0)


@pytest.mark.parametrize("key", ["num_neighbors", "num_negatives"])
def test_samples_of_a_step_that_no_memory_holds(key, folders):
    config = config_from_dict(experiment(folders), [f"pretrain.sampler.{key}=10_000_000_000"])
    with pytest.raises(
        ConfigError, match=rf"pretrain.sampler: .* with {key} 10000000000 needs .* choose smaller sizes"
    ):
        check_arms([config.arm("sipt")], 0)


LATE_SIZES = {"in_channels": 6, "num_tokens": 12, "node_channels": 3, "encoder_channels": 4, "part_channels": 4}
LABELS = {"parity": SeenLabels("classification", torch.arange(40) % 2, 2)}


@pytest.mark.parametrize("name", [name for name, (slot, _) in CLASSES.items() if slot != "graph"])
def test_arguments_given_in_python(name):
    """A constructor refuses with a ValueError that names the argument, or takes the value."""
    found = CLASSES[name][1]
    asked = inspect.signature(found).parameters
    graph = PretrainGraph(torch.stack([torch.arange(10), (torch.arange(10) + 1) % 10]), 10)
    late = {key: value for key, value in {**LATE_SIZES, "graph": graph, "labels": LABELS}.items() if key in asked}
    needed = {key: value for key, value in NEEDED.get(name, {}).items() if key != "loss"}
    for key, value in needed.items():
        if isinstance(value, list) or (isinstance(value, dict) and "_target_" in value):
            parts = [
                build(part, object, key, **LATE_SIZES, labels=LABELS)
                for part in (value if isinstance(value, list) else [value])
            ]
            needed[key] = parts if isinstance(value, list) else parts[0]
    if "loss" in asked and asked["loss"].default is inspect.Parameter.empty:
        needed["loss"] = InfoNCELoss()
    wrong = {}
    for key in asked:
        for value in ("5", 2.5, float("nan"), None, [1], 10**11):
            try:
                found(**{**late, **needed, key: value})
            except ValueError:
                continue
            except Exception as error:  # what this test is for
                wrong[key, repr(value)] = f"{type(error).__name__}: {error}"
    assert wrong == {}
