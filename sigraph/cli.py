"""The command line. Everything heavy is imported inside the command that needs it."""

from __future__ import annotations

import argparse
import errno
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sigraph import __version__
from sigraph.audit_command import add_audit_options, audit_run
from sigraph.embed_command import add_embed_options, embed_run
from sigraph.launch import launched
from sigraph.prepare_command import add_own_data_options, is_own_data, prepare_own

if TYPE_CHECKING:
    from sigraph.experiment import Results

_ABOUT = """\
Structure-inducing pre-training: shape an encoder's latent space with a graph over your samples.

  sigraph demo                                  a minute or two: what a pre-training graph gives
  sigraph datasets                              the data sets sigraph knows
  sigraph prepare cora                          download, check and write one
  sigraph audit cora                            whether the graph can help the task, before anything is trained
  sigraph run experiments/cora/mlp.yaml         run an experiment, print its table
  sigraph leaderboard runs                      the table of everything that was run
  sigraph embed RUN_FOLDER --out z.parquet      embeddings by a run's encoder, no graph involved
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 if a run failed, 2 if the request cannot be carried out."""
    parser = _parser()
    arguments, late = parser.parse_known_args(argv)
    # argparse takes positionals in one run only; overrides may also stand behind options.
    strange = [text for text in late if arguments.command != "run" or text.startswith("-")]
    if strange:
        parser.error(f"unrecognized arguments: {' '.join(strange)}")
    if late:
        arguments.overrides = [*arguments.overrides, *late]
    if arguments.command is None:
        parser.print_help()
        return 2
    before = signal.signal(signal.SIGTERM, _stop)  # a scheduler's way to say Ctrl-C
    try:
        return arguments.function(arguments)
    except KeyboardInterrupt:
        print("\nsigraph: interrupted; the same command resumes", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, e.g. `head`, has seen enough
        sys.stderr.close()
        return 0
    except (ValueError, OSError) as error:
        if arguments.debug:
            raise
        closed = isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        hint = "; `sigraph leaderboard DIR` needs no right to write" if closed and arguments.command == "run" else ""
        print(f"sigraph: {error}{hint}", file=sys.stderr)
        return 2
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _run(arguments: argparse.Namespace) -> int:
    from sigraph.config import load_config

    overrides = list(arguments.overrides)
    if arguments.output_dir is not None:
        overrides.append(f"output_dir={_quoted(arguments.output_dir)}")
    if arguments.max_time is not None and arguments.max_time < 0:
        raise ValueError(f"'--max-time' needs to be >= 0 minutes (got {arguments.max_time:g})")
    # A user's own parts are found beside the YAML and where one stands, after everything that is installed.
    sys.path += [str(Path(arguments.file).resolve().parent), str(Path.cwd())]
    launch = launched()
    if launch is not None and launch.rank:
        return 0 if arguments.list or arguments.dry_run else _follow()
    config = load_config(arguments.file, overrides)
    arms, seeds = arguments.arm or config.arm_names, arguments.seed or config.seeds
    from sigraph.experiment import check_jobs

    wanted = check_jobs(config, [(name, seed) for seed in seeds for name in arms])
    if arguments.list:
        from sigraph.parts import check_components

        for name in dict.fromkeys(name for name, _ in wanted):
            check_components(config.arm(name))
        return _list(arguments, overrides, wanted)
    from sigraph.training import quiet_libraries

    quiet_libraries()
    if arguments.dry_run:
        from sigraph.plan import plan_table

        print(plan_table(config, wanted))
        return 0
    from sigraph.experiment import run
    from sigraph.progress import BarProgress

    seconds = None if arguments.max_time is None else 60 * arguments.max_time
    return _show(run(config, BarProgress(), arguments.jobs, seconds, wanted), arguments.debug)


def _follow() -> int:
    """One of several processes that torchrun or srun started: the first one says what to do."""
    from sigraph.fitting import fit_share
    from sigraph.lead import follow
    from sigraph.training import quiet_libraries

    quiet_libraries()
    follow(fit_share)
    return 0


def _list(arguments: argparse.Namespace, overrides: list[str], wanted: list[tuple[str, int]]) -> int:
    """One command a run, for any scheduler; they may run in any order and at the same time."""
    import shlex

    for name, seed in wanted:
        command = ["sigraph", "run", arguments.file, *overrides, "--arm", name, "--seed", str(seed)]
        print(shlex.join(command))
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from sigraph.config import load_config
    from sigraph.data.card import shipped_folder
    from sigraph.experiment import run
    from sigraph.progress import BarProgress
    from sigraph.training import quiet_libraries

    file = shipped_folder().parent / "experiments" / "manifold-torus" / "demo.yaml"
    config = load_config(file, [f"output_dir={_quoted(arguments.output_dir)}"])
    print(_DEMO_TEXT.format(num_seeds=len(config.seeds)))
    sys.stdout.flush()
    quiet_libraries()
    results = run(config, BarProgress())
    code = _show(results, arguments.debug)
    if code == 0:
        print(f"\nthe latent spaces, without and with the graph: {_picture(results, ['objective-only', 'sipt'])}")
    return code


_DEMO_TEXT = """\
1,200 samples lie on a torus; each shows only 16 noisy words. The pre-training graph joins samples that lie close
together. Which of 8 topics is a sample about? 40 labels to train on, 1,000 test samples, {num_seeds} seeds, four arms:
  sipt            masked words + the graph          objective-only   masked words alone
  rewired-graph   the same, graph's ends shuffled   no-pretraining   random encoder
The encoder sees one sample at a time: the graph is used in pre-training only.
"""


def _picture(results: Results, arms: list[str]) -> Path:
    """The latent spaces of two arms of a finished run, first seed."""
    from sigraph.parts import load_parts
    from sigraph.report import latent_figure
    from sigraph.run_one import run_folder

    config = results.config
    panels, seed = {}, config.seeds[0]
    for name in arms:
        arm = config.arm(name)
        panels[name], dataset, observed = load_parts(arm.pretrain, seed, run_folder(config, arm, seed))
    task = dataset.task(config.finetune[0].task)
    path = Path(config.output_dir) / config.name / "latent.png"
    return latent_figure(panels, task.labels, path, observed.local_consistency(task.labels), task.name, seed)


def _show(results: Results, debug: bool) -> int:
    from sigraph.leakage_check import leakage_lines

    config = results.config
    print(f"\n{config.name}: {config.question}\n" if config.question else f"\n{config.name}\n")
    print(results.leaderboard().table())
    folder = Path(config.output_dir) / config.name
    print(f"\nmean ± unbiased standard deviation over seeds; everything is kept in {folder}")
    for line in leakage_lines(results.records):
        print(line)
    for reason in dict.fromkeys(record["reason"] for record in results.failed):
        same = [record for record in results.failed if record["reason"] == reason]
        runs = "; ".join(
            f"{arm}, seed {', '.join(str(record['seed']) for record in same if record['arm'] == arm)}"
            for arm in dict.fromkeys(record["arm"] for record in same)
        )
        print(f"failed: {runs}: {reason}", file=sys.stderr)
        if debug:
            print(same[0]["traceback"], file=sys.stderr)
    if results.failed and not debug:
        print("results.json holds the traceback of each; --debug shows them", file=sys.stderr)
    if results.unfinished:
        print(f"\n{len(results.unfinished)} runs are not finished; the same command resumes", file=sys.stderr)
    return 1 if results.failed or results.unfinished else 0


def _leaderboard(arguments: argparse.Namespace) -> int:
    from sigraph.evaluation import Leaderboard

    board = Leaderboard.from_folder(arguments.folder).only(arguments.experiment, arguments.task)
    print(board.table(arguments.format))
    for record in board.records:
        if record["status"] == "unreadable":
            print(f"sigraph: {record['reason']}", file=sys.stderr)
    return 0


def _datasets(arguments: argparse.Namespace) -> int:
    from sigraph.data.card import card_names, load_card

    for name in card_names():
        card = load_card(name)
        graphs = ", ".join(f"{key} ({graph.num_edges:,} edges)" for key, graph in card.graphs.items())
        tasks = ", ".join(f"{key} ({task.type}, {task.metric})" for key, task in card.tasks.items())
        print(f"{name}\n  {card.title}\n  {card.samples.count:,} samples; graph {graphs or 'none'}; task {tasks}")
    return 0


def _prepare(arguments: argparse.Namespace) -> int:
    if is_own_data(arguments):
        return prepare_own(arguments)
    import logging

    from sigraph.data import prepare

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for name in arguments.name:
        print(prepare(name, force=arguments.force, trust_recipe=arguments.trust_recipe))
    return 0


def _quoted(text: str) -> str:
    """As a YAML string, whatever it holds."""
    import json

    return json.dumps(text)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"sigraph: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    shared = _Parser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show tracebacks of errors")
    text = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog="sigraph", description=_ABOUT, formatter_class=text)
    parser.add_argument("--version", action="version", version=f"sigraph {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def add(name: str, function, help: str, example: str) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=help, description=help, epilog=f"example:\n  {example}", parents=[shared], formatter_class=text
        )
        command.set_defaults(function=function)
        return command

    demo = add("demo", _demo, "Pre-train on the embedded data set and show what the graph gave.", "sigraph demo")
    demo.add_argument("--output-dir", default="runs", help="where results are kept (default: runs)")

    run = add(
        "run",
        _run,
        "Run an experiment: arms x seeds x tasks. Finished work is recognised, interrupted work resumed.",
        "sigraph run experiments/cora/mlp.yaml seeds=[0,1] pretrain.structure_weight=0.5",
    )
    run.add_argument("file", metavar="FILE", help="the experiment's YAML")
    run.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="dotted overrides, values in YAML")
    run.add_argument("--output-dir", help="where results are kept (default: the file's output_dir, else runs)")
    run.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time, a process each (default: 1)")
    run.add_argument("--arm", action="append", metavar="NAME", help="only this arm; repeat for more")
    run.add_argument("--seed", action="append", type=int, metavar="SEED", help="only this seed; repeat for more")
    run.add_argument("--max-time", type=float, metavar="MINUTES", help="save and stop then; the same command resumes")
    run.add_argument(
        "--dry-run", action="store_true", help="say what would run: parameters, memory, time; keep nothing"
    )
    run.add_argument("--list", action="store_true", help="print one command for each run, for a scheduler")

    add_audit_options(
        add(
            "audit",
            audit_run,
            "Say whether a graph can help a task, and whether it leaks the answer. Nothing is trained.",
            "sigraph audit cora\n  sigraph audit experiments/cora/mlp.yaml\n  sigraph audit edges.parquet labels.csv",
        )
    )

    leaderboard = add(
        "leaderboard",
        _leaderboard,
        "Show what was run as a table: mean and unbiased spread over seeds, compared with the baseline.",
        "sigraph leaderboard runs/cora-mlp --format csv",
    )
    leaderboard.add_argument("folder", metavar="DIR", help="an output_dir of `sigraph run`, or a folder in it")
    leaderboard.add_argument(
        "--format", choices=("markdown", "csv", "json", "ogb"), default="markdown", help="ogb: OGB's submission form"
    )
    leaderboard.add_argument("--experiment", metavar="NAME", help="this experiment alone")
    leaderboard.add_argument("--task", metavar="NAME", help="this task alone")

    embed = add(
        "embed",
        embed_run,
        "Write the embeddings of samples, old or new, by the encoder that a run pre-trained. No graph is involved.",
        "sigraph embed runs/mine/sipt/*/seed-0 --dataset new.csv --out new.parquet",
    )
    add_embed_options(embed)

    add("datasets", _datasets, "List the data sets sigraph knows.", "sigraph datasets")

    prepare = add(
        "prepare",
        _prepare,
        "Prepare data sets, known ones or your own tables: check them, write a folder any tool can read.",
        "sigraph prepare cora\n  sigraph prepare --samples papers.csv --edges cites.csv --task topics.csv --out papers",
    )
    prepare.add_argument("name", nargs="*", metavar="NAME", help="a data set's name, or a folder with card and recipe")
    prepare.add_argument("--force", action="store_true", help="prepare again even if it is there")
    prepare.add_argument(
        "--trust-recipe", action="store_true", help="run the prepare.py of a folder that sigraph did not ship"
    )
    add_own_data_options(prepare)
    return parser
