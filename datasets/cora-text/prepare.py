"""Cora with the texts of its papers, with all training labels and with twenty a topic, from the raw files of CANE."""

import pyarrow as pa

from sigraph.data import SampleDataset
from sigraph.recipes.cane import read_cane
from sigraph.tasks import Task
from sigraph.tasks.splits import SplitRule, few_per_class

SPLIT = SplitRule("stratified", rates=(0.3, 0.2, 0.5), seed=0)
FEW = 20  # training papers of a topic
DRAWS = {"": 0, "-b": 1, "-c": 2}  # by what the name of a task ends with: the seed


def prepare(files, card):
    """Records with ``text``, the graph ``citation``, the task ``topic``, and three draws of few training labels."""
    texts, label, graph = cora = read_cane(files)
    split = SPLIT.draw(cora.labelled, label[cora.labelled])
    tasks = {"topic": Task("topic", label, split, about=f"split drawn: {SPLIT}")}
    for suffix, seed in DRAWS.items():
        name = f"topic-{FEW}{suffix}"
        few = {**split, "train": few_per_class(split["train"], label[split["train"]], FEW, seed)}
        about = f"the split of topic, but at most {FEW} training papers a topic, drawn with seed {seed}"
        tasks[name] = Task(name, label, few, about=about)
    return SampleDataset(pa.table({"text": texts}), {"citation": graph}, tasks, name=card.name)
