"""What a search may try: for each open key a list of choices, or a range to draw numbers from."""

# ruff: noqa: RUF009 -- `key` is `dataclasses.field` with a range
from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from itertools import count, islice
from typing import Any

from sigraph.config.location import ConfigError, Place
from sigraph.config.overlay import key
from sigraph.config.schema import Plain
from sigraph.files.suggestions import did_you_mean

MOST_TRIALS = 2_500  # of an arm
MOST_CHOICES = 1_000
_FIRST_SEED, _NUM_SEEDS = 1_000, 2  # of a search that names none
_DIGITS = 3  # of a number that is drawn, against the width of its range: settings are read and written out by people


@dataclass(frozen=True)
class Choices:
    """Different values, of any kind.

    Args:
        values: At least one.
    """

    values: tuple[Any, ...]

    @property
    def ends(self) -> list[Any]:
        """Every value: what is looked at before anything trains."""
        return list(self.values)

    @property
    def size(self) -> float:
        """How many values there are."""
        return len(self.values)

    def place(self, value: Any) -> int | None:
        """Which of them a value is; None: none. 1, 1.0 and true are three values."""
        texts = [_text(one) for one in self.values]
        return texts.index(_text(value)) if _text(value) in texts else None

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return self.place(value) is not None

    def like(self, value: Any) -> tuple[Any, ...]:
        """The first of them that equals a value, 2 for 2.0; none: empty."""
        equal = [one for one in self.values if one == value and isinstance(one, bool) == isinstance(value, bool)]
        return (value,) if self.holds(value) else tuple(equal[:1])

    def __str__(self) -> str:
        return f"[{', '.join(map(_text, self.values))}]"


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers between two ends, both of which may be drawn.

    Args:
        low: The smallest.
        high: The largest.
        log: Every factor is as likely as any other: from 0.001 to 0.01 as from 0.01 to 0.1. The smallest is above 0.
        step: Only ``low``, ``low + step``, ... are drawn; None: any number, any whole one if both ends are whole.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Whether whole numbers are drawn: those of its ends are written as such, and so is its step."""
        return all(isinstance(one, int) for one in (self.low, self.high, self.step or 0))

    @property
    def ends(self) -> list[Any]:
        """What is looked at before anything trains."""
        return list(dict.fromkeys([self.low, self.high]))

    @property
    def size(self) -> float:
        """How many numbers there are, ``inf`` for many."""
        step = self.step or (1 if self.whole else None)
        return math.inf if step is None else round((self.high - self.low) / step) + 1

    def holds(self, value: Any) -> bool:
        """Whether it may be drawn."""
        number = isinstance(value, int if self.whole else int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:
            return False
        steps = (value - self.low) / self.step if self.step else 0.0
        return abs(steps - round(steps)) < 1e-6

    def like(self, value: Any) -> tuple[Any, ...]:
        """A value as it would be drawn, if it may be; else empty."""
        return () if not self.holds(value) else (value,) if self.whole else (float(value),)

    def rounded(self, value: float) -> float:
        """A number that was drawn, with no more digits than tell a thousandth of the range."""
        if self.whole:
            return round(value)
        if self.step:
            value = float(f"{value:.12g}")
        elif self.log:
            value = float(f"{value:.{_DIGITS}g}")
        else:
            value = round(value, _DIGITS - math.floor(math.log10(self.high - self.low)))
        return float(min(max(value, self.low), self.high))

    def __str__(self) -> str:
        more = f", step {self.step:g}" if self.step else ""
        return f"{self.low:g} ... {self.high:g}{', log' if self.log else ''}{more}"


Dimension = Choices | Range
Space = Mapping[str, Dimension]


@dataclass(frozen=True, kw_only=True)
class SearchConfig(Plain):
    """What ``sigraph run FILE --search N`` tries: N settings of each arm, drawn within a space, chosen by validation.

    Args:
        space: Dotted key -> a list of choices, or ``{low:, high:}``, a range of numbers, with ``log: true`` (any factor
            is as likely as any other) or ``step:``. Whole numbers are drawn where the ends are written as such. At most
            100 keys.
        seeds: Of the runs that a trial's validation score is the mean over, none of them one of the table's; empty: the
            first two from 1,000 on that are not.
        redraws: Redrawn splits of training and validation samples, class by class and as large as the given ones, over
            which the score is the mean too, of a converged linear probe on the frozen embedding; 0: the validation
            samples of the primary task score it, as it is fine-tuned.
    """

    space: dict[str, Any] = key({}, most=100)
    seeds: list[int] = key([], low=0, high=2**32 - 1, most=100)
    redraws: int = key(0, low=0, high=1_000)

    @property
    def dimensions(self) -> dict[str, Dimension]:
        """The space, read."""
        return read_space(self.space, Place("config", ("search", "space")))


def read_space(space: Mapping[str, Any], place: Place) -> dict[str, Dimension]:
    """By dotted key, what may be drawn.

    Raises:
        ConfigError: A key's value is neither a list of different values nor a range.
    """
    return {dotted: _dimension(dotted, value, place / dotted) for dotted, value in space.items()}


def search_seeds(search: SearchConfig, seeds: Collection[int]) -> list[int]:
    """The seeds of a search's trials.

    Args:
        search: Names them, or leaves it to us.
        seeds: Of the table: none of them is one.
    """
    others = (seed for seed in count(_FIRST_SEED) if seed not in seeds)
    return list(search.seeds) or list(islice(others, _NUM_SEEDS))


def check_search(search: SearchConfig, seeds: Collection[int], grid: Iterable[str], place: Place) -> None:
    """Refuse a search that cannot be what it says, whatever its arms.

    Args:
        search: As it was read.
        seeds: Of the table.
        grid: Keys of the experiment's grid.
        place: Where the search stands.

    Raises:
        ConfigError: The space is empty or holds what is no range; a key is searched twice; seeds are the table's.
    """
    if not search.space:
        raise place.error("'search' needs a 'space': dotted keys, each with a list of values or {low: ..., high: ...}")
    read_space(search.space, place / "space")
    repeated = sorted(seed for seed in set(search.seeds) if search.seeds.count(seed) > 1)
    if repeated:
        raise (place / "seeds").error(f"'search.seeds' lists {repeated} more than once")
    if shared := sorted(set(search.seeds) & set(seeds)):
        raise (place / "seeds").error(
            f"'search.seeds' holds {', '.join(map(str, shared))}, which 'seeds' of the table has too: settings that "
            "are chosen on a seed look better there than they are; name others, or leave 'search.seeds' out"
        )
    for dotted in search.space:
        at = place / "space" / dotted
        if dotted.partition(".")[0] not in ("pretrain", "finetune") or "." not in dotted:
            raise at.error(f"a key of 'search.space' needs to start with 'pretrain.' or 'finetune.' (got {dotted!r})")
        for where, others in (("search.space", search.space), ("grid", grid)):
            for other in others:
                within = f"{dotted}.".startswith(f"{other}.") or f"{other}.".startswith(f"{dotted}.")
                if within and (where == "grid" or other != dotted):
                    raise at.error(f"{dotted!r} is in 'search.space' and {other!r} in {where!r}: one decides about it")
        if search.redraws and dotted.startswith("finetune."):
            raise at.error(
                f"{dotted!r} does not act with 'search.redraws: {search.redraws}', where a converged probe on the "
                "frozen embedding scores a trial; leave one of them out"
            )


def _dimension(dotted: str, value: Any, place: Place) -> Dimension:
    if isinstance(value, list):
        texts = [_text(one) for one in value]
        if not value or len(set(texts)) < len(texts):
            raise place.error(f"'search.space' needs different values to choose from for {dotted!r} (got {value})")
        if len(value) > MOST_CHOICES:
            raise place.error(
                f"'search.space' takes at most {MOST_CHOICES:,} values (got {len(value):,} of {dotted!r})"
            )
        return Choices(tuple(value))
    if not isinstance(value, dict):
        raise place.error(
            f"'search.space' needs a list of values or a range, {{low: ..., high: ...}}, for {dotted!r} (got {value!r})"
        )
    known = [field.name for field in fields(Range)]
    for name in value:
        if name not in known:
            close = did_you_mean(name, known)
            way = "; a component to choose goes into a list" if name == "_target_" else ""
            raise place.error(
                f"a range of 'search.space' has {', '.join(known)} (got {name!r} of {dotted!r}){close}{way}"
            )
    for name in ("low", "high", *(["step"] if value.get("step") is not None else [])):
        if isinstance(value.get(name), bool) or not isinstance(value.get(name), int | float):
            raise place.error(
                f"a range of 'search.space' needs a number as {name!r} (got {value.get(name)!r} of {dotted!r})"
            )
    found = Range(**value)
    if not isinstance(found.log, bool):
        raise place.error(f"'log' of a range needs to be true or false (got {found.log!r} of {dotted!r})")
    _check_range(found, dotted, place)
    return found


def _check_range(found: Range, dotted: str, place: Place) -> None:
    if not found.low < found.high:
        raise place.error(
            f"a range of 'search.space' needs low < high (got {found.low!r}, {found.high!r} of {dotted!r})"
        )
    if found.log and found.low <= 0:
        raise place.error(f"a range with 'log' needs low > 0 (got {found.low!r} of {dotted!r})")
    if found.step is None:
        return
    if found.log:
        raise place.error(f"'step' does not act with 'log' in a range (got both of {dotted!r}); leave one of them out")
    steps = (found.high - found.low) / found.step if found.step > 0 else 0.0
    if steps < 1 or abs(steps - round(steps)) > 1e-6:
        raise place.error(
            f"'step' of a range needs to divide high - low, {found.high - found.low:g} (got {found.step!r} of "
            f"{dotted!r})"
        )


def refuse_search(search: SearchConfig | None, number: int) -> None:
    """Refuse a number of trials that cannot be made.

    Raises:
        ConfigError, ValueError: There is no space to search, or the number is none.
    """
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_TRIALS:
        raise ValueError(f"'search' needs a number of trials from 1 to {MOST_TRIALS:,} (got {number!r:.40})")
    if search is None:
        raise ConfigError(
            f"{number} trials were asked for, and the experiment states no space to draw them from; add to its file: "
            "search: {space: {pretrain.optimizer.lr: {low: 1.0e-4, high: 1.0e-2, log: true}}}"
        )


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
