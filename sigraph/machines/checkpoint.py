"""Checkpoints that carry the sum of their own content, checked when one is read."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO

from sigraph.files.sealed import DamagedError

_MAGIC = b"sigraph checkpoint 1 sha256 "
_HEAD = len(_MAGIC) + 64 + 1  # the magic, the sum in hexadecimal, the end of the line


class SealedCheckpoints(CheckpointIO):
    """How a Lightning trainer writes and reads checkpoints: a line with a sum, then what ``torch.save`` makes.

    Reading checks the sum and opens no pickled code, whatever the trainer is told.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Write a checkpoint; not all or nothing by itself."""
        if storage_options is not None:
            raise ValueError(f"'storage_options' needs to be None in 'SealedCheckpoints' (got {storage_options!r})")
        write_checkpoint(path, checkpoint)

    def load_checkpoint(
        self, path: str | os.PathLike[str], map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint into memory of the CPU; see :func:`read_checkpoint`."""
        return read_checkpoint(path)

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Remove a checkpoint, if it is there."""
        Path(path).unlink(missing_ok=True)


def write_checkpoint(path: str | os.PathLike[str], checkpoint: dict[str, Any]) -> None:
    """Write tensors and plain values with their sum."""
    payload = io.BytesIO()  # torch answers a full disk with errors of its own
    torch.save(checkpoint, payload)
    with Path(path).open("wb") as file:
        file.write(_MAGIC + hashlib.sha256(payload.getbuffer()).hexdigest().encode() + b"\n")
        file.write(payload.getbuffer())


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what :func:`write_checkpoint` wrote, into memory of the CPU; no pickled code is opened.

    Raises:
        OSError: The file cannot be read.
        DamagedError: It is no checkpoint of sigraph, or its content does not match its sum.
    """
    with Path(path).open("rb") as file:
        head = file.read(_HEAD)
        if not head.startswith(_MAGIC) or len(head) < _HEAD:
            raise DamagedError(f"{path} is damaged, or no checkpoint of this sigraph")
        if head[len(_MAGIC) :] != hashlib.file_digest(file, "sha256").hexdigest().encode() + b"\n":
            raise DamagedError(f"{path} is damaged: its content does not match its sum")
        file.seek(_HEAD)
        try:
            found = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many kinds, some with advice that is not safe
            raise DamagedError(f"{path} holds no checkpoint, though its sum is right") from error
    if not isinstance(found, dict):
        raise DamagedError(f"{path} holds no checkpoint (got {type(found).__name__})")
    return found
