"""Values, YAML and files of someone who means harm: one line, nothing executed, in bounded time and memory."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import planted
import worlds
import yaml
from forked import Ended, captured, forked
from harness import LOST, REFUSED, SILENT, SURVIVED, UNCLEAR, Case, Outcome
from hostile_yaml import keyed, structural

SECONDS, MEMORY = 60.0, 3 << 30
KEYS, BROKEN, TABLES, FOLDERS, RUNS = (
    "YAML: keys",
    "YAML: files",
    "planted: tables",
    "planted: prepared",
    "planted: runs",
)
# A library's own error, which nobody who wrote a value can read.
_RAW = ("TypeError", "KeyError", "IndexError", "AttributeError", "AssertionError", "ZeroDivisionError", "OverflowError")
_RAW += ("RuntimeError", "MemoryError", "RecursionError", "UnicodeError", "UnicodeEncodeError", "UnicodeDecodeError")
_RAW += ("MisconfigurationException", "ArrowInvalid", "SafetensorError", "StopIteration", "NameError", "ImportError")
_COMMON = ("prepare", "--samples", "samples.csv", "--edges", "cites=cites.csv", "--label", "topic")
_READS = {
    "samples": (*_COMMON[:1], "--samples", "PLANT", "--edges", "cites=cites.csv", "--out", "new"),
    "edges": ("prepare", "--samples", "samples.csv", "--edges", "PLANT", "--label", "topic", "--out", "new"),
    "task": (*_COMMON[:5], "--task", "t=PLANT", "--out", "new"),
    "edges alone": ("prepare", "--edges", "PLANT", "--out", "new", "--num-nodes", "24", "--memory-limit", "2GB"),
    "audit edges": ("audit", "PLANT", "more.csv"),
    "audit labels": ("audit", "cites.csv", "PLANT"),
    "embed": ("embed", "RUN", "--dataset", "PLANT", "--out", "z.npy"),
}
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
    if worlds.command(*_COMMON, "--out", "mine") or worlds.command("run", "mine.yaml"):
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
    }
    names = [*planted.plants(""), *planted.SPECIAL]
    for reads in _READS:
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
    told = {KEYS: _run_yaml, BROKEN: _run_yaml, TABLES: _read_table, FOLDERS: _open_folder, RUNS: _use_run}[case.kind]
    needle, ended = told(case, place, world, marker)
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


# What a user does #############################################################


def _commands(place: Path, *commands: tuple[str, ...], dry: bool = False) -> list[Ended]:
    """One after the other, in one process; ``dry``: the last one only if the one before gives leave."""

    def live() -> list[Ended]:
        os.chdir(place)
        found: list[Ended] = []
        for command in commands:
            if not dry or command is not commands[-1] or found[-1].value == 0:
                found.append(_told(*command))
        return found

    together = forked(live, SECONDS, MEMORY)
    return [together] if together.value is None else together.value


def _run_yaml(case: Case, place: Path, world: Path, marker: Path) -> tuple[tuple[str, ...], list[Ended]]:
    if "text" in case.about:
        text = case.about["text"].encode("utf-8", "surrogatepass")
    else:
        tree = json.loads((world / "tree.json").read_text())
        text = dict(structural(tree))[case.about["broken"]]
    (place / "h.yaml").write_bytes(text.replace(b"MARKER", os.fsencode(marker)))
    for name in ("mine", "runs"):
        (place / "elsewhere" / name).symlink_to(f"../{name}")
    # From a folder that holds a module of someone else; data sets are named from there.
    asked = [("run", "../h.yaml", *options) for options in (("--list",), ("--dry-run",), ("--max-time", "0.03"))]
    ended = _commands(place / "elsewhere", *asked, dry=True)
    return ("h.yaml", *case.about.get("key", "").split(".")[-2:]), ended


def _told(*arguments: str) -> Ended:
    ended = captured(lambda: worlds.command(*arguments))
    if ended.value == 1 and "the same command resumes" in ended.err and "failed: " not in ended.err:
        return ended._replace(value=0)  # the time was up, as asked
    return ended


def _lay(path: Path, plant: str, marker: Path) -> None:
    if path.is_file() or path.is_symlink():
        path.unlink()
    if plant in planted.SPECIAL:
        planted.lay_special(path, plant)
    elif plant.startswith("a bomb"):
        path.write_bytes(planted.bomb(plant.endswith("of rows")))
    else:
        path.write_bytes(planted.plants(str(marker))[plant])


def _read_table(case: Case, place: Path, world: Path, marker: Path) -> tuple[tuple[str, ...], list[Ended]]:
    file = f"plant{case.about['suffix']}"
    _lay(place / file, case.about["plant"], marker)
    run = next(str(found.parent) for found in (place / "runs").rglob("results.json"))
    arguments = [word.replace("PLANT", file).replace("RUN", run) for word in _READS[case.about["reads"]]]
    return (file, "column", "id", "more.csv"), _commands(place, tuple(arguments))


def _open_folder(case: Case, place: Path, world: Path, marker: Path) -> tuple[tuple[str, ...], list[Ended]]:
    folder, file = place / "prepared", case.about["file"]
    _lay(folder / file, case.about["plant"], marker)
    if case.about["sealed"] and case.about["plant"] not in planted.SPECIAL:
        _seal(folder, file)
    tree: dict[str, Any] = json.loads((world / "tree.json").read_text())
    tree["pretrain"] |= {"dataset": "prepared", "graph": "weighted"}
    (place / "h.yaml").write_text(yaml.safe_dump(tree))
    asked = [("audit", "prepared"), ("run", "h.yaml", "--dry-run"), ("run", "h.yaml", "--max-time", "0.05")]
    return (Path(file).name, "manifest.json"), _commands(place, *asked)


def _seal(folder: Path, file: str) -> None:
    """As its author would: the sums are those of what lies there."""
    from sigraph.data.array_folder import seal_folder
    from sigraph.data.prepared import write_manifest

    graph = folder / "graphs" / "weighted"
    if file.startswith("graphs") and not file.endswith("header.json"):
        header = json.loads((graph / "header.json").read_text())
        kept = {key: value for key, value in header.items() if key not in ("kind", "version", "files", "sum")}
        (graph / "header.json").unlink()
        seal_folder(graph, header["kind"], kept)
    (folder / "manifest.json").unlink()
    write_manifest(folder, ["weighted"], ["topic"])


def _use_run(case: Case, place: Path, world: Path, marker: Path) -> tuple[tuple[str, ...], list[Ended]]:
    run = next(found.parent for found in sorted((place / "runs").rglob("results.json")))
    top, name = run, case.about["file"]
    if name.startswith("_pretrain/"):
        top = next(found.parent for found in sorted((place / "runs").rglob("pretrain.json")))
        name = name.removeprefix("_pretrain/")
    file = next(iter(sorted(top.glob(name))), top / name)
    _lay(file, case.about["plant"], marker)
    if file.name == "progress.ckpt":
        for other in ("pretrain.json", "encoder.safetensors"):
            (top / other).unlink()
    asked = [("leaderboard", "runs", "--format", form) for form in ("markdown", "csv", "json", "ogb")]
    embed = ("embed", str(run), "--dataset", "mine", "--out", "z.npy")
    ended = _commands(place, embed, *asked, ("run", "mine.yaml"))
    return (file.name, "results.json", run.name), ended
