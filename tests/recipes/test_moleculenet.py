"""Tables of SMILES and labels: each molecule once, labels only where its rows agree, splits by scaffold."""

import gzip

import pytest
import torch

from sigraph.recipes.moleculenet import Table, read_moleculenet

pytest.importorskip("rdkit")
RINGS = ["c1ccccc1", "c1ccncc1", "C1CCCCC1", "C1CCNCC1", "c1ccsc1", "c1ccoc1", "C1CCOC1", "c1ccc2ccccc2c1"]


@pytest.fixture
def files(tmp_path):
    rows = [f"C{ring},{i % 2}" for i, ring in enumerate(RINGS)]
    rows += ["nonsense(,1", "OCC,1", "CCO,0", "CCN,1", "NCC,1"]  # ethanol twice, with both labels; ethylamine twice
    (tmp_path / "one.csv").write_text("smiles,active\r\n" + "\r\n\r\n".join(rows) + "\r\n")
    several = "mol,a,b,c\nOCC,1,,0\nCCO,1,0,\n" + "".join(
        f"N{ring},{i % 2},{1 - i % 2},\n" for i, ring in enumerate(RINGS)
    )
    (tmp_path / "several.csv.gz").write_bytes(gzip.compress(several.encode()))
    (tmp_path / "list.txt").write_text("CCO\nCCCCCC\n\nCCCCCCC\n")
    return {path.name: path for path in tmp_path.iterdir()}


def test_each_molecule_is_one_sample(files):
    tables = {
        "active": Table("one.csv", "smiles", ["active"]),
        "assays": Table("several.csv.gz", "mol", slice(1, 3)),
    }
    dataset = read_moleculenet(files, "mols", tables, ["list.txt"])
    ids = dataset.ids.to_pylist() if hasattr(dataset.ids, "to_pylist") else list(dataset.ids)
    assert len(set(ids)) == len(ids) == 2 * len(RINGS) + 4  # ethanol, ethylamine, two of the list
    active, assays = dataset.tasks["active"], dataset.tasks["assays"]
    assert active.metric == "rocauc" and active.type == "classification"
    assert active.labels[ids.index("CCO")] == -1 and active.labels[ids.index("CCN")] == 1
    assert assays.classes == ["a", "b"] and assays.labels[ids.index("CCO")].tolist() == [1, 0]
    assert assays.labels[ids.index("CCCCCC")].isnan().all()
    for task in (active, assays):
        listed = torch.cat(list(task.split.values()))
        known = task.labels >= 0 if task.labels.dim() == 1 else ~task.labels.isnan().all(dim=1)
        assert sorted(listed.tolist()) == known.nonzero().view(-1).tolist()
