"""What encoders of token sequences share: the vocabulary, and which samples they refuse."""

from __future__ import annotations

from typing import Any

from torch import nn

from sigraph.data.dataset import SampleDataset
from sigraph.encoders.base import Encoder, samples_of
from sigraph.files.arguments import check_integers
from sigraph.samples.tokens import FIRST_TOKEN, MASK, PAD, Tokens, Vocabulary


class TokenEncoder(Encoder):
    """An encoder of :class:`~sigraph.data.Tokens`, which lie one after the other. Implement ``forward``.

    Args:
        num_tokens: Size of the vocabulary, the ids of padding and mask included, >= 3.
        max_length: Tokens of the longest sequence that is read, >= 1; None: any.
        pad_token: The id of padding, in [0, num_tokens).
        mask_token: The id of a hidden token, in [0, num_tokens).
    """

    def __init__(
        self,
        num_tokens: int,
        max_length: int | None = None,
        pad_token: int = PAD,
        mask_token: int = MASK,
    ) -> None:
        super().__init__()
        check_integers(type(self).__name__, FIRST_TOKEN + 1, num_tokens=num_tokens)
        check_integers(type(self).__name__, 1, max_length=1 if max_length is None else max_length)
        Vocabulary(num_tokens, pad_token, mask_token).check(type(self).__name__)
        self.num_tokens, self.max_length = num_tokens, max_length
        self.pad_token, self.mask_token = pad_token, mask_token

    @property
    def token_embedding(self) -> nn.Embedding | None:
        """The table of embeddings of tokens; None: there is none."""
        found = getattr(self, "embedding", None)
        return found if isinstance(found, nn.Embedding) else None

    def check_samples(self, dataset: SampleDataset) -> None:
        self._check_samples(dataset, unknown=False)

    def note_samples(self, dataset: SampleDataset) -> str:
        self._check_samples(dataset, unknown=True)
        if (dataset.num_tokens or 0) <= self.num_tokens:
            return ""
        number, total, num_samples = dataset.store.unknown(self.num_tokens)
        if not number:
            return ""
        return (
            f"{number:,} of {total:,} tokens, in {num_samples:,} of {len(dataset):,} samples, are not "
            f"in the vocabulary of {type(self).__name__!r} (ids below {self.num_tokens}): read as hidden tokens"
        )

    def _check_samples(self, dataset: SampleDataset, unknown: bool) -> None:
        name = type(self).__name__
        if dataset.num_tokens is None or (dataset.num_tokens > self.num_tokens and not unknown):
            way = (
                "choose 'num_tokens' so"
                if dataset.num_tokens
                else "make token sequences of them (sigraph.data.token_table), or use another encoder"
            )
            raise ValueError(
                f"{name!r} needs token sequences over a vocabulary of {self.num_tokens}, but "
                f"{samples_of(dataset)} are {dataset.store.describe()}; {way}"
            )
        if self.max_length is not None and (longest := dataset.max_length or 0) > self.max_length:
            raise ValueError(
                f"'max_length' needs to be >= {longest} in {name!r}, the tokens of the longest of "
                f"{samples_of(dataset)} (got {self.max_length}); choose it so, or cut the sequences"
            )

    def check_inputs(self, inputs: Any) -> Tokens:
        """A batch that can be read.

        Tokens beyond the vocabulary, which only samples that nothing trained on have, become hidden ones.
        """
        name = type(self).__name__
        if not isinstance(inputs, Tokens):
            raise ValueError(f"'inputs' needs sigraph.data.Tokens in {name!r} (got {type(inputs).__name__})")
        token, ptr = inputs.token, inputs.ptr
        if token.dim() != 1 or ptr.dim() != 1 or not len(ptr) or int(ptr[-1]) != len(token):
            got = f"{list(token.shape)} and {list(ptr.shape)}"
            raise ValueError(
                f"'inputs' needs all tokens in a row, [M], and where each sequence begins, [B + 1] up to M, in "
                f"{name!r} (got {got})"
            )
        longest = int(inputs.length.max()) if len(ptr) > 1 else 0
        if self.max_length is not None and longest > self.max_length:
            raise ValueError(
                f"'inputs' needs sequences of at most 'max_length' {self.max_length} tokens in {name!r} (got {longest})"
            )
        return inputs._replace(token=token.masked_fill(token >= self.num_tokens, self.mask_token))
