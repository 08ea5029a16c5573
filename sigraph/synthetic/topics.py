"""A topic model: sentences whose words tell, more or less clearly, what they are about."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import torch
from torch import Tensor

from sigraph.files.arguments import check_integers, is_number
from sigraph.files.memory import check_fits
from sigraph.files.random import keyed_generator
from sigraph.samples.tokens import FIRST_TOKEN, token_table

CHUNK = 1 << 22  # numbers of an intermediate at a time
_TOPICS, _LENGTHS, _WORDS = range(3)  # streams


_FEWEST = 10  # samples of a world


class TopicModel:
    r"""Sentences of a mixture of topics, a topic being a distribution over the words of a Zipf vocabulary.

    .. math:: \phi_t \sim \mathrm{Dirichlet}(c\,\pi), \quad \pi_v \propto v^{-s}, \qquad
              n_i \sim \mathrm{Uniform}\{a, \dots, b\}, \quad w_{i1}, \dots, w_{in_i} \sim \sum_t \theta_{it}\,\phi_t

    Frequent words are about as frequent in every topic, rare ones belong to few.

    Args:
        num_topics: T, at least 2.
        vocabulary: V, distinct words, at least 2; word v is the token ``FIRST_TOKEN + v``.
        concentration: c > 0; the smaller, the more topics differ.
        exponent: s >= 0, of Zipf's law; 0: all words are equally frequent.
        min_length: a, words of the shortest sentences, at least 1.
        max_length: b >= a, words of the longest ones.

    Source: Blei, Ng, Jordan, "Latent Dirichlet allocation", JMLR 2003, with Zipf's law in the prior.
    """

    def __init__(
        self,
        num_topics: int,
        vocabulary: int = 400,
        concentration: float = 200.0,
        exponent: float = 1.0,
        min_length: int = 6,
        max_length: int = 18,
    ) -> None:
        check_integers("TopicModel", 2, num_topics=num_topics, vocabulary=vocabulary)
        check_integers("TopicModel", 1, min_length=min_length)
        check_integers("TopicModel", min_length, max_length=max_length)
        check_fits("TopicModel", 8 * _FEWEST * max_length, max_length=max_length)
        check_fits("TopicModel", 8 * num_topics * vocabulary, num_topics=num_topics, vocabulary=vocabulary)
        if not is_number(concentration) or not 0 < concentration < float("inf"):
            raise ValueError(f"'concentration' needs to be > 0 in 'TopicModel' (got {concentration!r})")
        if not is_number(exponent) or not 0 <= exponent < float("inf"):
            raise ValueError(f"'exponent' needs to be >= 0 in 'TopicModel' (got {exponent!r})")
        self.num_topics, self.vocabulary = num_topics, vocabulary
        self.concentration, self.exponent = concentration, exponent
        self.min_length, self.max_length = min_length, max_length

    @property
    def num_tokens(self) -> int:
        """Size of the vocabulary with the special ids."""
        return self.vocabulary + FIRST_TOKEN

    def topics(self, generator: torch.Generator) -> Tensor:
        r"""Draw :math:`\phi`, rows that sum to 1. Shape [T, V] float64."""
        base = torch.arange(1, self.vocabulary + 1, dtype=torch.float64).pow(-self.exponent)
        shape = (self.concentration * base / base.sum()).expand(self.num_topics, -1).contiguous()
        word = torch._standard_gamma(shape, generator=generator)  # a Dirichlet is normalised gammas
        return word / word.sum(dim=1, keepdim=True)

    def sentences(
        self, mixture: Tensor, topic_word: Tensor, lengths: torch.Generator, words: torch.Generator
    ) -> Tensor:
        """Draw one sentence for each row of a mixture.

        Args:
            mixture: Shares of the topics, rows sum to 1. Shape [B, T].
            topic_word: What :meth:`topics` drew. Shape [T, V].
            lengths: Source of the lengths.
            words: Source of the words.

        Returns:
            Token ids, 0 behind a sentence's end. Shape [B, max_length] int64.
        """
        length = torch.randint(self.min_length, self.max_length + 1, (len(mixture),), generator=lengths)
        token = torch.empty(len(mixture), self.max_length, dtype=torch.long)
        rows = max(1, CHUNK // self.vocabulary)
        for start in range(0, len(mixture), rows):
            part = slice(start, start + rows)
            below = (mixture[part].double() @ topic_word).cumsum(dim=1)  # [rows, V]
            drawn = torch.rand(len(below), self.max_length, generator=words, dtype=torch.float64)
            word = torch.searchsorted(below, drawn * below[:, -1:], right=True)
            token[part] = word.clamp(max=self.vocabulary - 1) + FIRST_TOKEN
        return token.masked_fill(torch.arange(self.max_length) >= length[:, None], 0)

    def write(self, mixture: Tensor, seed: int, num_samples: int) -> pa.Table:
        """Sentences as samples. The first ``num_samples`` do not depend on how many mixtures follow them.

        Args:
            mixture: Shares of the topics, rows sum to 1. Shape [N + H, T].
            seed: Of topics and sentences.
            num_samples: N.
        """
        topic_word = self.topics(keyed_generator(seed, _TOPICS))
        parts = []
        for number, part in enumerate((mixture[:num_samples], mixture[num_samples:])):
            lengths, words = (keyed_generator(seed, stream, number) for stream in (_LENGTHS, _WORDS))
            parts.append(self.sentences(part, topic_word, lengths, words))
        token = torch.cat(parts)
        real = token >= FIRST_TOKEN
        offset = torch.cat([torch.zeros(1, dtype=torch.long), real.sum(dim=1).cumsum(0)])
        return token_table((offset, token[real]), self.num_tokens)


def topic_model(owner: str, num_topics: int, settings: dict[str, Any]) -> TopicModel:
    """A topic model of a world; what does not fit is said with the world's name."""
    try:
        return TopicModel(num_topics, **settings)
    except ValueError as error:
        raise ValueError(str(error).replace("'TopicModel'", f"{owner!r}")) from None
