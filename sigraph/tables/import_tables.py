"""from_tables: a user's own samples, edges and labels, in files as they are, become a data set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import torch

from sigraph.data.dataset import SampleDataset
from sigraph.data.sample_graph import StoredGraph
from sigraph.files.columns import as_numbers
from sigraph.tables.edge_file import read_edges
from sigraph.tables.edge_table import (
    count_different_weights,
    nothing_left,
    read_weights,
    say_different_weights,
    say_no_weights,
)
from sigraph.tables.float_digits import lost_digits
from sigraph.tables.ids import IdColumn, read_ids
from sigraph.tables.labels import labels_of_samples, read_labels
from sigraph.tables.out_of_core import Progress, build_store
from sigraph.tables.report import GraphRead, TableReport
from sigraph.tables.sample_table import SampleTable, read_samples
from sigraph.tables.table_file import Source
from sigraph.tables.task_table import make_task
from sigraph.tables.term_lists import MIN_COUNT
from sigraph.tasks.splits import SplitRule
from sigraph.tasks.task import Task

V = TypeVar("V")


def from_tables(
    samples: Source,
    edges: Source | Sequence[Source] | Mapping[str, Source],
    tasks: Source | Sequence[Source] | Mapping[str, Source] | None = None,
    *,
    labels: Sequence[str] = (),
    name: str = "",
    id_column: str | None = None,
    edge_columns: tuple[str, str] | None = None,
    weight_column: str | None = None,
    ignore: Sequence[str] = (),
    header: bool = True,
    split: str | None = None,
    split_rates: tuple[float, ...] | None = None,
    seed: int = 0,
    metrics: str | Sequence[str] | Mapping[str, str | Sequence[str]] = "",
    task_types: str | Mapping[str, str] = "",
    drop_unknown: bool = False,
    memory_limit: str | int | None = None,
    scratch: str | Path | None = None,
    progress: Progress | None = None,
    report: TableReport | None = None,
    content: Sequence[str] = (),
    uses: Mapping[str, str] | None = None,
    min_count: int = MIN_COUNT,
    gaps: bool = False,
    lists_are_terms: bool = False,
) -> SampleDataset:
    """A data set from a table of samples, tables of edges and tables of labels.

    Tables are CSV, TSV, text with blanks and comments, FASTA (all also ``.gz``), JSONL or Parquet files or pyarrow
    Tables, a folder of texts is one too, and Matrix Market and GraphML hold edges; ``.npy`` files hold feature rows
    [N, F], edges [E, 2] or [2, E], and labels [N] or [N, num_columns], with 0 ... N - 1 for ids. Ids are integers or
    text, never changed: ``001`` is text and another sample than ``1``.

    Args:
        samples: One row a sample: its id and what describes it. If every other column holds numbers, they are the
            features; otherwise the samples are records.
        edges: One row an edge: two ids and perhaps a weight. Several graphs as a mapping by name, or a sequence, named
            after the files.
        tasks: One row a label: an id and one column of classes (integers or text), one of numbers (regression) or
            several of 0 and 1 (multi-label); empty cells are missing labels. A column ``split`` holds train, valid
            (val, dev) or test.
        labels: Columns of the samples that are labels and no features; a task each.
        name: The data set's name; by default after the file.
        id_column: Of samples and tasks; by default ``id``, else the first column if it can be one.
        edge_columns: By default source/target, src/dst, from/to or u/v, else the first two.
        weight_column: By default ``weight``, if there is one.
        ignore: Columns of the samples to leave out.
        header: Whether CSV and TSV files name their columns; if not, they are column1, column2, ... in all files but
            those whose first row plainly names them.
        split: How splits are drawn: ``random``, ``stratified``, ``group:COLUMN`` (of the task or of the samples) or
            ``scaffold:COLUMN`` (of the samples' SMILES); None: as a ``split`` column says, else stratified for classes
            and random for the rest.
        split_rates: Shares of train, valid and test; None: as a ``split`` column says, else 0.8, 0.1, 0.1. A column
            ``split`` is not used where either is given, which the report says.
        seed: Of the draw.
        metrics: Metric by task, or one for all; by default the usual one of the type. In place of one name a list, of
            which the first decides and the others are reported beside it.
        task_types: classification or regression by task, or one for all, where the cells leave it open; ``terms`` where
            a cell is a list such as ``GO:1;GO:2``, or an id has several rows: each term is a label of 0 and 1.
        drop_unknown: Drop edges and labels of ids that no sample has, rather than refuse them.
        memory_limit: Of the process, such as ``2GB``: edges are read in pieces and sorted on disk. None: in memory.
        scratch: With ``memory_limit``, the folder where graphs are built; it has to stay until the data set is saved.
        progress: With ``memory_limit``, is told what is being done, and the share of it that is.
        report: Is filled with what was understood, as it is understood: there is something to print after an error.
        content: Columns of the samples that are known to describe them, so that none of them is taken for the id for
            being the first one; where the first is one of them and none is called ``id``, samples are numbered.
        uses: What columns of the samples are for, by column: text, sequence, protein, dna, rna, smiles, category or
            terms; of the others it is guessed, and said in the report.
        min_count: Of a task of terms, samples that a term needs; rarer ones are left out, which the report says.
        gaps: Whether numbers of the samples may be missing: they are records then, which ``TableFeatures`` reads.
        lists_are_terms: Whether labels whose cells plainly are lists are terms where ``task_types`` leaves it open,
            which the report says.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: What is wrong with a file, where in it, and the way out.

    Example:
        >>> dataset = from_tables("papers.csv", "citations.csv", tasks="topics.csv")
        >>> dataset.save("papers")
    """
    report = TableReport() if report is None else report
    rule = SplitRule.parse(split, split_rates, seed)
    edge_sources, task_sources = _named("edges", edges), {} if tasks is None else _named("task", tasks)
    label_of = _unique("task", [(clean_name(column), column) for column in labels])
    _unique("task", [(key, key) for key in (*task_sources, *label_of)])
    table, report.samples = read_samples(
        samples, id_column, labels, rule.group_column, ignore, header, content, uses, gaps
    )
    graphs: dict[str, StoredGraph] = {}
    if (memory_limit is None) != (scratch is None):
        raise ValueError("'memory_limit' and 'scratch' need each other in 'from_tables'")
    for key, source in edge_sources.items():
        if memory_limit is None or scratch is None:
            graphs[key], graph_read = read_graph(
                key, source, table, edge_columns, weight_column, header=header, drop_unknown=drop_unknown
            )
        else:
            if isinstance(source, pa.Table):
                raise ValueError(f"edges {key!r} are in memory already; 'memory_limit' needs a file")
            graph_read = build_store(
                source,
                Path(scratch) / key,
                ids=table.index,
                memory_limit=memory_limit,
                name=key,
                edge_columns=edge_columns,
                weight_column=weight_column,
                header=header,
                drop_unknown=drop_unknown,
                progress=progress,
            )
            graphs[key] = StoredGraph.open(Path(scratch) / key)
        report.graphs.append(graph_read)
    metric = _by_task("metrics", metrics, [*label_of, *task_sources])
    kind = _by_task("task_types", task_types, [*label_of, *task_sources])
    found: dict[str, Task] = {}
    for key in (*label_of, *task_sources):
        if key in label_of:
            rows = labels_of_samples(table, label_of[key], rule.group_column)
        else:
            rows = read_labels(task_sources[key], table, key, id_column, rule.group_column, header, drop_unknown)
        asked = (kind.get(key, ""), metric.get(key, ""), min_count, lists_are_terms)
        task, task_read = make_task(key, rows, table, rule, *asked)
        found[key] = task
        report.tasks.append(task_read)
    name = clean_name(name) if name else source_name(samples, "own")
    ids, features = table.index.column.ids, table.feature_names
    dataset = SampleDataset(table.samples, graphs, found, name, ids=ids, feature_names=features)
    dataset.column_uses = report.samples.columns
    return dataset


def read_graph(
    name: str,
    source: Source,
    table: SampleTable,
    columns: tuple[str, str] | None = None,
    weight: str | None = None,
    header: bool = True,
    drop_unknown: bool = False,
) -> tuple[StoredGraph, GraphRead]:
    """Read the edges of one graph.

    Raises:
        ValueError: Ids that no sample has, unless ``drop_unknown``; ids or weights that are missing or wrong.
    """
    file, ends = read_edges(source, header, f"edges {name!r}", columns, table.index)
    weight = file.find(weight) if weight else file.first_of("weight")
    pair = [read_ids(file, column) for column in ends]
    position = np.stack([table.index.find(column) for column in pair])  # [2, E]
    known: np.ndarray = np.logical_and(*(position >= 0))
    notes, unknown = list(file.notes), ""
    if not known.all():
        joined = IdColumn(
            f"{file.name}, columns {ends[0]!r} and {ends[1]!r}",
            pa.concat_arrays([column.text for column in pair]),
            all(column.is_integer for column in pair),
            file.is_typed,
        )
        said = table.index.say_unknown(joined, position.reshape(-1), ~known, "edge")
        if not drop_unknown:
            raise ValueError(f"{joined.where}: {said}; drop these edges by --drop-unknown, or add the samples")
        notes.append(f"dropped {said}")
        unknown = f"such as {joined.show(joined.text.filter(pa.array(position.reshape(-1) < 0))[:1])}"
    ends_known = position[:, known]
    weights = None
    if weight is not None:
        cells = read_weights(file, weight)
        given = as_numbers(cells)[known] if not pa.types.is_integer(cells.type) else cells.to_numpy()[known]
        weights = torch.from_numpy(given.astype(np.float32))
        if given.size and not given.any():
            notes.append(say_no_weights(weight))
        if different := count_different_weights(ends_known, len(table.index), given):
            notes.append(say_different_weights(different))
        if lost := lost_digits(given):
            notes.append(f"weights in {weight!r} lose digits: {lost}")
    try:
        graph = StoredGraph.from_edges(torch.from_numpy(ends_known), len(table.index), weights)
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from error
    dropped = graph.dropped  # stands in the report
    if graph.num_edges == 0:
        num_unknown = int((~known).sum())
        left = (file.table.num_rows, num_unknown, dropped["self_loops"])
        raise ValueError(nothing_left(file.name, *left, unknown))
    unused = [column for column in file.table.column_names if column not in (*ends, weight)]
    if unused:
        notes.append(f"columns not used: {', '.join(map(repr, unused))}")
    weighted = f", weights in {weight!r}" if weight else ", no weights"
    described = f"ids in {ends[0]!r} and {ends[1]!r}{weighted}"
    isolated = int((graph.csr()[0].diff() == 0).sum())
    sizes = (file.table.num_rows, graph.num_edges // 2, isolated, len(table.index))
    return graph, GraphRead(name, file.name, described, *sizes, **dropped, notes=notes)


def clean_name(text: str) -> str:
    """A text as a name of letters, digits, '.', '_' and '-'."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._") or "unnamed"


