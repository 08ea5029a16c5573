"""Raw files: found where the user keeps them, or downloaded; never used before their sum was checked."""

from __future__ import annotations

import http.client
import logging
import os
import urllib.request
from pathlib import Path

from sigraph.data.card import CardFile
from sigraph.files.atomic import atomic_file, is_disk_full, sha256
from sigraph.files.paths import user_path

SOURCE = "SIGRAPH_DATA_SOURCE"
TIMEOUT = 60  # seconds without an answer
PIECE = 1 << 20  # bytes read at a time

logger = logging.getLogger(__name__)


def raw_file(entry: CardFile, root: Path, known: str | None = None) -> tuple[Path, str]:
    """A raw file of a card, checked.

    Looked for in ``SIGRAPH_DATA_SOURCE``, then in ``root/raw``; else downloaded to the latter.

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
        if path.is_file():
            return path, _check(path, entry, known, str(path), root)
    if entry.url is None:
        raise FileNotFoundError(f"{entry.path} has no url on its card; {_by_hand(entry, cached)}")
    with atomic_file(cached) as temporary:
        _download(entry.url, temporary, _by_hand(entry, cached))
        digest = _check(temporary, entry, known, f"{entry.url} (downloaded, discarded)", root)
    return cached, digest


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


def _download(url: str, target: Path, by_hand: str) -> None:
    logger.info("downloading %s", url)
    num_bytes, said = 0, 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response, target.open("wb") as file:
            length = response.headers.get("Content-Length")
            while piece := response.read(PIECE):
                file.write(piece)
                num_bytes += len(piece)
                if num_bytes - said >= 10 * PIECE:
                    said = num_bytes
                    logger.info("%s: %.0f MB%s", url, num_bytes / 1e6, f" of {int(length) / 1e6:.0f}" if length else "")
        if length is not None and num_bytes != int(length):
            raise http.client.IncompleteRead(b"", int(length) - num_bytes)
    except (OSError, ValueError, http.client.HTTPException) as error:  # URLError and timeouts are OSErrors
        if is_disk_full(error):
            raise
        raise ConnectionError(f"could not download {url} ({error}); {by_hand}") from error
