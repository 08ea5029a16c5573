"""GRUEncoder: token sequences -> z, read one token after the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sigraph.encoders.padded_encoder import PaddedEncoder
from sigraph.files.arguments import MOST_LAYERS, check_choices, check_flags, check_integers, check_rates
from sigraph.files.memory import check_fits
from sigraph.samples.tokens import MASK, PAD

_POOLINGS = ("mean", "last")


class GRUEncoder(PaddedEncoder):
    r"""Gated recurrent network over the embeddings of the tokens.

    Args:
        num_tokens: Size of the vocabulary, the ids of padding and mask included, >= 3.
        embedding_channels: Width of a token's embedding, >= 1.
        out_channels: D, width of the embeddings of samples and of their tokens, >= 1; each direction has its half.
        num_layers: Recurrent layers, >= 1.
        dropout: Share of units dropped in training, of the tokens' embeddings and between layers, in [0, 1).
        bidirectional: Read backwards too; ``out_channels`` needs to be even.
        pooling: ``mean`` over the states of all tokens, or the ``last`` state of each direction.
        pad_token, mask_token: The vocabulary's ids of padding and of a hidden token.
        max_tokens, recompute: As of :class:`TransformerEncoder`.

    Shapes:
        - **inputs:** B sequences, M tokens in all  ->  **z:** [B, D], **h:** [M, D], a sample's tokens in their order

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014, as in torch.nn.GRU.

    Guide:
        reads: token sequences
    """

    def __init__(
        self,
        num_tokens: int,
        embedding_channels: int = 128,
        out_channels: int = 128,
        num_layers: int = 1,
        dropout: float = 0.0,
        bidirectional: bool = True,
        pooling: str = "mean",
        pad_token: int = PAD,
        mask_token: int = MASK,
        max_tokens: int | None = None,
        recompute: bool = False,
    ) -> None:
        super().__init__(num_tokens, None, pad_token, mask_token, max_tokens, recompute)
        check_integers("GRUEncoder", 1, embedding_channels=embedding_channels)
        check_integers("GRUEncoder", 1, out_channels=out_channels)
        check_integers("GRUEncoder", 1, most=MOST_LAYERS, num_layers=num_layers)
        check_rates("GRUEncoder", dropout=dropout)
        check_flags("GRUEncoder", bidirectional=bidirectional)
        if bidirectional and out_channels % 2:
            raise ValueError(f"'out_channels' needs to be even in 'GRUEncoder' (got {out_channels}): two directions")
        check_choices("GRUEncoder", _POOLINGS, pooling=pooling)
        sizes = {"num_tokens": num_tokens, "embedding_channels": embedding_channels, "out_channels": out_channels}
        width = 3 * num_layers * out_channels
        check_fits(
            "GRUEncoder", 4 * (num_tokens * embedding_channels + width * (embedding_channels + out_channels)), **sizes
        )
        self.out_channels, self.pooling = out_channels, pooling
        self.num_directions = 2 if bidirectional else 1
        self.embedding = nn.Embedding(num_tokens, embedding_channels, padding_idx=pad_token)
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(
            embedding_channels,
            out_channels // self.num_directions,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
            bidirectional=bidirectional,
        )

    def encode_padded(self, token: Tensor, is_real: Tensor) -> tuple[Tensor, Tensor]:
        length, x = is_real.sum(dim=1), self.dropout(self.embedding(token))
        packed, last = self.gru(pack_padded_sequence(x, length.cpu(), batch_first=True, enforce_sorted=False))
        state, _ = pad_packed_sequence(packed, batch_first=True, total_length=token.size(1))  # [B, L, D], zeros behind
        if self.pooling == "last":
            return torch.cat(list(last[-self.num_directions :]), dim=1), state
        return state.sum(dim=1) / length[:, None], state
