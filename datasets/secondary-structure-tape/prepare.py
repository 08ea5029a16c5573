"""Secondary structure of residues in three states and in eight, from an archive of TAPE."""

import numpy as np
import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.tape_archive import read_archive
from sigraph.tasks import PartTask

ARCHIVE, PARTS = "tape/secondary_structure.tar.gz", {"train": "train", "valid": "valid", "test": "cb513"}
CLASSES = {"ss3": list("HEC"), "ss8": list("GHIBESTC")}


def prepare(files, card):
    """Records with ``sequence``, no graph, the tasks ``state-3`` and ``state-8`` with TAPE's split, tested on CB513."""
    sequences, split, labels = [], {}, {name: [] for name in CLASSES}
    for part, called in PARTS.items():
        start = len(sequences)
        for record in read_archive(files[ARCHIVE], "secondary_structure", called, ["primary", *CLASSES]):
            sequence, where = text(record["primary"]), f"{called}, record {len(sequences) - start}"
            known = np.array(record.get("valid_mask", np.ones(len(sequence)))).reshape(-1)
            for name, classes in CLASSES.items():
                labels[name].append(states(record[name], known, len(sequence), len(classes), f"{where}, {name!r}"))
            sequences.append(sequence)
        split[part] = torch.arange(start, len(sequences))
    ptr = torch.tensor([0, *map(len, sequences)]).cumsum(0)
    tasks = {}
    for name, classes in CLASSES.items():
        task, flat = f"state-{name[2:]}", torch.from_numpy(np.concatenate(labels[name]))
        tasks[task] = PartTask(task, flat, split, metric="accuracy", ptr=ptr, classes=classes, about="TAPE's split")
    return SampleDataset(pa.table({"sequence": sequences}), tasks=tasks, name=card.name)


def text(value):
    """A sequence, which an LMDB may hold as bytes."""
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def states(given, known, length, num_classes, where):
    """A state for each residue, -1 where TAPE's mask hides it."""
    found = np.array(given).reshape(-1)
    if len(found) != length or len(known) != length or found.dtype.kind not in "iuf":
        raise ValueError(
            f"{ARCHIVE}: {where} needs a state for each of {length} residues (got {len(found)}, {len(known)})"
        )
    if bool((found % 1 != 0).any()) or not -1 <= found.min() <= found.max() < num_classes:
        raise ValueError(f"{ARCHIVE}: {where} needs states in [0, {num_classes}) (got {found.min()} to {found.max()})")
    return np.where(known.astype(bool), found, -1).astype(np.int64)
