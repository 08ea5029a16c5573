"""``sigraph init SAMPLES [EDGES] [LABELS]``: from files to an experiment, and to its table."""

from __future__ import annotations

import argparse
import copy
import datetime
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sigraph.commands.own_tables import read_own
from sigraph.commands.prepare import OF_FILES, add_own_data_options
from sigraph.commands.run import add_run_options, experiment_run
from sigraph.commands.target import check_target
from sigraph.files.counted import counted
from sigraph.files.foreign_text import printable
from sigraph.files.ownership import MANIFEST
from sigraph.files.paths import resolved, user_path

if TYPE_CHECKING:
    from sigraph.data import SampleDataset
    from sigraph.data.column_uses import ColumnUse
    from sigraph.proposal.experiment import Proposal
    from sigraph.proposal.given_files import GivenFiles
    from sigraph.tables import TableReport
    from sigraph.theory import AuditReport


def add_init_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``sigraph init``."""
    add = parser.add_argument
    add(
        "files",
        nargs="+",
        metavar="FILE",
        help="samples first, then edges and labels, if any; or a folder of them; or a folder that was prepared",
    )
    add("--minutes", type=float, default=30.0, help="that the experiment may take on this machine (default: 30)")
    add("--run", action="store_true", help="go on to the table")
    add("--yes", action="store_true", help="ask nothing; without a terminal nothing is asked anyway")
    add("--force", action="store_true", help="replace a folder that sigraph wrote, and the YAML")
    add("--checkpoint", metavar="FOLDER", help="a transformer of Hugging Face that reads the texts or sequences")
    add("--no-labels", action="store_true", help="take no column of the samples for a label")
    add_own_data_options(parser, of_init=True)


def init_run(arguments: argparse.Namespace) -> int:
    """Understand, show, ask, prepare, audit, choose, write; perhaps run."""
    if not arguments.minutes > 0:
        raise ValueError(f"--minutes needs to be above 0 (got {arguments.minutes:g})")
    if arguments.checkpoint is not None:
        from sigraph.encoders.checkpoint_folder import open_checkpoint

        open_checkpoint(arguments.checkpoint, "HuggingFaceEncoder")  # before anything is written
    given = _of_folder(arguments) if _is_prepared(arguments.files) else _of_files(arguments)
    found = _audited(given.dataset)
    proposal = _proposed(given, found, arguments)
    file = given.file
    if arguments.dry_run:
        print(f"\n{file} would be, with --minutes {arguments.minutes:g} measured:\n\n{proposal.text()}")
        print("nothing was written (--dry-run)")
        return 0
    if not _agreed(arguments, given):
        print("nothing was written")
        return 1
    if given.out is not None:
        given.dataset.save(given.out, overwrite=arguments.force)
    _fit_into(proposal, file, arguments.minutes)
    where = f"{given.folder.removesuffix('/')}/ holds the data, {file} the experiment"
    print(f"\n{where}; every choice stands there with its reason.")
    command = f"sigraph run {shlex.quote(str(file))}"
    if not arguments.run:
        print(f"next: {command}")
        return 0
    print(f"{command}\n", flush=True)
    options = argparse.ArgumentParser()
    add_run_options(options)
    return experiment_run(options.parse_args([str(file), "--picture"], argparse.Namespace(debug=arguments.debug)))


class _Given(NamedTuple):
    """What an experiment is proposed for.

    Args:
        dataset: As it is, or would be, prepared.
        folder: Where that is, as the experiment file names it.
        out: The folder to write; None: it is there.
        file: The experiment to write.
        uses: What each column of the samples is.
        understood: What is known of the data, in lines for people.
    """

    dataset: SampleDataset
    folder: str
    out: Path | None
    file: Path
    uses: dict[str, str]
    understood: list[str]


def _of_files(arguments: argparse.Namespace) -> _Given:
    """Samples, edges and labels in files."""
    from sigraph.tables.import_tables import source_name

    files = sorted_files(arguments)
    name = arguments.own_name or source_name(files.samples, "own")
    folder, file = user_path(arguments.out or name), Path(f"{name}.yaml")
    if not arguments.dry_run:
        check_target(folder, arguments.force, "sigraph-dataset", arguments.files)
        _check_file(file, arguments)
    dataset, uses, report = read_files(arguments, files)
    return _Given(dataset, str(arguments.out or name), folder, file, uses, str(report).split("\n"))


def sorted_files(arguments: argparse.Namespace) -> GivenFiles:
    """Which of the files are samples, edges and labels; the options for one's own tables name them from here on."""
    from sigraph.proposal.given_files import sort_files

    files = sort_files(arguments.files, not arguments.no_header)
    arguments.samples = files.samples
    arguments.edges = [*files.edges, *arguments.edges]
    arguments.task = [*files.labels, *arguments.task]
    return files


