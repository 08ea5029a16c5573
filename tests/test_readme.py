"""What the README shows works as it stands there."""

import re
from pathlib import Path

import pytest
import torch

from sigraph.config import load_config
from sigraph.losses import StructureLoss

README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")
def test_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Lightning writes its log where it stands
    names = {}
    for code in blocks("python"):
        exec(code, names)
    assert names["z"].shape == (500, 16)
    own = names["MyLoss"]()
    pairs = names["sg"].Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)
    assert isinstance(own, StructureLoss) and own(names["z"][:3], pairs).dim() == 0


def test_yaml_parses(tmp_path):
    (text,) = blocks("yaml")
    (tmp_path / "mine.yaml").write_text(text)
    config = load_config(tmp_path / "mine.yaml")
    assert config.arm("sipt").pretrain.structure_weight == 0.1


def test_make_targets_exist():
    makefile = (Path(__file__).parent.parent / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z][a-z-]+)", README)):
        assert f"\n{target}:" in makefile
