"""Secondary structure of residues, three states: chains of FLIP to train on, of TAPE to validate and test on."""

import zipfile

import numpy as np
import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.files.fasta import fasta_records
from sigraph.recipes.tape import in_a_row, read_labelled
from sigraph.tasks import PartTask

STATES = ("H", "E", "C")  # 0, 1 and 2 of TAPE
ARCHIVE, FOLDER = "secondary_structure/flip_splits.zip", "secondary_structure/secondary_structure"


def prepare(files, card):
    """Records with ``sequence``, no graph, the task ``state`` of residues; unresolved ones have no label."""
    held = {part: read_labelled(files[f"{FOLDER}.{part}.csv"], pa.string()) for part in ("valid", "test")}
    taken = {one for table in held.values() for one in table["seq"].to_pylist()}
    chains = [one for one in flip_chains(files[ARCHIVE]) if one[0] not in taken]
    train = pa.table({"seq": [one[0] for one in chains], "label": [one[1] for one in chains]})
    table, split = in_a_row({"train": train, **held})
    label, size = [], []
    for number, (sequence, states) in enumerate(zip(table["seq"].to_pylist(), table["label"].to_pylist(), strict=True)):
        if len(sequence) != len(states) or set(states) - set("012-"):
            raise ValueError(f"secondary_structure: chain {number} needs a 0, 1, 2 or - a residue (got {states!r:.60})")
        label.append(np.frombuffer(states.encode(), np.uint8).astype(np.int64) - ord("0"))
        size.append(len(states))
    flat = torch.from_numpy(np.concatenate(label)).clamp(min=-1)  # "-" is below "0"
    ptr = torch.tensor([0, *size]).cumsum(0)
    task = PartTask("state", flat, split, metric="accuracy", ptr=ptr, classes=list(STATES), about="three states")
    return SampleDataset(pa.table({"sequence": table["seq"]}), tasks={"state": task}, name=card.name)


def flip_chains(path):
    """Sequence and states of each chain that is no test chain of FLIP's; ``-`` where the mask says unresolved."""
    parts = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in ("sequences", "sampled", "mask"):
                text = archive.read(f"splits/{name}.fasta").decode("ascii")
                parts[name] = {one.accession: one for one in fasta_records(text.splitlines(), f"{path}/{name}")}
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} needs splits/sequences.fasta, sampled.fasta and mask.fasta ({error})") from error
    found = []
    for chain, states in parts["sampled"].items():
        sequence, mask = (parts[name].get(chain) for name in ("sequences", "mask"))
        if sequence is None or mask is None or not len(sequence.sequence) == len(mask.sequence) == len(states.sequence):
            raise ValueError(f"{path}: chain {chain!r} needs a state and a mask for each residue")
        if wrong := set(states.sequence) - set(STATES):
            raise ValueError(f"{path}: chain {chain!r} needs states {', '.join(STATES)} (got {min(wrong)!r})")
        if "SET=train" in states.description.split():
            digits = (str(STATES.index(one)) for one in states.sequence)
            shown = ("-" if hidden == "0" else one for one, hidden in zip(digits, mask.sequence, strict=True))
            found.append((sequence.sequence, "".join(shown)))
    return found
