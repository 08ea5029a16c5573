"""Pairs that a task tests, in a graph that is trained on: there they are answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sigraph.data import SampleDataset
from sigraph.data.sample_graph import SampleGraph
from sigraph.edges import LabelSetStore

if TYPE_CHECKING:
    from sigraph.data import PretrainGraph  # PyG, which an audit does without


def held_pairs(graph: SampleGraph, pairs: Tensor) -> Tensor:
    """Which pairs of samples a graph joins. Time O(E + P log E).

    Args:
        graph: Node i is sample i.
        pairs: Sample ids. Shape [2, P].

    Returns:
        Shape [P] bool.
    """
    store = graph.store
    if isinstance(store, LabelSetStore):  # joined if their sets are
        ends, store = store.set_of.long()[pairs], store.sets
    else:
        ends = pairs
    size = store.num_nodes
    rowptr, col = (store.rowptr, store.col) if hasattr(store, "rowptr") else graph.csr()  # type: ignore[attr-defined]
    key = torch.repeat_interleave(rowptr.diff()) * size + col.long()  # ascending
    asked = ends[0] * size + ends[1]
    place = torch.searchsorted(key, asked).clamp(max=max(key.numel() - 1, 0))
    found = key[place] == asked if key.numel() else torch.zeros_like(asked, dtype=torch.bool)
    return found & (pairs[0] != pairs[1])


def without_pairs(graph: PretrainGraph, pairs: Tensor) -> PretrainGraph:
    """A graph without these pairs of samples; itself if it has none of them. Shape [2, P]."""
    from sigraph.data import PretrainGraph

    if not bool(held_pairs(graph, pairs).any()):
        return graph
    rowptr, col = graph.csr()
    row, col, size = torch.repeat_interleave(rowptr.diff()), col.long(), int(graph.num_nodes or 0)
    key = torch.cat([pairs[0] * size + pairs[1], pairs[1] * size + pairs[0]])
    stay = ~torch.isin(row * size + col, key)
    weight = graph.store.weight
    kept = torch.stack([row[stay], col[stay]])
    return PretrainGraph(kept, size, None if weight is None else weight[stay], graph.group)


def tested_pairs(dataset: SampleDataset) -> Mapping[str, Tensor]:
    """By task of a data set that has some, the pairs that it tests. Shape [2, P] each."""
    found = {name: task.edges() for name, task in dataset.tasks.items()}
    return {name: pairs for name, pairs in found.items() if pairs is not None}
