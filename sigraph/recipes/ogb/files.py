"""The official files of an OGB data set: found, or downloaded and unpacked; never asks on the terminal."""

from __future__ import annotations

import logging
import os
import re
import shutil
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from filelock import FileLock

from sigraph.data.ogb_facts import OGBFacts
from sigraph.files.atomic import atomic_folder
from sigraph.files.paths import user_path
from sigraph.recipes.download import SOURCE, TIMEOUT, download

KEPT = ("raw", "split", "mapping")  # of the archive, besides the note of the release
_RELEASE = re.compile(r"RELEASE_v(\d+)\.txt")
_PIECE = 1 << 20

logger = logging.getLogger(__name__)


def official_folder(facts: OGBFacts, root: Path) -> Path:
    """The folder of a data set's official files, with ``raw`` and ``split`` in it.

    Looked for below ``SIGRAPH_DATA_SOURCE`` (as ``<folder>``, ``ogb/<folder>``, ``dataset/<folder>``, where ogb
    downloads to, or ``ogbg_official/<folder>``), then in ``root/raw/ogb``; else the official archive is downloaded to
    the latter: its size is said, an interrupted download goes on where it stopped, size and CRC-32 of every file are
    compared.

    Args:
        facts: Which data set.
        root: Where sigraph keeps its data.

    Raises:
        ValueError: The files are of another release than the current one.
        ConnectionError: They could not be downloaded; the message says what to do by hand.
    """
    cached = root / "raw" / "ogb" / facts.folder
    if source := os.environ.get(SOURCE):
        for above in ("", "ogb", "dataset", f"{facts.name[:4]}_official"):
            if ((folder := user_path(source) / above / facts.folder) / "raw").is_dir():
                return _checked(folder, facts)
    if not (cached / "raw").is_dir():
        cached.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(cached.with_name(f".{cached.name}.lock")):
            if not (cached / "raw").is_dir():
                _get(facts, cached)
    return _checked(cached, facts)


def _checked(folder: Path, facts: OGBFacts) -> Path:
    """Refuse another release; a folder that says none is taken for the current one, which is said."""
    found = {int(match[1]) for file in folder.iterdir() if (match := _RELEASE.fullmatch(file.name))}
    if found and facts.version not in found:
        raise ValueError(
            f"{folder} holds release {max(found)} of {facts.name}, and OGB's current one is {facts.version}, which "
            f"results are compared on; move the folder away and get {facts.url}"
        )
    if not found:
        logger.warning(
            "%s says no release (RELEASE_v%d.txt is missing): taken for the current one", folder, facts.version
        )
    if not (folder / "split" / facts.split).is_dir():
        raise FileNotFoundError(f"{folder} holds no split/{facts.split}, the official one; get {facts.url} again")
    return folder


def _get(facts: OGBFacts, folder: Path) -> None:
    archive = folder.with_name(f"{facts.folder}.zip")
    part = folder.with_name(f"{facts.folder}.zip.part")
    by_hand = f"unpack it by hand to {folder}, or below a folder that the environment variable {SOURCE} names"
    if not archive.is_file():
        started = part.stat().st_size if part.is_file() else 0
        size = _size_of(facts.url)
        logger.warning(  # seen without being asked for: it may be many gigabytes
            "%s: %s to download from %s, which takes as much disk again and more when unpacked%s",
            facts.name,
            "an unknown size" if size is None else _said(size),
            facts.url,
            f"; {_said(started)} are there" if started else "",
        )
        free = shutil.disk_usage(folder.parent).free
        if size is not None and free < 2 * size - started:
            raise OSError(
                f"{facts.name} needs at least {_said(2 * size - started)} in {folder.parent}, and {_said(free)} are "
                "free; set SIGRAPH_DATA to a place with more"
            )
        if size is None or started != size:
            download(facts.url, part, started, by_hand)
        if started and size is not None and part.stat().st_size > size:  # all of it came, behind what was there
            part.unlink()
            download(facts.url, part, 0, by_hand)
        if size is not None and (got := part.stat().st_size) != size:
            raise ConnectionError(f"{facts.url} needs {size} bytes (got {got}); the same command goes on; or {by_hand}")
        part.replace(archive)
    try:
        _unpack(archive, folder, facts)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        archive.unlink()  # of two downloads, or damaged on the way: no part of it is right
        raise ValueError(f"{facts.url} (downloaded, discarded): {error}; the same command gets it again") from error
    archive.unlink()


def _size_of(url: str) -> int | None:
    """Bytes that lie at an address; None: it does not say."""
    try:
        request = urllib.request.Request(url, method="HEAD", headers={"Accept-Encoding": "identity"})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            size = answer.headers.get("Content-Length")
            return None if size is None else int(size)
    except (OSError, ValueError) as error:  # the download itself says what is wrong
        logger.info("%s does not say its size (%s)", url, error)
        return None


def _unpack(archive: Path, folder: Path, facts: OGBFacts) -> None:
    """Unpack raw files, split and mapping; what ogb made of them (``processed``) is left out."""
    with atomic_folder(folder) as temporary, zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            place = PurePosixPath(member.filename)
            if place.is_absolute() or ".." in place.parts or "\\" in member.filename or ":" in member.filename:
                raise ValueError(f"{archive.name} holds {member.filename!r}, which lies outside of it")
            inside = place.parts[1:]  # below the one folder of the archive
            if member.is_dir() or not inside:
                continue
            if inside[0] in KEPT or (len(inside) == 1 and _RELEASE.fullmatch(inside[0])):
                target = temporary.joinpath(*inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, _PIECE)  # compares its CRC-32 at the end
        for needed in ("raw", f"split/{facts.split}"):
            if not (temporary / needed).is_dir():
                raise ValueError(f"it holds no {needed}")


def _said(size: float) -> str:
    return f"{size / 1e9:,.2f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
