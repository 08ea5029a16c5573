"""The column of molecules that a graph over them is made from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sigraph.data import SampleDataset
from sigraph.files.columns import is_text
from sigraph.readers.base import text_column
from sigraph.samples.molecules import need_rdkit

IDS = "id"  # the column that ids of samples that are no records are, as results name it


def smiles_of(dataset: SampleDataset, column: str, owner: str) -> pa.Array:
    """SMILES of each sample, empty where there is none. Shape [N].

    Samples that are no records, as OGB's graphs, have none but their ids, the column ``id``.

    Raises:
        ImportError: There is no rdkit.
        ValueError: The samples are no records, or have no such column of text.
    """
    if (records := dataset.records) is None:
        ids = dataset.ids
        named = ids is not None and is_text(ids.type)
        if column != IDS or not named:
            ways = ["prepare the SMILES, and read them by 'sigraph.readers.Molecules'"]
            ways += [f"or say 'column: {IDS}' where their ids are SMILES"] if named else []
            raise ValueError(
                f"{owner!r} needs records with a column of SMILES, but the samples of data set {dataset.name!r} are "
                f"{dataset.store.describe()}; {', '.join(ways)}"
            )
        records = pa.table({IDS: ids})
    text = text_column(records, column, owner)
    need_rdkit(owner)
    return pc.utf8_trim_whitespace(text)


def distinct_text(text: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """The different texts [U], and the number of each one's, [N]: what is done for each need be done but once."""
    coded = text.dictionary_encode()
    return coded.dictionary, coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
