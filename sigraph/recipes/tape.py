"""Tasks of TAPE as CSV files: a sequence and its label a row, a file for each part of the split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import torch
from pyarrow import csv
from torch import Tensor


def read_labelled(path: Path, label: pa.DataType) -> pa.Table:
    """Columns ``seq`` and ``label``, no cell of them empty.

    Raises:
        ValueError: A column is missing, a label is not of its type, a cell is empty; the message names the file.
    """
    columns = {"seq": pa.string(), "label": label}
    try:
        table = csv.read_csv(path, convert_options=csv.ConvertOptions(column_types=columns, include_columns=[*columns]))
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        what = "numbers" if pa.types.is_floating(label) else "integers" if pa.types.is_integer(label) else "text"
        raise ValueError(f"{path} needs columns 'seq' and 'label', the latter of {what} ({error})") from error
    if table["label"].null_count or "" in table["seq"].unique().to_pylist():
        raise ValueError(f"{path} needs a sequence and a label in every row")
    return table


def read_parts(files: Mapping[str, Path], stem: str, label: pa.DataType) -> tuple[pa.Table, dict[str, Tensor]]:
    """``STEM.train.csv``, ``STEM.valid.csv`` and ``STEM.test.csv`` one after the other, and the split.

    Args:
        files: By their paths on the card.
        stem: What these begin with.
        label: Type of a label.
    """
    return in_a_row({part: read_labelled(files[f"{stem}.{part}.csv"], label) for part in ("train", "valid", "test")})


def in_a_row(parts: Mapping[str, pa.Table]) -> tuple[pa.Table, dict[str, Tensor]]:
    """Tables one after the other, and which rows are whose."""
    split, start = {}, 0
    for part, table in parts.items():
        split[part] = torch.arange(start, start := start + table.num_rows)
    return pa.concat_tables(parts.values()).combine_chunks(), split
