"""Everything that replaces files or folders, pointed at those of someone else: all of them are there afterwards."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import worlds
from forked import forked
from harness import LOST, REFUSED, SURVIVED, UNCLEAR, Case, Outcome

import sigraph as sg

TABLES = ("--samples", "samples.csv", "--edges", "cites=cites.csv", "--label", "topic")
_FINE = (
    "ValueError",
    "FileExistsError",
    "NotADirectoryError",
    "IsADirectoryError",
    "ConfigError",
    "OSError",
    "DamagedError",
)


class Door(NamedTuple):
    """A way to replace something at ``target``, in a place that holds tables and an experiment; the exit code."""

    name: str
    does: Callable[[], int]
    target: str
    kind: str  # what is written there: folder, runs, file


def doors() -> list[Door]:
    """All of them."""
    store = ("prepare", "--edges", "numbered.csv", "--num-nodes", "24", "--out", "target", "--force")
    return [
        Door(
            "prepare --force",
            lambda: worlds.command("prepare", *TABLES, "--out", "target", "--force"),
            "target",
            "folder",
        ),
        Door("prepare", lambda: worlds.command("prepare", *TABLES, "--out", "target"), "target", "folder"),
        Door("prepare edges --force", lambda: worlds.command(*store), "target", "folder"),
        Door("save(overwrite=True)", _save, "target", "folder"),
        Door("build_store(overwrite=True)", _build_store, "target", "folder"),
        Door("graph.save", lambda: _graph("weighted"), "target", "folder"),
        Door("graph.save of label sets", lambda: _graph("sets"), "target", "folder"),
        Door("prepare a name --force", _prepare_name, "root/prepared/manifold-torus", "folder"),
        Door("prepare a name", lambda: _prepare_name(False), "root/prepared/manifold-torus", "folder"),
        Door("run", lambda: worlds.command("run", "mine.yaml", "--output-dir", "target"), "target", "runs"),
        Door("run of that name", lambda: worlds.command("run", "mine.yaml", "--output-dir", "."), "small", "runs"),
        Door("embed --out FILE.npy", lambda: _embed("target.npy"), "target.npy", "file"),
        Door("embed --out FILE.npy --force", lambda: _embed("target.npy", "--force"), "target.npy", "file"),
        Door("embed --out FILE.parquet", lambda: _embed("target.parquet"), "target.parquet", "file"),
        Door(
            "audit --picture", lambda: worlds.command("audit", "mine", "--picture", "target.png"), "target.png", "file"
        ),
    ]


# What lies there ##############################################################


def _web(at: Path) -> None:
    _write(at, {"manifest.json": '{"name": "app", "icons": []}', "index.html": "<html>", "src/main.js": "run()"})


def _git(at: Path) -> None:
    _write(at, {".git/HEAD": "ref: refs/heads/main", ".git/objects/ab/cdef": "blob", "thesis.tex": "years"})


def _data(at: Path) -> None:
    """Prepared by sigraph; not foreign by itself."""
    if forked(lambda: worlds.dataset("features").save(at)).error:
        raise RuntimeError("no data set")


def _store(at: Path) -> None:
    if forked(lambda: worlds.graphs()["weighted"].save(at)).error:
        raise RuntimeError("no store")


def _with(own: Callable[[Path], None] | None, files: dict[str, str], where: str = "") -> Callable[[Path], None]:
    def make(at: Path) -> None:
        if own is not None:
            own(at)
            (at / ".own.json").write_text(json.dumps([*worlds.exact(at)]))
        _write(at / where, files)

    return make


def _write(at: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (at / name).parent.mkdir(parents=True, exist_ok=True)
        (at / name).write_text(text)


def _linked(at: Path) -> None:
    elsewhere = at.parent / "elsewhere"
    _write(elsewhere, {"thesis.tex": "years", "manifest.json": "{}"})
    at.symlink_to("elsewhere")


def _linked_data(at: Path) -> None:
    _data(at.parent / "elsewhere")
    _write(at.parent / "elsewhere", {"notes.txt": "mine"})
    at.symlink_to("elsewhere")


def _links_inside(at: Path) -> None:
    _write(at.parent / "elsewhere", {"thesis.tex": "years"})
    _data(at)
    (at / ".own.json").write_text(json.dumps([*worlds.exact(at)]))
    (at / "link").symlink_to("../elsewhere")
    (at / "file-link").symlink_to("../elsewhere/thesis.tex")


def _readonly(at: Path) -> None:
    _with(_data, {"notes.txt": "mine", "thesis/one.tex": "years"})(at)
    for path in (at / "notes.txt", at / "thesis"):
        path.chmod(0o555)


def _false_mark(at: Path) -> None:
    """A list of files that looks like sigraph's own, and lists someone else's."""
    _write(at, {"thesis.tex": "years", "samples.npy": "x", "card.yaml": "name: x"})
    entry = {"bytes": 5, "sha256": "0" * 64, "written": 0}
    listed = dict.fromkeys(("thesis.tex", "samples.npy", "card.yaml"), entry)
    (at / "manifest.json").write_text(json.dumps(listed))
    (at / "header.json").write_text(json.dumps({"kind": "sigraph-csr", "version": 1, "files": listed}))


def _runs_of(own: str) -> Callable[[Path], None]:
    files = {f"{own}notes.txt": "mine", f"{own}sipt/notes.txt": "mine", f"{own}_pretrain/thesis.tex": "years"}
    return _with(None, {**files, f"{own}_grid/plan.json": "{}", "results.json": "[]"})


FOLDERS: dict[str, Callable[[Path], None]] = {
    "a web project": _web,
    "a repository": _git,
    "notes": _with(None, {"notes.txt": "mine"}),
    "a hidden file": _with(None, {".keep": ""}),
    "header.json of others": _with(None, {"header.json": '{"kind": "http", "version": 1}', "data.bin": "x"}),
    "manifest.json that is a list": _with(None, {"manifest.json": "[1, 2]", "data.bin": "x"}),
    "manifest.json that is no JSON": _with(None, {"manifest.json": "\x00\x01", "data.bin": "x"}),
    "manifest.json alone": _with(None, {"manifest.json": "{}"}),
    "header.json alone": _with(None, {"header.json": "{}"}),
    "a false mark": _false_mark,
    "notes in a prepared folder": _with(_data, {"notes.txt": "mine"}),
    "notes deep in a prepared folder": _with(_data, {"notes.txt": "mine", "one.npy": "x"}, "graphs/weighted"),
    "a repository in a prepared folder": _with(_data, {".git/HEAD": "ref", ".git/objects/ab/cd": "blob"}),
    "an empty folder of others in a prepared one": lambda at: (_with(_data, {})(at), (at / "figures").mkdir())[0],
    "notes in a store": _with(_store, {"notes.txt": "mine", "figures/one.svg": "<svg>"}),
    "links in a prepared folder": _links_inside,
    "a link to a folder": _linked,
    "a link to a prepared folder with notes": _linked_data,
    "read-only files in a prepared folder": _readonly,
    "a file": lambda at: _write(at.parent, {at.name: "mine"}),
    "a link to nothing": lambda at: at.symlink_to("nothing"),
    "a pipe": lambda at: os.mkfifo(at),
}
RUNS: dict[str, Callable[[Path], None]] = {
    **{name: FOLDERS[name] for name in ("a web project", "a repository", "a link to a folder", "a file")},
    "notes in an experiment's folder": _runs_of("small/"),
    "notes in an experiment's folder, named": _runs_of(""),
    "a prepared folder with notes": FOLDERS["notes in a prepared folder"],
}
FILES: dict[str, Callable[[Path], None]] = {
    "a file": lambda at: _write(at.parent, {at.name: "mine"}),
    "ids of others": lambda at: _write(at.parent, {f"{at.stem}.ids.parquet": "mine"}),
    "a link to a file": lambda at: (_write(at.parent, {"thesis.tex": "years"}), at.symlink_to("thesis.tex"))[0],
    "a folder": lambda at: _write(at, {"notes.txt": "mine"}),
    "names of temporaries": lambda at: _write(at.parent, {f".{at.name}-old": "mine", f"{at.name}.tmp": "mine"}),
}
_SHAPES = {"folder": FOLDERS, "runs": RUNS, "file": FILES}


# The part #####################################################################


def build(world: Path) -> None:
    """Tables, a data set and a finished run."""
    place = world / "place"
    worlds.write_tables(place)
    worlds.write_foreign(place)
    os.chdir(place)
    small = {"pretrain__trainer": {"max_epochs": 1, "accelerator": "cpu"}, "finetune": []}
    worlds.experiment(place, **small)
    if worlds.command("prepare", *TABLES, "--out", "mine") or worlds.command("run", "mine.yaml"):
        raise RuntimeError("the place could not be made")


def cases(world: Path, quick: bool, seed: int) -> Iterator[Case]:
    """Every door at every shape."""
    for door in doors():
        for number, shape in enumerate(_SHAPES[door.kind]):
            if not quick or number % 4 == seed % 4:
                yield Case(door.name, shape, {"shape": shape})


def judge(case: Case, world: Path, slot: Path) -> Outcome:
    """Lay it there, go through the door, look for every file."""
    door = next(one for one in doors() if one.name == case.kind)
    place = slot / "place"
    _remove(place)
    shutil.copytree(world / "place", place, symlinks=True)
    target = place / door.target
    target.parent.mkdir(parents=True, exist_ok=True)
    _SHAPES[door.kind][case.about["shape"]](target)
    mine = _own(target)
    asked = "--force" in case.kind and door.kind == "file"  # one file, named by the user, who says so
    before = {
        where: what
        for where, what in _exact(place).items()
        if where not in mine and not (asked and where in (door.target, f"{Path(door.target).stem}.ids.parquet"))
    }

    def live() -> int:
        os.chdir(place)
        os.environ["SIGRAPH_DATA"] = "root"
        return door.does()

    ended = forked(live, 60, 4 << 30)
    after = _exact(place)
    gone = [where for where, what in before.items() if after.get(where) != what and not where.startswith("runs")]
    if gone:
        return Outcome(LOST, f"{', '.join(gone[:4])}; {ended.said.strip()[-200:]}")
    if ended.late or ended.signal:
        return Outcome(UNCLEAR, "no end" if ended.late else f"ended by signal {ended.signal}")
    if "Traceback" in ended.said:
        return Outcome(UNCLEAR, f"a traceback: {ended.said.strip()[-200:]}")
    if ended.error and not ended.error.startswith(_FINE):
        return Outcome(UNCLEAR, ended.error[:200])
    return Outcome(SURVIVED if ended.value == 0 else REFUSED)


def _own(target: Path) -> set[str]:
    """What of the target sigraph wrote itself, and may replace; and the note that says so, taken away."""
    note = target / ".own.json"
    if not note.is_file():
        return set()
    own = json.loads(note.read_text())
    note.unlink()
    top = target.relative_to(target.parents[len(Path(target.name).parts) - 1])
    return {f"{top.as_posix()}/{where}" for where in own} | {top.as_posix()}


def _exact(place: Path) -> dict[str, str]:
    """As :func:`worlds.exact`, pipes told but not read."""
    pipes = [path for path in place.rglob("*") if path.is_fifo()]
    if not pipes:
        return worlds.exact(place)
    return {**worlds.exact_files(place), **{path.relative_to(place).as_posix(): "pipe" for path in pipes}}


def _remove(place: Path) -> None:
    for path in place.rglob("*") if place.exists() else ():
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(place, ignore_errors=True)


def _save() -> int:
    worlds.dataset("features").save("target", overwrite=True)
    return 0


def _build_store() -> int:
    sg.data.build_store("numbered.csv", "target", 24, overwrite=True)
    return 0


def _graph(name: str) -> int:
    worlds.graphs()[name].save("target")
    return 0


def _prepare_name(force: bool = True) -> int:
    return worlds.command("prepare", "manifold-torus", *(["--force"] if force else []))


def _embed(out: str, *options: str) -> int:
    run = next(str(file.parent) for file in sorted(Path("runs").rglob("results.json")))
    return worlds.command("embed", run, "--out", out, *options)
