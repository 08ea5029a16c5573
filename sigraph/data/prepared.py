"""The files of a prepared data set: samples, tasks and the manifest that every other file is checked against."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sigraph.data.card import Card, card_names
from sigraph.data.ogb_facts import ogb_names
from sigraph.data.sample_graph import SampleGraph, StoredGraph
from sigraph.files.array_folder import check_size, map_files, seal_files
from sigraph.files.atomic import sha256
from sigraph.files.ownership import CARD, DATASET, HEADER, MANIFEST, VERSION, read_mark
from sigraph.files.sealed import DamagedError, sealed_text
from sigraph.files.sums import NOT_PLAIN, SummedArray
from sigraph.files.temporary import where_kept
from sigraph.samples import Samples
from sigraph.samples.base import feed_array
from sigraph.samples.given import KINDS
from sigraph.tasks.base import SPLITS, BaseTask
from sigraph.tasks.kept import as_kept
from sigraph.tasks.task import said_elsewhere

_UNHASHED = {"name", "type", "metric", "about", "classes"}  # of a task: said otherwise, or words
PREPARED = "prepared"  # folder of the data sets that have a recipe, in sigraph's data root
_TAMPERED = "truncated or tampered; "
IDS = "ids.parquet"  # one column: what the user calls sample 0, 1, ...
COLUMNS = "columns.json"  # what the columns of the user's table were taken for


class Manifest(NamedTuple):
    """What a prepared folder holds: the size and the sum of every file, checked when the file is read.

    Args:
        path: The folder.
        files: Path in the folder -> ``bytes``, ``sha256``.
        graphs: Their names, in the order they were written; the first is the default.
        tasks: Likewise.
        again: How the folder is written again, for messages.
        facts: Sums of what is no words on the card, by field; None in folders of earlier versions.
    """

    path: Path
    files: dict[str, dict[str, Any]]
    graphs: list[str]
    tasks: list[str]
    again: str
    facts: dict[str, str] | None = None

    def __contains__(self, name: object) -> bool:
        return name in self.files

    def checked(self, name: str) -> Path:
        """The path of a file, all of which was just read and compared with its sum."""
        if name not in self.files:
            raise DamagedError(f"{self.path / MANIFEST} lists no {name}: {self.again}")
        if (got := sha256(self.path / name)) != self.files[name]["sha256"]:
            raise DamagedError(
                f"{self.path / name} needs sha256 {self.files[name]['sha256']} (got {got}): {self.again}"
            )
        return self.path / name

    def card(self) -> Card:
        """The card, whose words may have been edited since, but nothing else."""
        if self.facts is None:
            return Card.read(self.checked(CARD))
        card = Card.read(self.path / CARD)
        now = card.facts()
        changed = [name for name in self.facts | now if self.facts.get(name) != now.get(name)]
        if changed:
            raise DamagedError(
                f"{self.path / CARD}: {', '.join(map(repr, changed))} is not what was written; its words may be edited "
                "(title, about, licence, source, citation) and nothing else; put that back, or move the card away and "
                f"{self.again.removeprefix(_TAMPERED)}"
            )
        return card

    def array(self, name: str) -> SummedArray:
        """A ``.npy`` file at the top of the folder, mapped; each block is checked when it is first touched."""
        return map_files(self.path, self.files, False, self.again)[Path(name).stem]

    def graph(self, name: str, verify: bool = False) -> StoredGraph:
        """A graph of the folder, mapped; its header, which holds the sums of its arrays, is checked."""
        return StoredGraph.open(self.checked(f"graphs/{name}/{HEADER}").parent, verify, self.again)

    def hash(self) -> str:
        """SHA-256 over names and sums of all files but the card and what is said of columns: words, no data."""
        words = (CARD, COLUMNS)
        sums = sorted(f"{name} {entry['sha256']}" for name, entry in self.files.items() if name not in words)
        return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def write_manifest(folder: Path, card: Card, graphs: Iterable[str], tasks: Iterable[str]) -> None:
    """List size and sum of every file of a folder that is complete, and sums of the blocks of what is mapped.

    Args:
        folder: The folder.
        card: The card that was written there.
        graphs: Their names.
        tasks: Theirs.
    """
    mapped = [file.name for file in folder.glob("*.npy")]
    files = seal_files(folder, mapped) if mapped else {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name not in files:
            files[name] = {"bytes": file.stat().st_size, "sha256": sha256(file)}
    parts = {"graphs": [*graphs], "tasks": [*tasks], "card": card.facts()}
    content = {"kind": DATASET, "version": VERSION, **parts, "files": files}
    (folder / MANIFEST).write_text(sealed_text(content))


def read_manifest(path: Path, verify: bool = False, again: str = "") -> Manifest:
    """The manifest of a prepared folder, once every file in it was found with the size it states.

    Args:
        path: The folder.
        verify: Check the sums of all files now.
        again: How the folder is written again, for messages; by default as its place suggests.

    Raises:
        FileNotFoundError: There is none.
        DamagedError: It is damaged, or a file is missing, of another size or, if verified, altered.
    """
    file = path / MANIFEST
    if not file.is_file():
        way = again or _write_again(path, "")
        why = f"no {MANIFEST}), or its writing was cut short{where_kept(path)}"
        raise FileNotFoundError(f"{path} is not a prepared data set ({why}; remove it and {way}")
    again = again or _write_again(path, " --force")
    try:
        mark = read_mark(file)
    except DamagedError as error:  # without it nobody can tell whose the folder is
        raise DamagedError(f"{error}: truncated or tampered; remove the folder and {again}") from error
    again = f"{_TAMPERED}{again}"
    files, graphs, tasks, facts = mark["files"], mark.get("graphs"), mark.get("tasks"), mark.get("card")
    if not isinstance(graphs, list) or not isinstance(tasks, list) or not isinstance(facts, dict | None):
        raise DamagedError(f"{file} is not that of a data set: {again}")
    if mark["kind"] != DATASET:
        raise DamagedError(f"{file} is not that of a data set: {again}")
    for name, entry in files.items():
        if name != CARD or facts is None or not (path / CARD).is_file():
            check_size(path, name, entry, again)
    if CARD not in files or not any(kind.mark in files for kind in KINDS):
        raise DamagedError(f"{file} lists no {CARD} or no samples: {again}")
    manifest = Manifest(path, files, graphs, tasks, again, facts)
    if verify:
        manifest.card()
        for name in files.keys() - {CARD}:
            manifest.checked(name)
    return manifest


def _write_again(path: Path, option: str) -> str:
    if path.parent.name == PREPARED and path.name in (*card_names(), *ogb_names()):
        return f"run `sigraph prepare {path.name} --force`"
    return f"write it again, your own tables by `sigraph prepare --samples ... --out {path}{option}`"


def write_task(task: BaseTask, folder: Path) -> None:
    """Write the arrays of a task (labels, split) and what else it says of itself."""
    arrays, facts = task.state()
    if as_kept(task.item) is not type(task):
        raise ValueError(
            f"task {task.name!r} is a {type(task).__name__}, which no folder is read into: leave it out of the data "
            "set that is saved, and add it by replace(tasks=...) to the one that is opened"
        )
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array.cpu().numpy(), allow_pickle=False)
    (folder / "task.json").write_text(json.dumps(facts, indent=1))


def read_task(manifest: Manifest, task: str) -> BaseTask:
    """Read what :func:`write_task` wrote, every file checked."""
    array, home = {}, f"tasks/{task}/"
    listed = [name.removeprefix(home).removesuffix(".npy") for name in manifest.files if name.startswith(home)]
    for name in dict.fromkeys(("labels", *SPLITS, *sorted(set(listed) - {"task.json"}))):
        file = manifest.checked(f"tasks/{task}/{name}.npy")
        try:
            array[name] = torch.from_numpy(np.load(file, allow_pickle=False))
        except (OSError, MemoryError, *NOT_PLAIN) as error:
            raise ValueError(f"{file} is not a plain .npy array ({error})") from error
    file = manifest.checked(f"tasks/{task}/task.json")
    try:
        about = json.loads(file.read_text())
        if not isinstance(about, dict):
            raise ValueError("it holds no mapping")
        with said_elsewhere():
            return as_kept(about["type"]).restored(array, about)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{file}: not a task ({error!r})") from error


def content_hash(samples: Samples, graphs: Mapping[str, SampleGraph], tasks: Mapping[str, BaseTask]) -> str:
    """SHA-256 over the content of samples, graphs and tasks."""
    digest = hashlib.sha256()

    samples.feed(digest.update)

    def add(name: str, value: Tensor | None) -> None:
        feed_array(digest.update, name, value)

    for name, graph in sorted(graphs.items()):
        rowptr, col = graph.csr()
        for part, value in (("rowptr", rowptr), ("col", col), ("weight", graph.store.weight), ("group", graph.group)):
            add(f"graphs/{name}/{part}", value)
    for name, task in sorted(tasks.items()):
        arrays, facts = task.state()
        more = "".join(f" {facts[key]}" for key in sorted(facts.keys() - _UNHASHED))
        kind, metric = facts.get("type", type(task).__name__), facts.get("metric", task.metric)
        digest.update(f"{kind} {metric}{more}\n".encode())
        for part, value in arrays.items():
            add(f"tasks/{name}/{part}", value)
    return digest.hexdigest()