def read_files(arguments: argparse.Namespace, files: GivenFiles) -> tuple[SampleDataset, dict[str, str], TableReport]:
    """The data set that files hold, what each column of the samples is for, and the report, which is printed.

    Args:
        arguments: Options for one's own tables; what they leave open is decided, and said.
        files: As :func:`sorted_files` found them.
    """
    from sigraph.tables import TableReport

    for line in files.why:
        print(f"files    {line}")
    if files.unknown and not arguments.drop_unknown:
        raise ValueError(f"{'; '.join(files.unknown)}; --drop-unknown leaves them out")
    arguments.drop_unknown = True  # a few; the report says how many, and which
    _complete(arguments)
    report = TableReport()
    try:
        dataset = read_own(arguments, report)
    finally:
        if str(report):
            print(report, flush=True)
    uses = {column.name: column.use for column in report.samples.columns} if report.samples else {}
    return dataset, uses, report


def _is_prepared(files: Sequence[str]) -> bool:
    """Whether a folder is given that `sigraph prepare` or `sigraph init` wrote."""
    return len(files) == 1 and (user_path(files[0]) / MANIFEST).is_file()


def _of_folder(arguments: argparse.Namespace) -> _Given:
    """A prepared folder: what its columns are for it says itself, or they are looked at as the first time."""
    from sigraph.commands.datasets import content_lines
    from sigraph.data import SampleDataset
    from sigraph.tables.import_tables import clean_name

    (folder,) = arguments.files
    unused: tuple = ([], "", None, False, 0)
    if said := [name for name in (*OF_FILES, "out", "no_labels") if getattr(arguments, name) not in unused]:
        raise ValueError(
            f"--{said[0].replace('_', '-')} is for files of your own; {folder} is prepared, its columns and labels are "
            "settled: give the files again, or leave the option out"
        )
    dataset = SampleDataset.open(folder)
    dataset.name = clean_name(arguments.own_name or resolved(folder).name)
    file = Path(f"{dataset.name}.yaml")
    if not arguments.dry_run:
        _check_file(file, arguments)
    columns = uses_of(dataset)
    lines = [] if dataset.card is None else printable("\n".join(content_lines(dataset.card, columns))).split("\n")
    print(f"files    {folder} is prepared", *lines, sep="\n", flush=True)
    return _Given(dataset, folder, None, file, {one.name: one.use for one in columns or ()}, lines)


def uses_of(dataset: SampleDataset) -> Sequence[ColumnUse] | None:
    """What the columns of a prepared data set are for: as it says itself, else by a look; None: they are no records."""
    from sigraph.tables.column_use import guess_use

    if dataset.column_uses is not None or (records := dataset.store.records()) is None:
        return dataset.column_uses
    return [guess_use(name, records.column(name)) for name in records.column_names]


def _check_file(file: Path, arguments: argparse.Namespace) -> None:
    """Refuse to replace a file unasked."""
    if file.exists() and not arguments.force:
        raise FileExistsError(f"{file} is there already; --force replaces it, --name NAME writes another")


