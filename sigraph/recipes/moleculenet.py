"""MoleculeNet: tables of SMILES and labels, read so that each molecule is one sample whatever tables have it."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import torch
from torch import Tensor

from sigraph.data.dataset import SampleDataset
from sigraph.recipes.raw_text import read_lines
from sigraph.samples.molecules import murcko_scaffolds, need_rdkit, parsed
from sigraph.tasks.splits import SplitRule
from sigraph.tasks.task import Task

SPLIT = SplitRule("scaffold", rates=(0.8, 0.1, 0.1), column="smiles")
logger = logging.getLogger(__name__)


class Table(NamedTuple):
    """A file with a header: its path on the card, its column of SMILES, its columns of labels, 0, 1 or empty.

    Columns may be a slice of all of the file's.
    """

    path: str
    smiles: str
    columns: list[str] | slice


def read_moleculenet(
    files: Mapping[str, Path], name: str, tables: Mapping[str, Table], unlabelled: Sequence[str] = ()
) -> SampleDataset:
    """Records with ``smiles``, called by their canonical SMILES; no graph; a task a table, split by scaffold.

    A molecule is one sample, as it is first written; a label on which its rows disagree is unknown, and so is an empty
    cell. SMILES that rdkit cannot read are left out, and counted in the log. The splits are MoleculeNet's and OGB's:
    by Bemis-Murcko scaffold with stereochemistry, over the labelled molecules in the order of the table.

    Args:
        files: The card's files by their paths.
        name: Of the data set.
        tables: By the name of their task; one column: two classes; several: multi-label.
        unlabelled: Paths of lists of SMILES, one a line.

    Raises:
        ImportError: There is no rdkit.

    Source: Wu et al., "MoleculeNet: a benchmark for molecular machine learning", Chemical Science 2018.
    """
    need_rdkit(name)
    read = {task: csv.read_csv(files[table.path]) for task, table in tables.items()}
    written = {task: read[task][table.smiles].to_pylist() for task, table in tables.items()}
    lists = [line for path in unlabelled for line in read_lines(files[path]) if line.strip()]
    molecules: dict[str, str] = {}  # canonical SMILES: as first written
    rows = {task: _canonical(task, smiles, molecules) for task, smiles in written.items()}
    _canonical("unlabelled", lists, molecules)
    place = {canonical: row for row, canonical in enumerate(molecules)}
    samples = pa.table({"smiles": pa.array(molecules.values(), pa.large_string())})
    tasks = {}
    for task, table in tables.items():
        asked = table.columns
        columns = read[task].column_names[asked] if isinstance(asked, slice) else asked
        row = torch.tensor([-1 if canonical is None else place[canonical] for canonical in rows[task]])
        given = np.stack([read[task][column].to_numpy() for column in columns], axis=1).astype(np.float32)
        tasks[task] = _task(task, samples["smiles"].combine_chunks(), row, torch.from_numpy(given), columns)
    return SampleDataset(samples, {}, tasks, name=name, ids=list(molecules))


def _canonical(name: str, written: Sequence[str | None], molecules: dict[str, str]) -> list[str | None]:
    """Canonical SMILES of each, None of what rdkit cannot read; new molecules are added to ``molecules``."""
    to_smiles = importlib.import_module("rdkit.Chem").MolToSmiles
    found = [None if one is None else to_smiles(one) for one in parsed(pa.array(written, pa.large_string()))]
    before = len(molecules)
    for canonical, text in zip(found, written, strict=True):
        if canonical is not None and text is not None:
            molecules.setdefault(canonical, text)
    logger.info("%s: %d rows, %d unreadable, %d new", name, len(found), found.count(None), len(molecules) - before)
    return found


def _task(name: str, smiles: pa.Array, row: Tensor, given: Tensor, columns: list[str]) -> Task:
    """Labels of each molecule: what all its rows that say something agree on; ``row`` -1: it cannot be read."""
    given, row = given[row >= 0], row[row >= 0]
    index = row[:, None].expand_as(given)
    lowest = torch.full((len(smiles), len(columns)), torch.inf)
    highest = -lowest
    lowest.scatter_reduce_(0, index, given.nan_to_num(torch.inf), "amin")
    highest.scatter_reduce_(0, index, given.nan_to_num(-torch.inf), "amax")
    label = torch.where(lowest == highest, lowest, torch.nan)
    listed = torch.from_numpy(np.unique(row.numpy(), return_index=True)[1]).sort().values  # in the order of the table
    ids = row[listed][~label[row[listed]].isnan().all(dim=1)]
    scaffold = murcko_scaffolds(smiles.take(pa.array(ids.numpy())), chirality=True).dictionary_encode().indices
    split = SPLIT.draw(ids, groups=torch.from_numpy(scaffold.to_numpy().astype(np.int64)))
    if len(columns) > 1:
        return Task(name, label, split, about=f"split {SPLIT}", classes=list(columns))
    classes = label.view(-1).nan_to_num(-1).long()
    return Task(name, classes, split, metric="rocauc", about=f"{columns[0]}; split {SPLIT}")
