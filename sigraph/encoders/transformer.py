"""TransformerEncoder: token sequences -> z, every token attending to all of its sequence."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sigraph.encoders.padded_encoder import PaddedEncoder
from sigraph.files.arguments import MOST_LAYERS, check_integers, check_rates
from sigraph.files.memory import check_fits
from sigraph.samples.tokens import MASK, PAD

_POSITIONS = ("learned", "sinusoidal")
_POOLINGS = ("mean", "first")


class TransformerEncoder(PaddedEncoder):
    r"""Transformer with layer norm before each block (torch.nn.TransformerEncoder), small and from scratch.

    Args:
        num_tokens: Size of the vocabulary, the ids of padding and mask included, >= 3.
        out_channels: D, width of all layers and of the embeddings of samples and of their tokens, >= 1.
        num_layers: Layers, >= 1.
        num_heads: Attention heads of a layer; a divisor of ``out_channels``.
        feedforward_channels: Width between the two linear maps of a layer, >= 1; None: 4 ``out_channels``.
        dropout: Share of units dropped in training, in [0, 1). On the CPU drawing them takes a third of a step and
            more; 0 saves it.
        positions: ``learned``, or ``sinusoidal`` (fixed waves): how a token knows its place.
        pooling: ``mean`` over the states of all tokens, or that of the ``first`` one, for sequences that begin with a
            token made for it.
        max_length: Tokens of the longest sequence that is read, >= 1; longer ones are refused, never cut.
        pad_token, mask_token: The vocabulary's ids of padding and of a hidden token.
        max_tokens: Tokens that are encoded at a time, padding counted, >= 1, sequences of alike lengths together; null:
            2,048 on the CPU, 65,536 elsewhere. Changes memory and speed, not values.
        recompute: Keep of these only what they give, and encode them once more for the gradients: a step takes the
            memory of ``max_tokens`` tokens, however many samples it has, and a third more time (Gao et al., RepL4NLP
            2021).

    Shapes:
        - **inputs:** B sequences, M tokens in all  ->  **z:** [B, D], **h:** [M, D], a sample's tokens in their order

    Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3. Differs in: norms before the blocks
    (Xiong et al., ICML 2020), GELU, learned positions by default.

    Guide:
        reads: token sequences
    """

    def __init__(
        self,
        num_tokens: int,
        out_channels: int = 128,
        num_layers: int = 2,
        num_heads: int = 4,
        feedforward_channels: int | None = None,
        dropout: float = 0.1,
        positions: str = "learned",
        pooling: str = "mean",
        max_length: int = 512,
        pad_token: int = PAD,
        mask_token: int = MASK,
        max_tokens: int | None = None,
        recompute: bool = False,
    ) -> None:
        super().__init__(num_tokens, max_length, pad_token, mask_token, max_tokens, recompute)
        name = "TransformerEncoder"
        check_integers(name, 1, out_channels=out_channels, num_heads=num_heads)
        check_integers(name, 1, most=MOST_LAYERS, num_layers=num_layers)
        inner = 4 * out_channels if feedforward_channels is None else feedforward_channels
        check_integers(name, 1, feedforward_channels=inner, max_length=max_length)
        check_rates(name, dropout=dropout)
        if out_channels % num_heads:
            raise ValueError(
                f"'num_heads' needs to divide {out_channels}, 'out_channels', in {name!r} (got {num_heads})"
            )
        for argument, value, known in (("positions", positions, _POSITIONS), ("pooling", pooling, _POOLINGS)):
            if value not in known:
                raise ValueError(f"{argument!r} needs to be one of {', '.join(known)} in {name!r} (got {value!r})")
        rows = num_tokens + max_length + num_layers * (2 * inner + 4 * out_channels)
        sizes = {"num_tokens": num_tokens, "max_length": max_length, "feedforward_channels": inner}
        check_fits(name, 4 * rows * out_channels, out_channels=out_channels, **sizes)
        self.out_channels, self.pooling = out_channels, pooling
        std = out_channels**-0.5  # times its inverse below: entries around 1, whatever the width
        self.embedding = nn.Embedding(num_tokens, out_channels, padding_idx=pad_token)
        nn.init.normal_(self.embedding.weight, std=std)
        if positions == "learned":
            self.position = nn.Parameter(torch.empty(max_length, out_channels).normal_(std=std))
        else:
            self.register_buffer("position", std * _waves(max_length, out_channels), persistent=False)
        self.dropout = nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(
            out_channels, num_heads, inner, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, num_layers, nn.LayerNorm(out_channels), enable_nested_tensor=False)
        for parameter in self.layers.parameters():
            if parameter.dim() > 1:  # else every layer starts as a copy of the first
                nn.init.xavier_uniform_(parameter)

    def encode_padded(self, token: Tensor, is_real: Tensor) -> tuple[Tensor, Tensor]:
        x = (self.embedding(token) + self.position[: token.size(1)]) * self.out_channels**0.5
        state = self.layers(self.dropout(x), src_key_padding_mask=~is_real)  # [B, L, D]
        if self.pooling == "first":
            return state[:, 0], state
        return state.masked_fill(~is_real[:, :, None], 0).sum(dim=1) / is_real.sum(dim=1)[:, None], state


def _waves(length: int, channels: int) -> Tensor:
    """Sines and cosines of each place, in turn, of wavelengths from 2 pi to 10,000 * 2 pi. Shape [length, channels]."""
    rate = torch.exp(torch.arange(0, channels, 2) * (-math.log(10_000.0) / channels))
    angle = torch.arange(length)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=2).flatten(1)[:, :channels]
