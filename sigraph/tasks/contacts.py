"""ContactTask: which parts of a sample touch, such as the residues of a folded protein; scored sample by sample."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sigraph.files.arguments import as_tensor, check_integers
from sigraph.files.counted import counted
from sigraph.files.suggestions import did_you_mean
from sigraph.samples.base import Samples
from sigraph.samples.encoding import Encoding
from sigraph.tasks.base import BaseTask, Embeds, HeadSettings, UnitLength
from sigraph.tasks.given_split import read_split
from sigraph.tasks.kinds import LossSettings
from sigraph.tasks.parts import parts_of

CLOSEST = 6  # parts this far along the chain, and farther, can be a contact
RANGES = {"short": (6, 12), "medium": (12, 24), "long": (24, 1 << 62)}  # how far along the chain, the second excluded
METRICS = tuple(f"{name}_precision@L/{share}" for name in reversed(RANGES) for share in (5, 2, 1))


class ContactTask(BaseTask):
    """Contacts between the parts of each sample (token, residue), a split over the samples, precision of the best.

    A pair of parts is one that is at least six apart along the chain; a head reads the product of both embeddings.
    ``long_precision@L/5`` is the share of true contacts among the L/5 likeliest pairs of a sample of L parts that are
    at least 24 apart (``medium``: 12 to 23, ``short``: 6 to 11), its mean over the samples that have such pairs.
    Padding and special tokens are no parts.

    Args:
        name: The task's name.
        contacts: For each sample its contacts: N integer arrays [2, C], positions of parts counted from 0, in either
            order; one given twice counts once; contacts of parts closer than six are left out.
        lengths: L, how many parts each sample has. Shape [N].
        split: Samples under ``train``, ``valid`` and ``test``, as ids or boolean masks.
        metric: One of :data:`METRICS`, or several; the first decides.
        about: Where they come from, in words.
        placed: For each sample which of its parts have a place, so that it is known whether they touch: N rows of True
            and False. Pairs with a part that has none are neither learnt nor scored, L counts it. None: all have.

    Raises:
        ValueError: A contact names a part that its sample does not have, or a part with itself; numbers of contacts and
            lengths, or of parts and ``placed``, differ; a metric does not exist, or no sample of a part of the split
            has pairs of its range.

    Source: Rao et al., "Evaluating protein transfer learning with TAPE", NeurIPS 2019.
    """

    item = "contact"
    reads_parts = True

    def __init__(
        self,
        name: str,
        contacts: Sequence[Any],
        lengths: Any,
        split: Mapping[str, Any],
        metric: str | Sequence[str] = "",
        *,
        about: str = "",
        placed: Sequence[Any] | None = None,
    ) -> None:
        self.name, self.about = name, about
        self.lengths = as_tensor(lengths).detach().cpu().long().view(-1)
        if len(contacts) != len(self.lengths):
            raise ValueError(
                f"'contacts' of task {name!r} needs an array for each of {len(self.lengths)} lengths "
                f"(got {len(contacts)})"
            )
        checked = [self._checked(one, sample) for sample, one in enumerate(contacts)]
        self.labels = torch.cat(checked, dim=1) if checked else torch.empty(2, 0, dtype=torch.long)
        self.ptr = torch.tensor([0, *(one.size(1) for one in checked)]).cumsum(0)
        self.placed = None if placed is None else self._all_placed(placed)
        self.part_ptr = torch.cat([self.lengths.new_zeros(1), self.lengths.cumsum(0)])
        names = [metric] if isinstance(metric, str) else list(metric)
        self.metrics = tuple(dict.fromkeys(one for one in names if one)) or METRICS
        self.metric = self.metrics[0]
        for one in self.metrics:
            if one not in METRICS:
                raise ValueError(
                    f"'metric' of task {name!r} needs to be one of {', '.join(METRICS)} (got {one!r})"
                    f"{did_you_mean(one, METRICS)}"
                )
        self.split = read_split(split, name, len(self.lengths))
        self._check_split()

    def _checked(self, given: Any, sample: int) -> Tensor:
        what = f"contacts of sample {sample} of task {self.name!r}"
        found = as_tensor(given).detach().cpu()
        found = found.long() if found.numel() else torch.empty(2, 0, dtype=torch.long)
        if found.dim() != 2 or found.size(0) != 2:
            raise ValueError(f"{what} need shape [2, C] (got {list(found.shape)})")
        length = int(self.lengths[sample])
        if found.numel() and (int(found.min()) < 0 or int(found.max()) >= length):
            raise ValueError(
                f"{what} need positions in [0, {length}), its parts (got [{int(found.min())}, {int(found.max())}])"
            )
        if bool((found[0] == found[1]).any()):
            raise ValueError(f"{what} hold a part with itself; leave such pairs out")
        found = found.sort(dim=0).values
        return found[:, found[1] - found[0] >= CLOSEST].unique(dim=1)

    def _all_placed(self, given: Sequence[Any]) -> Tensor | None:
        """``placed`` of all samples in a row; None: all are."""
        rows = [as_tensor(one).detach().cpu().view(-1).bool() for one in given]
        if len(rows) != self.num_items:
            raise ValueError(
                f"'placed' of task {self.name!r} needs a row for each of {self.num_items} samples (got {len(rows)})"
            )
        for sample, (row, length) in enumerate(zip(rows, self.lengths.tolist(), strict=True)):
            if len(row) != length:
                raise ValueError(f"'placed' of task {self.name!r} needs {length} of sample {sample} (got {len(row)})")
        whole = torch.cat(rows) if rows else torch.empty(0, dtype=torch.bool)
        return None if bool(whole.all()) else whole

    def _check_split(self) -> None:
        seen = torch.zeros(self.num_items, dtype=torch.long)
        for part, items in self.split.items():
            seen[items] += 1
            for metric in self.metrics:
                least = RANGES[metric.partition("_")[0]][0]
                if int(self.lengths[items].max()) <= least:
                    raise ValueError(
                        f"metric {metric!r} of task {self.name!r} needs a sample of more than {least} parts in "
                        f"{part!r} (the longest has {int(self.lengths[items].max())}); name metrics of a shorter range"
                    )
        if bool((seen > 1).any()):
            raise ValueError(f"parts of the split of task {self.name!r} share sample {int((seen > 1).nonzero()[0])}")

    @property
    def greater_is_better(self) -> bool:
        """Precisions are."""
        return True

    @property
    def num_samples(self) -> int:
        """N of the data set."""
        return len(self.lengths)

    @property
    def num_items(self) -> int:
        """N: an item is a sample with all its pairs of parts."""
        return len(self.lengths)

    def check_scorable(self) -> None:
        super().check_scorable()
        self._check_split()  # what is left of them where they were cut

    def cut(self, most: int) -> ContactTask:
        """The task of samples of which only the first parts are read: contacts among these, and L counts no others.

        Args:
            most: Parts of a sample at most, >= 1.
        """
        longer = self.lengths > most
        if not bool(longer.any()):
            return self
        out, inside = copy.copy(self), self.labels[1] < most  # the second part of a contact is the farther one
        out.left_out = (
            f"{counted(int(longer.sum()), 'sample')} of more than {most} parts, the most that are read; "
            f"{int((~inside).sum()):,} of {len(inside):,} contacts are left out: neither learnt nor scored"
        )
        kept = torch.cat([self.ptr[:1], inside.cumsum(0)])
        out.labels, out.ptr, out.lengths = self.labels[:, inside], kept[self.ptr], self.lengths.clamp(max=most)
        out.part_ptr = torch.cat([out.lengths.new_zeros(1), out.lengths.cumsum(0)])
        if self.placed is not None:
            rows = [row[:most] for row in self.placed.split(self.lengths.tolist())]
            out.placed = torch.cat(rows)
        return out

    def check_samples(self, samples: Samples) -> None:
        super().check_samples(samples)
        parts = samples.num_parts()
        if parts is None:
            return
        items = torch.cat(list(self.split.values()))
        wrong = items[parts[items] != self.lengths[items]]
        if wrong.numel():
            first = int(wrong[0])
            raise ValueError(
                f"task {self.name!r} has {int(self.lengths[first])} parts of sample {first}, which has "
                f"{int(parts[first])} ({wrong.numel():,} such samples); special tokens are no parts"
            )

    def samples(self, items: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        return items, torch.arange(len(items))

    def read(self, encoding: Encoding, place: Tensor, inputs: Any) -> Tensor:
        """Products of the embeddings of both parts of each pair. Shape [R, D']."""
        h, size = parts_of(encoding, inputs, self.name)
        start, sizes = (size.cumsum(0) - size).tolist(), size.tolist()
        rows = []
        for i in place.tolist():  # a sample has thousands of pairs, so that this is no loop over pairs
            first, second = pairs_of(sizes[i])
            own = h[start[i] : start[i] + sizes[i]]
            rows.append(own[first] * own[second])
        return torch.cat(rows)

    def head(self, encoder: Embeds, settings: HeadSettings) -> nn.Module:
        if settings.pair is not None:
            raise ValueError(f"'pair' does not act on task {self.name!r}, which reads products; leave it out")
        scale = [UnitLength()] if settings.normalize else []
        return nn.Sequential(*scale, nn.Dropout(settings.dropout), nn.Linear(encoder.part_channels, 1), nn.Flatten(0))

    def target(self, items: Tensor) -> Tensor:
        """Whether the parts of each pair touch, NaN where one of them has no place. Shape [R]."""
        found = []
        for item in items.tolist():
            length = int(self.lengths[item])
            whole = torch.zeros(length, length)
            i, j = self.labels[:, self.ptr[item] : self.ptr[item + 1]]
            whole[i, j] = 1.0
            if self.placed is not None:
                nowhere = ~self.placed[self.part_ptr[item] : self.part_ptr[item + 1]]
                whole[nowhere], whole[:, nowhere] = torch.nan, torch.nan
            found.append(whole[pairs_of(length)])
        return torch.cat(found) if found else torch.empty(0)

    def row_items(self, items: Tensor) -> Tensor:
        return torch.repeat_interleave(torch.arange(len(items)), num_pairs(self.lengths[items]))

    def loss(self, predicted: Tensor, target: Tensor, settings: LossSettings) -> Tensor:
        known = ~torch.isnan(target)
        if not bool(known.any()):
            return predicted.sum() * 0.0
        known = known.to(predicted.device)
        return F.binary_cross_entropy_with_logits(predicted[known], target.to(predicted)[known])

    def evaluate(self, items: Tensor, predicted: Tensor, metrics: Sequence[str] | None = None) -> dict[str, float]:
        y = self.target(items)
        if len(predicted) != len(y):
            raise ValueError(f"'predicted' needs a score for each of {len(y):,} pairs (got {len(predicted):,})")
        sizes = num_pairs(self.lengths[items]).tolist()
        wanted = self.metrics if metrics is None else metrics
        found: dict[str, list[float]] = {name: [] for name in wanted}
        parts = zip(self.lengths[items].tolist(), predicted.view(-1).split(sizes), y.split(sizes), strict=True)
        for length, score, true in parts:
            first, second = pairs_of(length)
            known = ~torch.isnan(true)
            for name in wanted:
                reach, _, share = name.partition("_precision@L/")
                least, most = RANGES[reach]
                inside = (second - first >= least) & (second - first < most) & known
                number = min(max(length // int(share), 1), int(inside.sum()))
                if number:
                    best = score[inside].topk(number).indices
                    found[name].append(float(true[inside][best].mean()))
        if missing := [name for name, values in found.items() if not values]:
            raise ValueError(f"no sample of task {self.name!r} has pairs of the range of {missing[0]!r} here")
        return {name: sum(values) / len(values) for name, values in found.items()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        arrays = {"labels": self.labels, "ptr": self.ptr, "lengths": self.lengths, **self.split}
        arrays |= {} if self.placed is None else {"placed": self.placed.to(torch.uint8)}
        facts = {"name": self.name, "type": self.item, "metric": self.metric, "about": self.about}
        return arrays, {**facts, "metrics": list(self.metrics)}

    @classmethod
    def restored(cls, arrays: Mapping[str, Tensor], facts: Mapping[str, Any]) -> ContactTask:
        ptr = arrays["ptr"]
        contacts = [arrays["labels"][:, ptr[i] : ptr[i + 1]] for i in range(len(ptr) - 1)]
        split = {part: arrays[part] for part in ("train", "valid", "test")}
        lengths, placed = arrays["lengths"], arrays.get("placed")
        rows = None if placed is None else placed.split(lengths.tolist())
        return cls(facts["name"], contacts, lengths, split, facts["metrics"], about=facts["about"], placed=rows)


@lru_cache(maxsize=64)
def pairs_of(length: int) -> tuple[Tensor, Tensor]:
    """The pairs of parts of a sample that are at least six apart: first and second, row by row."""
    check_integers("ContactTask", 0, length=length)
    first, second = torch.triu_indices(length, length, offset=CLOSEST)
    return first, second


def num_pairs(length: Tensor) -> Tensor:
    """How many pairs of parts samples have."""
    left = (length - CLOSEST).clamp(min=0)
    return left * (left + 1) // 2
