"""``sigraph embed RUN_FOLDER --out FILE``: embeddings by a run's encoder on the command line."""

from __future__ import annotations

import argparse
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sigraph.config.trust import OPTION_HELP, trusting
from sigraph.files.paths import user_path

if TYPE_CHECKING:
    from torch import Tensor

    from sigraph.config.overlay import DataSource
    from sigraph.data import SampleDataset
    from sigraph.readers import Reader
    from sigraph.tables import TableReport

_SUFFIXES = (".npy", ".parquet")


def add_embed_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which encoder embeds what, and where to."""
    add = parser.add_argument
    add("folder", metavar="RUN_FOLDER", help="<output_dir>/<experiment>/<arm>/<hash>/seed-<s> of `sigraph run`")
    add(
        "--dataset",
        metavar="NAME|FOLDER|FILE",
        help="a data set's name, a prepared folder, or a table of samples with the columns that those of the "
        "pre-training had, in any order (default: the run's own data set)",
    )
    add("--ignore", metavar="COLUMN", action="append", default=[], help="a column of a table of samples to leave out")
    add("--id-column", metavar="COLUMN", help="of a table of samples (default: id, else the first)")
    add(
        "--no-header", action="store_true", help="a CSV or TSV file of samples names no columns, but if it plainly does"
    )
    add(
        "--out", metavar="FILE", help="FILE.parquet: columns id, z0, z1, ...; FILE.npy: [N, D], ids in FILE.ids.parquet"
    )
    add("--force", action="store_true", help="replace FILE if it is there")
    add("--trust", action="append", default=[], metavar="NAME", help=OPTION_HELP)


def embed_run(arguments: argparse.Namespace) -> int:
    """Load the encoder, embed the samples, write the file."""
    with trusting(arguments.trust):
        return _embed_run(arguments)


def _embed_run(arguments: argparse.Namespace) -> int:
    targets = _targets(arguments.out, arguments.force)

    from sigraph.encoders import embed
    from sigraph.export.load import load_encoder, load_reader, pretrained_on
    from sigraph.running.data_source import shown

    source, fingerprint, features = pretrained_on(arguments.folder)
    name = shown(source)
    reader = load_reader(arguments.folder)
    content = (features or []) if reader is None else reader.wanted
    reading = {"id_column": arguments.id_column, "header": not arguments.no_header, "content": content}
    about = fingerprint, features, reader is not None
    dataset, note = _open(arguments.dataset, arguments.ignore, reading, source, *about)
    if reader is not None:
        dataset, unknown = dataset.read(reader), _unknown(dataset, reader, fingerprint)
        note += f" ({unknown})" * bool(unknown)
    encoder = load_encoder(arguments.folder, dataset.in_channels)
    needed, came = getattr(encoder, "in_channels", None), dataset.in_channels
    if needed is not None and came != needed:
        holds = "records" if came is None else f"{came} features a sample"
        raise ValueError(
            f"the encoder of {arguments.folder} reads {needed} features a sample, {arguments.dataset or name} holds "
            f"{holds}{note}; give samples described as those it was pre-trained on"
        )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        z = embed(encoder, dataset)
    note += "".join(f" ({warning.message})" for warning in said)
    _write(z, dataset, targets)
    own = dataset.ids is not None
    ids = (f"ids in {targets[-1]}" if own else "row i is sample i") if len(targets) > 1 else "ids in column 'id'"
    print(f"{targets[0]}: {z.size(0):,} embeddings of width {z.size(1)}, {ids}{note}")
    return 0


def _unknown(dataset: SampleDataset, reader: Reader, fingerprint: str) -> str:
    """What of new samples the reader does not know; of its own the run has said it."""
    new = dataset.fingerprint != fingerprint and dataset.records is not None
    return reader.note(dataset.records) if new else ""


def _targets(out: str | None, force: bool) -> list[Path]:
    """The files to write; the last one holds the ids."""
    if out is None:
        raise ValueError("embed needs --out FILE.npy or --out FILE.parquet; embeddings are not printed")
    path = user_path(out)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"--out needs to end in {' or '.join(_SUFFIXES)} (got {out!r})")
    targets = [path] if path.suffix.lower() == ".parquet" else [path, path.with_suffix(".ids.parquet")]
    for target in targets:
        if target.is_dir():
            raise ValueError(f"--out needs a file ({target} is a folder)")
        if target.exists() and not force:
            raise ValueError(f"{target} exists; choose another --out, or replace it by --force")
    return targets


def _open(
    wanted: str | None,
    ignore: Sequence[str],
    reading: dict[str, Any],
    own: DataSource,
    fingerprint: str,
    features: list[str] | None,
    is_read: bool,
) -> tuple[SampleDataset, str]:
    """The samples, their features in the order of the pre-training, and what was noted when a table was read."""
    from sigraph.recipes import open_dataset
    from sigraph.running.data_source import open_data, shown
    from sigraph.tables import TableReport, from_tables
    from sigraph.tables.table_file import is_array_file, read_table

    file = None if wanted is None else user_path(wanted)
    if file is not None and file.is_file():
        report = TableReport()
        if is_array_file(file):
            features = None  # columns without names are in the order of the pre-training
        if features is not None:
            columns = read_table(file, reading["header"]).table.column_names
            if len(_others(columns, features)) == len(columns):
                raise _lacking(features, features, columns, str(wanted))
        dataset, ignore = _read(file, ignore, reading, features, report)
        others = _others(report.samples.kept, features) if report.samples else []
        if others:  # they alone may keep the rest from being numbers
            dataset = from_tables(file, {}, ignore=[*ignore, *others], report=report, **reading)
        said = report.samples.notes if report.samples else []
        # That they are records is as it has to be where a reader reads them.
        notes = "".join(f" ({note})" for note in said if not (is_read and note.startswith("records, since")))
        if features is not None:  # all columns left are needed: to leave one out is no way
            notes = re.sub(r"; without [^;]* \(--ignore\) the rest are features", "", notes)
        return _in_order(dataset, features, str(wanted)), notes
    asked = {"--ignore": ignore, "--id-column": reading["id_column"], "--no-header": not reading["header"]}
    if given := [option for option, value in asked.items() if value]:
        raise ValueError(f"{given[0]} is for a table of samples (--dataset FILE); a prepared data set has its features")
    if file is not None:
        if file.suffix and not file.exists():
            raise FileNotFoundError(f"{wanted}: there is no such file")
        return _in_order(open_dataset(str(wanted)), features, str(wanted)), ""
    try:
        dataset = open_data(own)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"the run's data set {shown(own)!r} cannot be opened ({error}); say where it is: --dataset"
        ) from error
    if dataset.fingerprint != fingerprint:
        way = f"to embed it as it is now: --dataset {own}" if isinstance(own, str) else "run the experiment again"
        raise ValueError(f"the data set {shown(own)!r} has changed since the run; {way}")
    return dataset, ""


def _read(
    file: Path, ignore: Sequence[str], reading: dict[str, Any], features: list[str] | None, report: TableReport
) -> tuple[SampleDataset, Sequence[str]]:
    """A table of samples, and what was left out of it: also columns with gaps that the pre-training did not have."""
    from sigraph.tables import from_tables
    from sigraph.tables.sample_table import MissingCellsError

    while True:
        try:
            return from_tables(file, {}, ignore=ignore, report=report, **reading), ignore
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
    from sigraph.data import SampleDataset

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


def _write(z: Tensor, dataset: SampleDataset, targets: list[Path]) -> None:
    """All or nothing. Ids of another data set never stay beside new embeddings."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from sigraph.files.atomic import atomic_file

    ids = dataset.ids
    with atomic_file(targets[0]) as file:
        if len(targets) == 1:
            columns = {"id": pa.array(np.arange(len(dataset))) if ids is None else ids}
            pq.write_table(pa.table(columns | {f"z{i}": z[:, i].numpy() for i in range(z.size(1))}), file)
            return
        with file.open("wb") as stream:
            np.save(stream, z.numpy(), allow_pickle=False)
        if ids is None:
            targets[1].unlink(missing_ok=True)
            return
        with atomic_file(targets[1]) as own:
            pq.write_table(pa.table({"id": ids}), own)
