"""Pairs of proteins of which it is known whether they interact, in the files of go2ppi."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

SIGNS = {"+1.0": 1, "-1.0": 0}

logger = logging.getLogger(__name__)


class JudgedPairs(NamedTuple):
    """Pairs of samples with a label.

    Args:
        pairs: Sample ids. Shape [2, P].
        label: 1 where they interact, else 0. Shape [P].
        judged: Every pair of the file, of whatever proteins, self-pairs among them.
    """

    pairs: Tensor
    label: Tensor
    judged: set[frozenset[str]]


def judged_pairs(rows: Sequence[Sequence[str]], names: Sequence[str], what: str) -> JudgedPairs:
    """Pairs of two different samples; what is left out is counted in the log, the first names among it.

    Args:
        rows: Two proteins and ``+1.0`` or ``-1.0`` each.
        names: What sample 0, 1, ... is called.
        what: The file, for messages.

    Raises:
        ValueError: A label is another, no pair is one of samples, or a pair stands there twice with both labels.
    """
    place = {name: i for i, name in enumerate(names)}
    if wrong := [row for row in rows if row[2] not in SIGNS]:
        raise ValueError(f"{what} needs +1.0 or -1.0 in column 3 (got {wrong[0][2]!r} of {wrong[0][0]}, {wrong[0][1]})")
    alone = sum(row[0] == row[1] for row in rows)
    apart = [row for row in rows if row[0] != row[1]]
    kept = [row for row in apart if row[0] in place and row[1] in place]
    absent = sorted({end for row in apart for end in row[:2]} - place.keys())
    if not kept:
        raise ValueError(f"{what} needs a pair of samples (got {len(rows)} pairs, {alone} of a protein with itself)")
    found: dict[frozenset[str], tuple[int, int, int]] = {}
    for row in kept:
        one = (place[row[0]], place[row[1]], SIGNS[row[2]])
        if found.setdefault(frozenset(row[:2]), one)[2] != one[2]:
            raise ValueError(f"{what} has {row[0]} and {row[1]} with both labels")
    logger.info(
        "%s: %d pairs; left out: %d of a protein with itself, %d with one of %d proteins that are no samples (%s%s), "
        "%d repeats",
        what,
        len(rows),
        alone,
        len(apart) - len(kept),
        len(absent),
        ", ".join(absent[:3]),
        ", ..." if len(absent) > 3 else "",
        len(kept) - len(found),
    )
    source, target, label = torch.tensor(list(found.values())).T
    return JudgedPairs(torch.stack([source, target]), label, {frozenset(row[:2]) for row in rows})
