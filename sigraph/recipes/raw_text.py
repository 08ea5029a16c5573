"""Raw text files of data sets: lines, FASTA, edges between named samples, lists of terms."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sigraph.data.graph import PretrainGraph
from sigraph.files.fasta import fasta_records

logger = logging.getLogger(__name__)


def read_lines(path: Path) -> list[str]:
    """The lines of a text file without their ends (LF or CRLF); blank lines are lines, as they may stand for a sample.

    The last line may lack its end.
    """
    text = path.read_text(encoding="utf-8")  # CRLF becomes LF; other separators, as splitlines knows, stay text
    return text.removesuffix("\n").split("\n") if text else []


def read_rows(path: Path, num_fields: int, separator: str | None = None) -> list[list[str]]:
    """The fields of each line that is not blank.

    Args:
        path: The file.
        num_fields: How many each line needs, exactly.
        separator: Between fields; None: any blanks.

    Raises:
        ValueError: A line has another number of fields; the message names it.
    """
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        rows.append(line.split(separator))
        if len(rows[-1]) != num_fields:
            raise ValueError(f"{path}, line {number}: needs {num_fields} fields (got {len(rows[-1])}: {line!r:.60})")
    return rows


def read_fasta(path: Path) -> dict[str, str]:
    """Sequences by accession: the middle of a header ``>db|ACCESSION|NAME ...``, else its first word.

    Raises:
        ValueError: A sequence without a header or a header without one; an accession that stands there twice.
    """
    return {one.accession: one.sequence for one in fasta_records(read_lines(path), str(path))}


def read_terms(path: Path) -> dict[str, list[str]]:
    """Terms by name, of lines ``name <tab> term,term,...``; a name without a term has an empty list.

    Raises:
        ValueError: A line without a name, or a name that stands there twice.
    """
    terms: dict[str, list[str]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        name, _, listed = line.partition("\t")
        if not name.strip() or name.strip() in terms:
            raise ValueError(f"{path}, line {number}: needs a name of its own (got {name!r})")
        terms[name.strip()] = [term.strip() for term in listed.split(",") if term.strip()]
    return terms


def read_label_numbers(path: Path, num_labels: int) -> dict[int, list[str]]:
    """Labels by node, of lines ``node label label ...``; nodes need not be in order, one without a label may be there.

    Args:
        path: The file.
        num_labels: Labels are integers in [1, num_labels].

    Raises:
        ValueError: A line that is something else, a node that stands there twice, or a label out of range.
    """
    labels: dict[int, list[str]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        node, *listed = line.split() or [""]
        if not all(word.isdecimal() for word in (node, *listed)) or int(node) in labels:
            raise ValueError(f"{path}, line {number}: needs a node of its own and label ids (got {line!r:.60})")
        if wrong := [word for word in listed if not 1 <= int(word) <= num_labels]:
            raise ValueError(f"{path}, line {number}: needs labels in [1, {num_labels}] (got {wrong[0]})")
        labels[int(node)] = listed
    return labels


def commonest(terms: Mapping[str, Iterable[str]], count: int) -> list[str]:
    """The terms that most names carry, the commonest first; among equally common ones by their text."""
    carried = Counter(term for listed in terms.values() for term in set(listed))
    return sorted(carried, key=lambda term: (-carried[term], term))[:count]


def multi_hot(terms: Sequence[Iterable[str] | None], columns: Sequence[str]) -> Tensor:
    """Multi-label rows: 1 where a sample carries the column's term, else 0; NaN where nothing is known of it.

    Args:
        terms: Terms of each sample; others than the columns' do not matter. None or empty: nothing is known.
        columns: Terms that are columns.

    Shapes:
        - **returns:** float [N, num_columns]
    """
    place = {term: i for i, term in enumerate(columns)}
    out = torch.zeros(len(terms), len(columns))
    for row, listed in zip(out, terms, strict=True):
        carried = list(listed or ())
        if carried:
            row[[place[term] for term in carried if term in place]] = 1
        else:
            row.fill_(float("nan"))
    return out


def graph_between(pairs: Iterable[Sequence[str]], names: Sequence[str], drop_unknown: bool = False) -> PretrainGraph:
    """The graph whose edges are pairs of names; one in both directions is one edge, self-loops are dropped.

    Args:
        pairs: The two ends of each line.
        names: What sample 0, 1, ... is called; distinct.
        drop_unknown: Leave out pairs with an end that is no sample, rather than refuse them.

    What was left out is counted in the log.

    Raises:
        ValueError: Names repeat; a pair names no sample, unless ``drop_unknown``; no edge is left.
    """
    place = {name: i for i, name in enumerate(names)}
    if len(place) != len(names):
        raise ValueError(f"'names' needs distinct names in 'graph_between' (got {len(names) - len(place)} repeats)")
    pairs = list(pairs)
    known = [pair for pair in pairs if pair[0] in place and pair[1] in place]
    if len(known) < len(pairs) and not drop_unknown:
        unknown = next(end for pair in pairs for end in pair[:2] if end not in place)
        raise ValueError(f"{len(pairs) - len(known)} edges have an end that is no sample (first: {unknown!r})")
    given = torch.tensor([[place[a], place[b]] for a, b, *_ in known], dtype=torch.long).view(-1, 2).t()
    apart = given[:, given[0] != given[1]]
    edges = apart.sort(dim=0).values.unique(dim=1)
    if edges.numel() == 0:
        raise ValueError(f"'pairs' needs an edge between two samples (got {len(pairs)} lines, {len(known)} of samples)")
    logger.info(
        "%d lines, %d with an end that is no sample, %d self-loops, %d repeats: %d undirected edges",
        len(pairs),
        len(pairs) - len(known),
        len(known) - apart.size(1),
        apart.size(1) - edges.size(1),
        edges.size(1),
    )
    return PretrainGraph(edges, num_nodes=len(names))
