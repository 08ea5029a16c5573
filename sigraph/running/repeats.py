"""Several fine-tunings of one pre-training as one result: the means of their scores, and the one that is kept."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from torch import Tensor

from sigraph.config import FinetuneConfig
from sigraph.files.random import keyed_seed
from sigraph.finetune import FinetuneResult
from sigraph.running.ground import HEAD


class Repeated(NamedTuple):
    """What fine-tunings gave together."""

    kept: FinetuneResult  # the one that validation prefers, the first of equally good ones
    figures: dict[str, Any]  # means of the figures; of several also ``repeats``: the scores of each
    predicted: list[Tensor]  # of the test items, by each


def num_repeats(config: FinetuneConfig) -> int:
    """How many fine-tunings an entry asks for; one where a grid made it into what gives the same each time."""
    return 1 if config.converged or config.head == "knn" else config.repeats


def head_seed(seed: int, repeat: int) -> int:
    """Seed of a fine-tuning of the run of a seed; the first is what a single one is."""
    return keyed_seed(seed, HEAD, *([repeat] if repeat else [])) >> 1


def fine_tune_each(
    once: Callable[[int], FinetuneResult],
    number: int,
    greater_is_better: bool,
    figures: Callable[[FinetuneResult], dict[str, Any]],
) -> Repeated:
    """Fine-tune several times; only the best model so far is held.

    Args:
        once: Fine-tunes; gets the number of the repetition.
        number: Repetitions, >= 1.
        greater_is_better: Of the validation score.
        figures: Numbers of a fine-tuning, in mappings of any depth.
    """
    kept = result = once(0)
    found, predicted, each = [], [], []
    for i in range(number):
        result = once(i) if i else result
        found.append(figures(result))
        each.append({"valid": result.valid, "test": result.test, "best_epoch": result.best_epoch})
        predicted += [] if result.predicted is None else [result.predicted]
        if result.valid > kept.valid if greater_is_better else result.valid < kept.valid:
            kept = result
    return Repeated(kept, mean_of(found) | ({"repeats": each} if number > 1 else {}), predicted)


def mean_of(found: Sequence[Any]) -> Any:
    """Means of floats in mappings of any depth, None where one has none; of whatever else the first that there is."""
    known = [one for one in found if one is not None]
    if not known or (isinstance(known[0], float) and len(known) < len(found)):
        return None
    if isinstance(known[0], dict):
        return {name: mean_of([one.get(name) for one in known]) for name in dict.fromkeys(chain(*known))}
    return statistics.fmean(known) if isinstance(known[0], float) and len(known) > 1 else known[0]
