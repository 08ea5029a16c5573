"""Which tokens are of one word, for objectives that draw words rather than tokens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sigraph.samples.base import Samples
from sigraph.samples.tokens import Tokens, changes


def words_of(inputs: Tokens, part: Tensor, owner: str) -> Tensor:
    """Number of the word of some tokens, from 0; what is of no word, such as a mark between two, is one by itself.

    Args:
        inputs: The sequences.
        part: Which of their tokens, ascending. Shape [K].
        owner: Class that draws words, for messages.

    Returns:
        int64 [K].

    Raises:
        ValueError: The samples do not say which word a token is of.
    """
    unit = _units(inputs, owner)[part]
    return (changes(inputs.sample[part], unit) | (unit < 0)).cumsum(0) - 1


def check_words(samples: Samples, owner: str) -> None:
    """Refuse samples that do not say which word a token is of, by the first of them.

    Raises:
        ValueError: They do not; with the way out.
    """
    if len(samples):
        _units(samples.fetch(torch.zeros(1, dtype=torch.long)), owner)


def _units(inputs: Any, owner: str) -> Tensor:
    unit = getattr(inputs, "unit", None)
    if unit is None:
        raise ValueError(
            f"'whole_units' needs samples that say which word each token is of, in {owner!r} (got none); let the "
            "reader say it, HuggingFaceTokens(units=True), or leave 'whole_units' out"
        )
    return unit
