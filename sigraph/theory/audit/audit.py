"""Audit: whether a graph can help a task, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sigraph.data import SampleDataset
from sigraph.data.consistency import Agreement, is_constant, node_agreement
from sigraph.data.sample_graph import SampleGraph
from sigraph.edges.neighborhood import neighbor_sums
from sigraph.files.arguments import check_choices, check_integers, check_kinds
from sigraph.graphs import GraphConstructor
from sigraph.tasks.base import BaseTask
from sigraph.tasks.labelled import LabelledTask
from sigraph.tasks.scorable import rare_class, undefined
from sigraph.tasks.task import is_labelled, label_type
from sigraph.theory.audit.interval import bootstrap_interval
from sigraph.theory.audit.null import NULLS, Null, permutation_null, rewiring_null
from sigraph.theory.audit.report import VERDICTS, AuditReport, AuditRow, Part
from sigraph.theory.audit.shape import graph_shape
from sigraph.theory.given import (
    LABELS,
    Graphs,
    Tasks,
    check_fit,
    check_made_from,
    compact_classes,
    named_graphs,
    named_tasks,
    used_labels,
)
from sigraph.theory.leakage.leakage import leakage
from sigraph.theory.leakage.report import LeakageReport

LEAST_Z, LEAST_GAIN = 3.0, 0.15
MOST_DRAWS = 1_000_000


def audit(
    graph: Graphs | SampleDataset,
    tasks: Tasks | None = None,
    *,
    labels: str = "seen",
    null: str = "permute",
    draws: int = 100,
    resamples: int = 400,
    seed: int = 0,
    dataset: SampleDataset | None = None,
    graph_labels: Mapping[str, GraphConstructor | Tensor] | None = None,
) -> AuditReport:
    r"""Say of each graph and task whether pre-training on the graph can help the task. Nothing is trained.

    Local consistency (LC, see :func:`~sigraph.data.local_consistency`) is set beside its null, what it would be if the
    graph said nothing about the labels, and gives the verdict:

    - *suspicious*: the graph or the split leaks what is to be predicted;
    - *useless*: :math:`z = (LC - \text{null mean}) / \text{null std} < 3`, or LC is not defined;
    - *promising*: z >= 3 and LC at least 0.15 above the null mean;
    - *weak*: z >= 3 and less above it;
    - *undefined*: the task's labels are not of samples (of pairs, of parts), so that there is no LC.

    Args:
        graph: A graph, or graphs by name; or a data set, for its graphs, its tasks unless others are given, and as
            ``dataset``.
        tasks: A task, tasks by name or in a list; or labels alone, as :class:`Task` takes them, perhaps by name (1-D
            integer = classes, -1 missing; 1-D text = classes by name; 1-D float = regression, NaN missing; 2-D =
            multi-label in {0, 1}, NaN missing). What may surprise about them is warned of.
        labels: Which labels of a :class:`Task` are looked at. ``seen``: of train and valid, since whoever chooses a
            graph by labels of the test samples has tested on them; ``train``; ``all``, for a description of data that
            chooses nothing. Of labels that come without a split all are used.
        null: ``permute``: the labels handed out anew (exact for classes, and for label columns that a sample has all or
            none of; otherwise by draws); ``rewire``: the ends of all edges exchanged, degrees kept (by draws, each as
            dear as a rewired graph).
        draws: Draws of the null where it is drawn, in [2, 10^6].
        resamples: Resamples of the bootstrap over nodes, in [2, 10^6].
        seed: Of draws and resamples.
        dataset: The samples and their ids, for :func:`~sigraph.theory.leakage`, which looks at every :class:`Task`;
            None: it is given the graph and the labels alone. Labels without a split hold no test set to leak.
        graph_labels: What graphs were made from, by their names; see :func:`~sigraph.theory.leakage`.

    Returns:
        A row for each graph and task. What cannot be told (no edges, no labels, one class, a constant target) is a row
        too, *useless* with the reason.

    Raises:
        ValueError: Labels are not one a node, or an argument does not fit; the message names graph and task.

    Example:
        >>> report = sg.audit(dataset.graph(), dataset.task())
        >>> report.rows[0].verdict
        'promising'

    Source: McDermott et al., "Structure-inducing pre-training", Nature Machine Intelligence 2023, Theorem 1.
    """
    if isinstance(graph, SampleDataset):
        for what, parts in (("graph", graph.held_graphs), ("task", graph.tasks)):
            if not parts and (what == "graph" or tasks is None):
                raise ValueError(f"data set {graph.name!r} has no {what} to look at in 'audit'")
        dataset = graph if dataset is None else dataset
        tasks = graph.tasks if tasks is None else tasks
        graph = graph.held_graphs
    graphs, named = named_graphs(graph), named_tasks(tasks)
    check_choices("audit", list(LABELS), labels=labels)
    check_choices("audit", NULLS, null=null)
    if dataset is not None:
        check_kinds("audit", dataset=(dataset, SampleDataset))
    made_from = check_made_from(graph_labels, graphs)
    check_integers("audit", 2, draws=draws, resamples=resamples)
    if max(draws, resamples) > MOST_DRAWS:
        raise ValueError(
            f"'draws' and 'resamples' need to be at most {MOST_DRAWS:,} in 'audit' (got {draws}, {resamples})"
        )
    check_integers("audit", 0, seed=seed)
    for name, task in named.items():
        for key, value in graphs.items():
            check_fit(key, value, name, task)
    settings = _Settings(labels, null, draws, resamples, seed)
    rows = []
    for key, value in graphs.items():
        shape = graph_shape(value.store)
        for name, task in named.items():
            row = AuditRow(key, name, "", shape=shape)
            leak = None
            if isinstance(task, BaseTask):
                leak = leakage(dataset, value, task, graph_labels=made_from.get(key))
            _fill(row, value, task, settings, leak)
            rows.append(row)
    return AuditReport(rows)


def decide(
    value: float | None, mean: float | None, z: float | None, leak: LeakageReport | None = None
) -> tuple[str, str]:
    """The verdict and its reason, from local consistency, its null mean and z; None: not defined."""
    if leak is not None and leak.suspicious:
        return "suspicious", "; ".join(leak.reasons)
    if value is None or mean is None or z is None:
        return "useless", "local consistency or its null is not defined"
    gain = round(value - mean, 9)  # 0.45 is 0.15 above 0.3, whatever their last digits
    if z < LEAST_Z:
        return "useless", f"LC {value:.3f} is no more than what chance gives, {mean:.3f}: z {z:.1f} is below 3"
    if gain >= LEAST_GAIN:
        return "promising", f"LC {value:.3f} is {gain:.3f} above what chance gives, {mean:.3f}; z {z:.1f}"
    return "weak", f"LC {value:.3f} is only {gain:.3f} above what chance gives, {mean:.3f}, but surely so: z {z:.1f}"


# One row ##############################################################################################################


@dataclass(frozen=True)
class _Settings:
    labels: str
    null: str
    draws: int
    resamples: int
    seed: int


def _fill(
    row: AuditRow, graph: SampleGraph, task: BaseTask | Tensor, settings: _Settings, leak: LeakageReport | None
) -> None:
    y, store = used_labels(task, settings.labels), graph.store
    row.leakage = None if leak is None else leak.to_dict()
    if y is None:
        _fill_without_labels(row, graph, task, leak)
        return
    known, given = is_labelled(y), task.sample_labels() if isinstance(task, BaseTask) else y
    samples = known if given is None else is_labelled(given)
    near = neighbor_sums(store, known.float()[:, None]).view(-1) > 0
    row.type, row.labels = label_type(y), settings.labels if isinstance(task, BaseTask) else "given"
    row.num_samples, row.num_labelled = int(samples.sum()), int(known.sum())
    row.num_counted = int((known & near).sum())
    row.coverage = _share(store.degree(torch.arange(store.num_nodes)) > 0, samples)
    row.labelled_coverage = _share(near, samples)
    numbers = list(range(y.size(1))) if y.dim() == 2 else []
    if row.type == "classification":
        y, numbers = compact_classes(y)
        is_accuracy = not isinstance(task, BaseTask) or task.metric == "accuracy"
        row.notes += rare_class(y, _names(task, numbers).__getitem__, is_accuracy)
    row.notes += undefined(task) if isinstance(task, LabelledTask) else []
    found = node_agreement(store, y)
    problem = _undefined(found, y, known, row)
    if problem is None:
        _measure(row, found, graph, y, _names(task, numbers), settings)
    row.verdict, row.reason = decide(row.local_consistency, row.null_mean, row.z, leak)
    if row.verdict == "useless" and row.z is None:
        row.reason = problem or _without_spread(row)
    elif row.verdict in VERDICTS[:2] and row.majority is not None:
        above = (row.local_consistency or 0) > row.majority
        row.reason += f"; {'above' if above else 'not above'} the share of the largest class, {row.majority:.3f}"


def _fill_without_labels(row: AuditRow, graph: SampleGraph, task: Any, leak: LeakageReport | None) -> None:
    """Of a task whose items are no samples: how far the graph reaches, and what it leaks."""
    touched = torch.zeros(graph.store.num_nodes, dtype=torch.bool)
    for part in task.split:
        touched[task.part_samples(part)] = True
    row.type, row.labels, row.num_samples = task.item, "none", int(touched.sum())
    row.coverage = _share(graph.store.degree(torch.arange(graph.store.num_nodes)) > 0, touched)
    row.verdict, row.reason = decide(None, None, None, leak)
    if leak is None or not leak.suspicious:
        row.verdict = "undefined"
        row.reason = f"labels are of a {task.item}, not of a sample: only leakage was looked at"


def _measure(
    row: AuditRow, found: Agreement, graph: SampleGraph, y: Tensor, names: list[str], settings: _Settings
) -> None:
    """Local consistency, its interval and its null, of all and of each class or label column."""
    draws, seed = settings.draws, settings.seed
    if settings.null == "rewire":
        chance = rewiring_null(graph, y, found, draws, seed)
    else:
        chance = permutation_null(graph.store, y, found, draws, seed)
    interval, part_interval = bootstrap_interval(found, settings.resamples, seed)
    row.local_consistency = found.value()
    row.low, row.high = (_number(value) for value in interval)
    row.null, row.null_draws = chance.how, chance.num_draws
    row.null_mean, row.null_std = _number(chance.mean), _number(chance.std)
    row.z = _z(row.local_consistency, chance.mean, chance.std)
    if found.own is None:
        row.parts = _parts(found, chance, part_interval, names)
    if found.kind == "classification":
        row.majority = float(found.count.max() / found.count.sum())


def _parts(found: Agreement, chance: Null, interval: Tensor, names: list[str]) -> list[Part]:
    count, value = found.count, found.by_column()
    parts = []
    for i in count.nonzero().view(-1).tolist():
        mean, std = float(chance.part_mean[i]), float(chance.part_std[i])
        part = Part(names[i], int(count[i]), float(value[i]), *(_number(end) for end in interval[:, i]))
        part.null_mean, part.null_std, part.z = _number(mean), _number(std), _z(part.local_consistency, mean, std)
        parts.append(part)
    return parts


def _undefined(found: Agreement, y: Tensor, known: Tensor, row: AuditRow) -> str | None:
    """Why local consistency is not defined; None if it is."""
    if not bool(known.any()):
        return "no sample has a label that may be looked at" if row.num_samples else "there are no labels"
    if row.shape.num_edges == 0:
        return "the graph has no edges"
    if not found.node.numel():
        if found.kind == "multilabel" and not bool((y == 1).any()):
            return "no sample carries a label"
        return "no labelled sample has a labelled neighbour"
    if found.own is not None and is_constant(found.own):
        return "the target is constant among samples with a labelled neighbour"
    if found.own is not None and is_constant(found.share):
        return "the means over neighbours are constant"
    return None


def _without_spread(row: AuditRow) -> str:
    """Why the null does not vary."""
    if row.type == "classification" and len(row.parts) == 1:
        return "all labelled samples with a labelled neighbour are of one class"
    if row.null == "exact":
        return "every permutation of the labels gives this LC: the graph does not tell one sample from another"
    return f"fewer than two of {row.null_draws} draws differ: there is no chance to compare with"


def _z(value: float, mean: float, std: float) -> float | None:
    return (value - mean) / std if std > 0 and math.isfinite(mean) else None


def _number(value: Tensor | float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _share(mask: Tensor, among: Tensor) -> float | None:
    return float(mask[among].double().mean()) if bool(among.any()) else None


def _names(task: BaseTask | Tensor, numbers: list[int]) -> list[str]:
    """What the user calls each class or label column."""
    given = task.classes if isinstance(task, BaseTask) and task.classes is not None else []
    return [str(given[number]) if number < len(given) else str(number) for number in numbers]
