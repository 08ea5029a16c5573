"""What is said of each atom and bond of a molecule: OGB's attributes, and those of Hu et al. 2020."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

OGB, HU = "ogb", "hu2020"
KINDS = (OGB, HU)


class Attributes(NamedTuple):
    """How atoms and bonds are described, all by categories from 0 on.

    Args:
        of_atom: Of rdkit's atom.
        of_bond: Of rdkit's bond.
        unknown: Those of an atom of which nothing is known.
        num_bond_attributes: Of a bond.
        versions: What they depend on besides, by package.
    """

    of_atom: Callable[[Any], list[int]]
    of_bond: Callable[[Any], list[int]]
    unknown: list[int]
    num_bond_attributes: int
    versions: dict[str, str]


def attributes(kind: str, owner: str) -> Attributes:
    """The attributes of a kind.

    Args:
        kind: ``ogb``: the nine of an atom and three of a bond that ``ogb.utils.smiles2graph`` gives (Hu et al., "Open
            Graph Benchmark", NeurIPS 2020). ``hu2020``: element and chirality, kind and direction of a bond (Hu et
            al., "Strategies for pre-training graph neural networks", ICLR 2020), which their published encoders read.
        owner: Who asks, for messages.

    Raises:
        ImportError: There is no rdkit, or no ogb.
    """
    versions = {"rdkit": importlib.import_module("rdkit").__version__}
    if kind == HU:
        return Attributes(_hu_atom(), _hu_bond(), [_UNKNOWN_ELEMENT, 0], 2, {**versions, HU: _HU_FORM})
    try:
        features = _without_network("ogb.utils.features")
    except ImportError as error:
        raise ImportError(f"{owner!r} needs ogb for OGB's attributes: pip install 'sigraph[molecules]'") from error
    named = features.allowable_features  # a list that knows "misc" ends with it
    listed = [named[f"possible_{name}_list"] for name in _ATOM]
    unknown = [len(values) - 1 if values[-1] == "misc" else 0 for values in listed]
    bond = len(features.get_bond_feature_dims())
    versions["ogb"] = importlib.import_module("ogb").__version__
    return Attributes(features.atom_to_feature_vector, features.bond_to_feature_vector, unknown, bond, versions)


_ATOM = (
    "atomic_num",
    "chirality",
    "degree",
    "formal_charge",
    "numH",
    "number_radical_e",
    "hybridization",
    "is_aromatic",
    "is_in_ring",
)
_HU_FORM = "2"  # of what is kept; the first held a fourth chirality
_UNKNOWN_ELEMENT = 118  # Hu et al.'s encoders have 120 rows: 118 elements, one that nothing takes, and the mask


def _without_network(module: str) -> Any:
    """A module of ogb; without ``outdated``, by which importing ogb would ask the network for its newest version."""
    if "ogb" in sys.modules or "outdated" in sys.modules:
        return importlib.import_module(module)
    sys.modules["outdated"] = None  # type: ignore[assignment]  # what makes importing it an ImportError
    try:
        return importlib.import_module(module)
    finally:
        del sys.modules["outdated"]


def _hu_atom() -> Callable[[Any], list[int]]:
    chem = importlib.import_module("rdkit.Chem")
    # Their list has CHI_OTHER as a fourth, for which their encoders have no row: it is read as unspecified, and so are
    # the centres that rdkit has learnt to tell since (square planar, octahedral, ...).
    names = ("CHI_UNSPECIFIED", "CHI_TETRAHEDRAL_CW", "CHI_TETRAHEDRAL_CCW")
    chirality = {getattr(chem.ChiralType, name): number for number, name in enumerate(names)}

    def of_atom(atom: Any) -> list[int]:
        element = atom.GetAtomicNum()  # 0 is an atom that the SMILES leaves open
        return [element - 1 if element else _UNKNOWN_ELEMENT, chirality.get(atom.GetChiralTag(), 0)]

    return of_atom


def _hu_bond() -> Callable[[Any], list[int]]:
    chem = importlib.import_module("rdkit.Chem")
    kinds = {getattr(chem.BondType, name): i for i, name in enumerate(("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC"))}
    directions = {getattr(chem.BondDir, name): i for i, name in enumerate(("NONE", "ENDUPRIGHT", "ENDDOWNRIGHT"))}

    def of_bond(bond: Any) -> list[int]:
        return [kinds.get(bond.GetBondType(), 0), directions.get(bond.GetBondDir(), 0)]

    return of_bond
