"""Files and folders that appear whole or not at all, and that replace nothing but what they may."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from sigraph.files.exchange import exchange
from sigraph.files.paths import resolved, user_path
from sigraph.files.temporary import aside, own_prefix, sweep

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DiskFullError(OSError):
    """There is no room to write a file or folder; what was there is as it was."""


@contextmanager
def atomic_folder(path: str | Path, may_replace: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its place when the block ends without an error.

    An empty folder is replaced, any other only if ``may_replace`` allows it. The two swap their names in one step where
    the system has that (Linux, macOS), so that there is a folder at every moment; elsewhere the old one is set aside
    for an instant, and put back if the new one cannot be moved. After an error (a full disk, an interrupt) the
    temporary folder is removed and ``path`` is as it was. What a killed process left of another attempt is removed.

    Args:
        path: The folder; links, ``..`` and ``~`` are followed. Not the current one, nor one around it.
        may_replace: Called with a folder that is there and not empty, first and again before it is replaced; raises
            what says why it must stay. None: it must stay.

    Raises:
        FileExistsError: There is something at ``path`` that must stay.
        DiskFullError: The block, or the rest, ran out of room.
    """
    path = resolved(path)
    with _disk_full_named(path):
        check_free(path, may_replace)
        with _target_named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path)
            temporary = Path(tempfile.mkdtemp(prefix=own_prefix(path), dir=path.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            check_free(path, may_replace)
            put_in_place(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sweep(aside(path))  # only now: it may have been the last whole one


def put_in_place(new: Path, path: Path) -> None:
    """Move a folder to ``path``; what is there is replaced and removed.

    Raises:
        OSError: It could not be done: what was there is there, or the message says where it lies.
    """
    if not path.exists():
        new.replace(path)
        return
    if exchange(new, path):
        shutil.rmtree(new, ignore_errors=True)  # the old one by now
        return
    old = Path(tempfile.mkdtemp(prefix=own_prefix(aside(path)), dir=path.parent))
    path.replace(old / path.name)
    try:
        new.replace(path)
    except OSError as error:
        try:
            (old / path.name).replace(path)
        except OSError:
            what = f"the new folder could not be moved here ({error.strerror}); the old data lie in {old / path.name}"
            raise OSError(error.errno, what, str(path)) from error
        old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)


def check_free(path: Path, may_replace: Callable[[Path], None] | None) -> None:
    """Refuse a place where a folder cannot be put; see :func:`atomic_folder`.

    Raises:
        FileExistsError: There is something that must stay; or whoever stands there would stand nowhere.
    """
    with contextlib.suppress(FileNotFoundError):  # who stands nowhere already
        if Path.cwd().is_relative_to(resolved(path)):
            why = "is the current folder or around it, and would be replaced as a whole, with you in the old one"
            raise FileExistsError(
                errno.EEXIST, f"{why}; write it from elsewhere (cd ..), or choose another place", str(path)
            )
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir():
        raise FileExistsError(errno.EEXIST, "is a file, where a folder is to be written", str(path))
    if may_replace is None:
        raise FileExistsError(errno.EEXIST, "is there and not empty", str(path))
    may_replace(path)


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A temporary file name beside ``path``; what was written there replaces ``path`` when the block ends well.

    What a killed process left of another attempt is removed.

    Raises:
        IsADirectoryError: ``path`` is a folder.
        DiskFullError: The block, or the rest, ran out of room.
    """
    path = user_path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder, where a file is to be written; move it away", str(path))
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
