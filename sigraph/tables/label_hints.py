"""What may surprise about labels as they were understood: notes, each with a way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.files.counted import counted
from sigraph.files.foreign_text import quoted
from sigraph.tables.column_use import term_mark
from sigraph.tables.report import some
from sigraph.tasks.task import SPLITS

_MANY_CLASSES, _FEW_SAMPLES = 20, 3  # integers beyond, or with fewer samples each, may be numbers
_TWO = 2  # what `label_values` has a note on


def classes_alike(values: pa.ChunkedArray) -> list[str]:
    """A note on classes that differ by blanks or by upper and lower case alone."""
    classes = pc.unique(values).drop_null()
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(classes))
    twice = pc.value_counts(plain)
    again = twice.filter(pc.greater(twice.field("counts"), 1)).field("values")
    if not len(again):
        return []
    alike = classes.filter(pc.equal(plain, again[0])).to_pylist()
    return [f"the classes {', '.join(map(repr, alike[:3]))} differ in blanks or case alone; write alike what is one"]


def lists_of_terms(name: str, column: str, values: pa.ChunkedArray) -> list[str]:
    """A note on cells that seem to be lists of terms, of which each combination became a class."""
    mark = term_mark(values)
    if mark is None:
        return []
    cells = values.drop_null()
    terms = pc.list_flatten(pc.split_pattern(pc.unique(cells), mark))
    different = len(pc.unique(pc.utf8_trim_whitespace(terms)))
    classes = pc.count_distinct(cells).as_py()
    example = cells.filter(pc.match_substring(cells, mark))[0].as_py()
    return [
        f"cells of {column!r} look like lists of terms separated by {mark!r} (such as {quoted(example)}): "
        f"{counted(different, 'term')}, but each of {classes:,} combinations is a class; to have each term be a "
        f"label: --terms {name}"
    ]


def integers_as_classes(name: str, y: Tensor, classes: Sequence[str | int] | None) -> list[str]:
    """A note where integers that are taken for classes look like numbers: over 20 of them, or under 3 samples each.

    Args:
        name: The task's name.
        y: Class ids, -1 missing.
        classes: What they stand for; None: no classes.
    """
    if not classes or not all(isinstance(each, int) for each in classes):
        return []
    count, labelled = len(classes), int((y >= 0).sum())
    if count <= _MANY_CLASSES and labelled >= _FEW_SAMPLES * count:
        return []
    return [f"{count:,} integer classes; if they are numbers: --task-type {name}=regression"]


def numbers_as_classes(name: str, y: Tensor) -> list[str]:
    """A note where numbers look like classes: whole, 3 to 20 different ones; `label_values` notes fewer."""
    known = y[~torch.isnan(y)]
    if y.dim() != 1 or not y.is_floating_point() or not bool((known == known.round()).all()):
        return []
    if not _TWO < known.unique().numel() <= _MANY_CLASSES:
        return []
    return [
        f"all labels are whole numbers, taken for numbers and not for classes: if they are classes, say --task-type "
        f"classification (or --task-type {name}=classification)"
    ]


def rare_classes(y: Tensor, split: Mapping[str, Tensor], classes: Sequence[str | int]) -> list[str]:
    """A note on classes that are not in every part of the split."""
    counts = torch.stack([y[split[part]].bincount(minlength=len(classes)) for part in SPLITS])
    absent = (counts == 0).any(dim=0).nonzero().view(-1).tolist()
    if not absent:
        return []
    total = y[y >= 0].bincount(minlength=len(classes))
    parts = " and ".join(part for part, count in zip(SPLITS, counts, strict=True) if bool((count == 0).any()))
    listed = some([f"{classes[i]!r} {int(total[i]):,}" for i in absent])
    single = int((total == 1).sum())
    what = "1 class is" if len(absent) == 1 else f"{len(absent):,} of {len(classes):,} classes are"
    they = "it is" if len(absent) == 1 else "they are"
    alone = f", {single:,} of them with a single sample" if single and len(absent) > 1 else ""
    return [
        f"{what} missing from {parts}, which cannot tell how well {they} learned{alone} (samples: {listed}); merge "
        "rare classes, leave their cells blank, or give the split"
    ]
