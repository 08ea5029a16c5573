"""docs/molecules.md: from a CSV of SMILES to a table and to new molecules, as it stands there."""

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from pages import blocks, read

from sigraph.cli import main
from sigraph.config import config_from_dict
from sigraph.data import SampleDataset
from sigraph.running.parts import build_parts

pytest.importorskip("rdkit")
PAGE = read("docs/molecules.md")
(FILE,), (COMMANDS,), (PYTHON,) = blocks(PAGE, "yaml"), blocks(PAGE, "sh"), blocks(PAGE, "python")
RINGS = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "c1ccsc1", "C1CCNCC1", "c1ccoc1", "C1CCOC1", "C1CC1", "C1CCNC1", "c1cocn1"]
ENDS = ["C", "CC", "O", "N", "CO", "C(=O)O", "Cl", "N#C"]
SMILES = [end + ring for ring in RINGS for end in ENDS]
SMILES[0] = "[Na+].[Cl-]." + SMILES[0]
QUICK = [
    "seeds=[0]",
    "pretrain.trainer.accelerator=cpu",
    "pretrain.trainer.max_epochs=1",
    "pretrain.encoder.hidden_channels=8",
    "finetune.0.max_epochs=1",
]


def expanded(command):
    """As a shell hands it over."""
    return [str(found) for word in command for found in (sorted(Path().glob(word)) if "*" in word else [word])]


def write(path, *rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the page's reader stands, with the first of its commands run."""
    monkeypatch.chdir(tmp_path)
    header, *shown = csv.reader(PAGE.split("```\n")[1].splitlines())
    assert {len(row) for row in shown} == {len(header)}
    write(tmp_path / "molecules.csv", header, *((f"m{i}", s, int("O" in s)) for i, s in enumerate(SMILES)))
    (tmp_path / "molecules.yaml").write_text(FILE)
    assert main(shlex.split(COMMANDS.splitlines()[0])[1:]) == 0
    return tmp_path


def test_the_page_runs(folder, capsys):
    split = SampleDataset.open(folder / "molecules").task("active").split
    ring = [next(number for number, ring in enumerate(RINGS) if one.endswith(ring)) for one in SMILES]
    assert {ring[i] for i in split["train"]}.isdisjoint({ring[i] for part in ("valid", "test") for i in split[part]})
    audit, dry_run, run, embed = (shlex.split(line)[1:] for line in COMMANDS.splitlines()[1:])
    capsys.readouterr()
    assert main(audit) == 0 and re.search(r"Tanimoto.*\| active \|", capsys.readouterr().out)
    assert main([*dry_run, *QUICK, "--arm", "masking"]) == 0 and not (folder / "runs").exists()
    assert main([*run, *QUICK]) == 0
    table, said = capsys.readouterr()
    assert "1 molecule has several fragments (all are kept)" in said
    for arm in yaml.safe_load(FILE)["arms"]:
        heads = ["–"] if arm == "morgan" else ["full", "linear"]
        assert all(re.search(rf"^\| {arm} +\| active +\| {head} +\| rocauc", table, re.MULTILINE) for head in heads)

    write(folder / "new.csv", ("id", "smiles"), ("a", "OCc1ccccc1"), ("b", "no molecule"))
    embed = expanded(embed)
    assert main(embed) == 0 and "1 of 2 samples cannot be read, such as 'no molecule'" in capsys.readouterr().out
    assert pq.read_table("z.parquet").slice(1)["z0"].null_count == 1
    Path("z.parquet").unlink()
    write(folder / "new.csv", ("id", "smiles"), ("a", "CCO"), ("b", "c1ccccc1O"))
    names = {}
    capsys.readouterr()
    assert main([*embed[:2], "--out", "own.npy"]) == 0 and "fragments" not in capsys.readouterr().out  # was said
    assert main([*embed[:-1], "z.npy"]) == 0
    exec(PYTHON, names)
    np.testing.assert_allclose(np.load(folder / "z.npy"), names["z"], atol=1e-5)


@pytest.mark.parametrize("arm", ["sipt-tanimoto", "morgan"])
def test_unreadable_molecules_are_refused_before_anything_trains(folder, capsys, arm):
    lines = (folder / "molecules.csv").read_text().splitlines()
    lines[1] = "m0,no molecule,1"
    (folder / "molecules.csv").write_text("\n".join(lines))
    assert main([*shlex.split(COMMANDS.splitlines()[0])[1:], "--force"]) == 0
    more = ["pretrain.reader.unreadable=unknown"] * (arm == "morgan")
    assert main(["run", "molecules.yaml", "--arm", arm, *QUICK, *more]) != 0
    said = capsys.readouterr().err
    assert re.search(r"cannot read 1 of 80 .*row 1: 'no molecule'.*unreadable: unknown", said)


def test_every_graph_that_the_page_names_is_built(folder):
    table = re.search(r"^\| graph \| joins.*\n\| ---.*\n((?:\|.*\n)+)", PAGE, re.MULTILINE)[1]
    tree = yaml.safe_load(FILE) | {"baseline": None}
    built = []
    for name, _, cell in (re.split(r" \| ", row.strip("| ")) for row in table.splitlines()):
        settings = yaml.safe_load("{" + ", ".join(re.findall(r"`(\w+: [\w.]+)`", cell)) + "}")
        if name in ("`ScaffoldGraph`", "`TanimotoGraph`"):
            graph = {"_target_": f"sigraph.graphs.{name.strip('`')}"} | settings
            tree["pretrain"]["graph"] = graph
            built.append(build_parts(config_from_dict(tree).arm("masking").pretrain, seed=0).graph.num_edges)
    assert len(built) == 2 and min(built) > 0
