"""Seconds from raw files of texts and sequences to tokens, the first time and again.

    SIGRAPH_DATA_SOURCE=RAW python experiments/speed/reading.py

`prepared` is from the raw files to a data set on disk, `read` opens it, learns a tokenizer from all of its texts where
one is learned, and makes tokens of them; `again` does the same in a new process, as another arm or run would, from what
the first kept. Each is the least of three, in a process of one thread that has read a little already, so that imports
are not counted, with a root of its own. Tokens of both are compared, or the script stops.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

import measure
import pyarrow as pa
import torch

import sigraph as sg
from sigraph.readers import HuggingFaceTokens, Reader, SymbolTokens

CASES: dict[str, tuple[str, type[Reader], dict[str, Any]]] = {
    "cora-text, 8,000 WordPieces, 256 at most": (
        "cora-text",
        HuggingFaceTokens,
        {"column": "text", "train": {"model": "wordpiece", "vocab_size": 8000}, "max_length": 256},
    ),
    "yeast-go, letters, 512 at most": ("yeast-go", SymbolTokens, {"column": "sequence", "max_length": 512}),
    "arxiv-2023, 8,000 WordPieces, 48 at most": (
        "arxiv-2023",
        HuggingFaceTokens,
        {"column": "text", "train": {"model": "wordpiece", "vocab_size": 8000}, "max_length": 48},
    ),
}


def main() -> None:
    print(f"{measure.one_core()}\n")
    rows = []
    for label, (name, reader, settings) in CASES.items():
        seconds: list[list[float]] = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as root:
                os.environ["SIGRAPH_DATA"] = root
                prepared = measure.apart(preparing, name)
                read, tokens = measure.apart(reading, name, reader, settings)
                again, kept = measure.apart(reading, name, reader, settings)
            if tokens != kept:
                raise SystemExit(f"{label}: other tokens again, {kept} and not {tokens}")
            seconds.append([prepared, read, again])
        least = [min(column) for column in zip(*seconds, strict=True)]
        rows.append([label, f"{tokens[0]:,}", f"{tokens[1]:,}", *(f"{each:.2f}" for each in least)])
    measure.table(["", "samples", "tokens", "prepared, s", "read, s", "again, s"], rows)


def preparing(name: str) -> float:
    warm_up()
    return measure.timed(lambda: sg.open_dataset(name))


def reading(name: str, kind: type[Reader], settings: dict[str, Any]) -> tuple[float, tuple[int, int, int]]:
    """Seconds, and of the tokens: samples, number, and a sum that tells them."""
    warm_up()
    few, other = sg.SampleDataset(pa.table({settings["column"]: ["rye and bread", "MKV"]})), kind(**settings)
    other.fit(few.records)
    few.read(other)
    start = time.perf_counter()
    dataset, reader = sg.open_dataset(name), kind(**settings)
    reader.fit(dataset.records)
    dataset = dataset.read(reader)
    seconds = time.perf_counter() - start
    token = dataset.fetch(torch.arange(len(dataset))).token
    return seconds, (len(dataset), len(token), int((token * torch.arange(len(token))).sum()))


def warm_up() -> None:
    """One thread, and the imports that any data set needs."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as root:
        sg.open_dataset("cane-cora", root=root)


if __name__ == "__main__":
    main()
