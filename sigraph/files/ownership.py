"""Whose a folder is: sigraph replaces what it wrote itself and nothing else."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

from sigraph.files.atomic import sha256
from sigraph.files.paths import resolved
from sigraph.files.sealed import SUM, DamagedError, read_sealed

MANIFEST, HEADER = "manifest.json", "header.json"  # of a prepared data set, and of a folder of arrays
CARD = "card.yaml"  # of a data set
DATASET, CSR, LABEL_SETS = "sigraph-dataset", "sigraph-csr", "sigraph-label-sets"
GRAPHS = (CSR, LABEL_SETS)
READ = "sigraph-read-samples"  # what a reader made of records, kept to be found again
TARGET = "sigraph-target"  # what embeddings are regressed onto, kept to be found again
VERSION = 2
_SHOWN = 5


def replaces(formats: Collection[str]) -> Callable[[Path], None]:
    """The check that a folder is one of these formats and holds nothing else; for ``atomic_folder``."""
    return partial(check_owned, formats=formats)


def check_owned(path: Path, formats: Collection[str]) -> None:
    """Refuse a folder that sigraph did not write, or that holds anything which it did not write.

    Whose it is says the content of its mark (``manifest.json``, ``header.json``), and what is in it the list there.

    Args:
        path: The folder.
        formats: What it may be: ``sigraph-dataset``, ``sigraph-csr``, ``sigraph-label-sets``, ``sigraph-read-samples``,
            ``sigraph-target``.

    Raises:
        FileExistsError: It must not be replaced; the message says why, and names what it holds besides.
    """
    path = resolved(path)
    what = "prepared data set" if DATASET in formats else "cache" if {READ, TARGET} & {*formats} else "graph's folder"
    mark = MANIFEST if DATASET in formats else HEADER
    stays = "so it is not replaced; choose another place, or remove it yourself"
    if home := _home(path):
        raise FileExistsError(errno.EEXIST, f"is a part of the data set {home}, {stays}", str(path))
    try:
        found = read_mark(path / mark)
    except FileNotFoundError:
        raise FileExistsError(errno.EEXIST, f"is no {what} of sigraph, {stays}", str(path)) from None
    except (OSError, DamagedError) as error:
        raise FileExistsError(errno.EEXIST, f"cannot be told to be sigraph's ({error}), {stays}", str(path)) from error
    if found["kind"] not in formats:
        raise FileExistsError(errno.EEXIST, f"is no {what} of sigraph, {stays}", str(path))
    if foreign := foreign_files(path, {mark, *found["files"]}):
        more = f" and {len(foreign) - _SHOWN} more" if len(foreign) > _SHOWN else ""
        named = ", ".join(foreign[:_SHOWN])
        way = "move that away, or choose another place"
        raise FileExistsError(errno.EEXIST, f"holds what sigraph did not write ({named}{more}); {way}", str(path))
    # The mark of the first version has nothing of its own that says whose it is; that its sums fit does. Otherwise
    # damaged data may be replaced, which mends them; a card is written in by people, and one that is gone by nobody.
    is_old = found["version"] == 1
    has_card = CARD in found["files"] and (path / CARD).is_file()
    if other := _another(path, found["files"] if is_old else {CARD: found["files"][CARD]} if has_card else {}):
        what = (
            f"holds a {other} that was changed since it was written" if (path / other).is_file() else f"lacks {other}"
        )
        way = "; move that away, and edit the words of the new one after; or choose another place"
        raise FileExistsError(errno.EEXIST, what + (f", {stays}" if is_old else way), str(path))


def _home(path: Path) -> Path | None:
    """The prepared data set that a folder is a graph of."""
    home = path.parent.parent
    try:
        listed = read_mark(home / MANIFEST)["files"]
    except (OSError, DamagedError):
        return None
    return home if f"{path.parent.name}/{path.name}/{HEADER}" in listed else None


def _another(path: Path, files: dict[str, dict[str, Any]]) -> str | None:
    """The first file that is not the one that is listed."""
    for name, entry in files.items():
        file = path / name
        if not file.is_file() or file.stat().st_size != entry["bytes"] or sha256(file) != entry["sha256"]:
            return name
    return None


def foreign_files(path: Path, listed: Collection[str]) -> list[str]:
    """Files, links and folders below ``path`` that are neither listed nor around something listed."""
    own = set(listed)
    around = {parent.as_posix() for name in own for parent in Path(name).parents}
    found = []
    for entry in sorted(path.rglob("*")):
        name, is_folder = entry.relative_to(path).as_posix(), entry.is_dir() and not entry.is_symlink()
        if name not in (around if is_folder else own):
            found.append(name)
    return [name for name in found if Path(name).parent.as_posix() not in found]


def read_mark(file: Path) -> dict[str, Any]:
    """A manifest or header of this sigraph, or of 0.1.0: ``kind``, ``version``, ``files`` and more.

    Raises:
        OSError: It cannot be read.
        DamagedError: It is none, or is damaged.
    """
    old = _read_old(file)
    if old is not None:
        return old
    mark = read_sealed(file)
    kind, version, files = mark.get("kind"), mark.get("version"), mark.get("files")
    if not isinstance(kind, str) or not kind.startswith("sigraph-") or not isinstance(files, dict):
        raise DamagedError(f"{file} is none of sigraph's")
    if version != VERSION:
        raise DamagedError(f"{file} is of version {version}, this sigraph reads {VERSION}: use a newer one")
    for name, entry in files.items():
        if not isinstance(entry, dict) or type(entry.get("bytes")) is not int or type(entry.get("sha256")) is not str:
            raise DamagedError(f"{file} states no size and sum of {name!r}")
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise DamagedError(f"{file} names {name!r}, which is outside the folder")
    return mark


def _read_old(file: Path) -> dict[str, Any] | None:
    """The mark that sigraph 0.1.0 wrote, which has no sum of its own, in today's form; None if it is none."""
    try:
        plain = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(plain, dict) or SUM in plain or "format" in plain:
        return None
    header = plain.get("kind") in GRAPHS and plain.get("version") == 1
    files, extra = (plain.get("files"), "spots") if header else (plain, "written")
    keys = {"bytes", "sha256", extra}
    if not isinstance(files, dict) or not files:
        return None
    if not all(isinstance(entry, dict) and entry.keys() == keys for entry in files.values()):
        return None
    if any(Path(name).is_absolute() or ".." in Path(name).parts for name in files):
        return None
    sums = {name: {"bytes": entry["bytes"], "sha256": entry["sha256"]} for name, entry in files.items()}
    if header:
        return {**plain, "files": sums}
    order = {
        part: list(dict.fromkeys(Path(name).parts[1] for name in files if Path(name).parts[0] == part))
        for part in ("graphs", "tasks")
    }
    return {"kind": DATASET, "version": 1, **order, "files": sums}
