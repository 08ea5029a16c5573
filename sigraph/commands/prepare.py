"""``sigraph prepare --samples FILE --edges FILE ...``, or edges alone: one's own tables on the command line."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sigraph.commands.column_halves import asked_halves, halved
from sigraph.commands.own_tables import read_own, sources
from sigraph.commands.target import check_target
from sigraph.files.paths import resolved, user_path

if TYPE_CHECKING:
    pass

_OWN = ("edges", "task", "label", "memory_limit", "num_nodes")
_WRITTEN = ("out", "dry_run")  # of own tables, and of a known data set whose tasks are halved
_HOW_READ = (  # of samples and labels
    *("task", "label", "id_column", "ignore", "drop_unknown", "split", "metric", "task_type"),
    *("split_rates", "seed", "text", "sequence", "smiles", "category"),
    *("terms", "min_count"),
)
_OF_SAMPLES = (*_HOW_READ, "dry_run", "own_name", "halves")
OF_FILES = ("edges", *_HOW_READ, "no_header", "edge_columns", "weight_column")  # what is asked of one's own files


def add_own_data_options(
    parser: argparse.ArgumentParser,
    of_init: bool = False,
    writes: bool = True,
    about_task: str = "one row a label: id, label, perhaps split",
) -> None:
    """The options that say what one's own tables are.

    Args:
        parser: Receives them.
        of_init: Of ``sigraph init``, and of what takes samples by their place as it does.
        writes: Whether a folder of data is written.
        about_task: What ``--task`` is for.
    """
    own = parser.add_argument_group(
        "your own data",
        "CSV, TSV, JSONL, Parquet or .npy; FASTA or a folder of texts for samples; text, .mtx or .graphml for edges. "
        "What was understood is said before anything is written.",
    )
    add = own.add_argument
    parser.set_defaults(lists_are_terms=of_init)
    if of_init:
        parser.set_defaults(memory_limit=None, num_nodes=None, halves=[])
    else:
        add("--samples", metavar="FILE", help="one row a sample: its id, and features (all numbers) or anything else")
    add(
        "--edges",
        metavar="NAME=FILE",
        action="append",
        default=[],
        help="one row an edge: two ids; repeat for more graphs; NAME= is optional",
    )
    add(
        "--task",
        metavar="NAME=FILE",
        action="append",
        default=[],
        help=about_task,
    )
    add("--label", metavar="COLUMN", action="append", default=[], help="a column of the samples that is a task's label")
    if writes:
        add("--out", metavar="DIR", help="the folder to write; then name it in a YAML: `dataset: DIR`")
        add("--dry-run", action="store_true", help="say what was understood and write nothing")
    add("--name", dest="own_name", default="", help="the data set's name (default: after the samples' file)")
    add("--no-header", action="store_true", help="CSV and TSV files name no columns, but those that plainly do")
    add("--id-column", metavar="COLUMN", help="of samples and tasks (default: id, else the first)")
    add("--edge-columns", metavar="COLUMN", nargs=2, help="the ends (default: source target, ..., else the first two)")
    add("--weight-column", metavar="COLUMN", help="weights of edges (default: weight, if there is one)")
    add("--ignore", metavar="COLUMN", action="append", default=[], help="a column of the samples to leave out")
    add("--text", metavar="COLUMN", action="append", default=[], help="a column of free words (guessed otherwise)")
    add(
        "--sequence",
        metavar="COLUMN[=KIND]",
        action="append",
        default=[],
        help="a column of sequences; KIND: protein, dna or rna (guessed otherwise)",
    )
    add("--smiles", metavar="COLUMN", action="append", default=[], help="a column of molecules (guessed otherwise)")
    add("--category", metavar="COLUMN", action="append", default=[], help="a column of names, numbers too, not text")
    add("--drop-unknown", action="store_true", help="drop edges and labels of ids that no sample has")
    add("--split", metavar="HOW", help="random, stratified, group:COLUMN or scaffold:COLUMN (default: as `split` says)")
    add("--split-rates", metavar="RATES", help="of train, valid, test (default: as a column `split` says, 0.8,0.1,0.1)")
    add("--seed", type=int, default=0, help="of drawn splits (default: 0)")
    add(
        "--metric",
        metavar="TASK=NAME[,NAME...]",
        action="append",
        default=[],
        help="e.g. macro_f1; of several (rocauc,ap) the first decides; without TASK= for all",
    )
    add(
        "--task-type",
        metavar="TASK=TYPE",
        action="append",
        default=[],
        help="classification or regression; terms: as --terms",
    )
    add(
        "--terms",
        metavar="TASK|COLUMN",
        action="append",
        default=[],
        help="a task, or a column of the samples, whose cells are lists such as GO:1;GO:2: each term is a label",
    )
    add("--min-count", type=int, metavar="N", help="of --terms: samples that a term needs (default: 5)")
    if not of_init:
        _add_of_prepare(own)


def _add_of_prepare(own: argparse._ArgumentGroup) -> None:
    own.add_argument(
        "--memory-limit",
        metavar="SIZE",
        help="read edges in pieces and sort them on disk, e.g. 2GB (default: with --samples in memory, else 2GB)",
    )
    own.add_argument(
        "--num-nodes", type=int, metavar="N", help="of a graph without --samples (default: the largest number + 1)"
    )
    own.add_argument(
        "--halves",
        metavar="TASK[=SHARE]",
        action="append",
        default=[],
        help="of a task with several label columns, half of them (by --seed) become TASK-graph, for a graph of labels, "
        "and the others stay TASK; of a known data set, too: NAME --halves TASK --out DIR",
    )


def is_own_data(arguments: argparse.Namespace) -> bool:
    """Whether a request is about one's own tables.

    Raises:
        ValueError: It is about both, or about nothing.
    """
    options = _OWN if arguments.halves else (*_OWN, *_WRITTEN)
    given = [f"--{option.replace('_', '-')}" for option in options if getattr(arguments, option)]
    own = arguments.samples is not None or bool(arguments.edges)
    if given and not own:
        raise ValueError(f"{given[0]} needs --samples FILE, the table of your samples")
    if not own and not arguments.name:
        raise ValueError("prepare needs the name of a data set (`sigraph datasets`), or --samples and --edges")
    if own and arguments.name:
        option = "--edges" if arguments.samples is None else "--samples"
        raise ValueError(f"prepare needs a data set's name ({arguments.name[0]}) or your own {option}, not both")
    return own


def prepare_own(arguments: argparse.Namespace) -> int:
    """Read the tables, say what was understood, write the folder."""
    if out := arguments.out:
        arguments.out = str(user_path(out))
    if arguments.samples is None:
        return _prepare_graph(arguments)
    if arguments.num_nodes is not None:
        raise ValueError("--num-nodes is for edges alone; with --samples their number is known")
    if arguments.out is None and not arguments.dry_run:
        raise ValueError("--samples needs --out DIR, the folder to write, or --dry-run")
    edges, tasks = sources("edges", arguments.edges), sources("task", arguments.task)
    if arguments.out is not None:
        files = [arguments.samples, *edges.values(), *tasks.values()]
        check_target(Path(arguments.out), arguments.force, "sigraph-dataset", files)
    from sigraph.tables import TableReport

    halves = asked_halves(arguments.halves)
    report = TableReport()
    with _scratch(arguments) as scratch, _bar(arguments) as progress:
        try:
            dataset = read_own(arguments, report, scratch, progress)
        finally:  # after an error too: what was understood until then
            if str(report):
                print(report, flush=True)
        dataset, lines = halved(dataset, halves, arguments.seed) if halves else (dataset, [])
        print("\n".join(lines), end="\n" * bool(lines))
        if not edges:
            print(
                "graphs   none: a YAML names one made of the samples, e.g. {_target_: sigraph.graphs.KNNGraph, k: 10}"
            )
        if arguments.dry_run:
            print("nothing was written (--dry-run)")
            return 0
        dataset.save(arguments.out, overwrite=arguments.force)
    print(arguments.out)
    return 0


def _prepare_graph(arguments: argparse.Namespace) -> int:
    """Edges alone, between numbered nodes: a graph's folder, built in bounded memory."""
    unused: tuple = ([], "", None, False, 0)
    given = [option for option in _OF_SAMPLES if getattr(arguments, option) not in unused]
    if given:
        option = {"own_name": "name"}.get(given[0], given[0]).replace("_", "-")
        raise ValueError(f"--{option} needs --samples FILE, the table of your samples")
    if len(arguments.edges) != 1:
        raise ValueError("several --edges need --samples FILE; without it, prepare one graph at a time")
    if arguments.out is None:
        raise ValueError("--edges needs --out DIR, the folder to write")
    ((name, file),) = sources("edges", arguments.edges).items()
    check_target(Path(arguments.out), arguments.force, "sigraph-csr", [file])

    from sigraph.tables import build_store

    with _bar(arguments) as progress:
        read = build_store(
            file,
            arguments.out,
            arguments.num_nodes,
            memory_limit=arguments.memory_limit or "2GB",
            name=name,
            edge_columns=arguments.edge_columns,
            weight_column=arguments.weight_column,
            header=not arguments.no_header,
            overwrite=arguments.force,
            progress=progress,
        )
    print("\n".join(read.lines()))
    print(arguments.out)
    return 0


