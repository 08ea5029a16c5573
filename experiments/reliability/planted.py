"""Files that are not what their names say: pickles that run a command, archives, bombs, devices."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import pickletools
import struct
import zipfile
from pathlib import Path

import numpy as np
import torch


class _Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.system, (f"touch '{self.marker}'",)


def pickled(marker: str) -> bytes:
    """A pickle that runs a command."""
    data = pickle.dumps(_Payload(marker))
    pickletools.dis(data, out=io.StringIO())  # it is one
    return data


def plants(marker: str) -> dict[str, bytes]:
    """By name, all that is laid where a file is read."""
    payload = pickled(marker)
    objects, saved, archive = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(objects, np.array([_Payload(marker)], dtype=object), allow_pickle=True)
    torch.save({"state_dict": _Payload(marker)}, saved)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../../escaped.txt", "out")
        file.writestr("data.pkl", payload)
    arrays = io.BytesIO()
    np.savez(arrays, a=np.array([_Payload(marker)], dtype=object))
    return {
        "a pickle": payload,
        "a saved model": saved.getvalue(),
        "an array of objects": objects.getvalue(),
        "an npz": arrays.getvalue(),
        "a zip": archive.getvalue(),
        "a module": f"import os\nos.system(\"touch '{marker}'\")\n".encode(),
        "nothing": b"",
        "zeros": bytes(4096),
        "text": b"hello\n",
        "an array of 2^62": _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}"),
        "an array of minus one": _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4)}"),
        "an array of beyond 2^63": _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 4)}"),
        "an array whose header calls": _npy(f"__import__('os').system(\"touch '{marker}'\")"),
        "an array of a billion zeros": _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 4)}"),
        "deep JSON": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "JSON that is a list": b"[" + b"1," * 1000 + b"1]",
        "a long number": b'{"a": ' + b"9" * 100_000 + b"}",
        "a long line": b"x" * 5_000_000,
        "escape codes": b"id,\x1b[2Jname\n=cmd|' /C calc'!A0,\x1b]0;x\x07\n",
        "utf-16": "id,a\n1,2\n".encode("utf-16"),
        "a header of 2^60": struct.pack("<Q", 1 << 60) + b"{}",
        "a gzip of itself": gzip.compress(gzip.compress(b"id,a\n1,2\n")),
    }


def bomb(rows: bool) -> bytes:
    """5 GB of a text table, gzipped: one row, or many."""
    chunk = (b"1,2\n" if rows else b"xxxx") * (1 << 24)
    member = gzip.compress(chunk, 9)
    return gzip.compress(b"id,a\n") + member * 80


def _npy(header: str) -> bytes:
    text = header.encode() + b" " * (118 - len(header) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64)


def lay_special(path: Path, what: str) -> None:
    """A pipe, a device, a folder, a link to itself."""
    if what == "a pipe":
        os.mkfifo(path)
    elif what == "endless zeros":
        path.symlink_to("/dev/zero")
    elif what == "a folder":
        path.mkdir()
    elif what == "a link to itself":
        path.symlink_to(path.name)
    elif what == "not to be read":
        path.write_bytes(b"id,a\n")
        path.chmod(0)


SPECIAL = ("a pipe", "endless zeros", "a folder", "a link to itself")
