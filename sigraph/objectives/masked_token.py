"""MaskedToken: predict hidden tokens of sequences, as BERT does."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sigraph.encoders import Encoder, Encoding, TokenEncoder
from sigraph.files.arguments import check_flags, check_integers, check_rates, is_number
from sigraph.files.memory import check_fits
from sigraph.objectives.base import Objective
from sigraph.objectives.words import check_words, words_of
from sigraph.samples.base import Samples
from sigraph.samples.tokens import FIRST_TOKEN, MASK, PAD, Tokens, Vocabulary, changes


class TokenTarget(NamedTuple):
    """The K tokens to predict, and M, the number of all tokens of the batch in a row."""

    sample: Tensor  # [K] in [0, B): whose
    part: Tensor  # [K] in [0, M): the row of h
    token: Tensor  # [K]: what it was
    num_parts: int


class MaskedToken(Objective):
    r"""Choose a random share of each sequence's tokens, hide most of them and predict what all of them were.

    .. math:: L_M = -\frac{1}{K} \sum_{(i, t)} \log \mathrm{softmax}\big(W h_{it} + b\big)_{x_{it}}

    From the token's own embedding h where the encoder gives one, else from the sample's, z, which then has to know
    which tokens are in it, in any order.

    Args:
        num_tokens: Size of the vocabulary, the ids of padding and mask included, >= 3.
        encoder_channels: D, width of h where the encoder gives one, else of z.
        mask_rate: Share of tokens to predict, in (0, 1); of every corrupted sample at least one.
        hide_rate: Share of these that become the mask token, in [0, 1].
        random_rate: Share of these that become a random token, in [0, 1]; the rest stays as it is.
        corrupt_all: Corrupt every sample of the step instead of the seed samples only.
        pad_token, mask_token: The vocabulary's ids of padding and of a hidden token. Neither is drawn as a random
            token, and special tokens of the data are neither hidden nor predicted.
        whole_units: Whether all tokens of a word are hidden, or none, where the samples say which they are (``units``
            of the reader); each is then drawn as one.
        span_length: Tokens in a row that are drawn as one, >= 1, such as 3 residues; those of a sequence begin at a
            random place.
        tied: Whether W is the encoder's own table of embeddings of tokens, which needs to be as wide as its h.

    Shapes:
        - **inputs:** Tokens  ->  corrupted Tokens and the target of K tokens.  **returns:** scalar, >= 0.

    Words as one: BERT's later models; spans: Joshi et al., "SpanBERT", TACL 2020, with spans of one length.

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", NAACL 2019, section 3.1, task 1; as
    L_M in McDermott et al. 2023. Differs in: a linear layer predicts; a short sequence loses a token too.

    Guide:
        reads: token sequences
        predicts: hidden tokens
    """

    def __init__(
        self,
        num_tokens: int,
        encoder_channels: int,
        mask_rate: float = 0.15,
        hide_rate: float = 0.8,
        random_rate: float = 0.1,
        corrupt_all: bool = False,
        pad_token: int = PAD,
        mask_token: int = MASK,
        whole_units: bool = False,
        span_length: int = 1,
        tied: bool = False,
    ) -> None:
        super().__init__()
        if num_tokens is None:
            raise ValueError("'num_tokens' needs token sequences in 'MaskedToken' (got a data set without)")
        check_integers("MaskedToken", FIRST_TOKEN + 1, num_tokens=num_tokens)
        check_integers("MaskedToken", 1, encoder_channels=encoder_channels)
        check_rates("MaskedToken", above_zero=True, mask_rate=mask_rate)
        for name, value in (("hide_rate", hide_rate), ("random_rate", random_rate)):
            if not is_number(value) or not 0 <= value <= 1:
                raise ValueError(f"{name!r} needs to be in [0, 1] in 'MaskedToken' (got {value!r})")
        if not 0 < hide_rate + random_rate <= 1:
            got = f"{hide_rate} + {random_rate}"
            raise ValueError(f"'hide_rate' + 'random_rate' need to be in (0, 1] in 'MaskedToken' (got {got})")
        check_flags("MaskedToken", corrupt_all=corrupt_all, whole_units=whole_units, tied=tied)
        check_integers("MaskedToken", 1, span_length=span_length)
        if whole_units and span_length > 1:
            raise ValueError(
                "'span_length' needs to be 1 in 'MaskedToken' with 'whole_units', which draws words as one"
            )
        Vocabulary(num_tokens, pad_token, mask_token).check("MaskedToken")
        self.taken, self.mask_token = sorted((pad_token, mask_token)), mask_token
        self.num_tokens, self.mask_rate, self.corrupt_all = num_tokens, mask_rate, corrupt_all
        self.hide_rate, self.random_rate = hide_rate, random_rate
        self.whole_units, self.span_length = whole_units, span_length
        sizes = {"num_tokens": num_tokens, "encoder_channels": encoder_channels}
        check_fits("MaskedToken", 4 * num_tokens * encoder_channels, **sizes)
        self.decoder, self.tied = nn.Linear(encoder_channels, num_tokens), tied

    def check_encoder(self, encoder: Encoder) -> None:
        """Tie the output to the encoder's embeddings, where it is to be."""
        if not self.tied:
            return
        table = encoder.token_embedding if isinstance(encoder, TokenEncoder) else None
        width = self.decoder.in_features
        if table is None or table.embedding_dim != width or encoder.part_channels != width:
            got = "which has none" if table is None else f"of width {table.embedding_dim}"
            raise ValueError(
                f"'tied' needs an encoder of tokens whose embeddings of tokens are as wide as its h, {width}, in "
                f"'MaskedToken' (got {type(encoder).__name__!r}, {got}); leave it out"
            )
        if table.num_embeddings != self.num_tokens:  # a checkpoint may know more than the samples hold
            self.decoder = nn.Linear(width, table.num_embeddings).to(table.weight.device)
        self.decoder.weight = table.weight

    def check_samples(self, samples: Samples) -> None:
        """Refuse whole words of samples that do not say which token is of which."""
        if self.whole_units:
            check_words(samples, "MaskedToken")

    def corrupt(
        self, inputs: Tokens, node: Tensor, num_seeds: int, generator: torch.Generator | None = None
    ) -> tuple[Tokens, TokenTarget]:
        if not isinstance(inputs, Tokens):
            raise ValueError(f"'inputs' needs sigraph.data.Tokens in 'MaskedToken' (got {type(inputs).__name__})")
        sample, count = inputs.sample, len(inputs.ptr) - 1 if self.corrupt_all else num_seeds
        may = sample < count if inputs.is_special is None else (sample < count) & ~inputs.is_special
        part = may.nonzero().view(-1)
        sample, group = sample[part], self._groups(inputs, part, generator)
        draw = torch.rand(len(part), generator=generator)
        draw = draw if group is None else draw[group]
        least = torch.ones(count).scatter_reduce(0, sample, draw, "amin")
        chosen = (draw < self.mask_rate) | (draw == least[sample])  # [K] of them
        sample, part = sample[chosen], part[chosen]
        truth = inputs.token[part]
        kind = torch.rand(len(part), generator=generator)
        other = torch.randint(self.num_tokens - 2, (len(part),), generator=generator)
        for taken in self.taken:
            other += other >= taken
        shown = torch.where(kind < self.hide_rate + self.random_rate, other, truth)
        shown = shown.masked_fill(kind < self.hide_rate, self.mask_token)
        token = inputs.token.index_put((part,), shown)
        return inputs._replace(token=token), TokenTarget(sample, part, truth, len(token))

    def _groups(self, inputs: Tokens, part: Tensor, generator: torch.Generator | None) -> Tensor | None:
        """Number of the word or span of some tokens, drawn as one, from 0; None: each by itself. Shape [K] -> [K]."""
        sample = inputs.sample
        if self.whole_units:
            return words_of(inputs, part, "MaskedToken")
        if self.span_length == 1:
            return None
        shift = torch.randint(self.span_length, (len(inputs.ptr) - 1,), generator=generator)
        place = torch.arange(len(sample)) - inputs.ptr[sample] + shift[sample]
        return changes(sample[part], place[part] // self.span_length).cumsum(0) - 1

    def forward(self, encoding: Encoding, target: TokenTarget) -> Tensor:
        z, h = encoding.z, encoding.h
        read, name = (z, "z") if h is None else (h, "h")
        if read.size(1) != self.decoder.in_features:
            raise ValueError(
                f"'encoder_channels' needs to be the width of {name}, {read.size(1)}, in 'MaskedToken' "
                f"(got {self.decoder.in_features})"
            )
        if h is None:  # the tokens of a sample share one softmax
            whose, row = target.sample.unique_consecutive(return_inverse=True)
            score = self.decoder(z[whose]).log_softmax(dim=1)[row, target.token]  # [K]
        elif len(h) != target.num_parts:
            raise ValueError(f"h needs one row a token, {target.num_parts}, for 'MaskedToken' (got {len(h)})")
        else:
            score = self.decoder(h[target.part]).log_softmax(dim=1).gather(1, target.token[:, None])
        count = torch.tensor(float(len(target.token)), device=z.device)
        return (
            self.mean(-score.sum(), count) + z[:0].sum()
        )  # DDP waits for a gradient of all parameters, those of z too