@contextmanager
def _scratch(arguments: argparse.Namespace) -> Iterator[Path | None]:
    """Where graphs are built out of core: beside the folder that is to be written."""
    if arguments.memory_limit is None:
        yield None
        return
    from sigraph.files.temporary import own_prefix, sweep

    out = resolved(arguments.out or "sigraph")
    beside = out.with_name(f"{out.name}-graphs")
    out.parent.mkdir(parents=True, exist_ok=True)
    sweep(beside)
    with tempfile.TemporaryDirectory(prefix=own_prefix(beside), dir=out.parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def _bar(arguments: argparse.Namespace) -> Iterator[Callable[[str, float], None]]:
    """A bar on a terminal, a line for each stage elsewhere."""
    from tqdm import tqdm

    from sigraph.files.foreign_text import printable, unguarded

    stage = ""
    layout = "{desc} {percentage:3.0f}% |{bar:30}| {elapsed} < {remaining}"
    with tqdm(
        total=1.0, file=unguarded(sys.stderr), leave=False, bar_format=layout, disable=not sys.stderr.isatty()
    ) as bar:

        def tell(what: str, share: float) -> None:
            nonlocal stage
            if what != stage:
                stage = what
                bar.reset()
                bar.set_description_str(printable(what), refresh=False)
                if bar.disable:
                    print(f"edges: {what}", file=sys.stderr, flush=True)
            bar.update(share - bar.n)

        yield tell
