"""Molecules: a column of SMILES -> graphs of atoms and bonds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from sigraph.files.arguments import shown
from sigraph.files.counted import counted
from sigraph.files.foreign_text import quoted
from sigraph.readers.base import SHOWN, Reader, UnreadableRecordsError, stated, text_column
from sigraph.readers.kept import read_once
from sigraph.readers.molecule_attributes import KINDS, OGB, Attributes, attributes
from sigraph.samples import Graphs
from sigraph.samples.molecules import need_rdkit, parsed

KEPT_FROM = 1_000  # molecules; fewer are read in less time than it takes to find them
_BLOCK = 2_000  # molecules whose attributes are Python's numbers at a time
FRAGMENTS, UNREADABLE = ("all", "largest"), ("refuse", "unknown")
# What is counted, and how it is said of one and of several.
_SAID = {
    "empty": ("is empty, read as one unknown atom", "are empty, read as one unknown atom"),
    "unreadable": ("cannot be read by rdkit, read as one unknown atom",) * 2,
    "fragments": ("has several fragments", "have several fragments"),
    "single": ("is a single atom", "are a single atom"),
    "bondless": ("has several atoms and no bond", "have several atoms and no bond"),
}


class Molecules(Reader):
    """Each molecule as a graph: atoms are nodes, bonds edges in both directions; hydrogens are counted and no nodes.

    Args:
        column: Of SMILES.
        attributes: Of atoms and bonds, all categories: ``ogb``, the nine and three of OGB's data sets, which their
            graphs equal; ``hu2020``, element and chirality, kind and direction, which the encoders published with Hu
            et al. 2020 read (three chiralities: other centres than tetrahedral ones are as unspecified).
        fragments: What becomes of a molecule of several fragments, such as a salt: ``all`` of them make one graph, as
            in OGB; or the ``largest``, by its heavy atoms, the first of equal ones.
        unreadable: What becomes of an empty cell and of one that rdkit cannot read: ``refuse``, naming the rows; or
            ``unknown``, a graph of one atom of which nothing is known.

    Shapes:
        - **gives:** :class:`~sigraph.samples.Graphs` with ``x`` [V, 9] and ``edge_attr`` [E, 3], integers from 0 on
          (``hu2020``: [V, 2] and [E, 2]).

    Single atoms and molecules without a bond are graphs without edges. All of these are counted and said. From 1,000
    molecules on, what was read is kept under ``SIGRAPH_DATA`` and found again by the column's content, these arguments
    and the versions of rdkit and ogb. Needs rdkit and ogb (extra ``molecules``).

    Raises:
        ImportError: By :meth:`fit`: one of them is missing.
        ValueError: By :meth:`read`: cells that cannot be read.

    Guide:
        column(s): SMILES
        gives: graphs of atoms and bonds, with OGB's attributes or those of Hu et al. 2020
    """

    def __init__(
        self, column: str = "smiles", attributes: str = OGB, fragments: str = "all", unreadable: str = "refuse"
    ) -> None:
        choices = {"attributes": KINDS, "fragments": FRAGMENTS, "unreadable": UNREADABLE}
        given = {"attributes": attributes, "fragments": fragments, "unreadable": unreadable}
        for name, known in choices.items():
            if given[name] not in known:
                raise ValueError(f"{name!r} needs to be {' or '.join(known)} in 'Molecules' (got {shown(given[name])})")
        self.column, self.attributes, self.fragments, self.unreadable = column, attributes, fragments, unreadable

    def fit(self, records: pa.Table) -> None:
        """Nothing but whether there is such a column, and what reads it: there is nothing to learn."""
        text_column(records, self.column, "Molecules")
        need_rdkit("Molecules")
        attributes(self.attributes, "Molecules")

    def read(self, records: pa.Table) -> Graphs:
        return self._read(records)[0]

    def note(self, records: pa.Table) -> str:
        counts = self._read(records)[1]
        which = f" ({'all are kept' if self.fragments == 'all' else 'the largest is kept'})"
        said = []
        for name, (one, several) in _SAID.items():
            if number := counts[name]:
                words = counted(number, f"molecule {one}", f"molecules {several}")
                said.append(words + which * (name == "fragments"))
        return "; ".join(said)

    def known(self, records: pa.Table) -> np.ndarray:
        """1; 0 of one unknown atom."""
        graphs = self._read(records)[0]
        start = graphs.node_ptr.whole()
        is_alone = (start.diff() == 1).nonzero().view(-1)
        unknown = torch.tensor(attributes(self.attributes, "Molecules").unknown)
        share = np.ones(len(records))
        share[is_alone.numpy()] = (graphs.x.take(start[is_alone]).long() != unknown).any(dim=1).numpy()
        return share

    def _read(self, records: pa.Table) -> tuple[Graphs, dict[str, int]]:
        text = text_column(records, self.column, "Molecules", is_new=True)
        text = pc.utf8_trim_whitespace(text)
        need_rdkit("Molecules")
        described = attributes(self.attributes, "Molecules")

        def read() -> tuple[Graphs, dict[str, int]]:
            return self._of(text, described)

        if len(text) < KEPT_FROM:
            return read()
        how = {
            "reader": "Molecules",
            "attributes": self.attributes,
            "fragments": self.fragments,
            "unreadable": self.unreadable,
            "versions": described.versions,
        }
        return read_once(Graphs, text, how, read)

    def _of(self, text: pa.Array, described: Attributes) -> tuple[Graphs, dict[str, int]]:
        parts = [self._block(text, start, described) for start in range(0, max(len(text), 1), _BLOCK)]
        x, ends, bond, size, num_edges, fragments, known = (np.concatenate(part) for part in zip(*parts, strict=True))
        empty = pc.equal(text, "").to_numpy(zero_copy_only=False).astype(bool)
        if self.unreadable == "refuse" and not known.all():
            refuse_unreadable("Molecules", self.column, text, ~known, "an unknown atom")
        counts = {
            "empty": empty,
            "unreadable": ~known & ~empty,
            "fragments": fragments > 1,
            "single": known & (size == 1),
            "bondless": (size > 1) & (num_edges == 0),
        }
        node_ptr, edge_ptr = (np.concatenate([[0], np.cumsum(count, dtype=np.int64)]) for count in (size, num_edges))
        narrow = np.uint8 if max(x.max(initial=0), bond.max(initial=0)) < 256 else np.int32
        arrays = (x.astype(narrow), ends, node_ptr, edge_ptr, bond.astype(narrow))
        return Graphs(*map(torch.from_numpy, arrays)), {name: int(which.sum()) for name, which in counts.items()}

    def _block(self, text: pa.Array, start: int, described: Attributes) -> tuple[np.ndarray, ...]:
        """Some molecules: atoms [V, F], ends of edges [E, 2] and their attributes; and, of each molecule, its atoms,
        its edges, its fragments and whether it could be read. The one loop over molecules and their atoms there is."""
        atoms: list[int] = []  # flat: what holds many small lists spends its time in the garbage collector
        bonds: list[int] = []
        ends: list[int] = []
        each = []
        block = text[start : start + _BLOCK]
        for molecule, smiles in zip(parsed(block), block.to_pylist(), strict=True):
            fragments = 1
            if molecule is not None:
                molecule, fragments = self._chosen(molecule, smiles)
            found = None if molecule is None else _described(molecule, described)
            if found is None:
                atoms += described.unknown
                each.append((1, 0, 1, 0))
                continue
            atoms += found[0]
            bonds += found[1]
            ends += found[2]
            each.append((molecule.GetNumAtoms(), len(found[2]), fragments, 1))
        x = np.array(atoms, np.int32).reshape(-1, len(described.unknown))
        once = np.array(ends, np.int32).reshape(-1, 2)
        both = np.stack([once, once[:, ::-1]], axis=1).reshape(-1, 2)  # there and back, one after the other
        bond = np.array(bonds, np.int32).reshape(-1, described.num_bond_attributes).repeat(2, axis=0)
        size, num_edges, fragments_of, known = np.array(each, np.int64).reshape(-1, 4).T
        return x, both, bond, size, num_edges, fragments_of, known.astype(bool)

    def _chosen(self, molecule: Any, smiles: str) -> tuple[Any, int]:
        """The part of a molecule that is read, and how many fragments it has."""
        from rdkit.Chem import GetMolFrags

        number = len(GetMolFrags(molecule)) if "." in smiles else 1
        if number > 1 and self.fragments == "largest":
            molecule = max(GetMolFrags(molecule, asMols=True), key=lambda f: f.GetNumHeavyAtoms())
        return molecule, number

    def state(self) -> dict[str, Any]:
        return {"attributes": self.attributes}

    def restore(self, state: Mapping[str, Any]) -> None:
        if stated(state, "attributes", str, "Molecules") != self.attributes:
            raise ValueError(f"'attributes' needs to be {state['attributes']!r}, as learned, in 'Molecules'")


def refuse_unreadable(owner: str, column: str, text: pa.Array, wrong: np.ndarray, otherwise: str) -> NoReturn:
    """Refuse cells of SMILES that cannot be read, naming the first rows.

    Args:
        owner: What reads them.
        column: Of the cells.
        text: All cells. Shape [N].
        wrong: Which of them cannot be read. Shape [N] bool.
        otherwise: What they are read as by ``unreadable: unknown``.

    Raises:
        UnreadableRecordsError: Always.
    """
    rows = np.flatnonzero(wrong)
    cells = text.take(pa.array(rows[:SHOWN])).to_pylist()
    which = ", ".join(f"row {row + 1}: {quoted(cell)}" for row, cell in zip(rows, cells, strict=False))
    raise UnreadableRecordsError(
        f"{owner!r} cannot read {len(rows):,} of {counted(len(text), 'cell')} of column {column!r} ({which}"
        f"{', ...' if len(rows) > SHOWN else ''}); leave these rows out, or read them as {otherwise} by "
        "unreadable: unknown",
        rows,
        cells,
    )


def _described(molecule: Any, described: Attributes) -> tuple[list[int], list[int], list[int]] | None:
    """Attributes of all atoms, of all bonds, and whom each bond joins, in a row each; None: there is no word for it."""
    atoms: list[int] = []
    bonds: list[int] = []
    ends: list[int] = []
    try:
        for atom in molecule.GetAtoms():
            atoms += described.of_atom(atom)
        for bond in molecule.GetBonds():
            bonds += described.of_bond(bond)
            ends += bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
    except ValueError:  # OGB knows no such stereochemistry of a bond
        return None
    return atoms, bonds, ends
