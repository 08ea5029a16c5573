"""Labelled sentences in the files of SciBERT: one JSON object a line, three files a set."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.raw_text import read_lines
from sigraph.tasks import Task

logger = logging.getLogger(__name__)

PARTS = {"train": "train", "dev": "valid", "test": "test"}


def labelled_sentences(
    files: Mapping[str, Path], folder: str, task: str, metrics: list[str], name: str
) -> SampleDataset:
    """Records with ``text``, no graph, one task with the given split; ids are ``train-0``, ``dev-0``, ``test-0``, ...

    Marks of entities (``[[ ]]``, ``<< >>``) stay in the text as they stand there.

    Args:
        files: By their paths on the card.
        folder: Of ``train.txt``, ``dev.txt`` and ``test.txt`` among them.
        task: Its name.
        metrics: The first decides.
        name: Of the data set.

    Rows that repeat a text, and texts with several labels, are kept and counted in the log.

    Raises:
        ValueError: As :func:`read_sentences`.
    """
    ids: list[str] = []
    rows: list[tuple[str, str]] = []
    split = {}
    for part, told in PARTS.items():
        found = read_sentences(files[f"{folder}/{part}.txt"])
        split[told] = torch.arange(len(rows), len(rows) + len(found))
        ids += [f"{part}-{row}" for row in range(len(found))]
        rows += found
    texts, labels = zip(*rows, strict=True)
    report_repeats(rows, name)
    classes = sorted(set(labels))
    label = torch.tensor([classes.index(word) for word in labels])
    made = Task(
        task,
        label,
        split,
        metric=metrics[0],
        about="the given split",
        classes=list(classes),
        metrics=tuple(metrics[1:]),
    )
    return SampleDataset(pa.table({"text": texts}), tasks={task: made}, name=name, ids=ids)


def report_repeats(rows: Sequence[tuple[str, str]], name: str) -> int:
    """Say in the log how many rows repeat a text, and how many texts carry several labels; the latter, as a number."""
    labels: dict[str, set[str]] = {}
    for text, label in rows:
        labels.setdefault(text, set()).add(label)
    several = [text for text, carried in labels.items() if len(carried) > 1]
    if len(labels) < len(rows):
        first = f" (first: {several[0]!r:.60})" if several else ""
        repeated = f"{len(rows) - len(labels):,} of {len(rows):,}"
        logger.info("%s: %s rows repeat a text; %d texts carry several labels%s", name, repeated, len(several), first)
    return len(several)


def read_sentences(path: Path) -> list[tuple[str, str]]:
    """Text and label of each line of JSON.

    Raises:
        ValueError: A line is no object with both, as text that is not empty; the message names file and line.
    """
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
