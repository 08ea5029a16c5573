"""What a pre-training may see of a data set: which samples, and of which of them edges and labels."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor

from sigraph.config.inductive import MEANINGS, Inductive, hides_for, meaning, share_of
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.edges import LabelSetStore
from sigraph.files.random import keyed_generator
from sigraph.files.suggestions import did_you_mean
from sigraph.graphs import GraphConstructor
from sigraph.tasks import Task
from sigraph.tasks.base import BaseTask
from sigraph.tasks.seen_labels import SeenLabels, seen_labels
from sigraph.theory.leakage.pairs import tested_pairs, without_pairs

_DRAWN = 20_240_613  # the key of the test samples that a share hides: no arm's, no seed's


class Sight(NamedTuple):
    """What a pre-training may see; :data:`~sigraph.config.inductive.MEANINGS` has it in words.

    Args:
        samples: Samples that it is given, ascending; None: all.
        joined: Samples whose edges, and labels outside validation and test, it may be shown; None: all.
    """

    samples: Tensor | None
    joined: Tensor | None


def sight(dataset: SampleDataset, inductive: Inductive) -> Sight:
    """What a pre-training on a data set may see.

    Raises:
        ValueError: Every sample is hidden, or a task that is named is none of the data set.
    """
    word = meaning(inductive)
    if word == "no":
        return Sight(None, None)
    _check_names(dataset, inductive)
    hidden = torch.full((len(dataset),), word == "outside-train")
    if word == "outside-train":
        for task in dataset.tasks.values():
            hidden[task.part_samples("train")] = False
    for task in dataset.tasks.values():
        if not hides_for(inductive, task.name):
            continue
        if (share := share_of(inductive)) is not None:
            hidden[_drawn(task, share)] = True
            continue
        hidden[task.part_samples("test")] = True
        if word != "test":
            hidden[task.part_samples("valid")] = True
    if bool(hidden.all()):
        raise ValueError(
            f"'inductive' leaves no sample of {dataset.name!r} ({word}: {MEANINGS[word.partition(' ')[0]]}); name "
            "another meaning, or prepare the data set with fewer tasks"
        )
    seen = (~hidden).nonzero().view(-1)
    return Sight(None if word == "edges" else seen, seen)


def _check_names(dataset: SampleDataset, inductive: Inductive) -> None:
    named = inductive.get("tasks", []) if isinstance(inductive, dict) else []
    unknown = next((name for name in named if name not in dataset.tasks), None)
    if unknown is not None:
        known = ", ".join(dataset.tasks) or "none"
        raise ValueError(
            f"'inductive' names a task {unknown!r} that {dataset.name!r} lacks; it has: {known}"
            f"{did_you_mean(unknown, dataset.tasks)}"
        )


def seen_in_pretraining(dataset: SampleDataset, inductive: Inductive = True) -> Tensor:
    """Samples that a pre-training is given. Shape [M] ids."""
    samples = sight(dataset, inductive).samples
    return torch.arange(len(dataset)) if samples is None else samples


def hidden_test(dataset: SampleDataset, task: BaseTask, inductive: Inductive) -> Tensor | None:
    """Which test items of a task touch a hidden sample, where they are scored apart from those that are seen.

    Args:
        dataset: That is pre-trained on, with all its tasks: what one of them hides is hidden for all.
        task: One of them.
        inductive: As the arm says it.

    Returns:
        By test item, in the order of the split. Shape [n] bool. None: all are hidden, or none.
    """
    if share_of(inductive) is None and hides_for(inductive, task.name):
        return None
    node, place = task.samples(task.split["test"])
    hidden = ~torch.isin(node, seen_in_pretraining(dataset, inductive))[place]
    hidden = hidden.view(len(place), -1).any(dim=1)
    return None if share_of(inductive) is None and bool(hidden.all() | ~hidden.any()) else hidden


def _drawn(task: BaseTask, share: float) -> Tensor:
    """The hidden test samples of a task: those of the smallest keys, so that tasks of one test set hide the same."""
    test = task.part_samples("test")
    number = min(max(round(share * test.numel()), 1), max(test.numel() - 1, 1))
    key = torch.randperm(task.num_samples, generator=keyed_generator(_DRAWN))
    return test[key[test].argsort()[:number]]


def shown_labels(dataset: SampleDataset, found: Sight) -> dict[str, SeenLabels]:
    """The labels that a pre-training may learn from: by task of samples, those of its train split that may be seen.

    Rows are those of the samples that pre-training is given.
    """
    out = {}
    for name, task in dataset.tasks.items():
        if isinstance(task, Task):
            train = task.split["train"]
            seen = seen_labels(task, train if found.joined is None else train[torch.isin(train, found.joined)])
            out[name] = seen if found.samples is None else seen._replace(y=seen.y[found.samples])
    return out


def shown_samples(dataset: SampleDataset, found: Sight) -> SampleDataset:
    """The samples that a pre-training is given, without tasks where they are not all."""
    return dataset if found.samples is None else dataset.subset(found.samples)


def shown_edges(dataset: SampleDataset, found: Sight, leaves_out_pairs: bool = False) -> SampleDataset:
    """What a graph is made of: the samples that may be joined, the edges among them, and their labels.

    Args:
        dataset: All there is.
        found: What of it may be seen.
        leaves_out_pairs: Whether pairs that a task tests are taken out of the data set's graphs.

    Splits of its tasks hold what is left of them, which may be nothing; those without a label a sample are left out.
    """
    tested = tested_pairs(dataset) if leaves_out_pairs else {}
    if tested:
        pairs = torch.cat(list(tested.values()), dim=1)
        dataset = dataset.replace({name: without_pairs(graph, pairs) for name, graph in dataset.graphs.items()})
    if found.joined is None:
        return dataset
    tasks = {name: _among(task, found.joined) for name, task in dataset.tasks.items() if isinstance(task, Task)}
    return dataset.subset(found.joined).replace(tasks=tasks)


def _among(task: Task, ids: Tensor) -> Task:
    place = torch.full((task.num_samples,), -1)
    place[ids] = torch.arange(ids.numel())
    part = copy.copy(task)  # no split of a whole task: it is not checked as one
    part.labels = task.labels[ids]
    part.split = {name: place[node][place[node] >= 0] for name, node in task.split.items()}
    return part


def make_graph(
    constructor: GraphConstructor,
    dataset: SampleDataset,
    found: Sight,
    generator: torch.Generator,
    leaves_out_pairs: bool = False,
) -> PretrainGraph:
    """The graph over all samples that a constructor makes of what may be seen; the other samples are isolated."""
    source = shown_edges(dataset, found, leaves_out_pairs)
    if found.joined is None:
        return constructor(source, generator)
    graph = constructor.among(found.joined, len(dataset))(source, generator)
    return lifted(graph, found.joined, len(dataset))


def lifted(graph: PretrainGraph, ids: Tensor, num_nodes: int, group: Tensor | None = None) -> PretrainGraph:
    """A graph over some samples as one over all, the others isolated.

    Args:
        graph: Node i is sample ``ids[i]``.
        ids: Shape [M].
        num_nodes: N.
        group: Of all samples. Shape [N]; None: the graph has no groups from here on.
    """
    store = graph.store
    if isinstance(store, LabelSetStore):
        set_of = torch.full((num_nodes,), -1)
        set_of[ids] = store.set_of.long()
        row, col = torch.repeat_interleave(store.sets.rowptr.diff()), store.sets.col.long()
        pair = row != col
        weight = None if store.sets.weight is None else store.sets.weight[pair]
        whole = LabelSetStore.from_sets(set_of, torch.stack([row[pair], col[pair]]), weight)
        return PretrainGraph.from_store(whole, group)
    rowptr, col = graph.csr()
    index = torch.stack([ids[torch.repeat_interleave(rowptr.diff())], ids[col.long()]])
    return PretrainGraph(index, num_nodes, store.weight, group)
