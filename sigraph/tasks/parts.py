"""PartTask: a label for each part of a sample - a token, a residue, a node."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sigraph.files.arguments import as_tensor
from sigraph.files.counted import counted
from sigraph.samples.base import Samples
from sigraph.samples.encoding import Encoding
from sigraph.samples.tokens import Tokens
from sigraph.tasks.base import SPLITS, Embeds, HeadSettings
from sigraph.tasks.given_split import read_split
from sigraph.tasks.labelled import LabelledTask, check_parts, given_split
from sigraph.tasks.task import warn_of


class PartTask(LabelledTask):
    """A label for each part of the samples (token, residue, node), a split over the samples, and the metrics.

    Padding and special tokens are no parts and are never counted. Scores are over all labelled parts of a split alike.

    Args:
        name: The task's name.
        labels: For each sample the labels of its parts, in their order: a list of N lists, arrays or 1-D tensors (of
            rows, for label columns), as :class:`~sigraph.tasks.Task` takes them; missing ones marked as there. With
            ``ptr`` all in a row. A sample in no part of the split may have an empty list.
        split: Samples under ``train``, ``valid`` and ``test``, as ids or boolean masks.
        metric, type, about, classes, missing, metrics: As of :class:`~sigraph.tasks.Task`.
        ptr: Where the labels of each sample stand: those of sample i are ``labels[ptr[i] : ptr[i + 1]]``.
            Shape [N + 1].

    Raises:
        ValueError: Labels are none, ``ptr`` does not fit, a sample of the split has no label; or what
            :class:`~sigraph.tasks.Task` raises. Labels of another number than their sample has parts are refused by
            the data set that holds both.
    """

    item = "token"
    reads_parts = True

    def __init__(
        self,
        name: str,
        labels: Any,
        split: Mapping[str, Any],
        metric: str | Sequence[str] = "",
        type: str = "",
        *,
        ptr: Any = None,
        about: str = "",
        classes: list[str | int] | None = None,
        missing: float | str | None = None,
        metrics: Sequence[str] = (),
    ) -> None:
        self.name, self.about = name, about
        what = f"'labels' of task {name!r}"
        flat, self.ptr = _in_a_row(labels, what) if ptr is None else (labels, _checked_ptr(ptr, name))
        notes = self.read_labels(flat, type, classes, missing, self._place)
        if int(self.ptr[-1]) != len(self.labels):
            raise ValueError(
                f"'ptr' of task {name!r} needs to end at {len(self.labels)}, the labels (got {self.ptr[-1]})"
            )
        self.read_metrics(metric, metrics)
        self.check_classes()
        self.split = read_split(split, name, self.num_items)
        check_parts(self)
        warn_of(self, notes)

    def _place(self, row: int) -> str:
        sample = int(torch.searchsorted(self.ptr, row, right=True)) - 1
        return f"part {row - int(self.ptr[sample])} of sample {sample}"

    @property
    def num_samples(self) -> int:
        """N of the data set."""
        return len(self.ptr) - 1

    @property
    def num_items(self) -> int:
        """N: an item is a sample with all its parts."""
        return self.num_samples

    def cut(self, most: int) -> PartTask:
        """The task of samples of which only the first parts are read: what stands behind is neither learnt nor scored.

        Args:
            most: Parts of a sample at most, >= 1.
        """
        size = self.ptr.diff()
        behind, longer = int((size - most).clamp(min=0).sum()), int((size > most).sum())
        if not behind:
            return self
        out = copy.copy(self)
        out.left_out = (
            f"{counted(longer, 'sample')} of more than {most} parts, the most that are read; {behind:,} of "
            f"{int(self.ptr[-1]):,} labels are left out: neither learnt nor scored"
        )
        out.labels = self.labels[_rows(self.ptr[:-1], size.clamp(max=most), torch.arange(len(size)))]
        out.ptr = torch.cat([self.ptr[:1], size.clamp(max=most).cumsum(0)])
        return out

    def check_samples(self, samples: Samples) -> None:
        super().check_samples(samples)
        parts = samples.num_parts()
        if parts is None:  # they may become sequences when they are read
            return
        size = self.ptr.diff()
        in_split = torch.zeros(len(size), dtype=torch.bool)
        in_split[torch.cat(list(self.split.values()))] = True
        wrong = ((size != parts) & (in_split | (size > 0))).nonzero().view(-1)
        if wrong.numel():
            first = int(wrong[0])
            more = f" ({wrong.numel():,} such samples)" if wrong.numel() > 1 else ""
            raise ValueError(
                f"task {self.name!r} needs a label for each part of its samples: sample {first} has "
                f"{int(parts[first])} parts and {int(size[first])} labels{more}; special tokens have none, missing "
                "ones are marked (-1, or NaN)"
            )

    def samples(self, items: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        return items, torch.arange(len(items))

    def read(self, encoding: Encoding, place: Tensor, inputs: Any) -> Tensor:
        """Embeddings of the parts of the samples, special tokens left out. Shape [R, D']."""
        h, size = parts_of(encoding, inputs, self.name)
        return h[_rows(size.cumsum(0) - size, size, place)]

    def head(self, encoder: Embeds, settings: HeadSettings) -> nn.Module:
        self.refuse_pair(settings)
        layers = [nn.Dropout(settings.dropout), nn.Linear(encoder.part_channels, self.num_outputs)]
        return self.with_unit(layers, settings)

    def target(self, items: Tensor) -> Tensor:
        return self.labels[_rows(self.ptr[:-1], self.ptr.diff(), items)]

    def row_items(self, items: Tensor) -> Tensor:
        return torch.repeat_interleave(torch.arange(len(items)), self.ptr.diff()[items])

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        arrays, facts = super().state()
        return {**arrays, "ptr": self.ptr}, facts

    @classmethod
    def restored(cls, arrays: Mapping[str, Tensor], facts: Mapping[str, Any]) -> PartTask:
        return cls(
            facts["name"],
            arrays["labels"],
            given_split(arrays),
            facts["metric"],
            facts["labels"],
            ptr=arrays["ptr"],
            about=facts["about"],
            classes=facts.get("classes"),
            metrics=tuple(facts.get("metrics", ())),
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{part}={len(self.split[part]):,}" for part in SPLITS)
        return f"PartTask({self.name!r}, {self.type}, {sizes}, {len(self.labels):,} labels)"


def parts_of(encoding: Encoding, inputs: Any, task: str) -> tuple[Tensor, Tensor]:
    """Embeddings of the parts of all samples, and how many each has: of tokens but special ones, or of units' first.

    Shape [R, D'] and [B].

    Raises:
        ValueError: The encoder gives none; ``task`` needs them.
    """
    if encoding.h is None or encoding.ptr is None:
        raise ValueError(
            f"task {task!r} reads embeddings of parts, h with ptr, which this encoder does not give; use "
            "another, such as TransformerEncoder, GRUEncoder or GraphEncoder"
        )
    h, size = encoding.h, encoding.ptr.diff()
    if isinstance(inputs, Tokens) and (inputs.is_special is not None or inputs.unit is not None):
        kept = inputs.begins_unit  # [M]
        owner = torch.repeat_interleave(torch.arange(len(size), device=h.device), size)
        h, size = h[kept], owner[kept].bincount(minlength=len(size))
    return h, size


def _rows(start: Tensor, size: Tensor, place: Tensor) -> Tensor:
    """Rows of some items that stand in a row: item i has ``size[i]`` of them from ``start[i]``. Shape [n] -> [R]."""
    place = place.to(size.device)
    size, start = size[place], start[place]
    first = torch.repeat_interleave(start - (size.cumsum(0) - size), size)
    return first + torch.arange(len(first), device=first.device)


def _checked_ptr(ptr: Any, name: str) -> Tensor:
    found = as_tensor(ptr)
    if (
        found.dim() != 1
        or found.is_floating_point()
        or not len(found)
        or found[0] != 0
        or bool((found.diff() < 0).any())
    ):
        raise ValueError(f"'ptr' of task {name!r} needs integers that rise from 0, [N + 1] (got {list(found.shape)})")
    return found.detach().cpu().long()


def _in_a_row(labels: Any, what: str) -> tuple[Any, Tensor]:
    """All labels in one container, and where those of each sample stand."""
    if not isinstance(labels, Sequence) or isinstance(labels, str | bytes):
        raise ValueError(
            f"{what} needs a list with the labels of each sample, or all in a row with 'ptr' (got "
            f"{type(labels).__name__})"
        )
    if any(not hasattr(part, "__len__") or getattr(part, "ndim", 1) == 0 for part in labels):
        raise ValueError(
            f"{what} needs a list with the labels of each sample, such as [[0, 1], [1]] (got a label in place of a "
            "list); where all labels stand in a row, 'ptr' says where those of each sample begin: ptr=[0, 2, 3]"
        )
    one = [part.tolist() if isinstance(part, Tensor | np.ndarray) else list(part) for part in labels]
    ptr = torch.tensor([0, *(len(part) for part in one)]).cumsum(0)
    whole = [part for part in labels if isinstance(part, Tensor) and part.numel()]
    if whole and sum(len(part) for part in whole) == int(ptr[-1]):  # they keep their type
        return torch.cat(whole), ptr
    return [label for part in one for label in part], ptr
