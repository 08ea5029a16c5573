"""The files of a prepared data set: samples, tasks and the manifest that every other file is checked against."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from sigraph.data.card import CARD, card_names
from sigraph.data.folder import map_array, sha256
from sigraph.data.graph import PretrainGraph
from sigraph.data.task import SPLITS, Task, said_elsewhere

MANIFEST = "manifest.json"
PREPARED = "prepared"  # folder of the data sets that have a recipe, in sigraph's data root
FEATURES, RECORDS = "samples.npy", "samples.parquet"
IDS = "ids.parquet"  # one column: what the user calls sample 0, 1, ...


def write_manifest(folder: Path, parts: Iterable[str]) -> None:
    """List size, sum and time of writing of every file of some parts (files or folders), in their order."""
    manifest = {}
    for start in (folder / part for part in parts):
        files = sorted(start.rglob("*")) if start.is_dir() else [start]
        for file in (file for file in files if file.is_file()):
            about = file.stat()
            entry = {"bytes": about.st_size, "sha256": sha256(file), "written": about.st_mtime_ns}
            manifest[file.relative_to(folder).as_posix()] = entry
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))


def check_manifest(path: Path, verify: bool = False, again: str = "") -> dict[str, dict[str, Any]]:
    """The manifest of a prepared folder, once every file in it was found with the size it states.

    The sum of a file whose time of writing is not the one that the manifest noted is checked as well: a changed file
    keeps its size as often as not, and what was trained on it must never be taken for what was trained on the old one.

    Args:
        path: The folder.
        verify: Check the sums of all files.
        again: How the folder is written again, for messages; by default as its place suggests.
    """
    file = path / MANIFEST
    if not file.is_file():
        way = again or _write_again(path, "remove it and ", "")
        raise FileNotFoundError(
            f"{path} is not a prepared data set (no {MANIFEST}), or its writing was cut short; {way}"
        )
    again = f"truncated or tampered; {again or _write_again(path, '', ' --force')}"
    try:
        manifest = json.loads(file.read_text())
        expected = {
            str(name): (int(entry["bytes"]), str(entry["sha256"]), entry.get("written"))
            for name, entry in manifest.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{file} is not a manifest ({error}); {again}") from error
    for name, (num_bytes, digest, written) in expected.items():
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"{file} names {name!r}, which is outside the folder; {again}")
        found = (path / name).stat() if (path / name).is_file() else None
        if found is None or found.st_size != num_bytes:
            got = "no file" if found is None else found.st_size
            raise ValueError(f"{path / name} needs {num_bytes} bytes (got {got}): {again}")
        if (verify or found.st_mtime_ns != written) and (got := sha256(path / name)) != digest:
            raise ValueError(f"{path / name} needs sha256 {digest} (got {got}): {again}")
    if CARD not in expected or not {FEATURES, RECORDS} & set(expected):
        raise ValueError(f"{file} lists no {CARD} or no samples; {again}")
    return manifest


def _write_again(path: Path, first: str, option: str) -> str:
    if path.parent.name == PREPARED and path.name in card_names():
        return f"run `sigraph prepare {path.name} --force`"
    return f"{first}write it again, your own tables by `sigraph prepare --samples ... --out {path}{option}`"


def manifest_hash(manifest: dict[str, dict[str, Any]]) -> str:
    """SHA-256 over names and sums of all files but the card, whose words are no data."""
    sums = sorted(f"{file} {entry['sha256']}" for file, entry in manifest.items() if file != CARD)
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def part_names(manifest: dict[str, Any], kind: str) -> list[str]:
    """Names of the graphs or tasks of a manifest, in the order they were written."""
    parts = [Path(name).parts for name in manifest]
    return list(dict.fromkeys(part[1] for part in parts if part[0] == kind))


def open_samples(path: Path) -> Tensor | pa.Table:
    """Map feature rows or read records."""
    if path.suffix == ".parquet":
        return pq.read_table(path)
    if path.suffix != ".npy":
        raise ValueError(f"'samples' needs a .npy or .parquet file in 'SampleDataset' (got {path})")
    samples = map_array(path)
    if samples.dtype != torch.float32:
        raise ValueError(f"{path} needs float32 feature rows to be mapped (got {samples.dtype}); convert it once")
    return samples


def write_samples(samples: Tensor | pa.Table, folder: Path) -> None:
    """Write ``samples.npy`` or ``samples.parquet``."""
    if isinstance(samples, Tensor):
        np.save(folder / FEATURES, np.ascontiguousarray(samples.cpu().numpy()), allow_pickle=False)
    else:
        pq.write_table(samples, folder / RECORDS)


def write_task(task: Task, folder: Path) -> None:
    """Write labels, split and metric of a task."""
    folder.mkdir(parents=True)
    np.save(folder / "labels.npy", task.labels.cpu().numpy(), allow_pickle=False)
    for part in SPLITS:
        np.save(folder / f"{part}.npy", task.split[part].cpu().numpy(), allow_pickle=False)
    about: dict[str, Any] = {"name": task.name, "type": task.type, "metric": task.metric, "about": task.about}
    if task.classes is not None:
        about["classes"] = task.classes
    (folder / "task.json").write_text(json.dumps(about, indent=1))


def read_task(folder: Path) -> Task:
    """Read what :func:`write_task` wrote."""
    array = {}
    for name in ("labels", *SPLITS):
        file = folder / f"{name}.npy"
        try:
            array[name] = torch.from_numpy(np.load(file, allow_pickle=False))
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(f"{file} is not a plain .npy array ({error})") from error
    file = folder / "task.json"
    try:
        about = json.loads(file.read_text())
        labels, classes = array.pop("labels"), about.get("classes")
        with said_elsewhere():
            return Task(about["name"], labels, array, about["metric"], about["type"], about["about"], classes)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: not a task ({error!r})") from error


def content_hash(samples: Tensor | pa.Table, graphs: Mapping[str, PretrainGraph], tasks: Mapping[str, Task]) -> str:
    """SHA-256 over the content of samples, graphs and tasks."""
    digest = hashlib.sha256()

    def add(name: str, value: Tensor | None) -> None:
        if value is not None:
            array = np.ascontiguousarray(value.detach().cpu().numpy())
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
            digest.update(array.data if array.size else b"")

    if isinstance(samples, Tensor):
        add("samples", samples)
    else:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, samples.schema) as stream:
            stream.write_table(samples.combine_chunks())
        digest.update(sink.getvalue())
    for name, graph in sorted(graphs.items()):
        rowptr, col = graph.csr()
        for part, value in (("rowptr", rowptr), ("col", col), ("weight", graph.store.weight), ("group", graph.group)):
            add(f"graphs/{name}/{part}", value)
    for name, task in sorted(tasks.items()):
        digest.update(f"{task.type} {task.metric}\n".encode())
        for part, value in (("labels", task.labels), *task.split.items()):
            add(f"tasks/{name}/{part}", value)
    return digest.hexdigest()
