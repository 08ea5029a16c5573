"""leakage: does a graph, or what is trained on, hold the answers of the test set? Counted, before anything trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from sigraph.data import SampleDataset
from sigraph.data.given import checked_ids
from sigraph.data.sample_graph import SampleGraph
from sigraph.files.arguments import check_kinds, said
from sigraph.files.columns import is_text
from sigraph.graphs import GraphConstructor
from sigraph.samples import Samples
from sigraph.samples.alike import Alike, hashed_rows, numbered
from sigraph.samples.given import as_samples
from sigraph.tasks import Task
from sigraph.tasks.base import BaseTask
from sigraph.tasks.task import is_labelled
from sigraph.theory.given import as_numbers
from sigraph.theory.leakage.label_edges import MadeFrom, is_label_cliques, labels_in_edges, told
from sigraph.theory.leakage.near_duplicates import find_alike, near_by_cosine, occurs_in
from sigraph.theory.leakage.pairs import held_pairs
from sigraph.theory.leakage.report import LeakageReport

SHOWN = 5
_CHANCE_ROWS = 1_000


def leakage(
    dataset: SampleDataset | None,
    graph: SampleGraph | None,
    task: BaseTask,
    ids: Any = None,
    samples: Samples | Tensor | pa.Table | None = None,
    graph_labels: GraphConstructor | Tensor | Sequence[MadeFrom] | None = None,
    pretraining: SampleDataset | None = None,
    kinds: Mapping[str, str] | None = None,
    cosine: float | None = None,
) -> LeakageReport:
    """Look for answers of the test set in what is pre-trained on and in what is trained on.

    - *Transductive:* test samples that are nodes of the graph, without their labels, are allowed and said.
    - *Label edges:* edges made from labels that the task is tested on are suspicious. They are known where the graph
      comes from a :class:`~sigraph.graphs.LabelGraph`, alone or inside others; a graph that is exactly the cliques of
      the labels, test samples included, is found as well (see :mod:`~sigraph.theory.leakage.label_edges`).
    - *Repeated samples:* test samples that are alike to a training sample (see
      :mod:`~sigraph.theory.leakage.near_duplicates`) were seen with a label. They are suspicious from two of
      them on if they are more than 1% of the test set; fewer are said. Rows of features, or of codes, with so few
      values that they equal each other by chance are said too, not suspicious: chance is counted as if columns were
      independent, and is the explanation if it gives at least half as many as there are.
    - *Conflicts:* alike samples with different labels; said.
    - *Test pairs:* of a task on pairs of samples, those that the graph joins are suspicious. Of tasks without a label
      a sample nothing else is looked at.

    Args:
        dataset: The task's samples and their ids; None: only what ``samples`` and ``ids`` give.
        graph: The pre-training graph over the samples; with ``pretraining``, over those. None: not looked at.
        task: Labels and split.
        ids: What the user calls each sample, instead of the data set's; the same id again is the same sample. [N]
        samples: Instead of the data set's. N rows.
        graph_labels: What the graph was made from: its constructor, or the labels themselves, missing where a sample
            took no part. [N] or [N, L]
        pretraining: The data set that is pre-trained on, if it is another. Its samples are compared by content, and by
            ids if those of both are text (row numbers mean nothing elsewhere).
        kinds: What columns of records hold; see :func:`~sigraph.theory.leakage.near_duplicates.find_alike`.
        cosine: Feature rows at a cosine of at least this are alike too, in (0, 1]; takes time O(train * test * F).
            None: not looked at.

    Raises:
        ValueError: Numbers of samples, nodes or ids differ from that of labels; ``cosine`` without feature rows.
    """
    check_kinds("leakage", task=(task, BaseTask))
    for name, value, kind in (
        ("dataset", dataset, SampleDataset),
        ("graph", graph, SampleGraph),
        ("pretraining", pretraining, SampleDataset),
    ):
        if value is not None:
            check_kinds("leakage", **{name: (value, kind)})
    report = LeakageReport(task.name, {part: rows.numel() for part, rows in task.split.items()})
    if not isinstance(task, Task):
        if pretraining is None and graph is not None:
            _look_at_pairs(report, graph, task)
        return report
    held = None if dataset is None else dataset.unread
    if samples is not None:
        held = as_samples(samples, "leakage")
        held.check("leakage")
    called = checked_ids(ids, "leakage") if ids is not None else (None if dataset is None else dataset.ids)
    if pretraining is not None and dataset is not None and pretraining.fingerprint == dataset.fingerprint:
        pretraining = None
    for name, given in (("samples", held), ("ids", called)):
        if given is not None and len(given) != task.num_samples:
            raise ValueError(f"{name!r} needs one entry per label, {task.num_samples}, in 'leakage' (got {len(given)})")
    if pretraining is None:
        look_at_graph(report, graph, task, _made_from(graph_labels, dataset))
    _look_at_samples(report, held, called, task, pretraining, kinds, cosine)
    return report


def repeated_in_training(dataset: SampleDataset, task: BaseTask) -> Tensor:
    """The test samples whose content :func:`leakage` finds in training too, without looking at any other sample.

    Returns:
        Sample ids, ascending. Shape [K].
    """
    rows = torch.cat([task.split["train"], task.split["test"]])
    alike = find_alike(dataset.unread.take(rows), ids=None if dataset.ids is None else _take(dataset.ids, rows))
    number = np.arange(len(rows))
    train, test = np.split(number, [task.split["train"].numel()])
    found = torch.from_numpy(occurs_in(alike.loosest, test, train))
    return task.split["test"][found].sort().values


def look_at_graph(report: LeakageReport, graph: SampleGraph | None, task: Task, made_from: Sequence[MadeFrom]) -> None:
    """Fill in what of a report is about the graph.

    Args:
        graph: Over the samples of the task; None: only ``made_from`` is looked at.
        made_from: What labels its edges were made from.
    """
    has_edge = torch.ones(task.num_samples, dtype=torch.bool)
    if graph is not None:
        if graph.num_nodes != task.num_samples:
            need = f"'graph' needs one node per label, {task.num_samples}, in 'leakage'"
            raise ValueError(f"{need} (got {graph.num_nodes})")
        has_edge = graph.store.degree(torch.arange(task.num_samples)) > 0
        report.transductive = {part: int(has_edge[task.split[part]].sum()) for part in ("valid", "test")}
        if report.transductive["test"]:
            report.is_label_cliques = is_label_cliques(graph, task.labels)
    for what, labels, allowed in made_from:
        known = torch.zeros(task.num_samples, dtype=torch.bool)
        known[told(labels, task)] = True
        count = {part: int((known & has_edge)[task.split[part]].sum()) for part in ("valid", "test")}
        if any(count.values()):
            report.label_edges.append({"made_from": what, **count, "allowed": allowed})


def _look_at_pairs(report: LeakageReport, graph: SampleGraph, task: BaseTask) -> None:
    report.read_as = "edges"
    has_edge = graph.store.degree(torch.arange(task.num_samples)) > 0
    report.transductive = {part: int(has_edge[task.part_samples(part)].sum()) for part in ("valid", "test")}
    if (pairs := task.edges()) is not None:
        report.pairs_in_graph, report.num_pairs = int(held_pairs(graph, pairs).sum()), pairs.size(1)


def _made_from(
    graph_labels: GraphConstructor | Tensor | Sequence[MadeFrom] | None, dataset: SampleDataset | None
) -> Sequence[MadeFrom]:
    if graph_labels is None:
        return []
    if isinstance(graph_labels, Tensor | np.ndarray):
        labels = as_numbers("'graph_labels'", graph_labels, "labels", "leakage")
        if labels.dim() not in (1, 2):
            raise ValueError(
                f"'graph_labels' needs labels of shape [N] or [N, L] in 'leakage' (got {list(labels.shape)})"
            )
        return [MadeFrom("the graph", labels)]
    if isinstance(graph_labels, list | tuple) and all(isinstance(one, MadeFrom) for one in graph_labels):
        return graph_labels
    if not isinstance(graph_labels, GraphConstructor):
        raise ValueError(
            "'graph_labels' needs the labels, a tensor, or the constructor that the graph was made by in 'leakage' "
            f"(got {said(graph_labels)})"
        )
    if dataset is None:
        raise ValueError("'graph_labels' needs 'dataset' in 'leakage' if it is a constructor (got None)")
    return labels_in_edges(graph_labels, dataset)


def _look_at_samples(
    report: LeakageReport,
    samples: Samples | None,
    ids: pa.Array | None,
    task: Task,
    pretraining: SampleDataset | None,
    kinds: Mapping[str, str] | None,
    cosine: float | None,
) -> None:
    if cosine is not None and (samples is None or _vectors(samples, task.split["test"]) is None):
        raise ValueError("'cosine' needs feature rows in 'leakage' (got records, or no samples)")
    levels: dict[str, np.ndarray] = {}
    alike: Alike | None = None
    if ids is not None:
        levels["ids"] = ids.dictionary_encode().indices.fill_null(-1).to_numpy().astype(np.int64)
    if samples is not None:
        alike = find_alike(samples, ids=ids, kinds=kinds)
        levels |= alike.levels
    if not levels:
        return
    report.read_as = " and ".join([*(["ids"] if ids is not None else []), *([alike.read_as] if alike else [])])
    report.remarks += alike.notes if alike else []
    train = task.split["train"].numpy()
    seen = {part: np.zeros(report.num[part], dtype=bool) for part in ("valid", "test")}
    for level, code in levels.items():
        report.repeated[level] = _new(seen, {p: occurs_in(code, task.split[p].numpy(), train) for p in seen})
    if cosine is not None and samples is not None:
        known = _vectors(samples, task.split["train"])
        near = {p: near_by_cosine(_vectors(samples, task.split[p]), known, cosine) for p in seen}
        report.repeated["cosine"] = _new(seen, near)
    report.affected = task.split["test"][torch.from_numpy(seen["test"])].sort().values
    report.conflicts = _conflicts(list(levels.values()), task)
    if report.num_affected:
        rows = torch.cat([task.split["train"], task.split["test"]])
        some = None if samples is None else _vectors(samples, rows[:: max(1, len(rows) // _CHANCE_ROWS)])
        chance = _chance(some) if some is not None else alike.chance if alike else 0.0
        report.by_chance = float(report.num["test"] * -np.expm1(-len(train) * chance))
    if pretraining is not None:
        report.is_pretrained_elsewhere = True
        report.num_pretrained = _in_pretraining(report, samples, ids, task, pretraining, kinds)
    elif alike is not None:
        test, others = task.split["test"].numpy(), np.ones(task.num_samples, dtype=bool)
        others[test] = False
        report.num_pretrained = int(occurs_in(alike.loosest, test, others.nonzero()[0]).sum())


def _new(seen: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> dict[str, int]:
    """How many were not found before; they are from now on."""
    count = {part: int((found[part] & ~seen[part]).sum()) for part in seen}
    for part in seen:
        seen[part] |= found[part]
    return count


def _in_pretraining(
    report: LeakageReport,
    samples: Samples | None,
    ids: pa.Array | None,
    task: Task,
    pretraining: SampleDataset,
    kinds: Mapping[str, str] | None,
) -> int | None:
    test, others = task.split["test"], pretraining.ids
    found = np.zeros(len(test), dtype=bool)
    by_ids = ids is not None and others is not None and is_text(ids.type) and is_text(others.type)
    if ids is not None and others is not None and by_ids:
        found |= pc.is_in(_take(ids, test).cast(pa.large_string()), others.cast(pa.large_string())).to_numpy(False)
    if samples is not None:
        try:
            alike = find_alike(samples.take(test), pretraining.unread, kinds=kinds)
        except ValueError as error:
            report.remarks.append(f"not compared with the pre-training samples: {error}")
            return int(found.sum()) if by_ids else None
        number = np.arange(len(test) + len(pretraining))
        found |= occurs_in(alike.loosest, number[: len(test)], number[len(test) :])
    return int(found.sum()) if by_ids or samples is not None else None


def _conflicts(levels: list[np.ndarray], task: Task) -> dict[str, Any]:
    """Groups of labelled samples that are alike, by any level, and differ in their labels."""
    known = is_labelled(task.labels).nonzero().view(-1).numpy()
    label = task.labels.numpy()[known]
    if label.ndim == 2:
        label = numbered(hashed_rows(torch.nan_to_num(task.labels[torch.from_numpy(known)].float(), nan=-1.0)))
    group = _joined_levels([code[known] for code in levels])
    order = np.argsort(group, kind="stable")
    start = np.flatnonzero(np.diff(group[order], prepend=-1))
    low, high = np.minimum.reduceat(label[order], start), np.maximum.reduceat(label[order], start)
    stop = np.append(start[1:], len(order))
    differ = np.flatnonzero(low != high)
    in_train = np.isin(known, task.split["train"].numpy())[order]
    low_train = np.minimum.reduceat(np.where(in_train, label[order], np.inf), start)
    train = int((low_train < np.maximum.reduceat(np.where(in_train, label[order], -np.inf), start)).sum())
    first = sorted(known[order[start[i] : stop[i]]].tolist() for i in differ)[:SHOWN]
    size = int((stop - start)[differ].sum())
    return {"groups": len(differ), "groups_in_train": train, "samples": size, "first": first}


def _joined_levels(levels: list[np.ndarray]) -> np.ndarray:
    """Samples alike at some level, also over others, as one group. [N] numbers"""
    size = len(levels[0])
    rows, cols, width = [], [], size
    for code in levels:
        has = np.flatnonzero(code >= 0)
        rows.append(has)
        cols.append(code[has] + width)
        width += int(code.max(initial=-1)) + 1
    row, col = np.concatenate(rows), np.concatenate(cols)
    graph = coo_matrix((np.ones(len(row), np.int8), (row, col)), shape=(width, width))
    return connected_components(graph, directed=False)[1][:size].astype(np.int64)


def _vectors(samples: Samples, rows: Tensor) -> Any:
    """The vectors of some samples; None: they have none."""
    return samples.take(rows).vectors()


def _chance(rows: Tensor) -> float:
    """Probability that two rows are equal if every feature is drawn by itself, from some rows."""
    value = rows.double().sort(dim=0).values.numpy()
    num_pairs, log = len(value) * (len(value) - 1) / 2, 0.0
    if not num_pairs:
        return 0.0
    for column in value.T:
        run = np.diff(np.flatnonzero(np.append(np.diff(column, prepend=np.nan) != 0, True)))
        log += np.log(max((run * (run - 1) / 2).sum(), 1.0) / num_pairs)
    return float(np.exp(log))


def _take(values: pa.Array, rows: Tensor) -> pa.Array:
    return values.take(pa.array(rows.numpy()))
