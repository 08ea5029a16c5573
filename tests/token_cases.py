"""Batches of tokens, and an encoder of them whose embeddings tests can tell."""

import torch
from torch import nn

from sigraph.encoders import Encoding
from sigraph.encoders.token_encoder import TokenEncoder
from sigraph.samples import Tokens

TINY_BERT = {
    "model_type": "bert",
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 16,
}


def tokens_of(sequences: list[list[int]]) -> Tokens:
    """A batch of sequences, as a data set gives it."""
    ptr = torch.tensor([0, *(len(one) for one in sequences)]).cumsum(0)
    return Tokens(torch.tensor([token for one in sequences for token in one], dtype=torch.long), ptr)


def listed(tokens: Tokens) -> list[list[int]]:
    """The sequences of a batch."""
    return [part.tolist() for part in tokens.token.split(tokens.length.tolist())]


class OneHot(TokenEncoder):
    """Which of ten tokens it is, and nothing else."""

    def __init__(self):
        super().__init__(10)
        self.out_channels, self.embedding = 10, nn.Embedding.from_pretrained(torch.eye(10), freeze=False)

    def forward(self, inputs):
        h = self.embedding(inputs.token)
        return Encoding(h[inputs.ptr[:-1]], h, inputs.ptr)
