"""What the columns of a user's table were taken for, kept beside the data that were made of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from sigraph.data.prepared import COLUMNS, Manifest
from sigraph.files.sealed import DamagedError

USES = (
    *("id", "text", "protein", "dna", "rna", "smiles", "number", "category", "tokens", "features", "terms"),
    *("label", "split", "group", "left out"),
)
_LEFT_OUT = USES[-1]


@dataclass(frozen=True)
class ColumnUse:
    """What a column of the samples is for.

    Args:
        name: The column's name.
        use: One of :data:`USES`: ``terms`` are cells that are lists of names, ``features`` lists of numbers of one
            length, ``left out`` what no shipped reader reads or what was to be ignored.
        why: By what it was told, and the option that changes it.
        example: The first cell that is not blank, as it is shown.
    """

    name: str
    use: str
    why: str = ""
    example: str = ""


def write_uses(folder: Path, columns: Sequence[ColumnUse]) -> None:
    """Write what columns are for into a folder that is being prepared; of one that was left out no cell is kept."""
    kept = [asdict(one) | ({"example": ""} if one.use == _LEFT_OUT else {}) for one in columns]
    (folder / COLUMNS).write_text(json.dumps({"columns": kept}, indent=1, ensure_ascii=False), encoding="utf-8")


def read_uses(manifest: Manifest) -> list[ColumnUse] | None:
    """What :func:`write_uses` wrote; None: the folder keeps nothing of it, as those of earlier versions.

    Raises:
        DamagedError: The file is not what was written.
    """
    if COLUMNS not in manifest:
        return None
    file = manifest.checked(COLUMNS)
    names = {one.name for one in fields(ColumnUse)}
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))["columns"]
        if all(row.keys() == names and all(isinstance(value, str) for value in row.values()) for row in rows):
            return [ColumnUse(**row) for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(f"{file} is no list of columns ({error!r}): {manifest.again}") from error
    raise DamagedError(f"{file} is no list of columns: {manifest.again}")
