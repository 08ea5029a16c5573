"""What is disturbed in ``kills`` and ``full``: commands in a place of their own, and what they leave undisturbed."""

from __future__ import annotations

import json
import multiprocessing.forkserver
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import worlds
from faults import VARIABLE, Fault, Operation, arm, operations
from forked import Ended, forked
from harness import HERE, LOST, SILENT, SURVIVED, UNCLEAR, Outcome

import sigraph as sg

PREPARE = (
    *("prepare", "--samples", "samples.csv", "--edges", "cites=cites.csv", "--label", "topic"),
    *("--task", "size=more.csv", "--out", "mine"),
)
STORE = ("prepare", "--edges", "numbered.csv", "--out", "store", "--num-nodes", "24", "--memory-limit", "2GB")
RUN = ("run", "mine.yaml")
RECIPE = """
import torch
from sigraph.tasks import Task
from sigraph.data import PretrainGraph, SampleDataset

def prepare(files, card):
    y = torch.arange(6) % 2
    split = {"train": torch.arange(2), "valid": torch.arange(2, 4), "test": torch.arange(4, 6)}
    edges = [[0, 1, 2], [2, 3, 4]]
    return SampleDataset(torch.eye(6), {"g": PretrainGraph(edges, 6)}, {"t": Task("t", y, split)}, name=card.name)
"""


class Journey(NamedTuple):
    """A command, or a call, and what lies there before.

    Args:
        name: Short.
        before: Fills the place.
        does: In the place; the exit code.
        replaced: Pattern of a prepared folder or store that it writes anew: at any moment the old or the new is there.
        who: The processes whose operations are disturbed.
    """

    name: str
    before: Callable[[Path], None]
    does: Callable[[], int]
    replaced: str | None = None
    who: tuple[str, ...] = ("main",)


def journeys() -> list[Journey]:
    """All of them."""
    return [
        Journey("prepare", _tables, lambda: worlds.command(*PREPARE)),
        Journey("prepare --force", _old_data, lambda: worlds.command(*PREPARE, "--force"), "mine"),
        Journey("prepare edges --force", _old_store, lambda: worlds.command(*STORE, "--force"), "store"),
        Journey("prepare a recipe --force", _old_recipe, _prepare_recipe, "root/prepared/recipe-*"),
        Journey("save(overwrite=True)", _old_data, _save, "mine"),
        Journey("graph.save", _old_store, _save_graph, "store"),
        Journey(
            "embed --force", _old_run, lambda: worlds.command("embed", _run_folder(), "--out", "z.parquet", "--force")
        ),
        Journey("audit --picture", _old_data, lambda: worlds.command("audit", "mine", "--picture", "audit.png")),
        Journey("run", _experiment, lambda: worlds.command(*RUN)),
        Journey("run a grid", _grid, lambda: worlds.command(*RUN)),
        Journey("run on two processes", _two, lambda: worlds.command(*RUN), None, ("main", "rank0", "rank1")),
    ]


# What lies there ##############################################################


def _tables(place: Path, shift: int = 0) -> None:
    worlds.write_tables(place, shift)
    worlds.write_foreign(place)


def _old_data(place: Path) -> None:
    _tables(place, shift=1)
    _in(place, lambda: worlds.command(*PREPARE))
    _tables(place)  # other ones: what is written anew is not what was there


def _old_store(place: Path) -> None:
    _tables(place, shift=1)
    _in(place, lambda: worlds.command(*STORE))
    _tables(place)


def _old_recipe(place: Path) -> None:
    worlds.write_foreign(place)
    source = _source(place)
    source.mkdir()
    names: dict = {}
    exec(RECIPE, names)
    names["prepare"]({}, SimpleNamespace(name="recipe")).save(source / "card")  # as sigraph itself writes one
    (source / "card" / "card.yaml").rename(source / "card.yaml")
    shutil.rmtree(source / "card")
    (source / "prepare.py").write_text(RECIPE.replace("torch.eye(6)", "2 * torch.eye(6)"))
    _in(place, _prepare_recipe)
    (source / "prepare.py").write_text(RECIPE)


def _source(place: Path) -> Path:
    """Always the same folder, whose path is a part of the name of what is prepared from it."""
    return next(above / "world" / "source" for above in place.parents if (above / "world").is_dir())


def _experiment(place: Path, **change: object) -> None:
    _tables(place)
    _in(place, lambda: worlds.command(*PREPARE))
    worlds.experiment(place, **change)


def _grid(place: Path) -> None:
    _experiment(place, grid={"pretrain.structure_loss.loss.temperature": [0.1, 0.4]}, finetune=[
        {"task": "topic", "head": "knn", "k": 2, "primary": True}
    ])  # fmt: skip


def _two(place: Path) -> None:
    _experiment(
        place,
        own_encoder=True,
        pretrain__trainer={"max_epochs": 3, "accelerator": "cpu", "devices": 2},
        finetune=[{"task": "topic", "head": "knn", "k": 2}],
    )


def _old_run(place: Path) -> None:
    _experiment(place, pretrain__trainer={"max_epochs": 1, "accelerator": "cpu"}, finetune=[])
    _in(place, lambda: worlds.command(*RUN))
    (place / "z.parquet").write_bytes(b"old embeddings")


# What is done #################################################################


def _prepare_recipe() -> int:
    os.environ["SIGRAPH_DATA"] = "root"
    return worlds.command("prepare", str(_source(Path.cwd())), "--trust-recipe", "--force")


def _save() -> int:
    worlds.dataset("features").save("mine", overwrite=True)
    return 0


def _save_graph() -> int:
    worlds.graphs()["weighted"].save("store")
    return 0


def _run_folder() -> str:
    return next(str(file.parent) for file in sorted(Path("runs").rglob("results.json")))


