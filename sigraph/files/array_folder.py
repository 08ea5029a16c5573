"""Folders of ``.npy`` files with a header: written all or nothing, mapped without being read, checked when touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from sigraph.files.atomic import atomic_folder, sha256
from sigraph.files.ownership import GRAPHS, HEADER, VERSION, read_mark, replaces
from sigraph.files.paths import user_path
from sigraph.files.sealed import DamagedError, sealed_text
from sigraph.files.sums import BLOCK_SUMS, SummedArray, split_sums, sums_of
from sigraph.files.temporary import where_kept

AGAIN = "truncated or altered; write the folder again"


class ArrayFolder(NamedTuple):
    """An opened folder: its arrays by name, mapped and checked when touched, and its header."""

    arrays: dict[str, SummedArray]
    header: dict[str, Any]

    @property
    def identity(self) -> str:
        """What tells the folder's content from another's: a sum of the sums in its header."""
        return hashlib.sha256(json.dumps(self.header["files"], sort_keys=True).encode()).hexdigest()


def write_folder(path: str | Path, kind: str, arrays: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write tensors as ``<name>.npy`` and a header with their sums, all or nothing.

    A graph's folder is replaced, anything else that is there is not.
    """
    with atomic_folder(path, replaces(GRAPHS)) as folder:
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array.detach().cpu().numpy(), allow_pickle=False)
        seal_folder(folder, kind, about)


def seal_folder(folder: Path, kind: str, about: dict[str, Any], others: Collection[str] = ()) -> None:
    """Write the header of a folder whose files are complete, and the sums of the blocks of those that are ``.npy``.

    Args:
        folder: It holds the files.
        kind: What it is.
        about: What else the header says.
        others: Files that are no ``.npy``; the header has the sum of each as a whole.
    """
    names = sorted(file.name for file in folder.glob("*.npy"))
    whole = {name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in others}
    header = {"kind": kind, "version": VERSION, **about, "files": {**whole, **seal_files(folder, names)}}
    (folder / HEADER).write_text(sealed_text(header))


def seal_files(folder: Path, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Write the sums of the blocks of some files of a folder; sizes and sums of these and of that file."""
    entries, sums = {}, []
    for name in sorted(names):
        digest, blocks = sums_of(folder / name)
        entries[name] = {"bytes": (folder / name).stat().st_size, "sha256": digest}
        sums.append(blocks)
    file = folder / BLOCK_SUMS
    file.write_bytes(b"".join(sums))
    return {**entries, BLOCK_SUMS: {"bytes": file.stat().st_size, "sha256": sha256(file)}}


def open_folder(
    path: str | Path, kinds: str | Collection[str], verify: bool = False, again: str = AGAIN
) -> ArrayFolder:
    """Map what :func:`write_folder` wrote; each block is checked when it is first touched.

    Args:
        path: The folder.
        kinds: What the header may say it is.
        verify: Check all of it now, which reads everything once.
        again: What is wrong with a folder that does not fit and how it is written again, for messages.

    Raises:
        FileNotFoundError: It holds no header.
        DamagedError: A header, a size or a sum does not fit.
    """
    path, kinds = user_path(path), [kinds] if isinstance(kinds, str) else kinds
    file = path / HEADER
    if not file.is_file():
        why = f"it is not a saved graph, or its writing was cut short{where_kept(path)}"
        raise FileNotFoundError(f"{path} holds no {HEADER}: {why}")
    try:
        header = read_mark(file)
    except DamagedError as error:
        raise DamagedError(f"{error}: {again}") from error
    if header["kind"] not in kinds:
        raise DamagedError(f"{file} needs kind {' or '.join(map(repr, kinds))} (got {header['kind']!r})")
    return ArrayFolder(map_files(path, header["files"], verify, again), header)


def map_files(path: Path, files: dict[str, Any], verify: bool, again: str) -> dict[str, SummedArray]:
    """Map the ``.npy`` files that a mark lists at the top of a folder, by their names without suffix."""
    names = sorted(name for name in files if name.endswith(".npy") and "/" not in name)
    for name in (*names, *({BLOCK_SUMS} & files.keys())):
        check_size(path, name, files[name], again)
    if BLOCK_SUMS in files:
        sums = (path / BLOCK_SUMS).read_bytes()
        if hashlib.sha256(sums).hexdigest() != files[BLOCK_SUMS]["sha256"]:
            raise DamagedError(f"{path / BLOCK_SUMS} does not match its sum: {again}")
        try:
            parts = split_sums(sums, [files[name]["bytes"] for name in names])
        except DamagedError as error:
            raise DamagedError(f"{path / BLOCK_SUMS} holds {error}: {again}") from error
    else:  # of sigraph 0.1.0: nothing but the sums of whole files
        parts = [bytes.fromhex(files[name]["sha256"]) for name in names]
    arrays = {Path(name).stem: SummedArray(path / name, part, again) for name, part in zip(names, parts, strict=True)}
    if verify:
        for array in arrays.values():
            array.whole()
    return arrays


def check_size(path: Path, name: str, entry: dict[str, Any], again: str) -> None:
    """Refuse a file that is missing or not as large as its entry says."""
    size = (path / name).stat().st_size if (path / name).is_file() else None
    if size != entry["bytes"]:
        got = "no file" if size is None else size
        raise DamagedError(f"{path / name} needs {entry['bytes']} bytes (got {got}): {again}")
