"""How often the audit's verdict and what pre-training gave agree, over finished experiments.

    python experiments/verdicts.py FILE.yaml ... [--runs RUNS]

For each experiment whose runs are below RUNS (default: runs), each task of its own data set and each head: the verdict
on the graph of the `sipt` arm that validation chooses (labels of train and valid; no test label chooses anything),
beside that arm's gain over the experiment's baseline on the test set with its 95 % interval. *promising* foretells a
gain, an interval above 0; *weak* and *useless* foretell none. Tasks of other data sets have no verdict, for their
samples are no nodes; verdicts of leakage foretell nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sigraph.cli import main as sigraph
from sigraph.config import load_config
from sigraph.files.markdown import markdown_table
from sigraph.leaderboard import Leaderboard
from sigraph.tasks.metrics import LOWER_IS_BETTER

FORETOLD = {"promising": True, "weak": False, "useless": False}
TITLES = ("experiment", "task", "head", "LC", "chance", "verdict", "arm", "gain", "outcome", "agree")
_ARMS = re.compile(r"graph (?P<graph>.+): arms (?P<arms>.+)")


def audited(file: Path) -> tuple[dict[tuple[str, str], dict[str, Any]], dict[str, str]]:
    """Rows of the audit of an experiment by (graph, task), and the graph of each arm."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        if sigraph(["audit", str(file), "--format", "json"]):
            raise SystemExit(f"{file}: the audit failed")
    report = json.loads(said.getvalue())
    found = [one for one in map(_ARMS.fullmatch, report["notes"]) if one]
    graphs = {arm: one["graph"] for one in found for arm in one["arms"].split(", ")}
    return {(row["graph"], row["task"]): row for row in report["rows"]}, graphs


def compared(file: Path, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One entry for each task and head: the verdict and what the chosen arm gave."""
    name = load_config(file).name
    verdicts, graphs = audited(file)
    own = [row for row in rows if row["experiment"] == name and row["difference_low"] is not None]
    own = [row for row in own if row["arm"].startswith("sipt") and (graphs.get(row["arm"]), row["task"]) in verdicts]
    for task, head in dict.fromkeys((row["task"], row["head"]) for row in own):
        several = [row for row in own if (row["task"], row["head"]) == (task, head)]
        sign = -1 if several[0]["metric"] in LOWER_IS_BETTER else 1
        best = max(several, key=lambda row: sign * row["valid_mean"])
        yield {**verdicts[graphs[best["arm"]], task], "run": best, "sign": sign}


def outcome(row: dict[str, Any], sign: int) -> str:
    """``gain``, ``loss`` or ``nothing certain``, by the interval of the difference."""
    low, high = sorted((sign * row["difference_low"], sign * row["difference_high"]))
    return "gain" if low > 0 else "loss" if high < 0 else "nothing certain"


def line(entry: dict[str, Any]) -> list[str]:
    """One row of the table."""
    row, told = entry["run"], FORETOLD.get(entry["verdict"])
    found = outcome(row, entry["sign"])
    gain = f"{row['difference']:+.4f} [{row['difference_low']:+.3f}, {row['difference_high']:+.3f}]"
    numbers = [f"{one:.3f}" if one is not None else "–" for one in (entry["local_consistency"], entry["null_mean"])]
    agree = "–" if told is None else "yes" if told == (found == "gain") else "no"
    return [row["experiment"], row["task"], row["head"], *numbers, entry["verdict"], row["arm"], gain, found, agree]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.yaml")
    parser.add_argument("--runs", default="runs")
    given = parser.parse_args()
    try:
        rows = Leaderboard.from_folder(given.runs).rows()
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from error
    lines = [line(entry) for file in given.files for entry in compared(file, rows)]
    if not lines:
        raise SystemExit(f"{given.runs} holds no finished run of these experiments on a task with a verdict")
    print(markdown_table(TITLES, lines))
    told = [one for one in lines if one[-1] != "–"]
    agreed = sum(one[-1] == "yes" for one in told)
    print(f"\nVerdict and outcome agree in {agreed} of {len(told)} cases ({len(lines) - len(told)} without a verdict).")


if __name__ == "__main__":
    main()
