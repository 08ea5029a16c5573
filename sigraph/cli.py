"""The command line. Everything heavy is imported inside the command that needs it."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from sigraph import __version__
from sigraph.commands.advise import add_advise_options, advise_run
from sigraph.commands.audit import add_audit_options, audit_run
from sigraph.commands.column_halves import prepare_halves
from sigraph.commands.datasets import datasets_run
from sigraph.commands.embed import add_embed_options, embed_run
from sigraph.commands.init import add_init_options, init_run
from sigraph.commands.leaderboard import add_leaderboard_options, leaderboard_run
from sigraph.commands.neighbors import add_neighbors_options, neighbors_run
from sigraph.commands.predict import add_predict_options, predict_run
from sigraph.commands.prepare import add_own_data_options, is_own_data, prepare_own
from sigraph.commands.run import add_run_options, demo_run, experiment_run
from sigraph.files.foreign_text import guarded_output
from sigraph.files.suggestions import did_you_mean
from sigraph.machines.interrupts import interruptible

_LONGEST = 2000  # characters of a line of a message

_ABOUT = """\
Structure-inducing pre-training: shape an encoder's latent space with a graph over your samples.

  sigraph demo                                  a minute or two: what a pre-training graph gives
  sigraph init papers.csv cites.csv --run       your own files: what they hold, an experiment, its table
  sigraph datasets                              the data sets sigraph knows
  sigraph prepare cora                          download, check and write one
  sigraph audit cora                            whether the graph can help the task, before anything is trained
  sigraph advise cora                           whether pre-training is worth it, with few labels and many: a short run
  sigraph run experiments/cora/mlp.yaml         run an experiment, print its table
  sigraph leaderboard runs                      the table of everything that was run
  sigraph embed RUN_FOLDER --out z.parquet      embeddings by a run's encoder, no graph involved
  sigraph predict RUN_FOLDER --samples new.csv --out p.csv     what its fine-tuned head says of new samples
  sigraph neighbors RUN_FOLDER --query ID       the samples nearest to one in the latent space
"""


@guarded_output()
def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 if a run failed, 2 if the request cannot be carried out, 130 after
    Ctrl-C, 143 after SIGTERM."""
    # Threads of torch that wait shall sleep: where others work on the same cores, spinning takes most of the time.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported, which is later
    parser = _parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks what could follow (extra `completion`)
        importlib.import_module("argcomplete").autocomplete(parser)
    arguments, late = parser.parse_known_args(argv)
    # argparse takes positionals in one run only; overrides may also stand behind options.
    strange = [text for text in late if arguments.command != "run" or text.startswith("-")]
    if strange:
        (arguments.parser or parser).error(_unrecognized(arguments, strange))
    arguments.typed = list(sys.argv[1:] if argv is None else argv)  # what a file that is written says of itself
    if late:
        arguments.overrides = [*arguments.overrides, *late]
    if arguments.command is None:
        parser.print_help()
        return 2
    with interruptible(_line_for(arguments.command), ends=argv is None) as interruption:
        try:
            code = _carried_out(arguments)
        except KeyboardInterrupt:
            return interruption.end()
        except Exception:  # maybe of a process that was told to end a moment before this one
            if not interruption.number:
                raise
        if interruption.number:  # its exception got lost, or came too late
            return interruption.end()
        return code


def _unrecognized(arguments: argparse.Namespace, strange: list[str]) -> str:
    """What the command does not take, with what was probably meant."""
    if arguments.command in ("predict", "embed", "neighbors") and Path(strange[0]).is_dir():
        given = f"{1 + len(strange)} run folders were given, perhaps by a glob (the others: {' '.join(strange)})"
        return f"{given}; name one, or the folder above them"
    options = [] if arguments.parser is None else list(arguments.parser._option_string_actions)
    said = [
        f"{text}{did_you_mean(text.partition('=')[0], options) if text.startswith('--') else ''}" for text in strange
    ]
    return f"unrecognized arguments: {' '.join(said)}"


def _carried_out(arguments: argparse.Namespace) -> int:
    try:
        return arguments.function(arguments)
    except BrokenPipeError:  # the reader, e.g. `head`, has seen enough
        sys.stderr.close()
        return 0
    except (ValueError, OSError) as error:
        if arguments.debug:
            raise
        closed = isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        hint = "; `sigraph leaderboard DIR` needs no right to write" if closed and arguments.command == "run" else ""
        print(f"sigraph: {_said(error)}{hint}", file=sys.stderr)
        return 2
    except Exception as error:  # of a library, or a mistake in sigraph: whoever asks sees where
        if arguments.debug:
            raise
        first = str(error).strip().partition("\n")[0]
        print(f"sigraph: {type(error).__name__}: {first}; --debug shows where it comes from", file=sys.stderr)
        return 2


def _line_for(command: str) -> str:
    """What is said when a command is interrupted; one of several processes says it for all."""
    if os.environ.get("RANK", "0") != "0" or os.environ.get("SLURM_PROCID", "0") != "0":
        return ""
    again = {"run": "the same command resumes", "demo": "the same command resumes"}
    again["init"] = "`sigraph run NAME.yaml` goes on, where that was written"
    return f"\nsigraph: interrupted; {again.get(command, 'the same command starts again')}"


