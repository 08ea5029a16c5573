"""A user's edges and labels without samples: whoever has an edge or a label is a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.data.sample_graph import StoredGraph
from sigraph.files.columns import is_text
from sigraph.files.counted import counted
from sigraph.files.paths import user_path
from sigraph.tables.edge_file import read_edges
from sigraph.tables.ids import IdColumn, IdIndex, read_ids
from sigraph.tables.label_hints import integers_as_classes, numbers_as_classes
from sigraph.tables.labels import LabelTable, encode_labels, read_labels, refuse_conflicts, split_parts
from sigraph.tables.sample_table import SampleTable
from sigraph.tables.table_file import is_array_file, read_array, read_table
from sigraph.tables.term_lists import TERMS, terms_as_columns
from sigraph.tasks.task import SPLITS, Task, is_labelled, said_elsewhere

Ends = tuple[IdColumn, IdColumn]


@dataclass
class LabelledGraphs:
    """Graphs and labels over the same nodes.

    Args:
        graphs: By name.
        tasks: By name; with a whole ``split`` a :class:`Task`, else labels alone.
        names: By task, what the user calls its classes or label columns; none for regression.
        notes: What is worth saying.
    """

    graphs: dict[str, StoredGraph] = field(default_factory=dict)
    tasks: dict[str, Task | Tensor] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_labelled_graphs(
    edges: Mapping[str, str],
    tasks: Mapping[str, str],
    *,
    id_column: str | None = None,
    edge_columns: tuple[str, str] | None = None,
    header: bool = True,
    task_types: Mapping[str, str] | None = None,
) -> LabelledGraphs:
    """Read edges and labels by which graphs are audited.

    Args:
        edges: By name, a table of edges, ``.npy`` of edges, or a folder written by :meth:`PretrainGraph.save` or
            :func:`build_store`, which is mapped. Weights are not read.
        tasks: By name, a table of labels: ids, labels and perhaps ``split``; or ``.npy``, row i is node i.
        id_column: Of tasks; by default ``id``, else the first.
        edge_columns: By default source/target, src/dst, from/to or u/v, else the first two.
        header: Whether CSV and TSV files name their columns.
        task_types: classification, regression or terms by task, where the cells leave it open.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: What is wrong with a file; not one labelled id has an edge.
    """
    out = LabelledGraphs()
    folders = {name: StoredGraph.open(path) for name, path in edges.items() if user_path(path).is_dir()}
    files = {name: path for name, path in edges.items() if name not in folders}
    ends = {name: _read_ends(name, path, edge_columns, header, out.notes) for name, path in files.items()}
    arrays = [path for path in tasks.values() if is_array_file(path)]
    why = ""
    if folders or arrays:
        counts = {graph.store.num_nodes for graph in folders.values()} | {
            len(read_array(path, text=True)) for path in arrays
        }
        if len(counts) > 1:
            raise ValueError(f"graph folders and .npy labels need the same number of nodes (got {sorted(counts)})")
        index = IdIndex(_numbers(counts.pop()))
        first = [*(edges[name] for name in folders), *arrays][0]
        why = f"; {first} says that there are {counted(len(index), 'node')}, from 0 on"
    else:
        index = _all_ids(ends, _label_ids(tasks, id_column, header), out.notes)
    for name in edges:
        out.graphs[name] = folders[name] if name in folders else _graph(name, *ends[name], index, out.notes, why)
    table = SampleTable("the edges", index, torch.empty(len(index), 0))
    for name, path in tasks.items():
        rows = read_labels(path, table, name, id_column, header=header, drop_unknown=bool(folders))
        _add_labels(out, name, rows, table, (task_types or {}).get(name, ""))
    return out


def _read_ends(name: str, path: str, columns: tuple[str, str] | None, header: bool, notes: list[str]) -> Ends:
    file, (u, v) = read_edges(path, header, f"edges {name!r}", columns)
    notes += [f"graph {name!r}: {note}" for note in file.notes]
    unused = [column for column in file.table.column_names if column not in (u, v)]
    if unused:
        notes.append(f"graph {name!r}: columns not used: {', '.join(map(repr, unused))}")
    if not file.table.num_rows:
        notes.append(f"graph {name!r}: {file.name} has no edges, only columns")
    return read_ids(file, u), read_ids(file, v)


def _label_ids(tasks: Mapping[str, str], id_column: str | None, header: bool) -> list[IdColumn]:
    out = []
    for name, path in tasks.items():
        file = read_table(path, header, f"task {name!r}")
        own = [column for column in (id_column, "id") if column]
        out.append(read_ids(file, file.first_of(*(column.lower() for column in own)) or file.table.column_names[0]))
    return out


def _all_ids(ends: Mapping[str, Ends], labelled: list[IdColumn], notes: list[str]) -> IdIndex:
    """Every id with an edge, then those with a label alone, which are isolated nodes."""
    columns = [column for pair in ends.values() for column in pair if len(column)]
    index = IdIndex(_joined(columns or labelled))
    for column in labelled if columns else []:
        position = index.find(column)
        unknown = position < 0
        if unknown.all() and len(column):
            raise ValueError(
                f"{column.where}: not one of its ids (such as {column.show(column.text[:1])}) is an end of an edge "
                f"(such as {index.column.show(index.column.text[:1])}); are these the ids that the edges are between?"
            )
        if unknown.any():
            notes.append(f"{column.where}: {index.say_unknown(column, position, unknown, 'row')}; nodes without edges")
            alone = IdColumn(column.where, column.text.filter(pa.array(unknown)), column.is_integer, column.is_typed)
            index = IdIndex(_joined([index.column, alone]))
    return index


def _joined(columns: list[IdColumn]) -> IdColumn:
    """The different ids of some columns, as one."""
    is_integer = all(column.is_integer for column in columns)
    where = columns[0].where
    if is_integer and not any(is_text(column.ids.type) for column in columns):
        text = pa.array(np.unique(np.concatenate([column.ids.to_numpy() for column in columns]))).cast(
            pa.large_string()
        )
    else:
        text = pc.unique(pa.chunked_array([column.text for column in columns]))
    return IdColumn(where, text, is_integer, all(column.is_typed for column in columns))


def _numbers(count: int) -> IdColumn:
    return IdColumn("node numbers", pa.array(np.arange(count)).cast(pa.large_string()), is_integer=True, is_typed=True)


def _graph(name: str, u: IdColumn, v: IdColumn, index: IdIndex, notes: list[str], why: str) -> StoredGraph:
    ends = np.stack([index.find(u), index.find(v)])
    for position, column in zip(ends, (u, v), strict=True):
        if (position < 0).any():
            raise ValueError(f"{column.where}: {index.say_unknown(column, position, position < 0, 'edge')}{why}")
    graph = StoredGraph.from_edges(torch.from_numpy(ends), len(index))
    dropped = [f"{count:,} {what.replace('_', ' ')}" for what, count in graph.dropped.items() if count]
    if dropped:
        notes.append(f"graph {name!r}: dropped {' and '.join(dropped)}")
    return graph


def _add_labels(out: LabelledGraphs, name: str, rows: LabelTable, table: SampleTable, kind: str) -> None:
    if kind == TERMS:
        rows, kind = terms_as_columns(name, rows, table), ""
    parts = split_parts(rows.where, rows.split)
    refuse_conflicts(name, rows, parts, table)
    labels, classes = encode_labels(name, rows, kind, least=0)  # that there is nothing to tell, the audit says
    out.notes += [f"task {name!r}: {note}" for note in rows.notes]
    count, position = len(table.index), torch.from_numpy(rows.position)
    y = labels.new_full((count, *labels.shape[1:]), -1 if labels.dtype == torch.long else float("nan"))
    y[position] = labels
    out.tasks[name] = y
    hints = [*integers_as_classes(name, y, classes), *numbers_as_classes(name, y)] if not kind else []
    out.notes += [f"task {name!r}: {note}" for note in hints]
    columns = classes if classes is not None else list(rows.labels) if y.dim() == 2 else []
    out.names[name] = [str(column) for column in columns]
    if parts is None:
        return
    part = torch.full((count,), -1)
    part[position] = torch.from_numpy(parts)
    split = {which: ((part == i) & is_labelled(y)).nonzero().view(-1) for i, which in enumerate(SPLITS)}
    empty = [which for which, ids in split.items() if not ids.numel()]
    if empty:
        out.notes.append(f"task {name!r}: its split leaves {', '.join(empty)} empty, so that all labels are looked at")
    else:
        with said_elsewhere():
            out.tasks[name] = Task(name, y, split, classes=[*out.names[name]] or None)
