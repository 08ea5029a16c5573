"""Archives of TAPE: a JSON file, or an LMDB, for each part of the split."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

from sigraph.recipes.plain_pickle import plain_pickle

_PIECE = 1 << 20  # characters of JSON read at a time
_SPACE = " \t\r\n,"


def read_archive(path: Path, stem: str, part: str, needed: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The records of one part, one by one: ``STEM_PART.json`` or ``STEM_PART.lmdb`` in a packed archive.

    Of the LMDB, whose values are pickles, arrays, numbers and text are read and nothing is executed; it needs the
    package ``lmdb`` (``pip install 'sigraph[tape]'``).

    Args:
        path: ``*.tar.gz``.
        stem: What the files' names begin with, such as ``proteinnet``.
        part: ``train``, ``valid`` or ``test``.
        needed: What every record needs to hold.

    Raises:
        ValueError: The archive holds no such part, is damaged or cut off; a record lacks something.
    """
    found = 0
    for number, record in enumerate(_records(path, stem, part)):
        if not isinstance(record, dict) or (absent := [name for name in needed if name not in record]):
            what = ", ".join(absent) if isinstance(record, dict) else "a mapping"
            raise ValueError(f"{path}: record {number} of {stem}_{part} needs {what} (got {record!r:.60})")
        found += 1
        yield record
    if not found:
        raise ValueError(f"{path}: {stem}_{part} needs a record (got none)")


def _records(path: Path, stem: str, part: str) -> Iterator[Any]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if not member.isfile() or name.name.startswith("._"):
                    continue
                if name.name == f"{stem}_{part}.json":
                    yield from _of_json(_opened(archive, member), f"{path}: {name}")
                    return
                if name.name == f"{stem}_{part}.lmdb" or name.parts[-2:] == (f"{stem}_{part}.lmdb", "data.mdb"):
                    with tempfile.NamedTemporaryFile(suffix=".mdb") as whole:
                        shutil.copyfileobj(_opened(archive, member), whole)
                        whole.flush()
                        yield from _of_lmdb(Path(whole.name), f"{path}: {name}")
                    return
    except (tarfile.TarError, EOFError, zlib.error, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no readable archive, or cut off ({error})") from error
    raise ValueError(f"{path} needs {stem}_{part}.json or {stem}_{part}.lmdb (got neither)")


def _opened(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(member)
    if file is None:  # a link
        raise ValueError(f"{member.name} of the archive needs to be a file")
    return file


def _of_json(file: IO[bytes], where: str) -> Iterator[Any]:
    """The objects of a list, one at a time: a whole list of these is several times as large in memory as on disk."""
    text, decoder, held = io.TextIOWrapper(file, encoding="utf-8"), json.JSONDecoder(), ""
    is_begun = False
    while True:
        held = held.lstrip(_SPACE)
        if not is_begun and held:
            if held[0] != "[":
                raise ValueError(f"{where} needs a list of objects (got {held[:20]!r})")
            is_begun, held = True, held[1:].lstrip(_SPACE)
        if held.startswith("]"):
            return
        try:
            record, end = decoder.raw_decode(held)
        except ValueError as error:
            piece = text.read(_PIECE + len(held))  # as much again, so that a long record is not parsed many times
            if not piece:
                raise ValueError(f"{where} is cut off, or no JSON ({error})") from error
            held += piece
            continue
        yield record
        held = held[end:]


def _of_lmdb(path: Path, where: str) -> Iterator[Any]:
    try:
        import lmdb
    except ImportError as error:
        raise ImportError(f"{where} is an LMDB: `pip install 'sigraph[tape]'`, or take TAPE's JSON archive") from error
    try:
        with lmdb.open(str(path), subdir=False, readonly=True, lock=False, readahead=False) as held:
            needed, size = (held.info()["last_pgno"] + 1) * held.stat()["psize"], path.stat().st_size
            if size < needed:  # reading a page beyond the end would end the process
                raise ValueError(f"{where} is cut off: it needs {needed:,} bytes (got {size:,})")
            with held.begin() as of:
                count = plain_pickle(of.get(b"num_examples", b""), where)
                for number in range(int(count)):
                    value = of.get(str(number).encode())
                    if value is None:
                        raise ValueError(f"{where} lacks record {number} of {count}")
                    yield plain_pickle(value, where)
    except lmdb.Error as error:
        raise ValueError(f"{where} is no readable LMDB, or cut off ({error})") from error
