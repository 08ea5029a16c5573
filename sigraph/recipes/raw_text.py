"""Raw text files of data sets: lines, columns, FASTA, edges between samples, lists of terms."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import torch
from torch import Tensor

from sigraph.data.graph import PretrainGraph
from sigraph.files.fasta import fasta_records

logger = logging.getLogger(__name__)

_SHOWN = 5  # names that a message lists


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


def read_columns(path: Path, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Columns of a CSV file with a header, by name and of the types that are asked for; perhaps packed (``.gz``).

    A text is what stands there: ``2010.07920`` stays itself, ``NA`` is a text, and an empty cell is an empty text. A
    blank line is a row, as it may stand for a sample.

    Args:
        path: The file.
        types: By column; others are not read.

    Raises:
        ValueError: A column is missing, a cell is not of its type, a row has another number of cells, or the file
            cannot be unpacked; the message names the file.
    """
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict(types), include_columns=[*types], null_values=[], strings_can_be_null=False
    )
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
    try:
        return pyarrow.csv.read_csv(path, parse_options=parse, convert_options=convert)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        needed = ", ".join(f"{name!r} ({kind})" for name, kind in types.items())
        raise ValueError(f"{path} needs to be a CSV file with the columns {needed} (got: {error})") from error


def read_fasta(path: Path) -> dict[str, str]:
    """Sequences by accession: the middle of a header ``>db|ACCESSION|NAME ...``, else its first word.

    Raises:
        ValueError: A sequence without a header or a header without one; an accession that stands there twice.
    """
    return {one.accession: one.sequence for one in fasta_records(read_lines(path), str(path))}


def with_sequence(names: Iterable[str], sequences: Mapping[str, str], what: str) -> list[str]:
    """The names that have a sequence, sorted; those without, and sequences that nobody names, are counted in the log.

    Args:
        names: Of edges or pairs, perhaps several times.
        sequences: By name.
        what: What they are named by, for the message.

    Raises:
        ValueError: None of them has one.
    """
    asked = set(names)
    found, without = sorted(asked & sequences.keys()), sorted(asked - sequences.keys())
    if not found:
        raise ValueError(
            f"{what} needs names of the {len(sequences):,} sequences (got {len(asked):,} others, {_some(without)})"
        )
    unnamed = sorted(sequences.keys() - asked)
    logger.info(
        "%s: %d names have a sequence; %d have none%s; %d of %d sequences are of no name%s",
        what,
        len(found),
        len(without),
        f" ({_some(without)})" if without else "",
        len(unnamed),
        len(sequences),
        f" ({_some(unnamed)})" if unnamed else "",
    )
    return found


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


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
    return numbered_graph(given, len(names), len(pairs) - len(known))


def numbered_graph(index: Tensor, num_nodes: int, num_unknown: int = 0) -> PretrainGraph:
    """The graph whose edges are pairs of sample numbers; one in both directions is one edge, self-loops are dropped.

    Args:
        index: The two ends of each line. Shape [2, n].
        num_nodes: N.
        num_unknown: Further lines, which had an end that is no sample.

    What was left out is counted in the log.

    Raises:
        ValueError: A number is outside of [0, N); no edge is left.
    """
    if index.numel() and not 0 <= int(index.min()) <= int(index.max()) < num_nodes:
        raise ValueError(
            f"'index' needs sample numbers in [0, {num_nodes}) (got {int(index.min())} to {int(index.max())})"
        )
    apart = index[:, index[0] != index[1]].sort(dim=0).values
    key = (apart[0] * num_nodes + apart[1]).unique()
    if key.numel() == 0:
        lines = index.size(1) + num_unknown
        raise ValueError(f"'pairs' needs an edge between two samples (got {lines} lines, {index.size(1)} of samples)")
    logger.info(
        "%d lines, %d with an end that is no sample, %d self-loops, %d repeats: %d undirected edges",
        index.size(1) + num_unknown,
        num_unknown,
        index.size(1) - apart.size(1),
        apart.size(1) - key.numel(),
        key.numel(),
    )
    return PretrainGraph(torch.stack([key // num_nodes, key % num_nodes]), num_nodes=num_nodes)
