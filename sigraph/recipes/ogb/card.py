"""The card of an OGB data set: made of what OGB says of it and of the files that were read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sigraph.data.card import Card, CardFile, CardGraph, CardSamples, CardSource, CardTask
from sigraph.data.dataset import SampleDataset
from sigraph.data.ogb_facts import OGBFacts, ogb_names
from sigraph.data.prepared import PREPARED, read_manifest
from sigraph.files.atomic import sha256
from sigraph.files.ownership import MANIFEST

READER = 1  # rises when the same files become other data
PAPER = "Hu et al., Open Graph Benchmark: Datasets for Machine Learning on Graphs, NeurIPS 2020, arXiv 2005.00687"


def ogb_card(facts: OGBFacts, folder: Path, dataset: SampleDataset) -> Card:
    """The card of what was read from official files.

    Args:
        facts: What OGB says.
        folder: The official files.
        dataset: What they became.
    """
    counted = dataset.measure()
    tasks = {
        name: CardTask(**{key: value for key, value in part.items() if key != "num_labelled"}, about=task.about)
        for (name, part), task in zip(counted["tasks"].items(), dataset.tasks.values(), strict=True)
    }
    return Card(
        facts.name,
        title=f"OGB: {facts.task_type}, scored by {facts.metric}, official split {facts.split!r}",
        about="Read from the official raw files; docs/ogb.md says what a sample is, and what its graph.",
        licence="as ogb.stanford.edu states it for the data set",
        source=CardSource(facts.url, [PAPER]),
        files=files_of(folder, facts),
        samples=CardSamples(**counted["samples"]),
        graphs={name: CardGraph(num_edges=part["num_edges"]) for name, part in counted["graphs"].items()},
        tasks=tasks,
        measured={"ogb": said_of(facts)},
    )


def said_of(facts: OGBFacts) -> dict[str, object]:
    """What decides whether a prepared folder is that of today's release and reader."""
    return {"release": facts.version, "split": facts.split, "metric": facts.metric, "url": facts.url, "reader": READER}


def files_of(folder: Path, facts: OGBFacts) -> list[CardFile]:
    """The official files with size and sum, as they were when they were read."""
    found = [file for part in ("raw", "split", "mapping") for file in sorted((folder / part).rglob("*"))]
    return [
        CardFile(
            f"ogb/{facts.folder}/{file.relative_to(folder).as_posix()}",
            url=facts.url,
            sha256=sha256(file),
            bytes=file.stat().st_size,
        )
        for file in found
        if file.is_file()
    ]


def official_fingerprints(names: Iterable[str], root: Path) -> dict[str, str]:
    """Fingerprints of the official data that are prepared, by name; others are left out."""
    found = {}
    for name in set(names) & set(ogb_names()):
        folder = root / PREPARED / name
        if (folder / MANIFEST).is_file():
            found[name] = read_manifest(folder).hash()
    return found
