"""Proteins of many species with sequences and physical interactions, from SNAP and STRING."""

import pyarrow as pa

from sigraph.data import SampleDataset
from sigraph.recipes.interactomes import read_interactomes


def prepare(files, card):
    """Records with ``sequence`` and ``species``, the graph ``interaction`` with species as groups, no task."""
    found = read_interactomes(
        files["tree_of_life/treeoflife.interactomes.zip"], files["tree_of_life/protein.sequences.v10.5.fa.gz"]
    )
    species = [name.partition(".")[0] for name in found.names]
    samples = pa.table({"sequence": pa.array(found.sequences, pa.large_string()), "species": species})
    return SampleDataset(samples, {"interaction": found.graph}, name=card.name, ids=found.names)
