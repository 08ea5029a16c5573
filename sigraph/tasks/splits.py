"""Splits: which labelled samples train, which validate, which test - at random, class by class, or by whole groups."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sigraph.files.arguments import check_integers
from sigraph.files.random import keyed_generator
from sigraph.tasks.scaffold_split import scaffold_parts
from sigraph.tasks.task import SPLITS

RATES = (0.8, 0.1, 0.1)
HOW = ("random", "stratified", "group", "scaffold")
OF_COLUMN = ("group", "scaffold")


@dataclass(frozen=True)
class SplitRule:
    """How splits are drawn where none is given.

    Args:
        how: ``random``; ``stratified``, each class in the same shares; ``group``, samples of a group stay together;
            ``scaffold``, molecules of a scaffold do, the commonest in train; empty: stratified for classes, else
            random.
        rates: Shares of train, valid and test, in (0, 1), adding up to 1.
        seed: Of the draw: the same seed and samples give the same split.
        column: Of the groups, or of SMILES.
        is_asked: Whether somebody asked for this split, so that it is drawn even where one is given.
    """

    how: str = ""
    rates: tuple[float, ...] = RATES
    seed: int = 0
    column: str = ""
    is_asked: bool = False

    def __post_init__(self) -> None:
        if (self.how and self.how not in HOW) or (self.how in OF_COLUMN) != bool(self.column):
            text = f"{self.how}:{self.column}" if self.column else self.how
            raise ValueError(f"'split' needs to be random, stratified, group:COLUMN or scaffold:COLUMN (got {text!r})")
        if len(self.rates) != 3 or not all(0 < rate < 1 for rate in self.rates) or abs(sum(self.rates) - 1) > 1e-6:
            raise ValueError(
                f"'split_rates' needs three shares in (0, 1) that add up to 1, for {', '.join(SPLITS)} "
                f"(got {', '.join(map(str, self.rates))})"
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"'seed' needs to be an integer >= 0 (got {self.seed!r})")

    @classmethod
    def parse(cls, text: str | None, rates: tuple[float, ...] | None = None, seed: int = 0) -> SplitRule:
        """From ``random``, ``stratified``, ``group:COLUMN`` or ``scaffold:COLUMN``; what is None was not asked for."""
        how, _, column = (text or "").partition(":")
        return cls(how, RATES if rates is None else tuple(rates), seed, column, bool(text) or rates is not None)

    def __str__(self) -> str:
        if self.how == "scaffold":  # nothing is drawn
            return f"by scaffold of {self.column!r}, {', '.join(map(str, self.rates))}"
        how = f"by group {self.column!r}" if self.how == "group" else self.how
        return f"{how}, {', '.join(map(str, self.rates))}, seed {self.seed}"

    @property
    def group_column(self) -> str:
        """The column that holds groups and nothing else; empty: none does."""
        return self.column if self.how == "group" else ""

    def draw(self, ids: Tensor, classes: Tensor | None = None, groups: Tensor | None = None) -> dict[str, Tensor]:
        """Split some samples.

        Args:
            ids: The labelled samples. Shape [n].
            classes: Class of each of them, for ``stratified``. Shape [n].
            groups: Group of each of them, for ``group``; scaffold of each, for ``scaffold``. Shape [n].

        Returns:
            Ids under train, valid and test, sorted; none empty if there are enough samples (groups).
        """
        generator = keyed_generator(self.seed)
        if self.how == "stratified" and classes is not None:
            part = stratified_parts(classes, self.rates, generator)
        elif self.how == "group" and groups is not None:
            part = group_parts(groups, self.rates, generator)
        elif self.how == "scaffold" and groups is not None:
            part = scaffold_parts(groups, self.rates)
        else:
            part = random_parts(ids.numel(), self.rates, generator)
        return {name: ids[part == number] for number, name in enumerate(SPLITS)}


def random_parts(count: int, rates: tuple[float, ...], generator: torch.Generator) -> Tensor:
    """Part 0, 1 or 2 of each of some samples, in exact shares. Shape [count] int64."""
    part = _part_of((torch.arange(count) + 0.5) / max(count, 1), rates)
    return _fill_empty(part)[torch.randperm(count, generator=generator)]


def stratified_parts(classes: Tensor, rates: tuple[float, ...], generator: torch.Generator) -> Tensor:
    """Part of each sample so that every class has the same shares, and at least one sample in train.

    Each class takes evenly spaced places in [0, 1) from an offset of its own; the offsets are evenly spaced too, so
    that small classes add up to the shares.

    Args:
        classes: Class ids, >= 0. Shape [n].
    """
    _, classes, sizes = classes.unique(return_inverse=True, return_counts=True)
    order = torch.randperm(classes.numel(), generator=generator)
    order = order[classes[order].argsort(stable=True)]  # class by class, at random within
    start = sizes.cumsum(0) - sizes
    rank = torch.arange(classes.numel()) - start[classes[order]]
    offset = (torch.randperm(sizes.numel(), generator=generator) + 0.5) / max(sizes.numel(), 1)
    place = (rank + offset[classes[order]]) / sizes[classes[order]]
    part = torch.empty_like(classes)
    part[order] = _part_of(place, rates)
    in_train = torch.zeros_like(sizes).index_add_(0, classes, (part == 0).long())
    part[order[start[in_train == 0]]] = 0
    return part


def few_per_class(ids: Tensor, classes: Tensor, count: int, seed: int = 0) -> Tensor:
    """Some samples, at most so many of each class; all of a class that has no more.

    Samples are put in an order that the seed draws and the first of each class are taken, so that what a smaller
    ``count`` keeps is part of what a larger one does.

    Args:
        ids: The samples. Shape [n].
        classes: Class of each of them. Shape [n].
        count: Samples of a class, >= 1.
        seed: Of the draw: the same seed, samples and classes give the same.

    Returns:
        Ids, sorted. Shape [m].
    """
    check_integers("few_per_class", 1, count=count)
    order = torch.randperm(ids.numel(), generator=keyed_generator(seed))
    order = order[classes[order].argsort(stable=True)]  # class by class, at random within
    sizes = classes.unique(return_counts=True)[1]
    rank = torch.arange(ids.numel()) - torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    return ids[order[rank < count]].sort().values


def group_parts(groups: Tensor, rates: tuple[float, ...], generator: torch.Generator) -> Tensor:
    """Part of each sample so that no group is in two parts; shares are met as well as whole groups allow.

    Args:
        groups: Group ids, >= 0. Shape [n].
    """
    _, groups, sizes = groups.unique(return_inverse=True, return_counts=True)
    order = torch.randperm(sizes.numel(), generator=generator)
    middle = (sizes[order].cumsum(0) - sizes[order] / 2) / max(groups.numel(), 1)
    part = torch.empty_like(sizes)
    part[order] = _fill_empty(_part_of(middle, rates))
    return part[groups]


def _part_of(place: Tensor, rates: tuple[float, ...]) -> Tensor:
    """The part a place in [0, 1) belongs to."""
    bounds = torch.tensor(rates[:2], dtype=torch.float64).cumsum(0)
    return torch.bucketize(place.double(), bounds, right=True)


def _fill_empty(part: Tensor) -> Tensor:
    """Give each empty part one item of the fullest one."""
    for number in range(3):
        sizes = part.bincount(minlength=3)
        if sizes[number] == 0 and int(sizes.max()) > 1:
            part[(part == sizes.argmax()).nonzero()[-1]] = number
    return part