def source_name(source: Source, fallback: str) -> str:
    """What a graph, task or data set is called by default: after its file."""
    if not isinstance(source, str | Path):
        return fallback
    return clean_name(re.sub(r"(\.[A-Za-z]+){1,2}$", "", Path(source).name))


def _named(kind: str, sources: Source | Sequence[Source] | Mapping[str, Source]) -> dict[str, Source]:
    """Sources by name; files are named after themselves."""
    if isinstance(sources, Mapping):
        return dict(sources)
    listed = list(sources) if isinstance(sources, Sequence) and not isinstance(sources, str) else [sources]
    return _unique(kind, [(source_name(source, kind), source) for source in listed])


def _unique(kind: str, items: Sequence[tuple[str, V]]) -> dict[str, V]:
    names = [name for name, _ in items]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two {kind} sources have the name {twice[0]!r}; name one yourself: NAME=FILE")
    return dict(items)


def _by_task(what: str, value: V | Mapping[str, V], tasks: Sequence[str]) -> dict[str, V]:
    if not isinstance(value, Mapping):
        return dict.fromkeys(tasks, value)
    unknown = [name for name in value if name not in tasks]
    if unknown:
        option = f"--{what.removesuffix('s').replace('_', '-')}"
        raise ValueError(f"{option} ('{what}') names the task {unknown[0]!r}; there are: {', '.join(tasks) or 'none'}")
    return dict(value)
