"""docs/targets.md: its Python runs, its YAML builds, and its own target is one file."""

import re
import sys

import pytest
import torch
import yaml
from contracts import concrete_subclasses
from pages import blocks, read

import sigraph as sg
import sigraph.targets
import sigraph.targets.teachers
from sigraph.cli import main
from sigraph.config import config_from_dict
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.losses import JointLoss, TargetLoss
from sigraph.running.parts import build_parts
from sigraph.samplers import SeedsOnly
from sigraph.targets import Target
from sigraph.targets.teachers import Teacher

PAGE = read("docs/targets.md")
PYTHON, OWN = blocks(PAGE, "python")


def test_the_table_names_every_target():
    text = re.search(r"^\| target \| made of.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)[1]
    named = sorted(re.match(r"\| `(\w+)`", line)[1] for line in text.splitlines())
    assert named == sorted(kind.__name__ for kind in concrete_subclasses(Target, sigraph.targets))


def test_it_names_every_teacher():
    for kind in concrete_subclasses(Teacher, sigraph.targets.teachers):
        assert f"\n| `{kind.__name__}` |" in PAGE


def test_its_python_trains(monkeypatch):
    draw = torch.Generator().manual_seed(0)
    x = (torch.rand(30, 6, generator=draw) < 0.4).float()
    graph = PretrainGraph(torch.randint(30, (2, 40), generator=draw), 30)
    monkeypatch.setattr(sg, "open_dataset", lambda name: SampleDataset(x, {"citation": graph}, name=name))
    names = {}
    exec(PYTHON, names)
    assert names["rows"].shape == (30, 128)
    loss = names["module"].losses(next(iter(names["loader"])))["loss"]
    assert 0 < loss < 2


def test_every_yaml_builds(toy):
    one, taught, several = (yaml.safe_load(text) for text in blocks(PAGE, "yaml"))
    for given, kind in ((one, TargetLoss), (taught, TargetLoss), (several, JointLoss)):
        config = config_from_dict({**toy, "pretrain": {**toy["pretrain"], **given}})
        parts = build_parts(config.arm("sipt").pretrain, seed=0)
        assert isinstance(parts.module.structure_loss, kind)
    assert isinstance(
        build_parts(config_from_dict({**toy, "pretrain": {**toy["pretrain"], **one}}).arm("sipt").pretrain, 0).sampler,
        SeedsOnly,
    )


@pytest.mark.filterwarnings("ignore")
def test_a_target_of_ones_own_is_one_file(toy, tmp_path, monkeypatch, capsys, data_root):
    (tmp_path / "mytargets.py").write_text(OWN)
    toy["pretrain"]["structure_loss"] = {
        "_target_": "sigraph.losses.TargetLoss",
        "target": {"_target_": "mytargets.NeighborMean"},
    }
    toy["pretrain"]["sampler"] = "SeedsOnly"
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(toy))
    monkeypatch.chdir(tmp_path)
    assert main(["run", "own.yaml", "seeds=[0]"]) == 0 and "| sipt " in capsys.readouterr().out
    assert len(list((data_root / "targets").glob("*/target.npy"))) == 1
    sys.modules.pop("mytargets", None)
