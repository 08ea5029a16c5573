"""Molecules through a whole experiment: a CSV of SMILES, a scaffold split, graphs over them, new SMILES embedded."""

import csv

import numpy as np
import pytest
import yaml

from sigraph.cli import main
from sigraph.config import ConfigError, load_config
from sigraph.data import SampleDataset
from sigraph.experiment import run
from sigraph.running.run_one import run_folder

pytest.importorskip("rdkit")
RINGS = ["c1ccccc1", "C1CCCCC1", "c1ccncc1", "c1ccsc1", "C1CCNCC1", "c1ccoc1"]
ENDS = ["C", "CC", "O", "N", "CO", "C(=O)O", "Cl", "N#C"]
SMILES = [f"{end}{ring}" for ring in RINGS[:4] for end in ENDS] + [
    f"{ENDS[i]}{ring}" for ring in RINGS[4:] for i in (0, 3, 6)
]


def write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture
def file(toy, tmp_path):
    write(
        tmp_path / "molecules.csv",
        [("id", "smiles", "polar"), *((i, s, int("O" in s or "N" in s)) for i, s in enumerate(SMILES))],
    )
    write(tmp_path / "edges.csv", [("source", "target"), (0, 1), (2, 3)])
    samples, edges = (str(tmp_path / f"{name}.csv") for name in ("molecules", "edges"))
    arguments = [
        "--label",
        "polar",
        "--split",
        "scaffold:smiles",
        "--split-rates",
        "0.6,0.2,0.2",
        "--out",
        str(tmp_path / "molecules"),
    ]
    assert main(["prepare", "--samples", samples, "--edges", edges, *arguments]) == 0
    toy["pretrain"] |= {
        "dataset": str(tmp_path / "molecules"),
        "graph": {"_target_": "sigraph.graphs.TanimotoGraph", "k": 4},
        "reader": {"_target_": "sigraph.readers.Molecules"},
        "encoder": {"_target_": "sigraph.encoders.GraphEncoder", "hidden_channels": 8, "out_channels": 4},
        "structure_weight": 1.0,
    }
    toy["pretrain"].pop("objective")
    toy["finetune"] = [{"task": "polar", "head": "linear", "max_epochs": 4}]
    toy["arms"] = {"sipt": {}, "sipt-scaffold": {"pretrain.graph": {"_target_": "sigraph.graphs.ScaffoldGraph"}}}
    toy |= {"seeds": [0], "baseline": "sipt"}
    path = tmp_path / "molecules.yaml"
    path.write_text(yaml.safe_dump(toy))
    return path


def test_a_csv_of_smiles_becomes_a_table_and_new_smiles_are_embedded(file, tmp_path, capsys):
    split = SampleDataset.open(tmp_path / "molecules").task("polar").split
    ring = [next(number for number, ring in enumerate(RINGS) if one.endswith(ring)) for one in SMILES]
    assert {ring[i] for i in split["train"]}.isdisjoint({ring[i] for i in split["test"]})
    results = run(file)
    assert {record["status"] for record in results.records} == {"ok"} and not results.failed
    folder = run_folder(results.config, results.config.arm("sipt"), 0)
    write(tmp_path / "new.csv", [("id", "smiles"), ("a", "OCc1ccccc1"), ("b", "no molecule")])
    command = ["embed", str(folder), "--dataset", str(tmp_path / "new.csv"), "--out", str(tmp_path / "z.npy")]
    assert main(command) != 0 and "cannot read 1 of 2 cells" in capsys.readouterr().err
    write(tmp_path / "new.csv", [("id", "smiles"), ("a", "OCc1ccccc1"), ("b", "CCN")])
    assert main(command) == 0 and np.load(tmp_path / "z.npy").shape == (2, 4)


def test_unreadable_molecules_are_refused_before_anything_trains(file, tmp_path):
    dataset = SampleDataset.open(tmp_path / "molecules")
    records = dataset.records.set_column(1, "smiles", [["no molecule", *SMILES[1:]]])
    broken = SampleDataset(records, dict(dataset.graphs), dict(dataset.tasks), name="broken")
    broken.save(tmp_path / "broken")
    with pytest.raises(
        ConfigError, match=r"'Molecules' cannot read 1 of 38 .*row 1: 'no molecule'.*unreadable: unknown"
    ):
        run(load_config(file, [f"pretrain.dataset={tmp_path / 'broken'}"]))
