"""Which tokens are of one word, for objectives that draw words rather than tokens."""

from __future__ import annotations

from torch import Tensor

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
    if inputs.unit is None:
        raise ValueError(
            f"'whole_units' needs samples that say which word each token is of, in {owner!r} (got none); "
            "HuggingFaceTokens(units=True) does"
        )
    unit = inputs.unit[part]
    return (changes(inputs.sample[part], unit) | (unit < 0)).cumsum(0) - 1
