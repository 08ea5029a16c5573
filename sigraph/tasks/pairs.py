"""PairTask: labels of pairs of samples - a relation, a link, a distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sigraph.files.arguments import as_tensor, check_flags, check_integers
from sigraph.files.random import keyed_generator
from sigraph.samples.encoding import Encoding
from sigraph.tasks.base import SPLITS, BaseTask, Embeds, HeadSettings
from sigraph.tasks.class_names import checked_names
from sigraph.tasks.given_split import read_split
from sigraph.tasks.labelled import LabelledTask, check_parts, given_split
from sigraph.tasks.negatives import Negatives, pair_keys
from sigraph.tasks.task import warn_of

_DRAWN = 11  # the key of negatives that are drawn once


class PairTask(LabelledTask):
    """Labels over pairs of samples, a split over these pairs, and the metrics.

    Args:
        name: The task's name.
        pairs: Sample ids; no pair twice, none of a sample with itself.
        labels: A label a pair, as :class:`~sigraph.tasks.Task` takes them: classes, label columns or numbers. None:
            every pair is related (a link, class 1), and negatives (class 0) are drawn: for validation and test once,
            ``num_negatives`` a pair among the samples of that part, never a pair of ``pairs``; for training anew in
            every step, among the training samples, never a training pair. The same where the labels are two classes
            and all training pairs are of class 1: then for training alone.
        split: Pairs under ``train``, ``valid`` and ``test``, as positions in ``pairs`` or boolean masks.
        num_samples: N of the data set.
        metric: As of :class:`~sigraph.tasks.Task`; by default the usual one, of links ``rocauc``.
        type: As of :class:`~sigraph.tasks.Task`.
        directed: Whether (i, j) is another pair than (j, i), and what a head reads may differ.
        negatives: Of links: pairs that are not related, by part (``valid``, ``test``), in place of those that would be
            drawn. Shape [2, Q] each.
        num_negatives: How many are drawn for each pair, >= 1.
        seed: Of the negatives that are drawn once, >= 0.
        about, classes, missing, metrics: As of :class:`~sigraph.tasks.Task`.

    Shapes:
        - **pairs:** [2, P].  **labels:** [P] or [P, num_columns].  **split:** 1-D int64 each.

    Raises:
        ValueError: A pair names an unknown sample, is there twice, or is of a sample with itself; or what
            :class:`~sigraph.tasks.Task` raises.

    Example:
        >>> pairs = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
        >>> task = PairTask("link", pairs, [1, 0, 1, 1], {"train": [0, 1], "valid": [2], "test": [3]}, num_samples=4)
        >>> task.samples(torch.tensor([0, 2]))
        (tensor([0, 1, 2, 3]), tensor([[0, 1], [2, 3]]))
    """

    item = "pair"

    def __init__(
        self,
        name: str,
        pairs: Any,
        labels: Any,
        split: Mapping[str, Any],
        num_samples: int,
        metric: str | Sequence[str] = "",
        type: str = "",
        *,
        directed: bool = False,
        negatives: Mapping[str, Any] | None = None,
        num_negatives: int = 1,
        seed: int = 0,
        about: str = "",
        classes: list[str | int] | None = None,
        missing: float | str | None = None,
        metrics: Sequence[str] = (),
    ) -> None:
        check_integers("PairTask", 1, num_samples=num_samples, num_negatives=num_negatives)
        check_integers("PairTask", 0, seed=seed)
        check_flags("PairTask", directed=directed)
        self.name, self.about, self.directed, self.num_negatives = name, about, directed, num_negatives
        self._num_samples = num_samples
        self.pairs = self._checked(pairs, "'pairs'")
        notes: list[str] = []
        if labels is None:
            metric = metric or "rocauc"
            if type not in ("", "classification"):
                raise ValueError(
                    f"'type' of task {name!r} is classification where 'labels' is None (got {type!r}); leave it "
                    "out, or give a label a pair"
                )
            self.type, self.labels = "classification", torch.ones(self.num_items, dtype=torch.long)
            self.classes = None if classes is None else checked_names(classes, f"'classes' of task {name!r}")
        else:
            if negatives is not None:
                raise ValueError(f"'negatives' of task {name!r} are for links; with 'labels' they are labels of 0")
            notes = self.read_labels(labels, type, classes, missing, "pair {}".format)
        self._check_labels()
        self.split = read_split(split, name, self.num_items, "pair")
        self.read_metrics(metric, metrics)
        self.check_classes()
        check_parts(self, "pair")
        if labels is None:
            self._draw_once(negatives or {}, seed)
        if self.draws_negatives:
            self._training_negatives = self._negatives_of_train()
        warn_of(self, notes)

    def _checked(self, pairs: Any, what: str) -> Tensor:
        """Pairs that can be: of known samples, two different ones each. int64 [2, P]"""
        what = f"{what} of task {self.name!r}"
        try:
            found = as_tensor(pairs)
        except ValueError as error:
            raise ValueError(f"{what} needs sample ids [2, P] ({error})") from error
        if found.dim() != 2 or found.size(0) != 2 or found.is_floating_point() or found.dtype == torch.bool:
            way = "; of a list of pairs: its transpose" if found.dim() == 2 and found.size(1) == 2 else ""
            raise ValueError(f"{what} needs integer sample ids [2, P] (got {found.dtype} {list(found.shape)}){way}")
        found = found.detach().cpu().long()
        unknown = ((found < 0) | (found >= self._num_samples)).any(dim=0).nonzero().view(-1)
        if unknown.numel():
            raise ValueError(
                f"{what} needs sample ids in [0, {self._num_samples}) (got {found[:, unknown[0]].tolist()} at pair "
                f"{int(unknown[0])}{self._more(unknown)}); leave out pairs of samples that are not there"
            )
        alone = (found[0] == found[1]).nonzero().view(-1)
        if alone.numel():
            raise ValueError(
                f"{what} needs two different samples each (got sample {int(found[0, alone[0]])} with itself at pair "
                f"{int(alone[0])}{self._more(alone)}); leave them out"
            )
        return found

    @staticmethod
    def _more(found: Tensor) -> str:
        return f" and {found.numel() - 1:,} more" if found.numel() > 1 else ""

    def _check_labels(self) -> None:
        """Refuse labels of another number than pairs, and pairs that are there twice."""
        if len(self.labels) != self.num_items:
            raise ValueError(
                f"'labels' of task {self.name!r} needs one a pair, {self.num_items} (got {len(self.labels)})"
            )
        keys = self._keys(self.pairs)
        order = keys.argsort(stable=True)
        twice = (keys[order][1:] == keys[order][:-1]).nonzero().view(-1)
        if not twice.numel():
            return
        one, other = order[twice], order[twice + 1]
        y = torch.nan_to_num(self.labels.double(), nan=-1.0).view(self.num_items, -1)
        different = (y[one] != y[other]).any(dim=1).nonzero().view(-1)
        first = int(different[0]) if different.numel() else 0
        i, j = sorted((int(one[first]), int(other[first])))
        ends = self.pairs[:, i].tolist()
        order_of = "" if self.directed or torch.equal(self.pairs[:, i], self.pairs[:, j]) else ", the other way round"
        what = f"with different labels, {self._said(i)} and {self._said(j)}," if different.numel() else "twice"
        raise ValueError(
            f"'pairs' of task {self.name!r} has samples {ends[0]} and {ends[1]} {what} as pair {i} and pair {j}"
            f"{order_of} ({twice.numel():,} such pairs); keep one each, or say directed=True where their order counts"
        )

    def _said(self, item: int) -> str:
        value = self.labels[item]
        return f"{value.item():.6g}" if value.dim() == 0 else str(value.tolist())[:40]

    def _keys(self, pairs: Tensor) -> Tensor:
        return pair_keys(pairs, self._num_samples, self.directed)

    def _draw_once(self, negatives: Mapping[str, Any], seed: int) -> None:
        """Add negatives, of label 0, to validation and test: those that are given, or some that are drawn."""
        unknown = [part for part in negatives if part not in ("valid", "test")]
        if unknown:
            raise ValueError(f"'negatives' of task {self.name!r} are of valid and test (got {unknown[0]!r:.40})")
        known = self._keys(self.pairs)
        for number, part in enumerate(("valid", "test")):
            items = self.split[part]
            if part in negatives:
                drawn = self._checked(negatives[part], f"negatives {part!r}")
            else:
                pool = self.pairs[:, items].unique()
                way = f"give this part pairs of more samples, or negatives={{{part!r}: pairs}}"
                source = Negatives(pool, known, self._num_samples, self.directed, f"task {self.name!r}, {part!r}", way)
                count = self.num_negatives * items.numel()
                drawn = source.draw_different(count, keyed_generator(seed, _DRAWN, number))
            known = torch.cat([known, self._keys(drawn)])
            self.split = {**self.split, part: torch.cat([items, torch.arange(drawn.size(1)) + self.num_items])}
            self.pairs = torch.cat([self.pairs, drawn], dim=1)
            self.labels = torch.cat([self.labels, torch.zeros(drawn.size(1), dtype=torch.long)])
        self._check_labels()

    @property
    def num_samples(self) -> int:
        """N of the data set."""
        return self._num_samples

    @property
    def num_items(self) -> int:
        """P, the number of pairs, negatives that were drawn once among them."""
        return self.pairs.size(1)

    @property
    def draws_negatives(self) -> bool:
        """Whether training pairs are all of class 1 of two, so that steps draw others."""
        train = self.labels[self.split["train"]]
        return self.type == "classification" and self.num_outputs == 2 and bool((train == 1).all())

    def _negatives_of_train(self) -> Negatives:
        train = self.pairs[:, self.split["train"]]
        way = "give this part pairs of more samples, or labels with pairs of class 0"
        owner = f"task {self.name!r}, 'train'"
        return Negatives(train.unique(), self._keys(train), self._num_samples, self.directed, owner, way)

    def with_split(self, split: Mapping[str, Tensor], about: str) -> BaseTask:
        other = super().with_split(split, about)
        if isinstance(other, PairTask) and other.draws_negatives:
            other._training_negatives = other._negatives_of_train()  # among those that it trains on
        return other

    def samples(self, items: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        ends = self.pairs[:, items]
        if generator is not None and self.draws_negatives:
            drawn = self._training_negatives.draw(self.num_negatives * items.numel(), generator)
            ends = torch.cat([ends, drawn], dim=1)
        node, place = ends.unique(return_inverse=True)
        return node, place.T.contiguous()

    def step(self, items: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor, Tensor]:
        node, place = self.samples(items, generator)
        y = self.target(items)
        drawn = len(place) - len(y)
        return node, place, torch.cat([y, y.new_zeros(drawn)]) if drawn else y

    def part_labels(self, part: str) -> Tensor:
        y = super().part_labels(part)
        drawn = self.num_negatives * len(y) if part == "train" and self.draws_negatives else 0
        return torch.cat([y, y.new_zeros(drawn)]) if drawn else y

    def read(self, encoding: Encoding, place: Tensor, inputs: Any) -> Tensor:
        """Embeddings of both samples of each pair. Shape [n, 2, D]."""
        return encoding.z[place]

    def head(self, encoder: Embeds, settings: HeadSettings) -> nn.Module:
        how = settings.pair or ("concatenate" if self.directed else "hadamard")
        features = PairFeatures(how, self.directed)
        linear = nn.Linear(features.width(encoder.out_channels), self.num_outputs)
        return self.with_unit([nn.Dropout(settings.dropout), features, linear], settings)

    def target(self, items: Tensor) -> Tensor:
        return self.labels[items]

    def edges(self) -> Tensor:
        """The pairs that are tested. Shape [2, n]."""
        return self.pairs[:, self.split["test"]]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        arrays, facts = super().state()
        own = {"num_samples": self._num_samples, "directed": self.directed, "num_negatives": self.num_negatives}
        return {**arrays, "pairs": self.pairs}, {**facts, **own}

    @classmethod
    def restored(cls, arrays: Mapping[str, Tensor], facts: Mapping[str, Any]) -> PairTask:
        return cls(
            facts["name"],
            arrays["pairs"],
            arrays["labels"],
            given_split(arrays),
            facts["num_samples"],
            facts["metric"],
            facts["labels"],
            directed=facts["directed"],
            num_negatives=facts["num_negatives"],
            about=facts["about"],
            classes=facts.get("classes"),
            metrics=tuple(facts.get("metrics", ())),
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"{part}={len(self.split[part]):,}" for part in SPLITS)
        return f"PairTask({self.name!r}, {self.type}, {sizes})"


class PairFeatures(nn.Module):
    """One row for each pair of embeddings.

    Args:
        how: ``hadamard``, the product number by number; ``dot``, the inner product; ``concatenate``, one behind the
            other if ``directed``, else their sum and the size of their difference, which are the same in both orders.
        directed: Whether the order of the two counts.

    Shapes:
        - **z:** [n, 2, D]  ->  [n, D], [n, 1] or [n, 2 D]
    """

    def __init__(self, how: str, directed: bool) -> None:
        super().__init__()
        self.how, self.directed = how, directed

    def width(self, channels: int) -> int:
        """Numbers of a row, of embeddings of ``channels``."""
        return {"hadamard": channels, "dot": 1, "concatenate": 2 * channels}[self.how]

    def forward(self, z: Tensor) -> Tensor:
        first, second = z[:, 0], z[:, 1]
        if self.how == "concatenate":
            parts = (first, second) if self.directed else (first + second, (first - second).abs())
            return torch.cat(parts, dim=1)
        product = first * second
        return product.sum(dim=1, keepdim=True) if self.how == "dot" else product

    def extra_repr(self) -> str:
        return f"{self.how}, directed={self.directed}"
