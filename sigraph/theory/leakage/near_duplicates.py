"""Which samples are the same sample again: by content, exactly and after what does not change a meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from sigraph.files.arguments import is_number, said, shown
from sigraph.samples import Samples
from sigraph.samples.alike import Alike
from sigraph.samples.given import as_samples
from sigraph.samples.records import KINDS

_BLOCK = 1 << 23  # numbers held at a time


def find_alike(*sets: Any, ids: pa.Array | None = None, kinds: Mapping[str, str] | None = None) -> Alike:
    """Group the samples of one or several sets by content; samples of the sets are numbered in a row.

    Feature rows are compared bit by bit (0.0 and -0.0 are one), by a 64-bit hash: two different rows of N meet with
    probability N^2 / 2^65. Token sequences are compared token by token. Of records the columns of text, sequences and
    molecules are compared, all of them together; where there are none, every column but the ids. Graphs are compared
    array by array, and by what no numbering of their nodes changes. Feature rows of zeros, empty text and text of
    punctuation alone are no content. Time is O(N), memory that of the distinct samples.

    Args:
        *sets: :class:`~sigraph.samples.Samples`, feature rows (tensors) or records (tables), all of one kind; of the
            same width or columns.
        ids: The first set's ids: a column that repeats them is no content.
        kinds: By column, one of :data:`~sigraph.samples.records.KINDS`; others are told by their name and cells.
            ``smiles`` is read off the column's name alone; ``exact`` is everything else, e.g. codes, and is not
            normalised.

    Raises:
        ValueError: The sets are not of the same kind; ``kinds`` names an unknown column or kind.
    """
    wrong = [
        part
        for part in sets
        if not isinstance(part, pa.Table | Samples) and not (isinstance(part, Tensor) and part.dim() == 2)
    ]
    if not sets or wrong:
        got = said(wrong[0]) if wrong else "none"
        raise ValueError(f"'sets' need feature rows [N, F] or tables of records in 'find_alike' (got {got})")
    if kinds is not None and not isinstance(kinds, Mapping):
        raise ValueError(
            f"'kinds' needs a mapping of columns to {', '.join(KINDS)} in 'find_alike' (got {shown(kinds)})"
        )
    if ids is not None and not isinstance(ids, pa.Array):
        raise ValueError(f"'ids' needs a pyarrow Array in 'find_alike' (got {said(ids)})")
    found = [as_samples(part, "find_alike") for part in sets]
    names = dict.fromkeys(one.kind for one in found)
    if len(names) > 1:
        raise ValueError(f"'sets' need samples of one kind in 'find_alike' (got {' and '.join(names)})")
    return type(found[0]).alike(found, ids, kinds)


def occurs_in(code: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of ``rows`` are alike to one of ``others``. Positions in ``code``; [R], [O] -> [R] bool."""
    known = np.zeros(int(code.max(initial=-1)) + 2, dtype=bool)
    known[code[others]] = True
    known[-1] = False  # -1: no content
    return known[code[rows]]


def near_by_cosine(rows: Tensor, others: Tensor, threshold: float) -> np.ndarray:
    """Which feature rows have one of ``others`` at a cosine of at least ``threshold``, in blocks. O(R * O * F).

    Args:
        threshold: In (0, 1]; 1 allows for rounding in float32.

    Shapes:
        - **rows:** [R, F].  **others:** [O, F].  **returns:** [R] bool.
    """
    if not is_number(threshold) or not 0 < threshold <= 1:
        raise ValueError(f"'cosine' needs to be in (0, 1] in 'leakage' (got {shown(threshold)})")
    scaled = [torch.nn.functional.normalize(part.float(), dim=1) for part in (rows, others)]
    if not len(others):
        return np.zeros(len(rows), dtype=bool)
    found = []
    for block in scaled[0].split(max(1, _BLOCK // len(others))):
        found.append((block @ scaled[1].t()).amax(dim=1) >= threshold - 1e-6)
    return torch.cat(found).numpy() if found else np.zeros(0, dtype=bool)
