"""Denoising: reconstruct a whole sample from the embedding of what is left of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from sigraph.encoders import Encoding
from sigraph.files.arguments import check_choices, check_flags, check_integers, check_rates
from sigraph.files.memory import check_fits
from sigraph.objectives.base import Objective
from sigraph.objectives.rows import ROW_LOSSES, row_loss
from sigraph.objectives.words import check_words, words_of
from sigraph.samples.base import Samples
from sigraph.samples.tokens import Tokens


class RowTarget(NamedTuple):
    """The rows as they were, [S, F]."""

    value: Tensor


class BagTarget(NamedTuple):
    """The K tokens of the samples as they were."""

    sample: Tensor  # [K] in [0, S): whose
    token: Tensor  # [K]: which


class Denoising(Objective):
    r"""Drop most of a sample, and reconstruct all of it from the embedding of the rest with a linear layer.

    With the embedding :math:`z_i` of what is left of sample i, for token sequences and ``loss: words`` (K words in all,
    :math:`x_{iw}` times w in sample i), and for feature rows

    .. math::
        L_M = -\frac{1}{K} \sum_{i,w} x_{iw} \log \mathrm{softmax}(W z_i + b)_w
        \qquad\qquad L_M = \frac{1}{SF} \sum_{i,f} \ell\big((W z_i + b)_f,\; x_{if}\big).

    What was dropped has to be told from what was left, and what was left has to be in z: masking asks for the former
    alone. The order of tokens is not asked for. So it fits encoders whose one output is z: of bags of words, of
    features, of sentences.

    Args:
        encoder_channels: D, width of the embedding.
        in_channels: F, features of a sample; None of token sequences.
        num_tokens: Size of the vocabulary; None of feature rows.
        drop_rate: Share of tokens, or of entries, that are dropped, in (0, 1); 0.6 in the source for sentences, less in
            that for rows. Of each sample something is left.
        loss: ``words`` for token sequences and bags of words (counts, 0/1 or tf-idf, >= 0); ``mse`` for real-valued
            features; ``bce`` (with logits) for features in [0, 1]. None: ``words`` for tokens, ``mse`` for features.
        corrupt_all: Corrupt every sample of the step instead of the seed samples only.
        whole_units: Whether all tokens of a word are dropped, or none, where the samples say which they are (``units``
            of the reader).

    Shapes:
        - **inputs:** Tokens, M of them  ->  fewer, and the K tokens of S samples; or rows [B, F]  ->  with zeros, and
          S rows as they were.  **returns:** scalar, >= 0.

    A dropped token is gone, the sequence is shorter: nothing marks its place. Special tokens are neither dropped nor
    predicted. A dropped entry is 0; of each row one entry that is not 0 stays at least.

    Source: Wang, Reimers & Gurevych, "TSDAE: Using Transformer-based Sequential Denoising Auto-Encoder for Unsupervised
    Sentence Embedding Learning", Findings of EMNLP 2021, section 3 (deletion, and the pooled embedding as the only
    bridge); rows: Vincent et al., "Extracting and Composing Robust Features with Denoising Autoencoders", ICML 2008,
    section 2.3. Differs in the decoder of sentences: a softmax over words, as of Le & Mikolov, "Distributed
    Representations of Sentences and Documents", ICML 2014, section 2.3, in place of a transformer that writes them.

    Guide:
        reads: feature rows, token sequences
        predicts: all of a sample, from what is left of it
    """

    def __init__(
        self,
        encoder_channels: int,
        in_channels: int | None = None,
        num_tokens: int | None = None,
        drop_rate: float = 0.6,
        loss: Literal["mse", "bce", "words"] | None = None,
        corrupt_all: bool = False,
        whole_units: bool = False,
    ) -> None:
        super().__init__()
        name, size = "Denoising", in_channels if num_tokens is None else num_tokens
        if size is None or (in_channels is not None and num_tokens is not None):
            raise ValueError(
                f"'in_channels' of feature rows, or 'num_tokens' of token sequences, is needed in {name!r} "
                f"(got {'neither' if size is None else 'both'}); a reader makes either of records (pretrain.reader)"
            )
        sizes = {"in_channels" if num_tokens is None else "num_tokens": size, "encoder_channels": encoder_channels}
        check_integers(name, 1, **sizes)
        check_rates(name, above_zero=True, drop_rate=drop_rate)
        check_flags(name, corrupt_all=corrupt_all, whole_units=whole_units)
        self.loss: str = ("mse" if num_tokens is None else "words") if loss is None else loss
        check_choices(name, ROW_LOSSES, loss=self.loss)
        if num_tokens is not None and loss not in (None, "words"):
            raise ValueError(f"'loss' needs to be words, or null, for token sequences in {name!r} (got {loss!r})")
        if whole_units and num_tokens is None:
            raise ValueError(f"'whole_units' needs token sequences in {name!r} (got feature rows)")
        self.in_channels, self.num_tokens, self.drop_rate = in_channels, num_tokens, drop_rate
        self.corrupt_all, self.whole_units = corrupt_all, whole_units
        check_fits(name, 4 * size * encoder_channels, **sizes)
        self.decoder = nn.Linear(encoder_channels, size)

    def check_samples(self, samples: Samples) -> None:
        """Refuse whole words of samples that do not say which token is of which."""
        if self.whole_units:
            check_words(samples, "Denoising")

    def corrupt(
        self, inputs: Tensor | Tokens, node: Tensor, num_seeds: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor | Tokens, RowTarget | BagTarget]:
        count = len(node) if self.corrupt_all else num_seeds
        reads, needed = (Tensor, "feature rows, a tensor,") if self.num_tokens is None else (Tokens, "Tokens")
        if not isinstance(inputs, reads):
            raise ValueError(f"'inputs' needs {needed} in 'Denoising' (got {type(inputs).__name__})")
        if isinstance(inputs, Tokens):
            return self._fewer_tokens(inputs, count, generator)
        value = inputs[:count]
        draw = torch.rand(value.shape, generator=generator).masked_fill(value == 0, -1)  # [S, F]
        most = draw.amax(dim=1, keepdim=True)
        kept = value.masked_fill((draw < self.drop_rate) & (draw < most), 0)
        return torch.cat([kept, inputs[count:]]), RowTarget(value)

    def _fewer_tokens(self, inputs: Tokens, count: int, generator: torch.Generator | None) -> tuple[Tokens, BagTarget]:
        sample = inputs.sample
        may = sample < count if inputs.is_special is None else (sample < count) & ~inputs.is_special
        part = may.nonzero().view(-1)
        whose = sample[part]  # [K]
        draw = torch.rand(len(part), generator=generator)
        if self.whole_units:
            draw = draw[words_of(inputs, part, "Denoising")]
        most = torch.zeros(count).scatter_reduce(0, whose, draw, "amax")
        kept = torch.ones_like(inputs.token, dtype=torch.bool)
        kept[part] = (draw >= self.drop_rate) | (draw == most[whose])
        length = torch.zeros_like(inputs.length).index_add_(0, sample, kept.long())
        special, unit = (None if one is None else one[kept] for one in (inputs.is_special, inputs.unit))
        left = inputs._replace(
            token=inputs.token[kept],
            ptr=torch.cat([length.new_zeros(1), length.cumsum(0)]),
            is_special=special,
            unit=unit,
        )
        return left, BagTarget(whose, inputs.token[part])

    def forward(self, encoding: Encoding, target: RowTarget | BagTarget) -> Tensor:
        z = encoding.z
        if z.size(1) != self.decoder.in_features:
            raise ValueError(
                f"'encoder_channels' needs to be the width of z, {z.size(1)}, in 'Denoising' "
                f"(got {self.decoder.in_features})"
            )
        if isinstance(target, BagTarget):
            whose, row = target.sample.unique_consecutive(return_inverse=True)
            score = self.decoder(z[whose]).log_softmax(dim=1)[row, target.token]  # [K]
            return self.mean(-score.sum(), torch.tensor(float(len(score)), device=z.device))
        value = target.value
        if value.size(1) != self.decoder.out_features:
            raise ValueError(
                f"'in_channels' needs to be the width of the samples, {value.size(1)}, in 'Denoising' "
                f"(got {self.decoder.out_features})"
            )
        return self.mean(*row_loss(self.decoder(z[: len(value)]), value, self.loss, "Denoising"))
