"""Structures of proteins: chains of PDB files, and which residues touch."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from sigraph.recipes.raw_text import read_lines

TOUCHING = 8.0  # angstrom, TAPE's and CASP's
ATOMS = ("CA", "CB")
_NAMES = "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL MSE SEC PYL"
LETTERS = dict(zip(_NAMES.split(" "), "ARNDCQEGHILKMFPSTWYVMUO", strict=True))


class Chain(NamedTuple):
    """Residues of a chain that have atoms in the file, in their order."""

    sequence: str
    place: np.ndarray  # float64 [L, 3] angstrom, NaN where the atom is not there


def read_chain(path: Path, chain: str | None = None, atom: str = "CA") -> Chain:
    """The first model's chain of a PDB file.

    Residues are those of ``ATOM`` lines, and modified ones with a letter (selenomethionine) of ``HETATM`` lines. Of
    alternate locations the first counts. A residue that is none of those known is ``X``.

    Args:
        path: The file.
        chain: Its letter; None: the only one.
        atom: ``CA``, the alpha carbon, or ``CB``, the beta carbon, of glycine the alpha carbon.

    Raises:
        ValueError: There is no such chain, or several where none is named; a coordinate is no number.

    Source of the columns: wwPDB, "Protein Data Bank Contents Guide", version 3.3, coordinate section.
    """
    if atom not in ATOMS:
        raise ValueError(f"'atom' needs to be CA or CB in 'read_chain' (got {atom!r})")
    residue: dict[tuple[str, str], tuple[str, dict[str, list[float]]]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if line.startswith("ENDMDL"):
            break
        name = line[17:20].strip()
        if not (line.startswith("ATOM  ") or (line.startswith("HETATM") and name in LETTERS)):
            continue
        atoms = residue.setdefault((line[21:22], line[22:27]), (name, {}))[1]
        called = line[12:16].strip()
        if called in ATOMS and called not in atoms:
            try:
                atoms[called] = [float(line[start : start + 8]) for start in (30, 38, 46)]
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: needs three coordinates (got {line!r:.60})") from error
    chains = sorted({one for one, _ in residue})
    if chain is None and len(chains) != 1:
        raise ValueError(f"{path} needs one chain, or 'chain' says which (got {', '.join(chains) or 'none'})")
    wanted = chains[0] if chain is None else chain
    if wanted not in chains:
        raise ValueError(f"{path} has no chain {wanted!r} (got {', '.join(chains) or 'none'})")
    kept = [one for (of, _), one in residue.items() if of == wanted]
    place = [atoms.get("CA" if atom == "CA" or name == "GLY" else "CB", [np.nan] * 3) for name, atoms in kept]
    return Chain("".join(LETTERS.get(name, "X") for name, _ in kept), np.array(place, dtype=np.float64))


def touching(place: np.ndarray, below: float = TOUCHING) -> tuple[Tensor, Tensor]:
    """Which residues are closer than a distance, and which of them have a place at all.

    Args:
        place: Of an atom of each residue, in angstrom, NaN: not known. Shape [L, 3].
        below: Angstrom.

    Shapes:
        - **returns:** pairs [2, C], the first below the second; bool [L]
    """
    placed = np.isfinite(place).all(axis=1)
    row = np.flatnonzero(placed)
    if not row.size:
        return torch.empty(2, 0, dtype=torch.long), torch.from_numpy(placed)
    pairs = cKDTree(place[row]).query_pairs(np.nextafter(below, 0), output_type="ndarray")
    found = np.sort(row[pairs.astype(np.int64)].reshape(-1, 2), axis=1)
    order = np.lexsort((found[:, 1], found[:, 0]))
    return torch.from_numpy(np.ascontiguousarray(found[order].T)), torch.from_numpy(placed)
