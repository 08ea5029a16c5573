"""Official splits: text, or pickles of arrays that are read without executing anything."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sigraph.recipes.ogb.arrays import read_column

PARTS = ("train", "valid", "test")
ALL = "split_dict.pt"
_multiarray: Any = getattr(np, "_core", None) or np.core  # numpy 1 has the latter alone
_reconstruct = _multiarray.multiarray._reconstruct
_KINDS = "?bhilqBHILQefd"  # plain numbers, by numpy's letters
# What an array is pickled as, by numpy 1 and 2, and nothing else.
ARRAYS: tuple[Any, ...] = (
    np.ndarray,
    np.dtype,
    _reconstruct,
    (_reconstruct, "numpy.core.multiarray._reconstruct"),
    (_reconstruct, "numpy._core.multiarray._reconstruct"),
    *{type(np.dtype(kind)) for kind in _KINDS},
)


def read_split(folder: Path, node_type: str | None = None) -> dict[str, np.ndarray]:
    """Which samples are trained on, validated and tested.

    Args:
        folder: ``split/<name>`` of the official files.
        node_type: Of a data set of several types, the one that is predicted.

    Returns:
        Ids, int64 each, by part.

    Raises:
        ValueError: A part is missing, or holds anything but ids.
    """
    if (folder / ALL).is_file():
        found = read_pickle(folder / ALL)
        if node_type is not None:
            found = {part: (value or {}).get(node_type) for part, value in found.items()}
        return {part: _ids(found.get(part), f"{part!r} in {folder / ALL}") for part in PARTS}
    below = folder if node_type is None else folder / node_type
    return {part: read_column(below / f"{part}.csv.gz") for part in PARTS}


def read_link_split(folder: Path) -> dict[str, dict[str, Any]]:
    """Positive and negative pairs of each part, by OGB's keys: ``edge``, ``edge_neg``, ``head``, ``target_node_neg``...

    Raises:
        ValueError: A part is missing, or is no dictionary of arrays.
    """
    together = read_pickle(folder / ALL) if (folder / ALL).is_file() else None
    parts = {}
    for part in PARTS:
        content = together.get(part) if together is not None else read_pickle(folder / f"{part}.pt")
        if not isinstance(content, dict):
            raise ValueError(f"{folder}: {part!r} needs to be a dictionary of arrays (got {type(content).__name__})")
        parts[part] = {str(key): _plain(value, f"{key!r} of {part!r} in {folder}") for key, value in content.items()}
    return parts


def read_pickle(path: Path) -> dict[str, Any]:
    """A dictionary that ``torch.save`` wrote, of arrays, tensors, lists, text and numbers; anything else is refused.

    Raises:
        ValueError: The file names something else (nothing of it was called), or is damaged.
    """
    try:
        with torch.serialization.safe_globals(list(ARRAYS)):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is not there, which OGB's release holds") from error
    except pickle.UnpicklingError as error:
        first = str(error).partition("Please file an issue")[0].strip().splitlines()
        named = next((line.strip() for line in first if "GLOBAL" in line or "nsupported" in line), "")
        raise ValueError(
            f"{path} holds something besides arrays, or is damaged ({named or first[0]}); nothing of it was executed"
        ) from error
    except Exception as error:  # a damaged file can raise anything
        raise ValueError(f"{path} cannot be read ({error!r:.200}); get the official files again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} needs a dictionary (got {type(content).__name__})")
    return content


def _plain(value: Any, what: str) -> Any:
    """Arrays and lists of numbers as arrays, lists of text as they are."""
    if isinstance(value, torch.Tensor):
        return value.numpy()
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{what} needs numbers (got {array.dtype})")
    return array


def _ids(value: Any, what: str) -> np.ndarray:
    if value is None:
        raise ValueError(f"{what} is missing")
    array = _plain(value, what)
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{what} needs ids, integers [n] (got {getattr(array, 'dtype', type(array))})")
    return array.astype(np.int64)
