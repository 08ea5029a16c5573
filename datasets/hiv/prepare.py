"""Molecules that were tried against HIV, of MoleculeNet, each molecule once."""

from sigraph.recipes.moleculenet import Table, read_moleculenet


def prepare(files, card):
    """Records with ``smiles``; no graph; the task ``hiv``, split by scaffold."""
    return read_moleculenet(files, card.name, {"hiv": Table("moleculenet/HIV.csv", "smiles", ["HIV_active"])})