def _complete(arguments: argparse.Namespace) -> None:
    """What nobody said: which columns of the samples are labels; a split by scaffold for molecules."""
    from sigraph.proposal.labels import is_two_classes, label_columns
    from sigraph.tables import TableReport

    alone, report = copy.copy(arguments), TableReport()
    alone.edges, alone.task, alone.split, alone.metric, alone.task_type = [], [], None, [], []
    alone.terms, alone.min_count = [], None
    dataset = read_own(alone, report)
    if dataset.records is None or report.samples is None:
        return
    uses = {column.name: column.use for column in report.samples.columns}
    if not (arguments.label or arguments.task or arguments.terms or arguments.no_labels):
        arguments.label, why = label_columns(dataset.records, uses)
        if not arguments.label:
            print("labels   none found: --label COLUMN names one of the samples' columns")
        else:
            print(f"labels   {why}; --label COLUMN names another, --no-labels none")
            if not arguments.metric and all(is_two_classes(dataset.records[name]) for name in arguments.label):
                arguments.metric = ["rocauc"]
                print("metric   rocauc, as there are two classes; --metric names another")
    molecules = [name for name, use in uses.items() if use == "smiles"]
    is_split = "split" in uses.values() or arguments.split or arguments.split_rates or arguments.task
    if molecules and arguments.label and not is_split:
        arguments.split = f"scaffold:{molecules[0]}"
        print("split    by scaffold, as molecules that come later are of new kinds; --split random draws one")


def _audited(dataset: SampleDataset) -> AuditReport | None:
    """Whether the graphs can help the tasks; None where there are none of one kind."""
    from sigraph.tasks.task import said_elsewhere
    from sigraph.theory.audit import audit

    if not dataset.held_graphs or not dataset.tasks:
        return None
    with said_elsewhere():
        found = audit(dataset.held_graphs, dataset.tasks, dataset=dataset)
    print("", *found.table().split("\n\n")[:2], sep="\n", flush=True)  # `sigraph audit` shows shapes and classes too
    return found


def _proposed(given: _Given, found: AuditReport | None, arguments: argparse.Namespace) -> Proposal:
    from sigraph.proposal.experiment import propose

    proposal = propose(given.dataset, given.folder, given.uses, found, arguments.checkpoint)
    day = datetime.date.today().isoformat()
    command = shlex.join(["sigraph", *arguments.typed])
    proposal.about = [
        f"Written by `{command}` on {day}; yours to change. docs/experiment-file.md lists every key.",
        "What was understood of the files:" if given.out else "What the folder holds:",
        *(f"  {line}" for line in given.understood),
    ]
    return proposal


def _agreed(arguments: argparse.Namespace, given: _Given) -> bool:
    """Whether to go on: asked on a terminal alone."""
    if arguments.yes or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    folder = f"{given.out}/ and " if given.out else ""
    answer = input(f"\nWrite {folder}{given.file}? [Y/n] ").strip().lower()
    return answer in ("", "y", "yes")


def _fit_into(proposal: Proposal, file: Path, minutes: float) -> None:
    """Measure a few steps, set the epochs, write the file."""
    from sigraph.config import load_config
    from sigraph.machines.trainer import quiet_libraries
    from sigraph.proposal.budget import length_within

    _write(file, proposal.text())
    quiet_libraries()
    print("\nmeasuring a few steps ...", flush=True)
    once = load_config(file)
    asked = [f"pretrain.trainer.max_epochs={once.pretrain.valid_every}"]
    length = length_within(load_config(file, asked), minutes, proposal.shorter)
    proposal.with_length(length)
    _write(file, proposal.text())
    steps = "" if length.steps_per_epoch is None else f" of {length.steps_per_epoch} steps"
    print(f"{counted(length.epochs, 'epoch')}{steps}: {length.why}")


def _write(file: Path, text: str) -> None:
    from sigraph.files.atomic import atomic_file

    with atomic_file(file) as own:
        own.write_text(text, encoding="utf-8")
