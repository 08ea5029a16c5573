"""Targets kept on disk, mapped, and found again by what they were computed from and how."""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from sigraph.data import PretrainGraph, SampleDataset
from sigraph.edges import LabelSetStore
from sigraph.files.array_folder import open_folder, seal_folder
from sigraph.files.atomic import atomic_folder
from sigraph.files.ownership import HEADER, TARGET, replaces
from sigraph.files.paths import data_root
from sigraph.files.sealed import DamagedError

FOLDER = "targets"  # in sigraph's data root
FORM = 1  # of how they are computed: another one is not found

Compute = Callable[[SampleDataset, PretrainGraph, int], Tensor]
logger = logging.getLogger(__name__)


def kept_once(target: Any, dataset: SampleDataset, graph: PretrainGraph, seed: int, compute: Compute) -> Tensor:
    """What was computed before from the same samples and edges, mapped; else it is computed now, and kept.

    Kept is under ``SIGRAPH_DATA``, in ``targets/``, a folder each, which may be removed at any time. Processes that ask
    for the same one wait for the first. A damaged one is computed again; where nothing can be written it stays in
    memory.

    Args:
        target: Its class and attributes are a part of its name.
        dataset: Samples.
        graph: Over them.
        seed: Of everything random.
        compute: Computes it. -> [N, D] float32.
    """
    path = data_root() / FOLDER / fingerprint(target, dataset, graph, seed)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            return _found(path, target, dataset, graph, seed, compute)
    except OSError as error:  # no rights, or no locks
        logger.warning("the target is not kept in %s (%s)", path, error)
        return compute(dataset, graph, seed)


def _found(
    path: Path, target: Any, dataset: SampleDataset, graph: PretrainGraph, seed: int, compute: Compute
) -> Tensor:
    if (path / HEADER).is_file():
        try:
            return open_folder(path, TARGET, verify=True).arrays["target"].whole()
        except (DamagedError, KeyError, OSError) as error:
            logger.warning("%s cannot be used, so the target is computed again (%s)", path, error)
    found = compute(dataset, graph, seed)
    try:
        with atomic_folder(path, replaces({TARGET})) as folder:
            np.save(folder / "target.npy", found.numpy(), allow_pickle=False)
            seal_folder(folder, TARGET, {"class": type(target).__name__, "seed": seed})
        return open_folder(path, TARGET).arrays["target"].whole()
    except (DamagedError, OSError) as error:  # no room, a folder that is not ours
        logger.warning("the target is not kept in %s (%s)", path, error)
        return found


def fingerprint(target: Any, dataset: SampleDataset, graph: PretrainGraph, seed: int) -> str:
    """What a target is found again by: its class and attributes, samples, edges and seed."""
    found = hashlib.sha256(f"{FORM} {seed}\n".encode())
    for part in _described(target, type(target).__name__):
        found.update(part)
    dataset.store.feed(found.update)
    store = graph.store
    if isinstance(store, LabelSetStore):
        parts = [store.set_of, store.sets.rowptr, store.sets.col, store.weight]
    else:
        parts = [*graph.csr(), store.weight]
    for part in _described(parts, "edges"):
        found.update(part)
    return found.hexdigest()[:32]


def _described(value: Any, name: str) -> Iterator[bytes]:
    """All that tells a value from another, in bytes.

    Raises:
        ValueError: It is of a kind that has no such bytes.
    """
    yield f"{name}:".encode()
    if value is None or isinstance(value, bool | int | float | str | torch.dtype):
        yield f"{type(value).__name__} {value!r}\n".encode()
    elif isinstance(value, Tensor | np.ndarray):
        array = np.ascontiguousarray(value.detach().cpu().numpy() if isinstance(value, Tensor) else value)
        yield f"{array.dtype} {array.shape}\n".encode()
        yield array.tobytes()
    elif isinstance(value, dict):
        yield f"mapping {len(value)}\n".encode()
        for key in sorted(value):
            yield from _described(value[key], str(key))
    elif isinstance(value, list | tuple):
        yield f"list {len(value)}\n".encode()
        for number, item in enumerate(value):
            yield from _described(item, str(number))
    elif hasattr(value, "__dict__") and not callable(value):
        yield f"{type(value).__module__}.{type(value).__qualname__} {_source(type(value))}\n".encode()
        yield from _described(vars(value), "attributes")
    else:
        raise ValueError(
            f"{name!r} holds a {type(value).__name__}, by which a kept target cannot be found again; hold numbers, "
            "texts and tensors, or compute it with keep=False"
        )


def _source(kind: type) -> str:
    """The sum of the file that defines a class of a user's, which has no version."""
    if kind.__module__.partition(".")[0] == "sigraph":
        return ""
    try:
        return hashlib.sha256(Path(inspect.getfile(kind)).read_bytes()).hexdigest()[:12]
    except (OSError, TypeError):  # defined in no file
        return ""
