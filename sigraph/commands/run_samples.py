"""The samples that a command puts to a run's encoder: those that are given, or else the run's own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sigraph.export.samples import ReadSamples

RUN_HELP = (
    "<output_dir>/<experiment>/<arm>/<hash>/seed-<s> of `sigraph run`; or a folder above it: then the run that "
    "validation prefers, of the arm `sipt` or whichever is the first that uses the graph"
)


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


def open_run(arguments: argparse.Namespace, task: str | None = None, head: str | None = None) -> Path:
    """The run that is meant by ``arguments.folder``, which becomes its own; one that was chosen is said.

    Args:
        arguments: Of the command.
        task, head: By whose validation runs are compared; None: the primary ones.
    """
    from sigraph.export.chosen_run import chosen_run

    run = chosen_run(arguments.folder, task, head)
    if run.note:
        print(run.note)
    arguments.folder = str(run.path)
    return run.path


def open_samples(arguments: argparse.Namespace) -> ReadSamples:
    """The samples as the run's reader reads them, and what is worth saying of them.

    Raises:
        ValueError: They do not fit the run, or its own cannot be found.
    """
    from sigraph.export.own_samples import own_samples
    from sigraph.export.samples import read_samples, refuse_options

    header = not arguments.no_header
    if arguments.samples is not None:
        return read_samples(arguments.folder, arguments.samples, arguments.ignore, arguments.id_column, header)
    refuse_options(arguments.ignore, arguments.id_column, header)
    return own_samples(arguments.folder)
