"""Interactomes of several species in SNAP's form with STRING's sequences, small, broken and cut off."""

import gzip
import zipfile
from types import SimpleNamespace

import pytest
import torch

from sigraph.data.card import shipped_folder
from sigraph.recipes.prepare import _load_recipe
from sigraph.samplers import NeighborPairSampler

SPECIES = {9606: "ENSP2 ENSP1\nENSP1 ENSP2\nENSP1 ENSP1\n\nENSP3 ENSP2\nENSP3 LOST\n", 511145: "b1 b2\nENSP1 b2\n"}
SEQUENCES = {
    "9606.ENSP1": "MKV\nAAA",
    "9606.ENSP2": "MKL",
    "9606.ENSP3": "MX",
    "511145.b1": "MW",
    "511145.b2": "MY",
    "511145.ENSP1": "MF",  # the same name in another species is another protein
    "4932.Y1": "MM",
}


def prepared(tmp_path, species=SPECIES, fasta=None, cut=None):
    archive, packed = tmp_path / "treeoflife.interactomes.zip", tmp_path / "protein.sequences.v10.5.fa.gz"
    with zipfile.ZipFile(archive, "w") as held:
        for number, text in species.items():
            held.writestr(f"treeoflife.interactomes/{number}.txt", text)
        held.writestr("__MACOSX/treeoflife.interactomes/._9606.txt", "what an archiver leaves")
    text = "".join(f">{name} description\n{one}\n" for name, one in SEQUENCES.items()) if fasta is None else fasta
    packed.write_bytes(gzip.compress(text.encode())[:cut])
    recipe = _load_recipe(shipped_folder() / "tree-of-life" / "prepare.py")
    files = {f"tree_of_life/{file.name}": file for file in (archive, packed)}
    return recipe(files, SimpleNamespace(name="tree-of-life"))


def test_proteins_are_joined_within_their_species(tmp_path, caplog):
    caplog.set_level("INFO")
    dataset = prepared(tmp_path)
    names = ["9606.ENSP1", "9606.ENSP2", "9606.ENSP3", "511145.ENSP1", "511145.b1", "511145.b2"]
    assert dataset.ids.to_pylist() == names and not dataset.tasks
    assert dataset.records["sequence"].to_pylist() == ["MKVAAA", "MKL", "MX", "MF", "MW", "MY"]
    assert dataset.records["species"].to_pylist() == ["9606"] * 3 + ["511145"] * 3
    graph = dataset.graph("interaction")
    row, col = graph.edge_index
    assert {(int(a), int(b)) for a, b in zip(row, col, strict=True) if a < b} == {(0, 1), (1, 2), (3, 5), (4, 5)}
    assert graph.group.tolist() == [0, 0, 0, 1, 1, 1]
    assert "2 species, 6 proteins with a sequence; left out: 1 without one (9606.LOST), with 1 edges" in caplog.text
    assert "and 1 sequences of no protein" in caplog.text
    again = type(dataset)
    dataset.save(tmp_path / "it")
    assert torch.equal(again.open(tmp_path / "it").graph().group, graph.group)
    pairs = NeighborPairSampler(graph).pairs(torch.arange(6), torch.arange(6))
    assert torch.equal(pairs.anchor_group, graph.group) and torch.equal(pairs.candidate_group, graph.group)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"species": {9606: "A B\nA B C\n"}}, r"9606\.txt, line 2: needs two proteins \(got 'A B C'\)"),
        ({"species": {"human": "A B\n"}}, "needs a species' number of its own"),
        ({"species": {}}, r"needs a file SPECIES\.txt for each species"),
        ({"fasta": ">9606.OTHER\nMK\n"}, r"needs sequences of the proteins of .* \(got none of 7: 9606.ENSP1"),
        ({"fasta": ">9606.ENSP1\nMK\n>9606.ENSP1\nMK\n"}, "needs an accession of its own"),
        ({"cut": 60}, "cannot be read, or is cut off"),
    ],
)
def test_what_is_no_tree_of_life_is_said(options, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        prepared(tmp_path, **options)
