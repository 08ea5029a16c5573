"""Chains of PDB files and contacts, against dense distances."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from sigraph.data.card import shipped_folder
from sigraph.recipes import open_dataset
from sigraph.recipes.prepare import _load_recipe
from sigraph.recipes.structures import read_chain, touching

NAMES = ("ALA", "GLY", "MSE", "TRP", "UNK", "LEU")


def atom(number, name, residue, place, chain="A", other=" ", kind="ATOM  ", insertion=" "):
    xyz = "".join(f"{value:8.3f}" for value in place)
    return f"{kind}{number:5d}  {name:<3}{other}{residue:>3} {chain}{number:4d}{insertion}   {xyz}  1.00 20.00"


def walk(length, seed=0):
    step = np.random.default_rng(seed).normal(size=(length, 3))
    return np.round((3.8 * step / np.linalg.norm(step, axis=1, keepdims=True)).cumsum(axis=0), 3)


def pdb(places):
    lines = ["HEADER    A TEST", "HETATM    1  O   HOH A 900       0.000   0.000   0.000  1.00 20.00"]
    for i, place in enumerate(places):
        residue = NAMES[i % len(NAMES)]
        kind = "HETATM" if residue == "MSE" else "ATOM  "
        lines.append(atom(i + 1, "N", residue, place + 1, kind=kind))
        lines.append(atom(i + 1, "CA", residue, place, kind=kind, other="A" if i == 3 else " "))
        if i == 3:
            lines.append(atom(i + 1, "CA", residue, place + 50, other="B"))
        if residue != "GLY":
            lines.append(atom(i + 1, "CB", residue, place + 2, kind=kind))
    return "\n".join([*lines, "ENDMDL", atom(1, "CA", "ALA", (0, 0, 0)), "END"]) + "\n"


def test_a_chain_is_its_residues_with_the_first_of_alternate_places(tmp_path):
    places = walk(12)
    (tmp_path / "one.pdb").write_text(pdb(places))
    alpha, beta = read_chain(tmp_path / "one.pdb"), read_chain(tmp_path / "one.pdb", atom="CB")
    assert alpha.sequence == "AGMWXL" * 2 == beta.sequence
    assert np.array_equal(alpha.place, places)
    assert np.allclose(beta.place, places + np.array([[2], [0], [2], [2], [2], [2]] * 2))


def test_contacts_are_those_of_a_dense_table_of_distances():
    place = walk(60)
    place[[4, 20]] = np.nan
    place[7] = place[30] + [8.0, 0, 0]  # not closer than 8
    pairs, placed = touching(place)
    near = np.triu(cdist(place, place) < 8.0, 1)
    assert pairs.T.tolist() == np.argwhere(near).tolist() and not near[7, 30]
    assert (~placed).nonzero().view(-1).tolist() == [4, 20]
    assert touching(np.full((3, 3), np.nan))[0].shape == (2, 0)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("HEADER\n", {}, "needs one chain, or 'chain' says which .got none"),
        (
            "\n".join(atom(1, "CA", "ALA", (0, 0, 0), chain=chain) for chain in "AB"),
            {},
            "needs one chain, .* .got A, B",
        ),
        (atom(1, "CA", "ALA", (0, 0, 0)), {"chain": "B"}, "has no chain 'B' .got A"),
        (atom(1, "CA", "ALA", (0, 0, 0)).replace("0.000", "x.000"), {}, "line 1: needs three coordinates"),
        (atom(1, "CA", "ALA", (0, 0, 0)), {"atom": "C"}, "needs to be CA or CB"),
    ],
)
def test_what_is_no_chain_is_said(text, options, said, tmp_path):
    (tmp_path / "one.pdb").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_chain(tmp_path / "one.pdb", **options)


def test_a_residue_without_alpha_carbon_is_neither_learnt_nor_scored(tmp_path):
    files = {}
    for i in range(10):
        text = pdb(walk(40, seed=i))
        if i == 9:
            text = "\n".join(line for line in text.split("\n") if line[12:16].strip() != "CA" or line[22:26] != "   3")
        files[f"pdb40/F{i}.pdb"] = tmp_path / f"F{i}.pdb"
        files[f"pdb40/F{i}.pdb"].write_text(text)
    recipe = _load_recipe(shipped_folder() / "contact-prediction" / "prepare.py")
    dataset = recipe(files, SimpleNamespace(name="contact-prediction"))
    task = dataset.task("contacts")
    assert dataset.ids.to_pylist() == [f"F{i}" for i in range(10)] and task.lengths.tolist() == [40] * 10
    assert [len(task.split[part]) for part in ("train", "valid", "test")] == [5, 2, 3]
    unknown = torch.isnan(task.target(torch.tensor([9])))
    assert int(unknown.sum()) == 40 - 6 - 2  # pairs of residue 2 with those at least six apart


def test_real_domains_have_the_contacts_that_were_counted(data_source):
    if not (data_source / "pdb40").is_dir():
        pytest.skip("needs pdb40 in SIGRAPH_DATA_SOURCE")
    task = open_dataset("contact-prediction").task("contacts")
    assert task.labels.size(1) == 7_040 and int(task.lengths.sum()) == 3_984
    assert int((~task.placed).sum()) == 2 and task.lengths.min() == 50 and task.lengths.max() == 150
