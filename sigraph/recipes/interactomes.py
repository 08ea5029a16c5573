"""Interactomes of many species: an archive of edge lists, a species each, and one FASTA file with all sequences."""

from __future__ import annotations

import gzip
import io
import logging
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sigraph.data.graph import PretrainGraph
from sigraph.files.fasta import fasta_records

_SHOWN = 5  # names that a message lists

logger = logging.getLogger(__name__)


class Interactome(NamedTuple):
    """Edges of one species.

    Args:
        species: Its number in NCBI's taxonomy.
        names: Of its proteins, ``SPECIES.NAME`` as STRING has them, sorted.
        edge: Places in ``names``. int64 [n, 2].
    """

    species: int
    names: list[str]
    edge: np.ndarray


class Interactomes(NamedTuple):
    """Proteins that have a sequence, and the interactions between them, species by species.

    Args:
        names: ``SPECIES.NAME`` of each. [N]
        sequences: Of each. [N]
        graph: Node i is protein i; its group is the place of its species among the species.
        species: Their numbers, ascending.
    """

    names: list[str]
    sequences: list[str]
    graph: PretrainGraph
    species: list[int]


def read_interactomes(archive: Path, fasta: Path) -> Interactomes:
    """Interactions of all species between proteins that have a sequence.

    Proteins without a sequence, with their edges, and sequences of no protein are left out; both are counted in the log
    and the first of the former listed. Self-loops are dropped, repeats are one edge. Memory is that of the edges and of
    the sequences that are kept, and the names of all: the FASTA file, which holds millions of others, is read line by
    line.

    Args:
        archive: ``treeoflife.interactomes.zip`` of SNAP: a file ``SPECIES.txt`` each, two names a line.
        fasta: ``protein.sequences.v10.5.fa`` of STRING, perhaps packed (``.gz``): accessions ``SPECIES.NAME``.

    Raises:
        ValueError: A file is damaged or of another form; no protein of the interactions has a sequence.
    """
    parts = sorted(_parts(archive), key=lambda part: part.species)
    sequence: dict[str, str | None] = dict.fromkeys(name for part in parts for name in part.names)
    num_unnamed = 0
    for record in fasta_records(_lines(fasta), str(fasta)):
        if record.accession in sequence:
            sequence[record.accession] = record.sequence
        else:
            num_unnamed += 1
    found = {name: text for name, text in sequence.items() if text is not None}
    without = [name for name, text in sequence.items() if text is None]
    if not found:
        some = ", ".join(without[:_SHOWN])
        raise ValueError(f"{fasta} needs sequences of the proteins of {archive} (got none of {len(without):,}: {some})")
    place = {name: i for i, name in enumerate(found)}
    edges, group, dropped = [], [], 0
    for number, part in enumerate(parts):
        own = np.array([place.get(name, -1) for name in part.names], dtype=np.int64)
        edge = own[part.edge]
        known = (edge >= 0).all(axis=1)
        dropped += int((~known).sum())
        edges.append(edge[known])
        group.append(np.full(int((own >= 0).sum()), number))
    logger.info(
        "%d species, %d proteins with a sequence; left out: %d without one (%s%s), with %d edges, and %d sequences of "
        "no protein",
        len(parts),
        len(found),
        len(without),
        ", ".join(without[:_SHOWN]),
        ", ..." if len(without) > _SHOWN else "",
        dropped,
        num_unnamed,
    )
    graph = PretrainGraph(_undirected(edges, len(found)), len(found), group=torch.from_numpy(np.concatenate(group)))
    return Interactomes(list(found), list(found.values()), graph, [part.species for part in parts])


def _undirected(edges: list[np.ndarray], num_nodes: int) -> Tensor:
    """Each edge once, without self-loops. Shape [2, E]"""
    pairs = np.sort(np.concatenate(edges), axis=1)
    key = np.unique(pairs[pairs[:, 0] != pairs[:, 1]] @ np.array([num_nodes, 1]))
    return torch.from_numpy(np.stack([key // num_nodes, key % num_nodes]))


def _parts(archive: Path) -> Iterator[Interactome]:
    """The species of the archive."""
    seen: set[int] = set()
    try:
        with zipfile.ZipFile(archive) as held:
            for member in held.namelist():
                name = PurePosixPath(member)
                if name.suffix != ".txt" or "__MACOSX" in name.parts or name.name.startswith("."):
                    continue
                if not name.stem.isdecimal() or int(name.stem) in seen:
                    raise ValueError(f"{archive}: {member} needs a species' number of its own as its name")
                seen.add(int(name.stem))
                with held.open(member) as file:
                    yield _interactome(int(name.stem), io.TextIOWrapper(file, "utf-8"), f"{archive}: {member}")
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{archive} is no readable archive, or cut off ({error})") from error
    if not seen:
        raise ValueError(f"{archive} needs a file SPECIES.txt for each species (got none)")


def _interactome(species: int, lines: Iterable[str], where: str) -> Interactome:
    place: dict[str, int] = {}
    edge: list[int] = []
    for number, line in enumerate(lines, start=1):
        ends = line.split()
        if not ends:
            continue
        if len(ends) != 2:
            raise ValueError(f"{where}, line {number}: needs two proteins (got {line.strip()!r:.60})")
        edge += [place.setdefault(end, len(place)) for end in ends]
    names = sorted(place)
    order = np.empty(len(names), dtype=np.int64)
    order[[place[name] for name in names]] = np.arange(len(names))
    return Interactome(species, [f"{species}.{name}" for name in names], order[np.array(edge, np.int64)].reshape(-1, 2))


def _lines(path: Path) -> Iterator[str]:
    """Lines of a text file, perhaps packed; never all at once."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            yield from file
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read, or is cut off ({error})") from error
