"""Samples that took long to read, kept on disk and found again by what they were read from and how."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import pyarrow as pa

from sigraph.files.array_folder import ArrayFolder, open_folder, seal_folder
from sigraph.files.atomic import atomic_folder
from sigraph.files.ownership import HEADER, READ, replaces
from sigraph.files.paths import data_root
from sigraph.files.sealed import DamagedError
from sigraph.files.sums import SummedArray
from sigraph.samples import Samples

S = TypeVar("S", bound=Samples)
FOLDER = "read"  # in sigraph's data root
FORM = 1  # of what is kept: another one is not found

logger = logging.getLogger(__name__)


def read_once(
    kind: type[S], text: pa.Array, how: Mapping[str, Any], read: Callable[[], tuple[S, dict[str, int]]]
) -> tuple[S, dict[str, int]]:
    """What was read from a column before, mapped from disk; else it is read now, and kept.

    Kept is under ``SIGRAPH_DATA``, in ``read/``, a folder for each column and way of reading, which may be removed at
    any time. A damaged one is written again; where nothing can be written, the samples stay in memory.

    Args:
        kind: Of the samples; arrays alone, as :class:`~sigraph.samples.Graphs`.
        text: What is read. Shape [N] large_string.
        how: All that decides what becomes of it: the reader, its settings, versions of libraries. As JSON holds it.
        read: Reads it: samples, and counts by name.

    Returns:
        What ``read`` gives.
    """
    path = data_root() / FOLDER / _name(text, how)
    if (path / HEADER).is_file():
        try:
            return _opened(kind, path)
        except (DamagedError, OSError) as error:
            logger.warning("%s cannot be used, so the records are read again (%s)", path, error)
    samples, counts = read()
    try:
        with atomic_folder(path, replaces({READ})) as folder:
            samples.save(folder)
            seal_folder(folder, READ, {"how": dict(how), "counts": counts})
        return _opened(kind, path)
    except (DamagedError, OSError) as error:  # no room, no rights, a folder that is not ours
        logger.warning("what was read is not kept in %s (%s)", path, error)
        return samples, counts


def _opened(kind: type[S], path: Path) -> tuple[S, dict[str, int]]:
    folder = open_folder(path, READ, verify=True)
    counts = {str(name): int(count) for name, count in folder.header["counts"].items()}
    return cast(S, kind.open(_Files(folder, path))), counts


def _name(text: pa.Array, how: Mapping[str, Any]) -> str:
    found = hashlib.sha256(json.dumps({**how, "form": FORM}, sort_keys=True).encode())
    whole = pa.concat_arrays([text])  # from the start of its buffers
    for buffer in whole.buffers():
        found.update(b"|" if buffer is None else memoryview(buffer))
    return found.hexdigest()[:32]


class _Files:
    """The files of a folder, as samples are opened from them."""

    def __init__(self, folder: ArrayFolder, path: Path) -> None:
        self.arrays, self.path = folder.arrays, path

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and Path(name).stem in self.arrays

    def array(self, name: str) -> SummedArray:
        return self.arrays[Path(name).stem]

    def checked(self, name: str) -> Path:
        raise DamagedError(f"{self.path} holds arrays alone (asked for {name})")
