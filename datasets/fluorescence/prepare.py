"""Brightness of variants of a fluorescent protein, from the genotypes of the assay and a part of TAPE's split."""

import numpy as np
import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.tape import in_a_row, read_labelled
from sigraph.tasks import Task

MOST_TRAINED = 3  # mutations; all genotypes with more are test ones
TABLE, VALID = "gfp/amino_acid_genotypes_to_brightness.tsv", "gfp/fluorescence.valid.csv"


def prepare(files, card):
    """Records with ``sequence``, no graph, the task ``brightness`` with the split of TAPE."""
    valid = read_labelled(files[VALID], pa.float64())
    wild = wild_type(valid["seq"].to_pylist())
    held, parts = set(valid["seq"].to_pylist()), {"train": ([], []), "test": ([], [])}
    for row in genotypes(files[TABLE]):
        number, sequence, brightness = mutated(wild, *row)
        part = "test" if number > MOST_TRAINED else "train"
        if part == "test" or sequence not in held:
            parts[part][0].append(sequence)
            parts[part][1].append(brightness)
    tables = {
        part: pa.table({"seq": seq, "label": pa.array(label, pa.float64())}) for part, (seq, label) in parts.items()
    }
    table, split = in_a_row({"train": tables["train"], "valid": valid, "test": tables["test"]})
    label = torch.from_numpy(table["label"].to_numpy().copy()).float()
    task = Task("brightness", label, split, metric="spearman", about="the split of TAPE")
    return SampleDataset(pa.table({"sequence": table["seq"]}), tasks={"brightness": task}, name=card.name)


def genotypes(path):
    """Mutations and brightness of each row but the header."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()[1:], start=2):
        fields = line.split("\t")
        if len(fields) < 3:
            raise ValueError(f"{path}, line {number}: needs mutations, barcodes and brightness (got {line!r:.60})")
        yield fields[0], float(fields[2])


def wild_type(sequences):
    """The commonest residue at each place of the sequences of the commonest length."""
    lengths = [len(one) for one in sequences]
    length = max(set(lengths), key=lengths.count)
    letters = np.array([list(one) for one in sequences if len(one) == length])
    return "".join(max(sorted(set(column)), key=list(column).count) for column in letters.T)


def mutated(wild, mutations, brightness):
    """How many mutations, the sequence without stops, and its brightness; places count from 0."""
    listed = [] if mutations == "wt" else mutations.split(":")
    letters = list(wild)
    for one in listed:
        old, place, new = one[1], one[2:-1], one[-1]
        if not one.startswith("S") or not place.isdecimal() or int(place) >= len(wild) or wild[int(place)] != old:
            raise ValueError(
                f"{TABLE}: needs mutations such as SA108D of the wild type (got {one!r} in {mutations!r:.60})"
            )
        letters[int(place)] = new
    return len(listed), "".join(letters).replace("*", ""), brightness
