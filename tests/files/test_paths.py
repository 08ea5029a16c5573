"""~ is the home at every door where a path comes in from a user: a shell does not see it in an option or in quotes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sigraph import PretrainGraph, SampleDataset
from sigraph.cli import main
from sigraph.config import config_from_dict
from sigraph.data.card import Card
from sigraph.files.paths import user_path
from sigraph.leaderboard import Leaderboard
from sigraph.recipes import open_dataset
from sigraph.tables import build_store, from_tables

GRAPH = PretrainGraph([[0, 1], [1, 2]], num_nodes=3)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "e.csv").write_text("source,target\n0,1\n1,2\n")
    (tmp_path / "home" / "y.csv").write_text("id,y\n0,a\n1,b\n2,a\n")
    (tmp_path / "home" / "s.csv").write_text("id,x\n0,0.5\n1,1.5\n2,2.5\n")
    np.save(tmp_path / "home" / "x.npy", np.ones((3, 2), np.float32))
    return tmp_path / "home"


def test_every_door(home, capsys):
    SampleDataset(torch.ones(3, 1), {"g": GRAPH}).save("~/mine")
    assert len(SampleDataset.open("~/mine")) == len(open_dataset("~/mine")) == len(SampleDataset(Path("~/x.npy"))) == 3
    assert Card.read("~/mine/card.yaml").name == "mine"
    GRAPH.save("~/graph")
    assert PretrainGraph.open("~/graph").num_edges == PretrainGraph.open("~/mine/graphs/g").num_edges == 4
    build_store("~/e.csv", "~/store")
    assert len(from_tables("~/s.csv", "~/e.csv")) == len(from_tables("~/x.npy", "~/e.csv")) == 3
    assert main(["prepare", "--samples=~/s.csv", "--edges=~/e.csv", "--out=~/own"]) == 0
    for edges in ("~/e.csv", "~/graph"):
        assert main(["audit", edges, "~/y.csv", "--picture=~/p.png"]) == 0
    with pytest.raises(FileNotFoundError, match=r"home.none: there is no such folder"):
        Leaderboard.from_folder("~/none")
    made = {path.name for path in home.iterdir()}
    assert made == {"e.csv", "y.csv", "s.csv", "x.npy", "mine", "graph", "store", "own", "p.png"}
    assert not any((home.parent / "elsewhere").iterdir())


@pytest.mark.parametrize("way", ["open", "output_dir"])
def test_a_name_that_no_file_can_have_is_refused(home, toy, way):
    with pytest.raises(ValueError, match=r"(?s)at most 255 bytes \(got 5,000"):
        if way == "open":
            open_dataset("x" * 5_000)
        else:
            config_from_dict({**toy, "output_dir": "runs/" + "x" * 5_000})


def test_what_names_no_home_is_a_name(home):
    assert user_path("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")
