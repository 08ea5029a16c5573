"""Scaffold splits: OGB's own on its official molecules, and by hand."""

import pandas as pd
import pyarrow as pa
import pytest
import torch

from sigraph.samples.molecules import murcko_scaffolds
from sigraph.tables import from_tables
from sigraph.tasks.scaffold_split import scaffold_parts
from sigraph.tasks.splits import SplitRule

RATES = (0.8, 0.1, 0.1)


@pytest.mark.parametrize("name", ["molbace", "molbbbp"])
def test_official_splits_of_ogb_are_ours_from_their_smiles(data_source, name):
    home = data_source / "ogbg_official" / f"ogbg_{name}"
    if not home.is_dir():
        pytest.skip("needs the official files")
    pytest.importorskip("rdkit")
    smiles = pa.array(pd.read_csv(home / "mapping" / "mol.csv.gz")["smiles"].tolist(), pa.large_string())
    groups = torch.from_numpy(murcko_scaffolds(smiles, chirality=True).dictionary_encode().indices.to_numpy().copy())
    parts = scaffold_parts(groups.long(), RATES)
    for number, part in enumerate(("train", "valid", "test")):
        official = pd.read_csv(home / "split" / "scaffold" / f"{part}.csv.gz", header=None)[0].sort_values().tolist()
        assert (parts == number).nonzero().view(-1).tolist() == official, part


def test_large_groups_train_small_ones_test_and_nothing_is_drawn():
    #                       0  0  0  0  1  1  2  2  3  4
    groups = torch.tensor([7, 7, 7, 7, 5, 5, 9, 9, 2, 3])
    assert scaffold_parts(groups, (0.6, 0.2, 0.2)).tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 2, 2]  # 9 comes before 5
    assert scaffold_parts(groups, (0.5, 0.2, 0.3)).tolist() == [0, 0, 0, 0, 2, 2, 1, 1, 2, 0]  # what has room
    assert scaffold_parts(torch.tensor([-1, -1, 4, -1]), (0.5, 0.25, 0.25)).bincount().tolist() == [2, 1, 1]
    assert scaffold_parts(torch.empty(0, dtype=torch.long), RATES).numel() == 0


def test_no_scaffold_is_in_two_parts_and_shares_are_kept():
    draw = torch.Generator().manual_seed(0)
    groups = (torch.rand(2_000, generator=draw) ** 3 * 500).long()
    parts = scaffold_parts(groups, RATES)
    for group in groups.unique():
        assert parts[groups == group].unique().numel() == 1
    sizes = parts.bincount(minlength=3)
    assert 1_590 < sizes[0] <= 1_600 and 190 < sizes[1] < 210 and sizes[2] > 190


def test_a_users_table_is_split_by_its_molecules():
    pytest.importorskip("rdkit")
    rings = ["c1ccccc1"] * 8 + ["C1CCCCC1"] * 6 + ["c1ccncc1"] * 2 + ["C1CC1", "C1CCC1", "no molecule", "c1ccoc1"]
    smiles = [f"{'C' * (i % 5 + 1)}{ring}" if ring[0] != "n" else ring for i, ring in enumerate(rings)]
    table = pa.table({"id": range(20), "smiles": smiles, "active": [i % 2 for i in range(20)]})
    edges = pa.table({"source": [0], "target": [1]})
    dataset = from_tables(table, edges, labels=["active"], split="scaffold:smiles")
    task = dataset.task("active")
    assert task.split["train"].tolist() == list(range(16)) and "by scaffold of 'smiles', 0.8, 0.1, 0.1" in task.about
    assert [task.split[part].numel() for part in ("valid", "test")] == [2, 2]
    assert "smiles" in dataset.records.column_names  # and still there to be read
    with pytest.raises(ValueError, match="'column' 'smile' of 'scaffold split' is not in the records"):
        from_tables(table, edges, labels=["active"], split="scaffold:smile")


def test_how_it_is_asked_for():
    assert str(SplitRule.parse("scaffold:smiles", seed=3)) == "by scaffold of 'smiles', 0.8, 0.1, 0.1"
    for wrong in ("scaffold", "random:smiles"):
        with pytest.raises(ValueError, match="scaffold:COLUMN"):
            SplitRule.parse(wrong)
