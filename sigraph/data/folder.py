"""Folders of ``.npy`` files with a header: written all or nothing, mapped without being read, checked when opened."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from sigraph.data.leftovers import own_prefix, sweep

HEADER = "header.json"
SPOTS, SPOT = 64, 512  # places of a file that are compared when it is opened, and the bytes of each
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DiskFullError(OSError):
    """There is no room to write a file or folder; what was there is as it was."""


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its place when the block ends without an error.

    An existing folder is replaced. After an error (a full disk, an interrupt) the temporary folder is removed and
    ``path`` is as it was. What a killed process left of another attempt is removed.

    Raises:
        DiskFullError: The block, or the rest, ran out of room.
    """
    path = Path(path)
    with _disk_full_named(path):
        with _target_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path)
            temporary = Path(tempfile.mkdtemp(prefix=own_prefix(path), dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            if path.exists():
                old = Path(tempfile.mkdtemp(prefix=own_prefix(_old(path)), dir=path.parent))
                path.replace(old / path.name)
                temporary.replace(path)
                shutil.rmtree(old, ignore_errors=True)
            else:
                temporary.replace(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sweep(_old(path))  # only now: it may have been the last whole one


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A temporary file name beside ``path``; what was written there replaces ``path`` when the block ends well.

    What a killed process left of another attempt is removed.

    Raises:
        DiskFullError: The block, or the rest, ran out of room.
    """
    path = Path(path)
    with _disk_full_named(path):
        with _target_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path)
            handle, name = tempfile.mkstemp(prefix=own_prefix(path), dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_disk_full(error: BaseException) -> bool:
    """Whether an error of writing says that there is no room, by number or in the words of numpy or safetensors."""
    if isinstance(error, SafetensorError):
        return any(f"(os error {number})" in str(error) for number in NO_ROOM)
    if isinstance(error, OSError) and error.errno is None:
        return re.fullmatch(r"\d+ requested and \d+ written", str(error)) is not None
    return isinstance(error, OSError) and error.errno in NO_ROOM


def write_folder(path: str | Path, kind: str, arrays: dict[str, Tensor | Path], about: dict[str, Any]) -> None:
    """Write tensors, or copies of ``.npy`` files, as ``<name>.npy`` and a header with their sums, all or nothing."""
    with atomic_folder(path) as folder:
        for name, array in arrays.items():
            file = folder / f"{name}.npy"
            if isinstance(array, Path):
                shutil.copyfile(array, file)
            else:
                np.save(file, array.detach().cpu().numpy(), allow_pickle=False)
        seal_folder(folder, kind, about)


def seal_folder(folder: Path, kind: str, about: dict[str, Any]) -> None:
    """Write the header of a folder whose ``.npy`` files are complete: sizes, sums, and sums of some places."""
    files = {
        file.name: {"bytes": file.stat().st_size, "sha256": sha256(file), "spots": spot_sum(file)}
        for file in sorted(folder.glob("*.npy"))
    }
    header = {"kind": kind, "version": 1, **about, "files": files}
    (folder / HEADER).write_text(json.dumps(header, indent=2))


def folder_identity(header: dict[str, Any]) -> str:
    """What tells a folder's content from another's: a sum of the sums in its header."""
    return hashlib.sha256(json.dumps(header["files"], sort_keys=True).encode()).hexdigest()


def spot_sum(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's size and of 64 evenly spaced blocks: another file is told at no cost."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for i in range(SPOTS):
            file.seek(max(size - SPOT, 0) * i // (SPOTS - 1))
            digest.update(file.read(SPOT))
    return digest.hexdigest()


def open_folder(path: str | Path, kind: str, verify: bool = False) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Map what :func:`write_folder` wrote.

    Args:
        path: The folder.
        kind: What the header must say it is.
        verify: Check the sums too, which reads everything once.

    Returns:
        The mapped tensors by name (copy-on-write: the files are never written to) and the header.
    """
    path = Path(path)
    header_file = path / HEADER
    if not header_file.is_file():
        raise FileNotFoundError(f"{path} holds no {HEADER}: it is not a saved graph, or its writing was cut short")
    try:
        header = json.loads(header_file.read_text())
    except ValueError as error:
        raise ValueError(f"{header_file} is not valid JSON ({error}); write the folder again") from error
    if not isinstance(header, dict) or header.get("kind") != kind or header.get("version") != 1:
        raise ValueError(f"{header_file} needs kind {kind!r}, version 1; write the folder again with this sigraph")
    try:
        files = {
            path / Path(name).name: (about["bytes"], about["sha256"], about.get("spots"))
            for name, about in header["files"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{header_file} lists no files, sizes and sums: altered; write the folder again") from error
    arrays = {}
    for file, (needed, checksum, spots) in files.items():
        size = file.stat().st_size if file.is_file() else None
        if size != needed:
            raise ValueError(f"{file} needs {needed} bytes (got {size}): truncated; write the folder again")
        if (spots is not None and spot_sum(file) != spots) or (verify and sha256(file) != checksum):
            raise ValueError(f"{file} does not match its sum in {HEADER}: altered; write the folder again")
        arrays[file.stem] = map_array(file)
    return arrays, header


def map_array(file: str | Path) -> Tensor:
    """A ``.npy`` file as a memory-mapped tensor, copy-on-write; pickles and object arrays are refused."""
    try:
        try:
            return torch.from_numpy(np.load(file, mmap_mode="c", allow_pickle=False))
        except ValueError as error:
            if "mmap" in str(error) or "empty" in str(error):  # nothing to map in an array of size 0
                return torch.from_numpy(np.load(file, allow_pickle=False))
            raise
    except (ValueError, TypeError, EOFError) as error:
        raise ValueError(f"{file} is not a plain .npy array ({error})") from error


@contextmanager
def _target_named(path: Path) -> Iterator[None]:
    """Errors of making a temporary beside ``path`` name what was asked for."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise
        above = next((folder for folder in path.parents if folder.exists()), path.parent)
        if not above.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"cannot be written: {above} is no folder", str(path)) from error
        raise OSError(error.errno, f"cannot be written ({error.strerror})", str(path)) from error


@contextmanager
def _disk_full_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError) as error:
        if not is_disk_full(error):
            raise
        cause = (error.__cause__ if isinstance(error, DiskFullError) else None) or error  # of a part of a folder
        number = getattr(cause, "errno", None) or errno.ENOSPC
        why = f"the disk is full, or a limit is reached ({getattr(cause, 'strerror', None) or cause})"
        way = "nothing was changed; free some space, or write elsewhere"
        raise DiskFullError(number, f"{why}; {way}", str(path)) from cause


def _old(path: Path) -> Path:
    return path.with_name(f"{path.name}-old")