def _said(error: Exception) -> str:
    """What went wrong; what the system says without its number; of a value as long as a book its beginning and end."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    lines = str(error).split("\n")
    return "\n".join(line if len(line) <= _LONGEST else f"{line[:1000]} [...] {line[-500:]}" for line in lines)


def _prepare(arguments: argparse.Namespace) -> int:
    if is_own_data(arguments):
        return prepare_own(arguments)
    if arguments.halves:
        return prepare_halves(arguments)
    import logging

    from sigraph.recipes import prepare

    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for name in arguments.name:
        print(prepare(name, force=arguments.force, trust_recipe=arguments.trust_recipe))
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        wrong = re.fullmatch(r"argument COMMAND: invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if wrong:
            known = re.findall(r"'(.*?)'", wrong[2]) or wrong[2].split(", ")
            message = f"there is no command {wrong[1]!r}{did_you_mean(wrong[1], known)}; there are: {', '.join(known)}"
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
            name,
            help=help,
            description=help,
            epilog=f"example:\n  {example}",
            parents=[shared],
            formatter_class=text,
            allow_abbrev=False,  # --trust, which elsewhere names a module, would else be --trust-recipe
        )
        command.set_defaults(function=function, parser=command)
        return command

    demo = add("demo", demo_run, "Pre-train on the embedded data set and show what the graph gave.", "sigraph demo")
    demo.add_argument("--output-dir", default="runs", help="where results are kept (default: runs)")

    add_init_options(
        add(
            "init",
            init_run,
            "From your files to an experiment: say what they hold, prepare, audit, choose, write NAME.yaml; --run it.",
            "sigraph init papers.csv cites.csv topics.csv --run\n  sigraph init proteins.fasta edges.tsv --dry-run",
        )
    )

    run = add(
        "run",
        experiment_run,
        "Run an experiment: arms x seeds x tasks. Finished work is recognised, interrupted work resumed.",
        "sigraph run experiments/cora/mlp.yaml seeds=[0,1] pretrain.structure_weight=0.5",
    )
    add_run_options(run)

    add_audit_options(
        add(
            "audit",
            audit_run,
            "Say whether a graph can help a task, and whether it leaks the answer. Nothing is trained.",
            "sigraph audit cora\n  sigraph audit experiments/cora/mlp.yaml\n  sigraph audit edges.parquet labels.csv",
        )
    )

    add_advise_options(
        add(
            "advise",
            advise_run,
            "Say whether pre-training on the graph is worth it, with few labels and with many, from a short run.",
            "sigraph advise cora\n  sigraph advise experiments/cora/mlp.yaml --minutes 5 --out advice\n"
            "  sigraph advise papers.csv cites.csv",
        )
    )

    add_leaderboard_options(
        add(
            "leaderboard",
            leaderboard_run,
            "Show what was run as a table: mean and unbiased spread over seeds, compared with the baseline.",
            "sigraph leaderboard runs/cora-mlp --format csv\n"
            "  sigraph leaderboard runs --task ogbg-molbace --format ogb --check",
        )
    )

    embed = add(
        "embed",
        embed_run,
        "Write the embeddings of samples, old or new, by the encoder that a run pre-trained. No graph is involved.",
        "sigraph embed runs/mine/sipt/*/seed-0 --dataset new.csv --out new.parquet",
    )
    add_embed_options(embed)

    add_predict_options(
        add(
            "predict",
            predict_run,
            "Write what a run's fine-tuned head says of samples, old or new: classes by name, probabilities, numbers.",
            "sigraph predict runs/mine --samples new.csv --out predictions.csv\n"
            "  sigraph predict runs/mine --samples new.fasta --pairs pairs.csv --out pairs.parquet",
        )
    )

    add_neighbors_options(
        add(
            "neighbors",
            neighbors_run,
            "Show the samples nearest to others, or to new texts, in the latent space of a run's encoder.",
            "sigraph neighbors runs/mine --query p17 -k 10",
        )
    )

    datasets = add(
        "datasets", datasets_run, "List the data sets sigraph knows, or say what is in one.", "sigraph datasets cora"
    )
    datasets.add_argument("name", nargs="?", metavar="NAME", help="of one, to be told about it")

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

    about = add("help", partial(_help, parser, commands.choices), "Say what a command does.", "sigraph help run")
    about.add_argument("of", nargs="?", metavar="COMMAND", help="whose help is shown")
    return parser


def _help(parser: _Parser, commands: Mapping[str, argparse.ArgumentParser], arguments: argparse.Namespace) -> int:
    if arguments.of is not None and arguments.of not in commands:
        near = did_you_mean(arguments.of, list(commands))
        raise ValueError(f"there is no command {arguments.of!r}{near}; there are: {', '.join(commands)}")
    (parser if arguments.of is None else commands[arguments.of]).print_help()
    return 0
