"""docs/add-your-own.md runs as it stands: its files are written, its experiment is run, its encoder comes home."""

import re
import sys
import zlib

import pyarrow as pa
import pytest
import torch
import yaml
from pages import blocks, read

import sigraph
from sigraph.cli import main
from sigraph.experiment import run

PAGE = read("docs/add-your-own.md")
OWN = ["sensors", "rating", "readings", "reads", "smooth", "pull"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files of the page, where one stands."""
    for code in [*blocks(PAGE, "python"), *blocks(PAGE, "yaml")]:
        if name := re.match(r"# (\w+\.(py|yaml))\n", code):
            (tmp_path / name[1]).write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in OWN:  # another test has other files of these names
        sys.modules.pop(name, None)


def test_the_page_runs_and_its_encoder_reads_records(folder, capsys):
    assert {file.name for file in folder.iterdir()} == {
        *("readings.py", "reads.py", "smooth.py", "pull.py", "rating.py", "sensors.py", "ratings.yaml")
    }
    assert main(["run", "ratings.yaml", "pretrain.trainer.accelerator=cpu"]) == 0
    assert re.search(r"\| sipt +\| pitch \| linear \| kappa +\|", capsys.readouterr().out)
    home = next(folder.glob("runs/ratings/sipt/*/seed-0"))
    encoder = sigraph.load_encoder(home, trust=["smooth"])
    reader = sigraph.load_reader(home, trust=["reads"])
    samples = reader.read(pa.table({"text": [" ".join(["0.5"] * 24)]}))
    assert encoder(samples.fetch(torch.tensor([0]))).z.shape == (1, 8)
    assert main(["audit", "ratings.yaml"]) == 0
    assert re.search(r"\| row +\| pitch +\| [01]\.\d+", capsys.readouterr().out)


def test_hidden_items_of_a_task_of_ones_own_are_not_pretrained_on(folder):
    tree = yaml.safe_load((folder / "ratings.yaml").read_text())
    tree["pretrain"] |= {"inductive": True, "trainer": {"max_epochs": 1, "accelerator": "cpu"}}
    record = run({**tree, "seeds": [0], "arms": {"sipt": {}}, "baseline": None}, trust=OWN).records[0]
    assert record["visible"]["samples"][0] == 30  # of 120: what it neither validates nor tests on


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        (
            "smooth.py",
            ("return Encoding(self.out(found.amax(dim=2)))", "return self.out(found.amax(dim=2))"),
            "needs to give sigraph.encoders.Encoding",
        ),
        ("smooth.py", ("self.out_channels = out_channels", "self.width = out_channels"), "needs to set 'out_channels'"),
        (
            "smooth.py",
            ("nn.Linear(hidden_channels, out_channels)", "nn.Linear(hidden_channels, 5)"),
            "needs z of shape [120, 8]",
        ),
        ("reads.py", ("def read(self, records)", "def reads(self, records)"), "it lacks read()"),
        (
            "rating.py",
            ('return {"kappa": float', 'return {"kapa": float'),
            "needs to give a score for each of its metrics, kappa",
        ),
    ],
)
def test_a_part_that_breaks_its_contract_is_named(folder, capsys, file, change, said):
    text = (folder / file).read_text()
    assert change[0] in text
    (folder / file).write_text(text.replace(*change))
    short = [
        "seeds=[0]",
        "pretrain.trainer.max_epochs=1",
        "pretrain.trainer.accelerator=cpu",
        "finetune.0.max_epochs=1",
        f"pretrain.dataset.seed={zlib.crc32(said.encode())}",  # so that nothing is kept of another test's world
    ]
    assert main(["run", "ratings.yaml", *short]) != 0
    assert said in "".join(capsys.readouterr())
