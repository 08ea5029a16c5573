"""docs/pyg-and-networkx.md: its script makes a table of a PyG Data; a networkx graph fits its samples."""

import re

import torch
import yaml
from pages import blocks, read

PAGE = read("docs/pyg-and-networkx.md")
SCRIPT, NETWORKX, BACK = blocks(PAGE, "python")
(FILE,) = blocks(PAGE, "yaml")


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    """With one epoch, one seed and two of the arms."""
    monkeypatch.chdir(tmp_path)
    tree = yaml.safe_load(FILE) | {"seeds": [0]}
    tree["pretrain"]["trainer"] = {"max_epochs": 1, "accelerator": "cpu"}
    del tree["arms"]["rewired-graph"]
    assert SCRIPT.startswith("# papers.py\n") and FILE.startswith("# papers.yaml\n")
    (tmp_path / "papers.yaml").write_text(yaml.safe_dump(tree))
    names = {}
    exec(SCRIPT, names)
    said = capsys.readouterr().out
    assert "edges × label: **promising**" in said
    assert all(re.search(rf"^\| {arm} +\| label +\| linear +\| accuracy", said, re.MULTILINE) for arm in tree["arms"])
    exec(NETWORKX, names)
    assert capsys.readouterr().out == "1.0\n"
    assert names["dataset"].ids.to_pylist() == [*names["frame"].index] and names["task"].classes == ["large", "small"]
    exec(BACK, names)
    assert names["end_to_end"].shape == (6, 4) and not torch.equal(names["end_to_end"], names["hidden"])
