"""What rdkit tells of molecules that are written as SMILES: the molecules, their scaffolds, their fingerprints."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from sigraph.samples.normal_forms import has_rdkit


def need_rdkit(owner: str) -> None:
    """Refuse, with the way out, where there is no rdkit.

    Raises:
        ImportError: There is none.
    """
    if not has_rdkit():
        raise ImportError(
            f"{owner!r} reads molecules by rdkit, which is not installed: pip install 'sigraph[molecules]'"
        )


def parsed(text: pa.Array) -> Iterator[Any]:
    """rdkit's molecule of each SMILES, silently; None where there is none: it cannot be read, or has no atom."""
    chem, base = (importlib.import_module(f"rdkit.{name}") for name in ("Chem", "rdBase"))
    silent = base.BlockLogs()
    try:
        for smiles in text.to_pylist():
            molecule = chem.MolFromSmiles(smiles) if smiles else None
            yield molecule if molecule is not None and molecule.GetNumAtoms() else None
    finally:
        del silent


def murcko_scaffolds(text: pa.Array, chirality: bool = False, generic: bool = False) -> pa.Array:
    """Bemis-Murcko scaffold of each molecule, its rings and what links them, as canonical SMILES.

    Args:
        text: SMILES. Shape [N].
        chirality: Whether scaffolds that differ in their stereochemistry are different ones.
        generic: Whether every atom of a scaffold is carbon and every bond single.

    Returns:
        Text [N]: empty for a molecule without a ring, null for one that cannot be read.

    Source: Bemis and Murcko, "The properties of known drugs. 1. Molecular frameworks", J. Med. Chem. 1996.
    """
    chem, murcko = (importlib.import_module(f"rdkit.Chem{name}") for name in ("", ".Scaffolds.MurckoScaffold"))
    found: list[str | None] = []
    for molecule in parsed(text):
        scaffold = None if molecule is None else murcko.GetScaffoldForMol(molecule)
        if scaffold is not None and generic:
            scaffold = murcko.MakeScaffoldGeneric(scaffold)
        found.append(None if scaffold is None else chem.MolToSmiles(scaffold, chirality))
    return pa.array(found, pa.large_string())


def morgan_fingerprints(text: pa.Array, radius: int = 2, num_bits: int = 2048) -> csr_matrix:
    """Which of the bits of Morgan's fingerprint each molecule sets; rows of those that cannot be read are empty.

    Args:
        text: SMILES. Shape [N].
        radius: Bonds around an atom that a bit may speak of, >= 0; 2 is what is called ECFP4.
        num_bits: Of the folded fingerprint.

    Returns:
        Ones. Shape [N, num_bits] float32, columns of a row ascending.

    Source: Rogers and Hahn, "Extended-connectivity fingerprints", J. Chem. Inf. Model. 2010.
    """
    generator = importlib.import_module("rdkit.Chem.rdFingerprintGenerator")
    of = generator.GetMorganGenerator(radius=radius, fpSize=num_bits).GetFingerprint
    rows = [() if molecule is None else tuple(of(molecule).GetOnBits()) for molecule in parsed(text)]
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    col = np.fromiter((bit for row in rows for bit in row), np.int32, int(ptr[-1]))
    return csr_matrix((np.ones(len(col), np.float32), col, ptr), (len(rows), num_bits))
