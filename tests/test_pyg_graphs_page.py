"""docs/pyg-graphs.md: its script makes a table of a list of PyG graphs, as it stands there."""

import re

import torch
import yaml
from pages import blocks, read

import sigraph as sg
from sigraph.config.build import build
from sigraph.encoders import Encoder

PAGE = read("docs/pyg-graphs.md")
SCRIPT, DESCRIBED, HOME, EGO = blocks(PAGE, "python")
FILE, GNN = blocks(PAGE, "yaml")


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    """With fewer epochs and one seed."""
    monkeypatch.chdir(tmp_path)
    tree = yaml.safe_load(FILE) | {"seeds": [0]}
    tree["pretrain"]["trainer"] = {"max_epochs": 1, "accelerator": "cpu"}
    assert SCRIPT.startswith("# networks.py\n") and FILE.startswith("# networks.yaml\n")
    (tmp_path / "networks.yaml").write_text(yaml.safe_dump(tree))
    names = {}
    exec(SCRIPT, names)
    said = capsys.readouterr().out
    assert said.startswith("promising\n")
    assert all(re.search(rf"^\| {arm} +\| kind +\| linear +\| accuracy", said, re.MULTILINE) for arm in tree["arms"])
    for code in (DESCRIBED, HOME, EGO):
        exec(code, names)
    assert names["z"].shape == (2, 16) and names["dataset"].graph("near").num_edges > 240
    encoder = build(yaml.safe_load(GNN)["encoder"], Encoder, "pretrain.encoder")
    assert sg.embed(encoder, names["dataset"]).shape == (240, 32)
    torch.testing.assert_close(names["z"], sg.embed(names["encoder"], names["dataset"])[:2])
