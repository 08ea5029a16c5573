"""What a user does where something hostile lies: runs, prepares, audits, embeds, reads the table."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import planted
import worlds
import yaml
from forked import Ended, captured, forked
from harness import Case
from hostile_yaml import structural

SECONDS, MEMORY = 60.0, 3 << 30  # of all that is done about a case
READ_WHOLE = 400.0  # seconds, where a file of any size is read in pieces, as it should be: 1.3 billion rows
KEYS, BROKEN = "YAML: keys", "YAML: files"
TABLES, FOLDERS, RUNS = "planted: tables", "planted: prepared", "planted: runs"
NAMED, RECIPES = "a record names a class", "planted: recipes"
PREPARE = ("prepare", "--samples", "samples.csv", "--edges", "cites=cites.csv", "--label", "topic")
READS = {
    "samples": (*PREPARE[:1], "--samples", "PLANT", "--edges", "cites=cites.csv", "--out", "new"),
    "edges": ("prepare", "--samples", "samples.csv", "--edges", "PLANT", "--label", "topic", "--out", "new"),
    "task": (*PREPARE[:5], "--task", "t=PLANT", "--out", "new"),
    "edges alone": ("prepare", "--edges", "PLANT", "--out", "new", "--num-nodes", "24", "--memory-limit", "2GB"),
    "audit edges": ("audit", "PLANT", "more.csv"),
    "audit labels": ("audit", "cites.csv", "PLANT"),
    "embed": ("embed", "RUN", "--dataset", "PLANT", "--out", "z.npy"),
}
Told = tuple[tuple[str, ...], list[Ended]]  # words of which a message has to hold one; how each command ended


def _commands(place: Path, *commands: tuple[str, ...], dry: bool = False, seconds: float = SECONDS) -> list[Ended]:
    """One after the other, in one process; ``dry``: the last one only if the one before gives leave."""

    def live() -> list[Ended]:
        os.chdir(place)
        found: list[Ended] = []
        for command in commands:
            if not dry or command is not commands[-1] or found[-1].value == 0:
                found.append(_told(*command))
        return found

    together = forked(live, seconds, MEMORY)
    return [together] if together.value is None else together.value


def _run_yaml(case: Case, place: Path, world: Path, marker: Path) -> Told:
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


def _read_table(case: Case, place: Path, world: Path, marker: Path) -> Told:
    file = f"plant{case.about['suffix']}"
    _lay(place / file, case.about["plant"], marker)
    run = next(str(found.parent) for found in (place / "runs").rglob("results.json"))
    arguments = [word.replace("PLANT", file).replace("RUN", run) for word in READS[case.about["reads"]]]
    seconds = READ_WHOLE if case.about["reads"] == "edges alone" else SECONDS
    return (file, "column", "id", "more.csv"), _commands(place, tuple(arguments), seconds=seconds)


def _open_folder(case: Case, place: Path, world: Path, marker: Path) -> Told:
    from sigraph.data.card import Card

    folder, file = place / "prepared", case.about["file"]
    card = Card.read(folder / "card.yaml")
    _lay(folder / file, case.about["plant"], marker)
    if case.about["sealed"] and case.about["plant"] not in planted.SPECIAL:
        _seal(folder, file, card)
    tree: dict[str, Any] = json.loads((world / "tree.json").read_text())
    tree["pretrain"] |= {"dataset": "prepared", "graph": "weighted"}
    (place / "h.yaml").write_text(yaml.safe_dump(tree))
    asked = [("audit", "prepared"), ("run", "h.yaml", "--dry-run"), ("run", "h.yaml", "--max-time", "0.05")]
    return (Path(file).name, "manifest.json"), _commands(place, *asked)


def _seal(folder: Path, file: str, card: Any) -> None:
    """As its author would: the sums are those of what lies there."""
    from sigraph.data.prepared import write_manifest
    from sigraph.files.array_folder import seal_folder

    graph = folder / "graphs" / "weighted"
    if file.startswith("graphs") and not file.endswith("header.json"):
        header = json.loads((graph / "header.json").read_text())
        kept = {key: value for key, value in header.items() if key not in ("kind", "version", "files", "sum")}
        (graph / "header.json").unlink()
        seal_folder(graph, header["kind"], kept)
    (folder / "manifest.json").unlink()
    write_manifest(folder, card, ["weighted"], ["topic"])


def _use_run(case: Case, place: Path, world: Path, marker: Path) -> Told:
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


def _name_a_class(case: Case, place: Path, world: Path, marker: Path) -> Told:
    """A record whose sum fits names what is not to be imported; where one stands lies a module of someone else."""
    from sigraph.files.sealed import read_sealed, write_sealed

    file = next(found for found in sorted((place / "runs").rglob("results.json")))
    record = read_sealed(file)
    record["pretrain"]["encoder"] = {"_target_": case.about["target"], "in_channels": 3}
    write_sealed(file, record)
    run = f"../{file.parent.relative_to(place)}"
    asked = [("embed", run, "--dataset", "../mine", "--out", "z.npy"), ("leaderboard", "../runs")]
    return ("results.json", "encoder"), _commands(place / "elsewhere", *asked)


def _prepare_recipe(case: Case, place: Path, world: Path, marker: Path) -> Told:
    """A recipe that was not said to be trusted, by its own command and from a YAML."""
    folder = place / "recipe"
    folder.mkdir()
    shutil.copyfile(place / "mine" / "card.yaml", folder / "card.yaml")
    (folder / "prepare.py").write_bytes(planted.plants(str(marker))["a module"])
    _lay(folder / case.about["file"], case.about["plant"], marker)
    tree: dict[str, Any] = json.loads((world / "tree.json").read_text())
    tree["pretrain"]["dataset"] = "recipe"
    (place / "h.yaml").write_text(yaml.safe_dump(tree))
    asked = [("prepare", "recipe"), ("prepare", "recipe", "--force"), ("run", "h.yaml"), ("audit", "recipe")]
    return ("recipe", "card.yaml", "prepare.py"), _commands(place, *asked)


USES = {
    KEYS: _run_yaml,
    BROKEN: _run_yaml,
    TABLES: _read_table,
    FOLDERS: _open_folder,
    RUNS: _use_run,
    NAMED: _name_a_class,
    RECIPES: _prepare_recipe,
}
