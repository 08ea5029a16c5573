"""Cora with the texts of its papers, from the raw files of CANE."""

import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.raw_text import graph_between, read_lines, read_rows
from sigraph.tasks import Task
from sigraph.tasks.splits import SplitRule

NUM_CLASSES = 7
SPLIT = SplitRule("stratified", rates=(0.1, 0.1, 0.8), seed=0)


def prepare(files, card):
    """Records with ``text``, the graph ``citation``, the task ``topic`` with a drawn split."""
    texts = read_lines(files["cane_cora/data.txt"])
    label = read_classes(files["cane_cora/group.txt"], len(texts))
    pairs = read_rows(files["cane_cora/graph.txt"], 2)
    graph = graph_between(pairs, [str(node) for node in range(len(texts))])
    labelled = (label >= 0).nonzero().view(-1)
    task = Task("topic", label, SPLIT.draw(labelled, label[labelled]), about=f"split drawn: {SPLIT}")
    return SampleDataset(pa.table({"text": texts}), {"citation": graph}, {"topic": task}, name=card.name)


def read_classes(path, num_texts):
    """Class of each paper, -1 where its line is blank: leaving such a line out would shift all labels behind it."""
    lines = [line.strip() for line in read_lines(path)]
    if len(lines) != num_texts:
        raise ValueError(
            f"{path} needs a line for each of the {num_texts} texts, a blank one where there is no label "
            f"(got {len(lines)}, {lines.count('')} of them blank)"
        )
    for number, line in enumerate(lines, start=1):
        if line and not (line.isdecimal() and int(line) < NUM_CLASSES):
            raise ValueError(f"{path}, line {number}: needs a class in [0, {NUM_CLASSES}) or nothing (got {line!r})")
    return torch.tensor([int(line) if line else -1 for line in lines])
