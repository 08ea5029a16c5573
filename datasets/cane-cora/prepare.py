"""Cora with the texts of its papers, from the raw files of CANE."""

import pyarrow as pa

from sigraph.data import SampleDataset
from sigraph.recipes.cane import read_cane
from sigraph.tasks import Task
from sigraph.tasks.splits import SplitRule

SPLIT = SplitRule("stratified", rates=(0.1, 0.1, 0.8), seed=0)


def prepare(files, card):
    """Records with ``text``, the graph ``citation``, the task ``topic`` with a drawn split."""
    cora = read_cane(files)
    task = Task(
        "topic", cora.label, SPLIT.draw(cora.labelled, cora.label[cora.labelled]), about=f"split drawn: {SPLIT}"
    )
    return SampleDataset(pa.table({"text": cora.texts}), {"citation": cora.graph}, {"topic": task}, name=card.name)
