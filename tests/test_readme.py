"""What the README shows works as it stands there."""

import json
import re
import shlex
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from pages import ROOT, blocks, read

from sigraph.cli import main
from sigraph.config import load_config
from sigraph.config.build import build
from sigraph.data import PretrainGraph
from sigraph.graphs import GraphConstructor
from sigraph.losses import StructureLoss

README = read("README.md")


def commands(start):
    """Commands as a shell would split them, without ``sigraph``."""
    return [shlex.split(line, comments=True) for line in re.findall(rf"^sigraph ({start} .*)$", README, re.MULTILINE)]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Where the README's reader stands, once mine.yaml has run on two CSV files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    rows = [f"p{i},{'ab'[i % 2]},{i % 7},{i % 5}" for i in range(60)]
    Path("papers.csv").write_text("\n".join(["id,topic,word1,word2", *rows]))
    Path("cites.csv").write_text("\n".join(["source,target", *(f"p{i},p{i + 2}" for i in range(58))]))
    Path("new.csv").write_text("id,word1,word2\nnew1,1,2\nnew2,3,4\n")
    Path("mine.yaml").write_text(blocks(README, "yaml")[0])
    for line in commands("prepare --samples"):
        assert main(line) == 0
    assert main(["run", "mine.yaml", "seeds=[0]", "pretrain.trainer.max_epochs=1", "finetune.0.max_epochs=1"]) == 0
    return tmp_path


@pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")
def test_python_runs(mine):
    names = {}
    for code in blocks(README, "python"):
        exec(code, names)
    assert names["new"].shape == (3, 64)
    assert names["z"].shape == (500, 16) and 0 <= names["result"].test <= 1
    own = names["MyLoss"]()
    pairs = names["sg"].Pairs.square(torch.tensor([[0, 1], [1, 0]]), 3)
    assert isinstance(own, StructureLoss) and own(names["z"][:3], pairs).dim() == 0


def test_embed_commands_run(mine):
    for line in commands("embed"):
        assert main([part for word in line for part in sorted(map(str, mine.glob(word))) or [word]]) == 0
    assert pq.read_table("z.parquet")["id"].to_pylist() == [f"p{i}" for i in range(60)]
    assert pq.read_table("new.parquet")["id"].to_pylist() == ["new1", "new2"]
    assert pq.read_table("new.parquet").num_columns == 1 + 64


def test_audit_commands_run(mine, capsys):
    Path("topics.csv").write_text("\n".join(["id,topic", *(f"p{i},{'ab'[i % 2]}" for i in range(60))]))
    for line in commands("audit"):
        assert main(line) == 0
        assert "**promising**" in capsys.readouterr().out
    assert Path("audit.png").is_file() and len(commands("audit")) == 3


def test_yaml_parses(tmp_path):
    text, graphs = blocks(README, "yaml")
    (tmp_path / "mine.yaml").write_text(text)
    config = load_config(tmp_path / "mine.yaml")
    assert config.arm("sipt").pretrain.structure_weight == 0.1
    for line in graphs.splitlines():
        graph = yaml.safe_load(line)["graph"]
        arm = load_config(tmp_path / "mine.yaml", [f"pretrain.graph={json.dumps(graph)}"]).arm("sipt")
        assert isinstance(build(arm.pretrain.graph, GraphConstructor, "pretrain.graph"), GraphConstructor)


def test_a_large_graph_is_prepared_and_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    edges = pa.table({"source": [0, 1, 2], "target": [1, 2, 3]})
    pq.write_table(edges, "edges.parquet")
    (line,) = commands("prepare --edges")
    assert main(line) == 0
    assert PretrainGraph.open("big").num_edges == 6


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z][a-z-]+)", README)):
        assert f"\n{target}:" in makefile