def _in(place: Path, does: Callable[[], int]) -> None:
    ended = forked(lambda: (os.chdir(place), does()))
    if ended.value is None or ended.value[1] != 0:
        raise RuntimeError(f"what lies in {place} could not be made: {ended.said}{ended.trace}{ended.out}")


# Disturbed and not ############################################################


def build(world: Path) -> None:
    """For each journey the place before, what it leaves undisturbed, its operations."""
    for journey in journeys():
        home = world / journey.name.replace(" ", "-")
        before = home / "before"
        before.mkdir(parents=True)
        journey.before(before)
        found = []
        for again in (False, True):
            place, log = home / "place", home / "operations"
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(before, place, symlinks=True)
            log.write_text("")
            ended = start(journey, place, Fault("count", -1, None, "main", str(place), str(log)))
            if ended.value != 0:
                raise RuntimeError(f"{journey.name!r} fails undisturbed: {ended.out}{ended.said}{ended.trace}")
            found.append(worlds.results(place))
            if again and (differs := worlds.changed(*found)):
                raise RuntimeError(f"{journey.name!r} gives other results when it is run again: {differs}")
        noted = [list(vars(operation).values()) for operation in operations(log)]
        (home / "known.json").write_text(json.dumps({"results": found[0], "operations": noted}))


def known(world: Path, name: str) -> tuple[Path, dict[str, str], list[Operation]]:
    """What :func:`build` left: the place before, the undisturbed results, the operations."""
    home = world / name.replace(" ", "-")
    record = json.loads((home / "known.json").read_text())
    return home / "before", record["results"], [Operation(*operation) for operation in record["operations"]]


def journey_of(name: str) -> Journey:
    """A journey by its name."""
    return next(journey for journey in journeys() if journey.name == name)


def start(journey: Journey, place: Path, fault: Fault | None = None, seconds: float = 120.0) -> Ended:
    """Do a journey in a place, in a process of its own, perhaps disturbed."""

    def live() -> int:
        os.chdir(place)
        os.environ["SIGRAPH_RELIABILITY_FAULTS"] = str(HERE / "faults.py")
        os.environ.pop(VARIABLE, None)
        if fault is not None:
            arm(fault)
        return journey.does()

    return forked(live, seconds)


def begin() -> None:
    """The server that processes which train together come from, once for all cases: it takes seconds to start."""
    server = multiprocessing.forkserver._forkserver  # type: ignore[attr-defined]
    multiprocessing.set_forkserver_preload(["sigraph.running.fitting"])
    server.ensure_running()
    server.ensure_running = lambda: None  # forks of this process are not its parent, and would start another


def fresh(before: Path, slot: Path) -> Path:
    """A place as it was before, in a worker's slot."""
    place = slot / "place"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(before, place, symlinks=True)
    return place


def lost(journey: Journey, before: Path, place: Path, expected: dict[str, str]) -> Outcome | None:
    """What a disturbance took that nobody may take; None: nothing."""
    there, now, new = worlds.exact(before), worlds.exact(place), set(expected)
    mine = None if journey.replaced is None else next(before.glob(journey.replaced)).relative_to(before).as_posix()
    for where, what in there.items():
        of_mine = mine is not None and (where == mine or where.startswith(f"{mine}/"))
        written = of_mine or where.startswith("runs") or where == "z.parquet"
        if not written and now.get(where) != what:
            return Outcome(LOST, f"{where} is {'changed' if where in now else 'gone'}")
        if written and not of_mine and where in new and where not in now:
            return Outcome(LOST, f"{where} is gone")
    if mine is None:
        return None
    ended, whole = forked(lambda: _held(place / mine)), (worlds.files_of(before / mine), _part(expected, mine))
    if ended.value is not None:
        if worlds.files_of(place / mine) in whole:
            return None
        return Outcome(LOST, f"{mine} is neither the old nor the new one, and opens")
    named = [Path(word.strip(",;:()'")) for word in ended.error.split() if "/" in word]
    if any(worlds.files_of(folder) in whole for folder in named if folder.is_dir()):
        return None  # the message says where it is
    return Outcome(LOST, f"{mine} does not open: {ended.error}")


def _held(folder: Path) -> bool:
    if (folder / "manifest.json").is_file():
        sg.SampleDataset.open(folder)
    else:
        sg.PretrainGraph.open(folder)
    return True


def _part(results: dict[str, str], top: str) -> dict[str, str]:
    return {where.removeprefix(f"{top}/"): what for where, what in results.items() if where.startswith(f"{top}/")}


def ends_the_same(journey: Journey, place: Path, expected: dict[str, str]) -> Outcome:
    """The journey again, undisturbed: what it leaves must be what it leaves when nothing ever happened."""
    if not worlds.changed(expected, worlds.results(place)) and journey.name == "prepare":
        return Outcome(SURVIVED)  # all was done; without --force it would not be done again
    again = start(journey, place)
    if again.value != 0:
        return Outcome(UNCLEAR, f"the same command fails afterwards: {one_line(again)}")
    differs = worlds.changed(expected, worlds.results(place))
    if not differs:
        return Outcome(SURVIVED)
    if not any(where in expected for where in differs):
        return Outcome(UNCLEAR, f"left over: {', '.join(differs[:3])}")
    return Outcome(SILENT, f"afterwards the same command gives another result: {', '.join(differs[:4])}")


def one_line(ended: Ended) -> str:
    """The last thing that a process said."""
    lines = [line for line in ended.said.splitlines() if line.strip()]
    how = f"signal {ended.signal}; " if ended.signal else "took too long; " if ended.late else ""
    return how + (lines[-1] if lines else f"exit code {ended.value}")[:300]
