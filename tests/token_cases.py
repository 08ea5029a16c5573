"""An encoder of tokens whose embeddings tests can tell."""

import torch
from torch import nn

from sigraph.encoders import Encoding
from sigraph.encoders.token_encoder import TokenEncoder


class OneHot(TokenEncoder):
    """Which of ten tokens it is, and nothing else."""

    def __init__(self):
        super().__init__(10)
        self.out_channels, self.embedding = 10, nn.Embedding.from_pretrained(torch.eye(10), freeze=False)

    def forward(self, inputs):
        h = self.embedding(inputs.token[inputs.is_real])
        return Encoding(h[inputs.ptr[:-1]], h, inputs.ptr)
