"""``python experiments/reliability/measure.py [PART ...]``: try to break sigraph, count what held; see README.md."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the checkout this file lies in, whatever is installed
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

from harness import PARTS, Plan, run_part  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a few cases of each kind")
    parser.add_argument("--minutes", type=float, default=30.0, help="of each part; the same command resumes")
    parser.add_argument("--workers", type=int, default=2, help="cases at a time (default: 2)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="TEXT", help="cases that have it in their name; told, not kept")
    given = parser.parse_args()
    if unknown := set(given.part) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    from report import summary, write_report

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what is known is kept, as with Ctrl-C
    unfinished = False
    for part in given.part or PARTS:
        plan = Plan(part, given.seed, given.quick, given.minutes, given.workers, given.only)
        record = run_part(plan)
        print(summary(record), flush=True)
        unfinished |= len(record["outcomes"]) < record["total"]
    if given.only is None:
        write_report()
    if unfinished:
        print("the time was up; the same command resumes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
