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
        split: By part, ids or a boolean mask over all samples. Parts are called train, valid (val, validation, dev) and
            test, perhaps with ``_mask`` or ``_idx`` behind, as in PyG.
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
        raise ValueError(
            f"{needed} as a mapping to {what} ids or boolean masks (got {type(split).__name__}); of a PyG Data: "
            "{'train': data.train_mask, 'valid': data.val_mask, 'test': data.test_mask}"
        )
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
