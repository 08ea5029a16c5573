"""BagOfWordsEncoder: token sequences -> z, whatever their order."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric.nn import MLP

from sigraph.encoders.base import Encoding
from sigraph.encoders.token_encoder import TokenEncoder
from sigraph.files.arguments import MOST_LAYERS, check_flags, check_integers, check_rates
from sigraph.files.memory import check_fits
from sigraph.samples.tokens import MASK, PAD, Tokens


class BagOfWordsEncoder(TokenEncoder):
    r"""Multi-layer perceptron over how often each token occurs; order is not seen, hidden tokens are left out.

    It computes what an :class:`MLPEncoder` does on rows of counts, without making these rows: the first layer adds up
    one row of its weights a token, so that a step costs no time or memory in the size of the vocabulary. There are no
    embeddings of single tokens, so an objective predicts from z.

    Args:
        num_tokens: Size of the vocabulary, the ids of padding and mask included, >= 3.
        hidden_channels: Width of the hidden layers, >= 1.
        out_channels: D, width of the embedding, >= 1.
        num_layers: Linear layers, >= 1.
        dropout: Share of hidden units dropped in training, in [0, 1).
        normalize_input: Scale each row of counts to L1 norm 1 times ``num_tokens`` ** 0.5, so that the length of a
            sequence plays no part.
        pad_token, mask_token: The vocabulary's ids of padding and of a hidden token.

    Shapes:
        - **inputs:** Tokens, B sequences  ->  **z:** [B, D]

    Guide:
        reads: token sequences
    """

    def __init__(
        self,
        num_tokens: int,
        hidden_channels: int = 256,
        out_channels: int = 128,
        num_layers: int = 2,
        dropout: float = 0.0,
        normalize_input: bool = False,
        pad_token: int = PAD,
        mask_token: int = MASK,
    ) -> None:
        super().__init__(num_tokens, None, pad_token, mask_token)
        check_integers("BagOfWordsEncoder", 1, hidden_channels=hidden_channels)
        check_integers("BagOfWordsEncoder", 1, out_channels=out_channels)
        check_integers("BagOfWordsEncoder", 1, most=MOST_LAYERS, num_layers=num_layers)
        check_rates("BagOfWordsEncoder", dropout=dropout)
        check_flags("BagOfWordsEncoder", normalize_input=normalize_input)
        self.out_channels, self.normalize_input = out_channels, normalize_input
        width = out_channels if num_layers == 1 else hidden_channels
        channels = [*[hidden_channels] * (num_layers - 1), out_channels]
        sizes = {"num_tokens": num_tokens, "hidden_channels": hidden_channels, "out_channels": out_channels}
        check_fits("BagOfWordsEncoder", 4 * sum(map(math.prod, pairwise([num_tokens, *channels]))), **sizes)
        bound = num_tokens**-0.5  # as a linear layer on counts
        self.weight = nn.Parameter(torch.empty(num_tokens, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(width).uniform_(-bound, bound))
        self.rest = nn.Sequential()
        if num_layers > 1:
            mlp = MLP(channels, dropout=dropout, act="gelu", norm="layer_norm", norm_kwargs={"mode": "node"})
            self.rest = nn.Sequential(nn.LayerNorm(width), nn.GELU(), nn.Dropout(dropout), mlp)

    def forward(self, inputs: Tokens) -> Encoding:
        inputs = self.check_inputs(inputs)
        counted = inputs.token != self.mask_token
        before = torch.cat([inputs.ptr.new_zeros(1), counted.cumsum(0)])[inputs.ptr]  # [B + 1]
        x = F.embedding_bag(inputs.token[counted], self.weight, before, mode="sum", include_last_offset=True)
        if self.normalize_input:
            x = x * (self.num_tokens**0.5 / before.diff().clamp(min=1))[:, None]
        return Encoding(self.rest(x + self.bias))
