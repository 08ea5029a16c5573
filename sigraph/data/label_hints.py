"""What may surprise about labels as they were understood: notes, each with a way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from sigraph.data.columns import is_number, typed_column
from sigraph.data.table_report import some
from sigraph.data.task import METRIC_NAMES, SPLITS

# What other tools write for a missing value, lower case; "" is a cell of blanks.
MISSING_WORDS = ["", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?", "-"]
_MANY_CLASSES, _FEW_SAMPLES = 20, 3  # integers beyond, or with fewer samples each, may be numbers
_ONE_CLASS = 0.9  # share of the labels
_SEPARATORS = ";|,"


def words_for_missing(values: pa.ChunkedArray) -> list[str]:
    """Notes on classes that may be no classes: they are kept, since labels are never changed."""
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    is_word = pc.fill_null(pc.is_in(plain, value_set=pa.array(MISSING_WORDS, plain.type)), False)
    if not pc.any(is_word).as_py():
        return []
    others = values.filter(pc.invert(is_word)).drop_null()
    hint = " (all others are numbers)" if len(others) and is_number(typed_column(others).type) else ""
    notes = []
    for found in pc.value_counts(values.filter(is_word)).to_pylist():
        count = "1 label is" if found["counts"] == 1 else f"{found['counts']:,} labels are"
        kept = f"the text {found['values']!r}, kept as a class{hint}"
        notes.append(f"{count} {kept}; leave the cell blank if it means missing")
    return notes


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


def lists_of_terms(column: str, values: pa.ChunkedArray) -> list[str]:
    """A note on cells that seem to be lists of terms, of which each combination became a class."""
    cells = values.drop_null()
    for mark in _SEPARATORS:
        is_list = pc.match_substring(cells, mark)
        if not len(cells) or 5 * pc.sum(is_list).as_py() < len(cells):
            continue
        terms = pc.list_flatten(pc.split_pattern(pc.unique(cells), mark))
        different = len(pc.unique(pc.utf8_trim_whitespace(terms)))
        classes = pc.count_distinct(cells).as_py()
        if different < classes:
            example = cells.filter(is_list)[0].as_py()
            return [
                f"cells of {column!r} look like lists of terms separated by {mark!r} (such as {example!r:.40}): "
                f"{different:,} terms, but each of {classes:,} combinations is a class; for multi-label give a column "
                "of 0 and 1 for each term"
            ]
    return []


def one_of_several(name: str, y: Tensor) -> list[str]:
    """A note on several columns of labels of which every sample has exactly one."""
    known = ~torch.isnan(y).any(dim=1)
    if y.size(1) < 2 or not bool(known.any()) or not bool(((y == 1).sum(dim=1) == 1)[known].all()):
        return []
    return [
        f"every sample has exactly one of the {y.size(1):,} columns: if they are the classes of one task, say "
        f"--task-type {name}=classification"
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
    """A note where numbers look like classes: whole, and at most 20 different ones."""
    known = y[~torch.isnan(y)]
    if y.dim() != 1 or not y.is_floating_point() or not bool((known == known.round()).all()):
        return []
    if known.unique().numel() > _MANY_CLASSES:
        return []
    return [
        f"all labels are whole numbers, taken for numbers and not for classes: if they are classes, say --task-type "
        f"classification (or --task-type {name}=classification)"
    ]


def largest_class(name: str, y: Tensor, classes: Sequence[str | int], metric: str) -> list[str]:
    """A note where accuracy says little, since nearly all labels are of one class."""
    sizes = y[y >= 0].bincount(minlength=len(classes))
    share = float(sizes.max() / sizes.sum())
    if metric != "accuracy" or share < _ONE_CLASS:
        return []
    others = " or ".join(other for other in METRIC_NAMES["classification"] if other != metric)
    return [
        f"{share:.1%} of the labels are {classes[int(sizes.argmax())]!r}: to say so always has accuracy {share:.3f}; "
        f"--metric {name}=METRIC with {others} tells more"
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
    alone = f", {single:,} of them with a single sample" if single and len(absent) > 1 else ""
    return [
        f"{what} missing from {parts}, which cannot tell how well it is learned{alone} (samples: {listed}); merge rare "
        "classes, leave their cells blank, or give the split"
    ]
