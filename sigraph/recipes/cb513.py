"""CB513 with secondary structure in eight states, as PS4 distributes it: a chain a line, a blank between residues."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sigraph.recipes.raw_text import read_lines

STATES = "GHIBESTC"  # of DSSP; C: none of the others
COLUMNS = ["input", "dssp3", "dssp8", "disorder", "cb513_mask"]

logger = logging.getLogger(__name__)


class States(NamedTuple):
    """A chain and the states of its residues.

    Args:
        sequence: L residues.
        eight: Place in :data:`STATES`, -1 where a residue is in none of CB513's domains, or was not resolved. [L]
    """

    sequence: str
    eight: np.ndarray


def read_cb513(path: Path) -> list[States]:
    """The chains, each once: of lines of one chain, which are of several domains, labels are joined.

    Raises:
        ValueError: A line lacks a column or a residue, a state or number is none, or lines of one chain disagree; the
            message names the line.
    """
    head, *lines = read_lines(path)
    if [name.strip() for name in head.split(",")] != COLUMNS:
        raise ValueError(f"{path} needs the columns {', '.join(COLUMNS)} (got {head!r:.80})")
    found: dict[str, np.ndarray] = {}
    count = 0
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        count += 1
        columns = [column.split() for column in line.split(",")]
        if len({len(column) for column in columns}) != 1 or len(columns) != len(COLUMNS) or not columns[0]:
            sizes = ", ".join(str(len(column)) for column in columns)
            raise ValueError(f"{path}, line {number}: needs 5 columns with a cell for each residue (got {sizes})")
        residues, _, states, ordered, inside = columns
        try:
            shown = (np.array(ordered, np.float64) == 1) & (np.array(inside, np.float64) == 1)
            eight = np.array([STATES.index(one) for one in states])
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: needs states {STATES} and numbers ({error})") from error
        sequence = "".join(residues)
        if len(sequence) != len(residues):
            raise ValueError(f"{path}, line {number}: needs a letter for each residue")
        eight[~shown] = -1
        known = found.setdefault(sequence, np.full(len(eight), -1))
        if bool(((known >= 0) & (eight >= 0) & (known != eight)).any()):
            raise ValueError(f"{path}, line {number}: its states are not those of an earlier line of the same chain")
        found[sequence] = np.maximum(known, eight)
    logger.info("%s: %d lines of %d chains", path, count, len(found))
    return [States(sequence, eight) for sequence, eight in found.items() if bool((eight >= 0).any())]
