"""Values, YAML and files of someone who means harm: one line, nothing executed, in bounded time and memory."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import planted
import worlds
from forked import Ended
from harness import LOST, REFUSED, SILENT, SURVIVED, UNCLEAR, Case, Outcome
from hostile_uses import BROKEN, FOLDERS, KEYS, NAMED, PREPARE, READS, RECIPES, RUNS, SECONDS, TABLES, USES
from hostile_yaml import TARGETS, keyed, structural

# A library's own error, which nobody who wrote a value can read.
_RAW = ("TypeError", "KeyError", "IndexError", "AttributeError", "AssertionError", "ZeroDivisionError", "OverflowError")
_RAW += ("RuntimeError", "MemoryError", "RecursionError", "UnicodeError", "UnicodeEncodeError", "UnicodeDecodeError")
_RAW += ("MisconfigurationException", "ArrowInvalid", "SafetensorError", "StopIteration", "NameError", "ImportError")
_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".npy", ".csv.gz")
_IN_PREPARED = (
    "samples.npy",
    "ids.parquet",
    "card.yaml",
    "manifest.json",
    "tasks/topic/labels.npy",
    "tasks/topic/task.json",
)
_IN_PREPARED += (
    "tasks/topic/train.npy",
    "graphs/weighted/header.json",
    "graphs/weighted/rowptr.npy",
    "graphs/weighted/col.npy",
)
_IN_RUN = ("results.json", "config.yaml", "encoder.safetensors")
_SHARED = ("pretrain.json", "encoder.safetensors", "progress.ckpt")


def build(world: Path) -> None:
    """Tables, data sets and a finished run."""
    place = world / "place"
    worlds.write_tables(place)
    os.chdir(place)
    worlds.dataset("features").save("prepared")
    tree = worlds.experiment(
        place,
        pretrain__trainer={"max_epochs": 1, "accelerator": "cpu"},
        pretrain__sampler={"_target_": "sigraph.samplers.NeighborPairSampler", "num_neighbors": 1},
        finetune=[{"task": "topic", "head": "knn", "k": 2}],
    )
    (world / "tree.json").write_text(json.dumps(tree))
    if worlds.command(*PREPARE, "--out", "mine") or worlds.command("run", "mine.yaml"):
        raise RuntimeError("the place could not be made")


def cases(world: Path, quick: bool, seed: int) -> Iterator[Case]:
    """All keys with all values, all broken files, all plants in all places."""
    tree, draw = json.loads((world / "tree.json").read_text()), random.Random(seed)
    kinds: dict[str, list[Case]] = {
        KEYS: [Case(KEYS, name, {"key": key, "text": text}) for name, key, text in keyed(tree)],
        BROKEN: [Case(BROKEN, name, {"broken": name}) for name, _ in structural(tree)],
        TABLES: [],
        FOLDERS: [],
        RUNS: [],
        NAMED: [Case(NAMED, f"{n} {target[:40]!a}", {"target": target}) for n, target in enumerate(TARGETS)],
        RECIPES: [],
    }
    names = [*planted.plants(""), *planted.SPECIAL]
    for reads in READS:
        for suffix in _SUFFIXES:
            extra = ["a bomb of rows", "a bomb of one row"] if suffix == ".csv.gz" else []
            for name in [*names, *extra]:
                about = {"reads": reads, "suffix": suffix, "plant": name}
                kinds[TABLES].append(Case(TABLES, f"{reads}, {suffix}: {name}", about))
    for file in _IN_PREPARED:
        for sealed in (False, True) if file != "manifest.json" else (False,):
            for name in names:
                about = {"file": file, "plant": name, "sealed": sealed}
                kinds[FOLDERS].append(Case(FOLDERS, f"{file}{' with sums that fit' * sealed}: {name}", about))
    for file in (*_IN_RUN, *(f"_pretrain/{name}" for name in _SHARED), "_pretrain/finetune/*.json"):
        for name in names:
            kinds[RUNS].append(Case(RUNS, f"{file}: {name}", {"file": file, "plant": name}))
    for file in ("card.yaml", "prepare.py"):
        for name in names:
            kinds[RECIPES].append(Case(RECIPES, f"{file}: {name}", {"file": file, "plant": name}))
    for found in kinds.values():
        yield from draw.sample(found, min(20, len(found))) if quick else found


def judge(case: Case, world: Path, slot: Path) -> Outcome:
    """Lay it there, do what a user does, look at what was said and done."""
    place, marker = slot / "place", slot / "executed"
    if place.exists():
        shutil.rmtree(place)
    marker.unlink(missing_ok=True)
    shutil.copytree(world / "place", place, symlinks=True)
    (place / "elsewhere").mkdir()
    (place / "elsewhere" / "evil.py").write_text(
        f"import pathlib\npathlib.Path({str(marker)!r}).touch()\nclass X: pass\n"
    )
    os.mkfifo(place / "pipe")
    before = worlds.exact_files(place)
    needle, ended = USES[case.kind](case, place, world, marker)
    if marker.exists():
        return Outcome(SILENT, "code was executed")
    if (slot / "escaped.txt").exists() or (slot.parent / "escaped.txt").exists():
        return Outcome(LOST, "a file was written outside")
    gone = [where for where, what in before.items() if worlds.exact_files(place).get(where, what) != what]
    if case.kind in (KEYS, BROKEN, TABLES) and gone:
        return Outcome(LOST, f"changed: {', '.join(gone[:4])}")
    for one in ended:
        if wrong := _wrong(one, needle):
            return wrong
    return Outcome(REFUSED if any(one.value for one in ended) else SURVIVED)


def _wrong(ended: Ended, needle: tuple[str, ...]) -> Outcome | None:
    """What a user would complain about."""
    text = f"{ended.out}\n{ended.said}"
    lines = [line for line in ended.err.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if ended.late or ended.signal:
        return Outcome(UNCLEAR, f"no end within {SECONDS:.0f} s" if ended.late else f"ended by signal {ended.signal}")
    if ended.error:
        return Outcome(UNCLEAR, f"escapes as {ended.error[:200]}")
    if "Traceback (most recent" in text:
        return Outcome(UNCLEAR, f"a traceback: {last[:200]}")
    if "\x1b" in text or "\x07" in text or "\x00" in text:
        return Outcome(UNCLEAR, "escape codes reach the terminal")
    if ended.value == 0:
        return None
    said = [line for line in lines if line.startswith(("sigraph: ", "failed: "))]
    if not said:
        return Outcome(UNCLEAR, f"exit code {ended.value} without a reason: {last[:200]}")
    for line in said:
        if "cannot work with its arguments" in line:
            continue  # says which component of which arm, and what it was given
        words = line.replace("(", " ").replace(",", " ").split()
        if raw := next((word for word in words if word.rstrip(":") in _RAW and word.endswith(":")), None):
            return Outcome(UNCLEAR, f"a library's own error, {raw} {line[:200]}")
    if needle and not any(word in text for word in needle):
        return Outcome(UNCLEAR, f"names neither {' nor '.join(needle)}: {said[-1][:200]}")
    if len(max(said, key=len)) > 3000:
        return Outcome(UNCLEAR, f"a line of {len(max(said, key=len)):,} characters")
    after = [line for line in lines[lines.index(said[0]) + 1 :] if not line.startswith("  ")]  # a list of what to give
    if ended.value == 2 and after:
        return Outcome(UNCLEAR, f"more than one line: {said[0][:80]} / {after[0][:120]}")
    return None
