"""Contacts in domains of proteins, from files of the Protein Data Bank."""

import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.structures import read_chain, touching
from sigraph.tasks import ContactTask
from sigraph.tasks.splits import SplitRule

SPLIT = SplitRule("random", rates=(0.5, 0.2, 0.3), seed=0)


def prepare(files, card):
    """Records with ``sequence``, no graph, the task ``contacts``: alpha carbons closer than 8 angstrom."""
    paths = {path.rsplit("/", 1)[1].removesuffix(".pdb"): file for path, file in sorted(files.items())}
    chains = [read_chain(file) for file in paths.values()]
    found = [touching(chain.place) for chain in chains]
    contacts, placed = zip(*found, strict=True)
    lengths = [len(chain.sequence) for chain in chains]
    split = SPLIT.draw(torch.arange(len(chains)))
    about = f"alpha carbons closer than 8 angstrom; split drawn: {SPLIT}"
    task = ContactTask("contacts", contacts, lengths, split, about=about, placed=placed)
    samples = pa.table({"sequence": [chain.sequence for chain in chains]})
    return SampleDataset(samples, tasks={"contacts": task}, name=card.name, ids=list(paths))
