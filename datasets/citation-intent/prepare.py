"""Sentences that cite, from the splits of SciBERT."""

import json

import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.raw_text import read_lines
from sigraph.tasks import Task

PARTS = {"train": "train", "dev": "valid", "test": "test"}


def prepare(files, card):
    """Records with ``text``, no graph, the task ``intent`` with the given split."""
    ids, rows, split = [], [], {}
    for part, name in PARTS.items():
        found = read_sentences(files[f"scibert/citation_intent/{part}.txt"])
        split[name] = torch.arange(len(rows), len(rows) + len(found))
        ids += [f"{part}-{row}" for row in range(len(found))]
        rows += found
    texts, labels = zip(*rows, strict=True)
    classes = sorted(set(labels))
    label = torch.tensor([classes.index(word) for word in labels])
    task = Task("intent", label, split, metric="macro_f1", about="the given split", classes=classes)
    return SampleDataset(pa.table({"text": texts}), tasks={"intent": task}, name=card.name, ids=ids)


def read_sentences(path):
    """Text and label of each line of JSON."""
    out = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            row = json.loads(line)
            text, label = row["text"], row["label"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: needs JSON with 'text' and 'label' (got {line!r:.60})") from error
        if not all(isinstance(value, str) and value for value in (text, label)):
            raise ValueError(f"{path}, line {number}: 'text' and 'label' need to be text (got {line!r:.60})")
        out.append((text, label))
    return out
