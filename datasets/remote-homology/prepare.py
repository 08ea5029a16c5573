"""Folds of protein domains, from the CSV files of ProteinBERT."""

import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.tape import read_parts
from sigraph.tasks import Task

FOLDS = 1195


def prepare(files, card):
    """Records with ``sequence``, no graph, the task ``fold`` with the given split."""
    table, split = read_parts(files, "protein_tasks/remote_homology", pa.int64())
    label = torch.from_numpy(table["label"].to_numpy().copy())
    if int(label.min()) < 0 or int(label.max()) >= FOLDS:
        raise ValueError(
            f"remote_homology: labels need to be in [0, {FOLDS}) (got {int(label.min())}, {int(label.max())})"
        )
    names = [str(number) for number in range(FOLDS)]
    task = Task("fold", label, split, metric="accuracy", about="the split of TAPE, its fold holdout", classes=names)
    return SampleDataset(pa.table({"sequence": table["seq"]}), tasks={"fold": task}, name=card.name)
