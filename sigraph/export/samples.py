"""Samples for a run's encoder: files, tables, lists of texts or a data set, read as the run read its own."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from sigraph.data import SampleDataset
from sigraph.encoders import Encoder
from sigraph.export.load import PretrainedOn, load_encoder, load_reader, pretrained_on
from sigraph.files.arguments import said as shown
from sigraph.files.foreign_text import quoted
from sigraph.files.paths import user_path
from sigraph.files.suggestions import did_you_mean
from sigraph.readers import Reader
from sigraph.readers.base import UnreadableRecordsError
from sigraph.recipes import open_dataset
from sigraph.tables import TableReport, from_tables
from sigraph.tables.sample_table import MissingCellsError
from sigraph.tables.table_file import is_array_file, read_table

SHOWN = 3


class ReadSamples(NamedTuple):
    """Samples as an encoder reads them.

    Args:
        dataset: Read by the run's reader, their features in the order of the pre-training; without those that the
            reader cannot read.
        note: What is worth saying of them, each in parentheses: rows and words that are not known, counted.
        ids: Of all samples that were given, unread ones too; None: sample i is row i.
        row: Where among these each sample of ``dataset`` is, where some could not be read. Shape [M]; None: all were.
        num_unread: How many could not be read.
    """

    dataset: SampleDataset
    note: str
    ids: pa.Array | None
    row: Tensor | None = None
    num_unread: int = 0

    @property
    def num_given(self) -> int:
        """N, how many samples were given."""
        return len(self.dataset) + self.num_unread

    def spread(self, values: Tensor, empty: float) -> Tensor:
        """A row for each sample that was given, of those of ``dataset``; ``empty`` where one could not be read.

        Args:
            values: Shape [M, ...] -> [N, ...].
            empty: What stands for nothing.
        """
        if self.row is None:
            return values
        spread = values.new_full((self.num_given, *values.shape[1:]), empty)
        spread[self.row] = values
        return spread

    @property
    def is_read(self) -> Tensor:
        """Which of the samples that were given could be read. Shape [N] bool."""
        return self.spread(torch.ones(len(self.dataset), dtype=torch.bool), False)


def read_samples(
    folder: str | os.PathLike[str],
    samples: Any,
    ignore: Sequence[str] = (),
    id_column: str | None = None,
    header: bool = True,
) -> ReadSamples:
    """Read samples as a run read those that it was pre-trained on.

    Args:
        folder: A run's folder, or that of an encoder taken home.
        samples: A file (CSV, TSV, JSONL, Parquet, ``.npy``), a prepared folder or a data set's name; a
            :class:`~sigraph.SampleDataset`; a pyarrow or pandas table with an id and the columns that the
            pre-training had; a list of texts, sequences or SMILES for the column of the run's reader (of several read
            as one, for the first); or feature rows [N, F].
        ignore: Columns of a table to leave out.
        id_column: Of a table; None: ``id``, else the first.
        header: Whether a CSV or TSV file names its columns.

    Samples that the reader cannot read, such as a SMILES that is none, are left out and said.

    Raises:
        ValueError: The samples lack what the pre-training had, or none can be read; says what, and the way out.
    """
    about, reader = pretrained_on(folder), load_reader(folder)
    if isinstance(samples, SampleDataset):
        return read_by(reader, samples, about)
    if isinstance(samples, Tensor | np.ndarray):
        return read_by(reader, SampleDataset(samples), about)
    table, name = _as_table(samples, reader), str(samples) if isinstance(samples, str | os.PathLike) else "the table"
    if table is None:
        refuse_options(ignore, id_column, header)
        if user_path(name).suffix and not user_path(name).exists():
            raise FileNotFoundError(f"{name}: there is no such file")
        return read_by(reader, _in_order(open_dataset(name), about.features, name), about)
    content = (about.features or []) if reader is None else reader.wanted
    reading = {"id_column": id_column, "header": header, "content": content, "gaps": reader is not None}
    dataset, notes = _of_table(table, name, ignore, reading, about.features, reader is not None)
    if reader is not None and (records := dataset.records) is not None:
        missing = [column for column in reader.wanted if column not in records.column_names]
        if missing:
            raise ValueError(
                f"{name} has no column {missing[0]!r}{did_you_mean(missing[0], records.column_names)}, which the run "
                f"reads (besides ids it has {', '.join(map(repr, records.column_names))})"
            )
    try:
        return read_by(reader, dataset, about, notes)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def fitting_encoder(
    folder: str | os.PathLike[str], dataset: SampleDataset, note: str = "", given: Any = None, trust: Iterable[str] = ()
) -> Encoder:
    """The encoder of a run, for samples that it can read.

    Args:
        folder: The run's.
        dataset: As :func:`read_samples` gave it.
        note: What was said of the samples.
        given: What they were asked for by, for messages; None: they are the run's own.
        trust: As in :func:`~sigraph.load_encoder`.

    Raises:
        ValueError: The features are more or fewer than it reads; or as in :func:`~sigraph.load_encoder`.
    """
    encoder = load_encoder(folder, dataset.in_channels, trust)
    check_features(folder, encoder, dataset, note, given)
    return encoder


def check_features(
    folder: str | os.PathLike[str], encoder: Encoder, dataset: SampleDataset, note: str, given: Any
) -> None:
    """Refuse samples with more or fewer features than an encoder reads."""
    needed, came = getattr(encoder, "in_channels", None), dataset.in_channels
    if needed is not None and came != needed:
        holds = "records" if came is None else f"{came} features a sample"
        name = given if isinstance(given, str | os.PathLike) else dataset.name or "the samples"
        raise ValueError(
            f"the encoder of {folder} reads {needed} features a sample, {name} holds {holds}{note}; give samples "
            "described as those it was pre-trained on"
        )


def refuse_options(ignore: Sequence[str], id_column: str | None, header: bool) -> None:
    """Refuse options that are for tables of samples where the samples are none."""
    asked = {"--ignore": ignore, "--id-column": id_column, "--no-header": not header}
    if given := [option for option, value in asked.items() if value]:
        raise ValueError(f"{given[0]} is for a table of samples (--dataset FILE); a prepared data set has its features")


def read_by(reader: Reader | None, dataset: SampleDataset, about: PretrainedOn, note: str = "") -> ReadSamples:
    """The samples as the pre-training's reader reads them, and what of them it does not know.

    Args:
        reader: The run's.
        dataset: Samples that were not read yet.
        about: What the run was pre-trained on: of its own samples it has said what is unknown.
        note: What is worth saying besides.
    """
    if reader is None or dataset.reader is not None:
        return ReadSamples(dataset, note, dataset.ids)
    new = dataset.fingerprint != about.fingerprint and dataset.records is not None
    read, row, cells = _readable(reader, dataset)
    if row is not None:
        note += f" ({_unread(dataset, row, cells)})"
    unknown = reader.note(read.records) if new else ""
    note = f"{note} ({unknown})" if unknown else note
    return ReadSamples(read, note, dataset.ids, row, len(dataset) - len(read))


def _readable(reader: Reader, dataset: SampleDataset) -> tuple[SampleDataset, Tensor | None, list[str]]:
    """The samples that a reader can read, their rows (None: all), and what it could not read of the first others."""
    row, part = torch.arange(len(dataset)), dataset
    cells: list[str] = []
    while True:
        try:
            return part.read(reader), None if part is dataset else row, cells
        except UnreadableRecordsError as error:
            kept = torch.ones(len(row), dtype=torch.bool)
            kept[torch.from_numpy(error.rows)] = False
            if not kept.any():
                raise
            row, cells = row[kept], cells or error.cells
            part = dataset.replace(graphs={}, tasks={}).subset(row)


def _unread(dataset: SampleDataset, row: Tensor, cells: list[str]) -> str:
    """How many samples could not be read, and the first of them."""
    there = torch.ones(len(dataset), dtype=torch.bool)
    there[row] = False
    first = there.nonzero().view(-1)
    first_ids = [
        f"row {i + 1}" if dataset.ids is None else repr(dataset.ids[i].as_py()) for i in first[:SHOWN].tolist()
    ]
    more = ", ..." if len(first) > SHOWN else ""
    of = f"such as {quoted(cells[0])}" if cells else ""
    return (
        f"{len(first):,} of {len(dataset):,} samples cannot be read{f', {of}' if of else ''}, and are left empty: "
        f"{', '.join(first_ids)}{more}"
    )


def _as_table(samples: Any, reader: Reader | None) -> Path | pa.Table | None:
    """A file or a table; None: a prepared data set."""
    if isinstance(samples, str | os.PathLike):
        file = user_path(samples)
        return file if file.is_file() else None
    if isinstance(samples, pa.Table):
        return samples
    if hasattr(samples, "columns") and hasattr(samples, "to_dict"):
        return pa.Table.from_pandas(samples, preserve_index=False)
    if isinstance(samples, Sequence) and samples and all(isinstance(one, str) for one in samples):
        written = [] if reader is None else reader.written
        if not written:
            needs = ", ".join(map(repr, [] if reader is None else reader.wanted)) or "features"
            raise ValueError(f"a list of texts is for a run whose reader reads one column; this one needs {needs}")
        blank = [""] * len(samples)
        return pa.table({"id": np.arange(len(samples)), written[0]: list(samples), **dict.fromkeys(written[1:], blank)})
    raise ValueError(
        "'samples' needs a file, a data set, a pyarrow or pandas table, a list of texts or feature rows [N, F] "
        f"(got {shown(samples)})"
    )


def _of_table(
    table: Path | pa.Table,
    name: str,
    ignore: Sequence[str],
    reading: dict[str, Any],
    features: list[str] | None,
    is_read: bool,
) -> tuple[SampleDataset, str]:
    """The samples of a table, their features in the order of the pre-training, and what was noted."""
    report = TableReport()
    if isinstance(table, Path) and is_array_file(table):
        features = None  # columns without names are in the order of the pre-training
    if features is not None:
        columns = (read_table(table, reading["header"]).table if isinstance(table, Path) else table).column_names
        if len(_others(columns, features)) == len(columns):
            raise _lacking(features, features, columns, name)
    dataset, ignore = _read(table, ignore, reading, features, report)
    others = _others(report.samples.kept, features) if report.samples else []
    if others:  # they alone may keep the rest from being numbers
        dataset = from_tables(table, {}, ignore=[*ignore, *others], report=report, **reading)
    said = report.samples.notes if report.samples else []
    # That they are records is as it has to be where a reader reads them.
    notes = "".join(f" ({note})" for note in said if not (is_read and note.startswith("records, since")))
    if features is not None:  # all columns left are needed: to leave one out is no way
        notes = re.sub(r"; without [^;]* \(--ignore\) the rest are features", "", notes)
    return _in_order(dataset, features, name), notes


def _read(
    table: Path | pa.Table,
    ignore: Sequence[str],
    reading: dict[str, Any],
    features: list[str] | None,
    report: TableReport,
) -> tuple[SampleDataset, Sequence[str]]:
    """A table of samples, and what was left out of it: also columns with gaps that the pre-training did not have."""
    while True:
        try:
            return from_tables(table, {}, ignore=ignore, report=report, **reading), ignore
        except MissingCellsError as error:
            if not _others([error.column], features):
                raise ValueError(f"{error.found}; fill them: the encoder reads this column") from error
            ignore = [*ignore, error.column]


def _others(columns: Iterable[str], features: list[str] | None) -> list[str]:
    """Columns of a table that the pre-training did not have; a list column is a feature for each of its items."""
    if features is None:
        return []
    columns = list(columns)
    used = _spelled(columns, {*features, *(name.rpartition(".")[0] for name in features)}).values()
    return [column for column in columns if column not in used]


def _spelled(columns: Sequence[str], wanted: Iterable[str]) -> dict[str, str]:
    """The column of each wanted name: as written, else the only one alike but for upper and lower case."""
    wanted = list(wanted)
    there, asked = Counter(column.lower() for column in columns), Counter(name.lower() for name in wanted)
    alike = {c.lower(): c for c in columns if there[c.lower()] == 1 and asked[c.lower()] == 1}
    found = {name: name if name in columns else alike.get(name.lower()) for name in wanted}
    return {name: column for name, column in found.items() if column is not None}


def _in_order(dataset: SampleDataset, features: list[str] | None, name: str) -> SampleDataset:
    """The same samples with the features of the pre-training, in its order, matched by name."""
    names = dataset.feature_names
    if features is None or names is None or names == features:
        return dataset
    place = {feature: names.index(column) for feature, column in _spelled(names, features).items()}
    missing = [column for column in features if column not in place]
    if missing:
        raise _lacking(missing, features, names, name)
    if (rows := dataset.store.vectors()) is None:
        raise ValueError(f"{name} needs rows of features to be put in order (it holds {dataset.store.describe()})")
    rows = rows[:, [place[column] for column in features]]
    return SampleDataset(rows, name=dataset.name, ids=dataset.ids, feature_names=features)


def _lacking(missing: list[str], features: list[str], names: list[str], name: str) -> ValueError:
    """That columns of the pre-training are not there."""
    shown, there = (", ".join(map(repr, some[:5])) + (", ..." if len(some) > 5 else "") for some in (missing, names))
    return ValueError(
        f"{name} lacks {len(missing)} of the {len(features)} features of the pre-training: {shown} (it has {there})"
    )
