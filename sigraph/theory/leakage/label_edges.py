"""Edges that carry labels: graphs made from the labels of a task that is scored, known or found by looking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from sigraph.data import SampleDataset
from sigraph.data.sample_graph import SampleGraph
from sigraph.edges import LabelSetStore
from sigraph.edges.label_store import in_full
from sigraph.graphs import GraphConstructor, LabelGraph, Rewired
from sigraph.graphs.label_graph import train_labels
from sigraph.tasks import Task
from sigraph.tasks.task import is_labelled

LEAST_CLIQUE, LEAST_EDGES = 3, 10  # of cliques that chance does not make
LEAST_CARRIERS = 5  # samples with and without a label, of columns that are not equal by chance


class MadeFrom(NamedTuple):
    """Labels that edges are made from.

    Args:
        what: In words.
        labels: Missing where a sample takes no part. Shape [N] or [N, L].
        allowed: Whether ``allow_label_edges`` says that this is meant.
    """

    what: str
    labels: Tensor
    allowed: bool = True


def label_graphs(constructor: GraphConstructor) -> Iterator[LabelGraph]:
    """The label graphs in a constructor, itself included, however deep they are nested; not those rewired in full."""
    if isinstance(constructor, LabelGraph):
        yield constructor
    if isinstance(constructor, Rewired) and constructor.rate == 1:
        return
    for part in constructor.inner():
        yield from label_graphs(part)


def labels_in_edges(constructor: GraphConstructor, dataset: SampleDataset) -> list[MadeFrom]:
    """What the label graphs in a constructor are made from, on a data set."""
    found = []
    for part in label_graphs(constructor):
        source = dataset.task(part.labels)
        seen = source.labels if part.allow_label_edges else train_labels(source)
        found.append(MadeFrom(f"{type(part).__name__} of task {source.name!r}", seen, part.allow_label_edges))
    return found


def told(labels: Tensor, task: Task) -> Tensor:
    """Samples of the task whose label is told by ``labels``, from which edges are made.

    Labels tell a task's if they are the same wherever both are known; classes also if each of them lies in one class of
    the task, and half of the samples lie in classes of at least two. Of several columns, and classes, each is
    compared with each.

    Args:
        labels: As in :class:`~sigraph.data.Task`, missing where a sample takes no part. Shape [N] or [N, L].

    Returns:
        Sample ids, none if the labels do not tell the task's. Shape [M].
    """
    nobody = torch.empty(0, dtype=torch.long)
    if len(labels) != task.num_samples:
        raise ValueError(f"'graph_labels' needs one label per sample, {task.num_samples} (got {len(labels)})")
    both = (is_labelled(labels) & is_labelled(task.labels)).nonzero().view(-1)
    given, wanted = labels[both], task.labels[both]
    if not len(both):
        return nobody
    if given.shape == wanted.shape:
        known = ~(torch.isnan(given.double()) | torch.isnan(wanted.double()))
        if bool(known.any()) and bool((given[known].double() == wanted[known].double()).all()):
            return both
    if given.dim() == 2 and not (wanted.dim() == 1 and wanted.is_floating_point()):
        columns = wanted if wanted.dim() == 2 else one_hot(wanted)
        return both[~torch.isnan(columns.double()[:, _columns_told(given, columns)]).all(dim=1)]
    if task.type != "classification" or given.dim() != 1 or given.is_floating_point():
        return nobody
    finer, count = given.unique(return_inverse=True, return_counts=True)[1:]
    low = torch.full_like(count, int(wanted.max()) + 1).scatter_reduce_(0, finer, wanted.long(), "amin")
    high = torch.full_like(count, -1).scatter_reduce_(0, finer, wanted.long(), "amax")
    in_pairs = int((count[finer] > 1).sum())
    return both if bool((low == high).all()) and 2 * in_pairs >= len(both) else nobody


def _columns_told(given: Tensor, wanted: Tensor) -> Tensor:
    """Columns of ``wanted`` that one of ``given`` repeats wherever both are known, and has both values, one of them
    several times: what chance does not make. Shapes [n, G], [n, L] -> [L] bool."""
    ones_given, ones_wanted = (given == 1).double(), (wanted == 1).double()
    zeros_given, zeros_wanted = (given == 0).double(), (wanted == 0).double()
    ones, zeros = ones_given.t() @ ones_wanted, zeros_given.t() @ zeros_wanted  # [G, L] samples
    differ = ones_given.t() @ zeros_wanted + zeros_given.t() @ ones_wanted
    same = (differ == 0) & (ones >= LEAST_CARRIERS) & (zeros >= LEAST_CARRIERS)
    return same.any(dim=0)


def is_label_cliques(graph: SampleGraph, labels: Tensor) -> bool:
    """Whether a graph is nothing but the cliques of a task's labels, which no observed graph is by itself.

    True if every node with an edge is labelled, every edge joins equal labels, all nodes with an edge and the same
    label are joined to each other, and there are two cliques of at least three nodes and ten edges or more. A graph
    whose edges all agree with the labels (local consistency 1) but that lacks a single pair is none.

    Args:
        labels: Classes, or rows of labels without missing ones; others are never taken for cliques. Shape [N] or
            [N, L].
    """
    rows = labels
    if labels.dim() == 2:
        if labels.is_floating_point() and bool(torch.isnan(labels).any()):
            return False
        rows = labels.unique(dim=0, return_inverse=True)[1]
    elif labels.is_floating_point():
        return False
    store = graph.store
    degree = store.degree(torch.arange(store.num_nodes))
    node = (degree > 0).nonzero().view(-1)
    if not len(node) or bool((rows[node] < 0).any()):
        return False
    own, size = rows[node].unique(return_inverse=True, return_counts=True)[1:]
    if not bool((degree[node] == size[own] - 1).all()):
        return False
    if int((size >= LEAST_CLIQUE).sum()) < 2 or int((size * (size - 1)).sum()) < 2 * LEAST_EDGES:
        return False
    if isinstance(store, LabelSetStore):  # samples of a set, then joined sets, hold one label
        first = torch.full((store.num_sets,), -1).scatter_reduce_(0, store.set_of.long(), rows.long(), "amax")
        if not bool((rows[node] == first[store.set_of[node].long()]).all()):
            return False
        size_of = store.first.diff()
        row = torch.repeat_interleave(store.sets.rowptr.diff())
        joined = (size_of[row] > 0) & (size_of[store.sets.col] > 0)
        return bool((first[row] == first[store.sets.col])[joined].all())
    full = in_full(store, "is_label_cliques")
    row = torch.repeat_interleave(full.rowptr.diff())
    return bool((rows[row] == rows[full.col.long()]).all())
