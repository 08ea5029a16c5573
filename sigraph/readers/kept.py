"""What took long to read or to learn from records, kept on disk and found again by what it was made of and how."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import pyarrow as pa

from sigraph.files.array_folder import AGAIN, ArrayFolder, check_size, open_folder, seal_folder
from sigraph.files.atomic import atomic_folder, sha256
from sigraph.files.ownership import HEADER, READ, check_owned, read_mark
from sigraph.files.paths import data_root
from sigraph.files.sealed import DamagedError
from sigraph.files.sums import BLOCK_SUMS, SummedArray
from sigraph.samples import Samples

S = TypeVar("S", bound=Samples)
T = TypeVar("T")
FOLDER = "read"  # in sigraph's data root
FORM = 1  # of what is kept: another one is not found
_ENDINGS = (".npy", ".arrow", ".parquet")  # of files of samples

logger = logging.getLogger(__name__)


def read_once(
    kind: type[S], text: pa.Array, how: Mapping[str, Any], read: Callable[[], tuple[S, dict[str, int]]]
) -> tuple[S, dict[str, int]]:
    """What was read from a column before, mapped from disk; else it is read now, and kept.

    Kept is under ``SIGRAPH_DATA``, in ``read/``, a folder for each column and way of reading, which may be removed at
    any time. A damaged one is written again; where nothing can be written, the samples stay in memory. Processes that
    read the same at once each write it, and the last one's stays: they are alike.

    Args:
        kind: Of the samples, such as :class:`~sigraph.samples.Graphs`.
        text: What is read. Shape [N] large_string.
        how: All that decides what becomes of it: the reader, its settings, versions of libraries. As JSON holds it.
        read: Reads it: samples, and counts by name.

    Returns:
        What ``read`` gives.
    """

    def opened(folder: ArrayFolder, path: Path) -> tuple[S, dict[str, int]]:
        counts = {str(name): int(count) for name, count in folder.header["counts"].items()}
        return cast(S, kind.open(_Files(folder, path))), counts

    def save(made: tuple[S, dict[str, int]], folder: Path) -> dict[str, Any]:
        made[0].save(folder)
        return {"counts": made[1]}

    return _once(text, how, opened, read, save)


def learnt_once(text: pa.Array | None, how: Mapping[str, Any], learn: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was learned from a column before; else it is learned now, and kept as :func:`read_once` keeps samples.

    Args:
        text: What is learned from. Shape [N] large_string; None: ``how`` says all.
        how: All that decides what is learned from it, as of :func:`read_once`.
        learn: Learns it. As JSON holds it.
    """
    return _once(text, how, lambda folder, path: dict(folder.header["learnt"]), learn, lambda made, _: {"learnt": made})


def _once(
    text: pa.Array | None,
    how: Mapping[str, Any],
    opened: Callable[[ArrayFolder, Path], T],
    make: Callable[[], T],
    save: Callable[[T, Path], dict[str, Any]],
) -> T:
    """What is kept, opened; else it is made now, and kept: files are saved, and the rest stands in the header."""
    path = data_root() / FOLDER / _name(text, how)
    if (path / HEADER).is_file():
        try:
            return opened(open_folder(path, READ, verify=True), path)
        except (DamagedError, OSError) as error:
            logger.warning("%s cannot be used, so the records are read again (%s)", path, error)
    made = make()
    try:
        with atomic_folder(path, _may_replace) as folder:
            about = save(made, folder)
            others = sorted(file.name for file in folder.iterdir() if file.suffix != ".npy")
            seal_folder(folder, READ, {"how": dict(how), **about}, others)
        return opened(open_folder(path, READ, verify=True), path)
    except (DamagedError, OSError) as error:  # no room, no rights, a folder that is not ours
        logger.warning("what was read is not kept in %s (%s)", path, error)
        return made


def _may_replace(path: Path) -> None:
    """Refuse a folder that is not kept samples; one whose header is damaged or lost and that holds their files is."""
    try:
        read_mark(path / HEADER)
    except (FileNotFoundError, DamagedError):
        if all(
            one.is_file() and (one.suffix in _ENDINGS or one.name in (HEADER, BLOCK_SUMS)) for one in path.iterdir()
        ):
            return
    check_owned(path, {READ})


def _name(text: pa.Array | None, how: Mapping[str, Any]) -> str:
    found = hashlib.sha256(json.dumps({**how, "form": FORM}, sort_keys=True).encode())
    buffers = [] if text is None else pa.concat_arrays([text]).buffers()  # from the start of its own
    for buffer in buffers:
        found.update(b"|" if buffer is None else memoryview(buffer))
    return found.hexdigest()[:32]


class _Files:
    """The files of a folder, as samples are opened from them."""

    def __init__(self, folder: ArrayFolder, path: Path) -> None:
        self.arrays, self.listed, self.path = folder.arrays, folder.header["files"], path

    def __contains__(self, name: object) -> bool:
        return name in self.listed

    def array(self, name: str) -> SummedArray:
        return self.arrays[Path(name).stem]

    def checked(self, name: str) -> Path:
        entry = self.listed[name]
        check_size(self.path, name, entry, AGAIN)
        if sha256(self.path / name) != entry["sha256"]:
            raise DamagedError(f"{self.path / name} does not match its sum: {AGAIN}")
        return self.path / name
