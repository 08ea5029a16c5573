"""``sigraph leaderboard DIR``: what was run as tables, and as entries for OGB's leaderboard."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sigraph.leaderboard import Leaderboard


def add_leaderboard_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``sigraph leaderboard``."""
    add = parser.add_argument
    add("folder", metavar="DIR", help="an output_dir of `sigraph run`, or a folder in it")
    formats = ("markdown", "csv", "json", "ogb", "trials")
    add(
        "--format",
        choices=formats,
        default="markdown",
        help="ogb: OGB's submission form; trials: all settings that were tried to choose the arms', in Markdown",
    )
    add("--experiment", metavar="NAME", help="this experiment alone")
    add("--task", metavar="NAME", help="this task alone")
    add(
        "--check",
        nargs="?",
        const="",
        metavar="FILE",
        help="with --format ogb: name the rules of OGB's that the runs break, or a file of their entries",
    )


def leaderboard_run(arguments: argparse.Namespace) -> int:
    """Show the table of what was run; or say whether it can be sent to OGB, 1 if it cannot."""
    from sigraph.leaderboard import Leaderboard

    if arguments.check is not None and arguments.format != "ogb":
        raise ValueError("--check looks at entries for OGB's leaderboard; add --format ogb")
    if arguments.format == "trials":
        from sigraph.leaderboard.trials import read_tried, trials_page

        found = read_tried(arguments.folder)
        print(trials_page(found, arguments.experiment, arguments.task))
        for one in found:
            if one.found is None:
                print(f"sigraph: trials of {one.arm}, {one.experiment}: {one.reason}", file=sys.stderr)
        return 0
    board = Leaderboard.from_folder(arguments.folder).only(arguments.experiment, arguments.task)
    code = 0
    if arguments.check is not None:
        code = _check(board, arguments.check or None)
    else:
        print(board.table(arguments.format))
    if arguments.format == "markdown":
        from sigraph.leaderboard.hints import hint_lines
        from sigraph.leaderboard.leakage_lines import leakage_lines
        from sigraph.leaderboard.trials import trial_lines

        records, task = board.records, arguments.task
        if lines := [*leakage_lines(records, task), *trial_lines(records), *hint_lines(records, task)]:
            print("", *lines, sep="\n")
    for record in board.records:
        if record["status"] == "unreadable":
            print(f"sigraph: {record['reason']}", file=sys.stderr)
    return code


def _check(board: Leaderboard, file: str | None) -> int:
    from sigraph.leaderboard.ogb_check import check_entries
    from sigraph.recipes.ogb.card import official_fingerprints
    from sigraph.recipes.prepare import data_root

    official = official_fingerprints({str(row["dataset"]) for row in board.rows()}, data_root())
    verdicts = check_entries(board.ogb_entries(official) if file is None else board.ogb_records(official), file)
    for verdict in verdicts:
        print(*verdict.lines(), sep="\n")
    if not verdicts:
        print("no run has finished: there is no entry")
    return int(not verdicts or any(verdict.refused for verdict in verdicts))
