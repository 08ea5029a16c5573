"""The samples that a command puts to a run's encoder: those that are given, or else the run's own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sigraph.files.paths import resolved, user_path

if TYPE_CHECKING:
    from sigraph.data import SampleDataset
    from sigraph.export.load import PretrainedOn
    from sigraph.export.samples import ReadSamples


def add_sample_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what the samples are."""
    add = parser.add_argument
    add(
        *("--samples", "--dataset"),
        dest="samples",
        metavar="NAME|FOLDER|FILE",
        help="a data set's name, a prepared folder, or a table of samples with the columns that those of the "
        "pre-training had, in any order (default: the run's own data set)",
    )
    add("--ignore", metavar="COLUMN", action="append", default=[], help="a column of a table of samples to leave out")
    add("--id-column", metavar="COLUMN", help="of a table of samples (default: id, else the first)")
    add(
        "--no-header", action="store_true", help="a CSV or TSV file of samples names no columns, but if it plainly does"
    )


def open_samples(arguments: argparse.Namespace) -> ReadSamples:
    """The samples as the run's reader reads them, and what is worth saying of them.

    Raises:
        ValueError: They do not fit the run, or its own cannot be found.
    """
    from sigraph.export.load import load_reader, pretrained_on
    from sigraph.export.samples import read_by, read_samples, refuse_options

    header = not arguments.no_header
    if arguments.samples is not None:
        return read_samples(arguments.folder, arguments.samples, arguments.ignore, arguments.id_column, header)
    refuse_options(arguments.ignore, arguments.id_column, header)
    about = pretrained_on(arguments.folder)
    return read_by(load_reader(arguments.folder), own_dataset(arguments.folder, about), about)


def own_dataset(folder: str, about: PretrainedOn) -> SampleDataset:
    """The data set that a run was pre-trained on, from wherever it is asked.

    A relative path is of the folder in which `sigraph run` was typed: it is looked for where you stand, then in every
    folder around the run's, and taken if it holds the data that the run saw.

    Raises:
        ValueError: It is not there, or has changed.
    """
    from sigraph.data.prepared import read_manifest
    from sigraph.running.data_source import open_data, shown

    own, around = about.dataset, []
    if own is None:
        raise ValueError(f"{folder} holds an encoder and no run; say what samples are: --samples")
    if isinstance(own, str) and not Path(own).expanduser().is_absolute():
        around = [place / own for place in resolved(user_path(folder)).parents]
    for place in around:
        try:
            if read_manifest(place).hash() == about.fingerprint:
                return open_data(str(place))
        except (ValueError, OSError):
            continue
    try:
        dataset = open_data(own)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"the run's data set {shown(own)!r} cannot be opened ({error}); say where it is: --dataset"
        ) from error
    if dataset.fingerprint != about.fingerprint:
        way = f"to embed it as it is now: --dataset {own}" if isinstance(own, str) else "run the experiment again"
        raise ValueError(f"the data set {shown(own)!r} has changed since the run; {way}")
    return dataset
