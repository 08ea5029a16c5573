"""A split that is given: sample ids or boolean masks, under the names that the field uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sigraph.files.row_index import check_index
from sigraph.tasks.base import SPLITS

PARTS = {"train": 0, "training": 0, "valid": 1, "val": 1, "validation": 1, "dev": 1, "test": 2, "testing": 2}
_ENDS = ("_mask", "_idx", "_index", "_ids")


def read_split(split: Any, task: str, num_samples: int, what: str = "sample") -> dict[str, Tensor]:
    """Ids of the samples (pairs, ...) of each part.

    Args:
        split: By part, ids or a boolean mask over all samples; or a column of text, the part of each. Parts are called
            train, valid (val, validation, dev) and test, perhaps with ``_mask`` or ``_idx`` behind, as in PyG.
        task: Its name, for messages.
        num_samples: N, or of the items that the split is over.
        what: What such an item is called in messages.

    Returns:
        Under ``train``, ``valid`` and ``test``. 1-D int64 each, not empty, in range.

    Raises:
        ValueError: It is no mapping, a part is missing, unknown or given twice, or holds no ids.
    """
    needed = f"'split' of task {task!r} needs {', '.join(SPLITS)}"
    if not isinstance(split, Mapping):
        split = _of_column(split, needed, num_samples, what)
    named: dict[str, Any] = {}
    unknown: list[Any] = []
    for key, value in split.items():
        number = PARTS.get(_bare(key))
        if number is None:
            unknown.append(key)
        elif SPLITS[number] in named:
            raise ValueError(f"{needed} once each ({SPLITS[number]!r} is there again as {key!r})")
        else:
            named[SPLITS[number]] = value
    wrong = {"missing": [part for part in SPLITS if part not in named], "unknown": unknown}
    if any(wrong.values()):
        raise ValueError(f"{needed} ({'; '.join(f'{word} {parts}' for word, parts in wrong.items() if parts)})")
    return {part: _ids(named[part], f"split {part!r} of task {task!r}", num_samples, what) for part in SPLITS}


def _of_column(column: Any, needed: str, num_samples: int, what: str) -> dict[str, Any]:
    """Ids by part, of a column that says the part of each; where it says none, the item is in none."""
    check_index(column, needed.partition(" needs")[0], what)
    cells = column.to_pylist() if hasattr(column, "to_pylist") else column
    cells = list(cells) if isinstance(cells, list | tuple) or hasattr(cells, "__array__") else []
    named = [None if not isinstance(cell, str) or not cell.strip() else cell.strip() for cell in cells]
    if not any(named):
        raise ValueError(
            f"{needed} as a mapping to {what} ids or boolean masks, or a column with the part of each (got "
            f"{type(column).__name__}); of a PyG Data: "
            "{'train': data.train_mask, 'valid': data.val_mask, 'test': data.test_mask}"
        )
    if len(named) != num_samples:
        raise ValueError(f"{needed}: a column with the part of each of {num_samples} {what}s (got {len(named)})")
    given = [cell if cell is None else part_of(cell) or cell for cell in named]
    return {part: [i for i, cell in enumerate(given) if cell == part] for part in dict.fromkeys(filter(None, given))}


def part_of(key: Any) -> str | None:
    """The part of a split that a name such as ``val_mask`` means; None: none."""
    number = PARTS.get(_bare(key))
    return None if number is None else SPLITS[number]


def _bare(key: Any) -> str:
    name = key.lower() if isinstance(key, str) else ""
    return next((name.removesuffix(end) for end in _ENDS if name.endswith(end)), name)


def _ids(value: Any, what: str, num_samples: int, item: str) -> Tensor:
    try:
        ids = value.detach().cpu() if isinstance(value, Tensor) else torch.as_tensor(np.array(value))
    except (ValueError, TypeError, RuntimeError) as error:
        raise ValueError(
            f"{what} needs a list of integer {item} ids or a boolean mask (got {type(value).__name__}: {error})"
        ) from error
    if ids.dtype == torch.bool and ids.numel():
        check_index(value, what)
        if ids.shape != (num_samples,):
            way = "; of several splits side by side choose one: mask[:, 0]" if ids.dim() == 2 else ""
            raise ValueError(f"{what} needs a mask of shape [{num_samples}] (got {list(ids.shape)}){way}")
        ids = ids.nonzero().view(-1)
    if ids.numel() == 0:
        raise ValueError(f"{what} is empty; give it at least one {item}")
    if ids.dim() != 1 or ids.is_floating_point() or ids.is_complex():
        raise ValueError(f"{what} needs a list of integer {item} ids (got {ids.dtype} {list(ids.shape)})")
    ids = ids.long()
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= num_samples:
        raise ValueError(f"{what} needs {item} ids in [0, {num_samples}) (got [{low}, {high}])")
    if ids.unique().numel() != ids.numel():
        way = "; a mask needs to be boolean: mask.bool()" if ids.numel() == num_samples and high <= 1 else ""
        raise ValueError(f"{what} lists a {item} twice{way}")
    return ids
