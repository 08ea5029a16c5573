"""Stability of small designed proteins, from the CSV files of ProteinBERT."""

import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.tape import read_parts
from sigraph.tasks import Task


def prepare(files, card):
    """Records with ``sequence``, no graph, the task ``stability`` with the given split."""
    table, split = read_parts(files, "protein_tasks/stability", pa.float32())
    label = torch.from_numpy(table["label"].to_numpy().copy())
    task = Task("stability", label, split, metric="spearman", about="the split of TAPE")
    return SampleDataset(pa.table({"sequence": table["seq"]}), tasks={"stability": task}, name=card.name)
