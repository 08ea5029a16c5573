"""MLPEncoder: feature rows -> z."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch_geometric.nn import MLP

from sigraph.data.dataset import SampleDataset
from sigraph.encoders.base import Encoder, Encoding, samples_of
from sigraph.encoders.sparse_linear import SparseLinear
from sigraph.files.arguments import MOST_LAYERS, check_flags, check_integers, check_rates
from sigraph.files.memory import check_fits

_BLOCK = 8192  # samples looked at at a time


class MLPEncoder(Encoder):
    r"""Multi-layer perceptron over feature rows.

    Each hidden layer is linear, layer norm, GELU, dropout; the last layer is linear. Norms are per sample, so that a
    sample's embedding never depends on what else is in the batch.

    Args:
        in_channels: Features of a sample, >= 1.
        hidden_channels: Width of the hidden layers, >= 1.
        out_channels: D, width of the embedding, >= 1.
        num_layers: Linear layers, >= 1.
        dropout: Share of hidden units dropped in training, in [0, 1).
        input_dropout: Share of input features dropped in training, in [0, 1).
        normalize_input: Scale each row to L1 norm 1 times ``in_channels`` ** 0.5, as the field does with bags of words
            of different lengths; a row of zeros stays.
        weigh_input: Weigh each feature by its inverse document frequency among the samples that pre-training sees,
            :math:`\ln\frac{1 + n}{1 + n_f} + 1` where :math:`n_f` of n samples have it, and scale each row to length 1
            times ``in_channels`` ** 0.5: tf-idf of bags of words. The weights are learned by :meth:`prepare` and kept
            with the encoder.
        sparse_input: Whether the first layer multiplies the entries alone that are not zero: the same up to rounding,
            and with input dropout other draws of it; about ten times as fast where a row has ten words out of
            thousands, slower where most entries are not zero.

    Shapes:
        - **inputs:** [B, in_channels] float  ->  **z:** [B, D]

    Guide:
        reads: feature rows
    """

    idf: Tensor  # [in_channels], with weigh_input

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 256,
        out_channels: int = 128,
        num_layers: int = 2,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        normalize_input: bool = False,
        weigh_input: bool = False,
        sparse_input: bool = False,
    ) -> None:
        super().__init__()
        check_integers("MLPEncoder", 1, in_channels=in_channels, hidden_channels=hidden_channels)
        check_integers("MLPEncoder", 1, out_channels=out_channels)
        check_integers("MLPEncoder", 1, most=MOST_LAYERS, num_layers=num_layers)
        check_rates("MLPEncoder", dropout=dropout, input_dropout=input_dropout)
        check_flags("MLPEncoder", normalize_input=normalize_input, weigh_input=weigh_input, sparse_input=sparse_input)
        if normalize_input and weigh_input:
            raise ValueError("'normalize_input' and 'weigh_input' scale rows both in 'MLPEncoder'; choose one")
        if weigh_input:
            self.register_buffer("idf", torch.ones(in_channels))
        self.in_channels, self.out_channels = in_channels, out_channels
        self.normalize_input, self.weigh_input = normalize_input, weigh_input
        self.input_dropout = nn.Dropout(0.0 if sparse_input else input_dropout)
        channels = [in_channels, *[hidden_channels] * (num_layers - 1), out_channels]
        sizes = {"in_channels": in_channels, "hidden_channels": hidden_channels, "out_channels": out_channels}
        check_fits("MLPEncoder", 4 * sum(math.prod(pair) for pair in pairwise(channels)), **sizes)
        self.mlp = MLP(channels, dropout=float(dropout), act="gelu", norm="layer_norm", norm_kwargs={"mode": "node"})
        if sparse_input:
            self.mlp.lins[0] = SparseLinear(self.mlp.lins[0], float(input_dropout))

    def check_samples(self, dataset: SampleDataset) -> None:
        if dataset.in_channels != self.in_channels:
            way = "choose 'in_channels' so" if dataset.in_channels else "make features of them, or use another encoder"
            raise ValueError(
                f"'MLPEncoder' needs rows of {self.in_channels} features, but {samples_of(dataset)} "
                f"are {dataset.store.describe()}; {way}"
            )

    def prepare(self, dataset: SampleDataset) -> None:
        if not self.weigh_input:
            return
        found = torch.zeros(self.in_channels)
        for node in torch.arange(len(dataset)).split(_BLOCK):
            found += (dataset.fetch(node) != 0).sum(dim=0)
        self.idf.copy_(torch.log((1 + len(dataset)) / (1 + found)) + 1)

    def forward(self, inputs: Tensor) -> Encoding:
        if not isinstance(inputs, Tensor):
            raise ValueError(f"'inputs' needs feature rows, a tensor, in 'MLPEncoder' (got {type(inputs).__name__})")
        if inputs.dim() != 2 or inputs.size(1) != self.in_channels:
            raise ValueError(f"'inputs' needs shape [B, {self.in_channels}] in 'MLPEncoder' (got {list(inputs.shape)})")
        if self.normalize_input:
            inputs = inputs / inputs.abs().sum(dim=1, keepdim=True).clamp(min=1e-12) * self.in_channels**0.5
        if self.weigh_input:
            inputs = normalize(inputs * self.idf, dim=1) * self.in_channels**0.5
        return Encoding(self.mlp(self.input_dropout(inputs)))
