"""Interrupt commands at random moments, and look at what they say, how they end and what is left of them.

    python experiments/interrupts.py [--repeats 20] [--seed 0] [--only run-workers]

Each command gets SIGTERM or SIGINT, alone or together with all processes of its group, as from a terminal or from
``timeout``. It has to end with 143 or 130, within two seconds on an idle machine, say one line at most, and leave no
process. One line is printed a command: interruptions, the slowest end in seconds, and what went wrong, if anything.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILE = """\
name: interrupted
seeds: [0, 1]
pretrain:
  dataset: {_target_: ManifoldWorld, num_samples: 2000}
  graph: radius
  encoder: {_target_: BagOfWordsEncoder, hidden_channels: 64, out_channels: 16}
  batch_size: 64
  trainer: {max_epochs: 1000, accelerator: cpu}
finetune: [{task: topic, head: full, max_epochs: 100000, patience: 100000}]
arms: {sipt: {}, other: {pretrain.structure_loss: InfoNCELoss}}
"""
RUNS = {
    "run": [],
    "run-workers": ["pretrain.num_workers=2"],
    "run-jobs": ["--jobs", "2", "pretrain.num_workers=1"],
    "run-two-processes": ["pretrain.trainer.devices=2", "pretrain.num_workers=1"],
    "fine-tune": ["pretrain.trainer.max_epochs=1"],
    "dry-run": ["--dry-run"],
}
LINE = "sigraph: interrupted; the same command "


def main() -> int:
    """Run all; 1 if anything went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latest", type=float, default=12.0, help="seconds after the start")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    draw, failed = random.Random(given.seed), False
    with tempfile.TemporaryDirectory() as folder:
        for name, command in commands(Path(folder)).items():
            if given.only not in name:
                continue
            slowest, wrong = 0.0, []
            for number in range(given.repeats):
                moment = draw.uniform(0.3, given.latest)
                seconds, faults = interrupt([*command, *output(name, folder, number)], moment, draw)
                slowest, wrong = max(slowest, seconds), wrong + faults
            failed = failed or bool(wrong)
            print(f"{name}: {given.repeats} interruptions, slowest end {slowest:.2f} s", *wrong, sep="\n  ", flush=True)
    return int(failed)


def commands(folder: Path) -> dict[str, list[str]]:
    """Name -> what is started."""
    file = folder / "interrupted.yaml"
    file.write_text(FILE)
    samples, edges, labels = (folder / f"{name}.csv" for name in ("samples", "edges", "labels"))
    count = 100_000
    samples.write_text("id,a,b\n" + "".join(f"{i},{i % 7},{i % 11}\n" for i in range(count)))
    edges.write_text("a,b\n" + "".join(f"{i},{(i * 7 + k) % count}\n" for i in range(count) for k in range(1, 9)))
    labels.write_text("id,label\n" + "".join(f"{i},{'xy'[i % 2]}\n" for i in range(count)))
    python = [sys.executable, "-m", "sigraph"]
    found = {name: [*python, "run", str(file), *options] for name, options in RUNS.items()}
    found["prepare"] = [*python, "prepare", "--samples", str(samples), "--edges", str(edges), "--task", f"t={labels}"]
    found["audit"] = [*python, "audit", str(edges), str(labels)]
    return found


def output(name: str, folder: str, number: int) -> list[str]:
    """Where a command writes: a place of its own, so that each starts afresh."""
    place = str(Path(folder) / f"{name}-{number}")
    return [] if name in ("audit", "dry-run") else ["--out" if name == "prepare" else "--output-dir", place]


def interrupt(command: list[str], moment: float, draw: random.Random) -> tuple[float, list[str]]:
    """Start, interrupt after ``moment`` seconds; how long the end took, and what was wrong."""
    number, together = draw.choice([signal.SIGTERM, signal.SIGINT]), draw.random() < 0.5
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(moment)
    if child.poll() is not None:
        return 0.0, [f"ended by itself after {moment:.1f} s: {child.communicate()[1][-300:]}"]
    before = descendants(child.pid)
    (os.killpg if together else os.kill)(child.pid, number)
    start = time.monotonic()
    while child.poll() is None and time.monotonic() - start < 30:
        time.sleep(0.01)
    seconds = time.monotonic() - start
    time.sleep(0.3)
    left = [pid for pid in before if runs(pid)]
    for pid in [child.pid, *left]:
        if runs(pid):
            os.kill(pid, signal.SIGKILL)
    said = child.communicate()[1]
    lines = [line for line in said.splitlines() if line.strip()]
    how = f"{signal.Signals(number).name}{' to all' if together else ''} after {moment:.1f} s"
    faults = []
    early = moment < 1.0 and child.returncode == -number  # Python was not up yet
    if child.returncode != 128 + number and not early:
        faults.append(f"{how}: exit code {child.returncode}")
    if len(lines) > 1 + sum("[" in line or "epochs" in line for line in lines) or "Traceback" in said:
        faults.append(f"{how}: said {said[-1500:]!r}")
    elif not early and not any(LINE in line for line in lines):
        faults.append(f"{how}: said nothing")
    if seconds > 2:
        faults.append(f"{how}: took {seconds:.1f} s")
    if left:
        faults.append(f"{how}: {len(left)} processes left")
    return seconds, faults


def descendants(pid: int) -> list[int]:
    """Processes that a process started, and those that they did, and so on."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def runs(pid: int) -> bool:
    """Whether there is such a process; one that nobody has asked how it ended is none."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
