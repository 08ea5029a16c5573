"""Molecules of ZINC without labels and of five data sets of MoleculeNet, each molecule once."""

from sigraph.recipes.moleculenet import Table, read_moleculenet

TOX21 = "NR-AR NR-AR-LBD NR-AhR NR-Aromatase NR-ER NR-ER-LBD NR-PPAR-gamma SR-ARE SR-ATAD5 SR-HSE SR-MMP SR-p53"
NUM_ASSAYS = 100  # of ToxCast's 617, which follow the SMILES
TABLES = {
    "bbbp": Table("moleculenet/BBBP.csv", "smiles", ["p_np"]),
    "bace": Table("moleculenet/bace.csv", "mol", ["Class"]),
    "clintox": Table("moleculenet/clintox.csv", "smiles", ["FDA_APPROVED", "CT_TOX"]),
    "tox21": Table("moleculenet/tox21.csv", "smiles", TOX21.split()),
    "toxcast": Table("moleculenet/toxcast_data.csv.gz", "smiles", slice(1, 1 + NUM_ASSAYS)),
}


def prepare(files, card):
    """Records with ``smiles``; no graph; a task a table, split by scaffold."""
    return read_moleculenet(files, card.name, TABLES, ["zinc/valid.txt", "zinc/test.txt"])
