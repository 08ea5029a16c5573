"""Raw files: found where the user keeps them, or downloaded; never used before their sum was checked."""

from __future__ import annotations

import http.client
import logging
import os
import shutil
import sys
import urllib.parse
import urllib.request
from http import HTTPStatus
from pathlib import Path

from filelock import FileLock

from sigraph.data.card import CardFile
from sigraph.files.atomic import atomic_file, is_disk_full, sha256
from sigraph.files.paths import user_path

SOURCE = "SIGRAPH_DATA_SOURCE"
TIMEOUT = 60  # seconds without an answer
PIECE = 1 << 16  # bytes read at a time; what came of one that breaks off is lost
TABLES = (".tsv.gz", ".tsv", ".csv.gz", ".csv")  # how a table may end that the user has, and that has no address

logger = logging.getLogger(__name__)


def raw_file(entry: CardFile, root: Path, known: str | None = None) -> tuple[Path, str]:
    """A raw file of a card, checked.

    Looked for in ``SIGRAPH_DATA_SOURCE``, then in ``root/raw``; else downloaded to the latter. An interrupted download
    goes on where it stopped. A table without an address may end in any of :data:`TABLES`.

    Args:
        entry: The card's line.
        root: Where sigraph keeps its data.
        known: Sum recorded at the first use of a file whose card states none.

    Returns:
        Where the file lies, and its sum.

    Raises:
        ValueError: Its size or sum is not the expected one; a downloaded file is discarded then.
        ConnectionError: It could not be downloaded; the message says what to do by hand.
    """
    source = os.environ.get(SOURCE)
    cached = root / "raw" / entry.path
    for path in [user_path(source) / entry.path, cached] if source else [cached]:
        there = [one for one in _forms(path, entry) if one.is_file()]
        if len(there) > 1:
            raise ValueError(f"{there[0]} and {there[1].name} are both there; leave the one that is meant")
        if there:
            return there[0], _check(there[0], entry, known, str(there[0]), root)
    if entry.url is None:
        endings = f"; {', '.join(TABLES)} may be its ending" if len(_forms(cached, entry)) > 1 else ""
        raise FileNotFoundError(f"{entry.path} has no url on its card; {_by_hand(entry, cached)}{endings}")
    with atomic_file(cached) as temporary, FileLock(cached.with_name(f".{cached.name}.lock")):
        return cached, _fetch(entry, cached, temporary, known, root)


def _forms(path: Path, entry: CardFile) -> list[Path]:
    """A file by the names that it may have."""
    ending = next((one for one in TABLES if path.name.endswith(one)), None)
    if entry.url is not None or entry.sha256 is not None or ending is None:
        return [path]
    return [path.with_name(path.name.removesuffix(ending) + one) for one in TABLES]


def _fetch(entry: CardFile, cached: Path, target: Path, known: str | None, root: Path) -> str:
    """Download a file and check it. What an interrupted download left is gone on with if the file has a sum.

    Returns:
        Its sum.
    """
    part = cached.with_name(f"{cached.name}.part")
    if entry.sha256 is None:  # nothing would tell whether the two parts are of one file
        part.unlink(missing_ok=True)
    start = part.stat().st_size if part.is_file() else 0
    download(str(entry.url), part, start, _by_hand(entry, cached))
    try:
        digest = _check(part, entry, known, f"{entry.url} (downloaded, discarded)", root)
    except ValueError:
        part.unlink()
        if not start:
            raise
        logger.info("%s: what had been downloaded before is of another file; from its beginning", entry.url)
        return _fetch(entry, cached, target, known, root)
    part.replace(target)
    return digest


def _by_hand(entry: CardFile, cached: Path) -> str:
    return f"put the file at {cached}, or at {entry.path} in a folder that the environment variable {SOURCE} names"


def _check(path: Path, entry: CardFile, known: str | None, name: str, root: Path) -> str:
    size = path.stat().st_size
    if entry.bytes is not None and size != entry.bytes:
        raise ValueError(f"{name} needs {entry.bytes} bytes (got {size}): truncated, or another version of the file")
    digest = sha256(path)
    if entry.sha256 is not None and digest != entry.sha256:
        raise ValueError(f"{name} needs sha256 {entry.sha256}, as its card says (got {digest}); get the file again")
    if entry.sha256 is None and known is not None and digest != known:
        raise ValueError(
            f"{name} needs sha256 {known}, recorded in known-hashes.json when the file was first used (got {digest}); "
            f"get the file again; if the new one is right, remove known-hashes.json in {root}: sums are recorded anew"
        )
    return digest


def download(url: str, part: Path, start: int, by_hand: str) -> None:
    """Add to a file what lies at an address from byte ``start`` on; after a failure it keeps what came."""
    from pooch import HTTPDownloader  # only where something is downloaded

    logger.info("downloading %s%s", url, f" from byte {start:,} on" if start else "")
    try:
        if url.startswith("file:"):
            shutil.copyfile(urllib.request.url2pathname(urllib.parse.urlparse(url).path), part)
            return
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        get = HTTPDownloader(progressbar=sys.stderr.isatty(), chunk_size=PIECE, timeout=TIMEOUT, headers=headers)
        with part.open("ab") as file:
            get(url, file, None)
    except (OSError, ValueError, http.client.HTTPException) as error:  # those of requests are OSErrors
        if is_disk_full(error):
            part.unlink(missing_ok=True)
            raise
        if getattr(getattr(error, "response", None), "status_code", None) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # all of it had come; the sum tells
        if part.is_file() and not part.stat().st_size:
            part.unlink()
        raise ConnectionError(f"could not download {url} ({error}); {by_hand}") from error
