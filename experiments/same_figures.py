"""``python experiments/same_figures.py [record]``: whether code that was moved or rebuilt still gives the same figures.

Runs `sigraph demo`, the torus of `semi-synthetic/` (seed 0) and Cora (seed 0, both heads) in an empty folder and
compares every score with ``same_figures.json``, digit for digit, and the encoders' embeddings. Arithmetic differs
between processors and versions of torch, so `record` first on the machine that compares. `--only NAME` for one.
Cora needs `SIGRAPH_DATA_SOURCE` or the network.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RECORDED = HERE / "same_figures.json"
ROOT = HERE.parent
TABLES = {
    "demo": ["demo"],
    "torus": ["run", str(HERE / "semi-synthetic" / "torus.yaml"), "seeds=[0]"],
    "cora": ["run", str(HERE / "cora" / "mlp.yaml"), "seeds=[0]"],
}
SCORES = ("n", "test_mean", "test_std", "valid_mean", "valid_std", "rre", "p_value", "num_parameters", "status")
CLOSE = 1e-6  # of embeddings, where code computes the same by other steps
SHOWN = 16  # samples whose embeddings are kept, by their norms


def sigraph(*arguments: str) -> str:
    """What a command of this checkout prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "sigraph", *arguments]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def figures(name: str, folder: Path) -> dict[str, Any]:
    """Every score of a table, and norms of what each encoder of its first seed makes of the first samples."""
    import numpy as np

    arguments, runs = TABLES[name], folder / name
    place = ["--output-dir", str(runs)] if arguments[0] == "demo" else [f"output_dir={runs}"]
    sigraph(*arguments, *place)
    rows = json.loads(sigraph("leaderboard", str(runs), "--format", "json"))["rows"]
    scores = {f"{row['arm']} · {row['task']} · {row['head']}": [row[key] for key in SCORES] for row in rows}
    norms = {}
    for file in sorted(runs.glob("*/*/*/seed-*/results.json")):
        arm = file.parents[2].name
        if arm not in norms:
            sigraph("embed", str(file.parent), "--out", str(folder / "z.npy"), "--force")
            norms[arm] = np.linalg.norm(np.load(folder / "z.npy")[:SHOWN], axis=1).tolist()
    return {"scores": scores, "norms": norms}


def differences(name: str, before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What is not the same, a line each."""
    found = [f"{name}: {row} is new" for row in now["scores"].keys() - before["scores"].keys()]
    for row, scores in before["scores"].items():
        if (given := now["scores"].get(row)) is None:
            found.append(f"{name}: {row} is gone")
            continue
        pairs = zip(SCORES, scores, given, strict=True)
        found += [f"{name}: {row}: {key} was {old}, is {new}" for key, old, new in pairs if old != new]
    for arm, norms in before["norms"].items():
        if arm not in now["norms"]:
            found.append(f"{name}: {arm} left no encoder")
            continue
        far = max(abs(a - b) / max(1.0, a) for a, b in zip(norms, now["norms"][arm], strict=True))
        if far > CLOSE:
            found.append(f"{name}: {arm}: embeddings differ by {far:.2g}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("compare", "record"), default="compare")
    parser.add_argument("--only", choices=TABLES, action="append", help="a table (default: all)")
    given = parser.parse_args()
    recorded: dict[str, Any] = json.loads(RECORDED.read_text()) if RECORDED.is_file() else {}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.only or TABLES:
            now = figures(name, Path(folder))
            if given.what == "record":
                recorded[name] = now | {"machine": platform.machine(), "python": platform.python_version()}
                RECORDED.write_text(json.dumps(recorded, indent=1) + "\n")
                continue
            if name not in recorded:
                sys.exit(f"{RECORDED.name} holds no {name!r}; `record` it first, with the code of before")
            wrong = differences(name, recorded[name], now)
            print(f"{name}: {len(now['scores'])} rows, " + (f"{len(wrong)} differences" if wrong else "all the same"))
            found += wrong
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
