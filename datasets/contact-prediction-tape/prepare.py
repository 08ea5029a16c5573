"""Contacts in chains of ProteinNet, from an archive of TAPE."""

import numpy as np
import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.structures import touching
from sigraph.recipes.tape_archive import read_archive
from sigraph.tasks import ContactTask

ARCHIVE, PARTS = "tape/proteinnet.tar.gz", ("train", "valid", "test")


def prepare(files, card):
    """Records with ``sequence``, no graph, the task ``contacts`` with the split of TAPE."""
    sequences, contacts, placed, split = [], [], [], {}
    for part in PARTS:
        start = len(sequences)
        for record in read_archive(files[ARCHIVE], "proteinnet", part, ["primary", "tertiary", "valid_mask"]):
            sequence, place = residues(record, f"{part}, record {len(sequences) - start}")
            pairs, known = touching(place)
            sequences.append(sequence)
            contacts.append(pairs)
            placed.append(known)
        split[part] = torch.arange(start, len(sequences))
    lengths = [len(one) for one in sequences]
    task = ContactTask("contacts", contacts, lengths, split, about="the split of TAPE", placed=placed)
    return SampleDataset(pa.table({"sequence": sequences}), tasks={"contacts": task}, name=card.name)


def residues(record, where):
    """Sequence of a record, and where its alpha carbons are in angstrom, NaN where TAPE's mask hides one."""
    sequence = record["primary"]
    sequence = sequence.decode("ascii") if isinstance(sequence, bytes) else sequence
    try:
        place, mask = np.array(record["tertiary"], np.float64), np.array(record["valid_mask"]).astype(bool)
    except ValueError as error:
        raise ValueError(f"{ARCHIVE}: {where} needs numbers as 'tertiary' and 'valid_mask' ({error})") from error
    if (
        not isinstance(sequence, str)
        or not sequence
        or place.shape != (len(sequence), 3)
        or mask.shape != place.shape[:1]
    ):
        raise ValueError(
            f"{ARCHIVE}: {where} needs a 'primary' and, of each residue, three numbers in 'tertiary' and one in "
            f"'valid_mask' (got {len(sequence)} residues, {list(place.shape)} and {list(mask.shape)})"
        )
    place[~mask] = np.nan
    return sequence, place
