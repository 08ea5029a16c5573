"""Proteins as what lies around them: ego-networks of an interaction graph, equal ones in one part of the split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sigraph.data.dataset import SampleDataset
from sigraph.data.graph import PretrainGraph
from sigraph.recipes.ego_networks import ego_networks, node_kinds
from sigraph.recipes.raw_text import graph_between, multi_hot, read_label_numbers, read_rows
from sigraph.samples import Graphs
from sigraph.tasks.splits import SplitRule
from sigraph.tasks.task import Task

HOPS, MAX_NODES = 2, 64
SPLIT = SplitRule("group", rates=(0.6, 0.2, 0.2), seed=0, column="sample")  # equal samples stay together
NUM_LABELS = 50  # of node2vec's human proteins


def protein_networks(
    name: str, graph: PretrainGraph, ids: Sequence[str | int], task: str, label: Tensor, columns: Sequence[str]
) -> SampleDataset:
    """A graph of at most 64 proteins, two interactions away, around each; the graph ``interaction``; one task.

    Proteins whose graphs cannot be told apart are in one part of the split, which is drawn: 0.6, 0.2, 0.2, seed 0.

    Args:
        name: Of the data set.
        graph: Node i is protein i; its groups, if it has some, stay with it.
        ids: What protein 0, 1, ... is called.
        task: Its name.
        label: 0 and 1, a row of NaN where nothing is known. Shape [N, num_columns].
        columns: What each label is called.
    """
    samples = ego_networks(graph, HOPS, MAX_NODES, node_kinds(graph))
    alike = torch.from_numpy(Graphs.alike([samples], None, None).loosest)
    known = (~label.isnan()).all(dim=1).nonzero().view(-1)
    split = SPLIT.draw(known, groups=alike[known])
    found = Task(task, label, split, about=f"split drawn: {SPLIT}", classes=list(columns))
    return SampleDataset(samples, {"interaction": graph}, {task: found}, name=name, ids=list(ids))


def read_node2vec_ppi(files: Mapping[str, Path]) -> tuple[list[int], PretrainGraph, Tensor, list[str]]:
    """Human proteins by number, the graph of their interactions, their labels [N, 50], and what each label is called.

    Args:
        files: The card's: the edge list and the labels of BioNEV.
    """
    rows = read_rows(files["node2vec_ppi/node2vec_PPI.edgelist"], 3)
    labels = read_label_numbers(files["node2vec_ppi/node2vec_PPI_labels.txt"], NUM_LABELS)
    nodes = sorted({int(node) for row in rows for node in row[:2]} | labels.keys())
    columns = [str(number) for number in range(1, NUM_LABELS + 1)]
    label = multi_hot([labels.get(node) for node in nodes], columns)
    return nodes, graph_between(rows, [str(node) for node in nodes]), label, columns
