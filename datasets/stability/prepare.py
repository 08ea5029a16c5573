"""Stability of small designed proteins, from the CSV files of ProteinBERT."""

import pyarrow as pa
import torch
from pyarrow import csv

from sigraph.data import SampleDataset
from sigraph.tasks import Task

COLUMNS = {"seq": pa.string(), "label": pa.float32()}


def prepare(files, card):
    """Records with ``sequence``, no graph, the task ``stability`` with the given split."""
    parts, split, start = [], {}, 0
    for part in ("train", "valid", "test"):
        parts.append(read_part(files[f"protein_tasks/stability.{part}.csv"]))
        split[part] = torch.arange(start, start := start + len(parts[-1]))
    table = pa.concat_tables(parts)
    label = torch.from_numpy(table["label"].to_numpy().copy())
    task = Task("stability", label, split, metric="spearman", about="the split of TAPE")
    samples = pa.table({"sequence": table["seq"].combine_chunks()})
    return SampleDataset(samples, tasks={"stability": task}, name=card.name)


def read_part(path):
    """Columns ``seq`` and ``label``, no cell of them empty."""
    try:
        table = csv.read_csv(
            path, convert_options=csv.ConvertOptions(column_types=COLUMNS, include_columns=list(COLUMNS))
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise ValueError(f"{path} needs columns 'seq' and 'label', the latter of numbers ({error})") from error
    if table["label"].null_count or "" in table["seq"].unique().to_pylist():
        raise ValueError(f"{path} needs a sequence and a label in every row")
    return table
