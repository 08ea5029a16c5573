"""GraphMAE: reconstruct hidden attributes of nodes by a small graph network."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import MLP, GATConv, GCNConv, GINConv

from sigraph.encoders import Encoder, Encoding
from sigraph.encoders.graph_layers import IndexSum
from sigraph.files.arguments import check_choices, check_flags, check_integers, check_numbers, check_rates
from sigraph.files.memory import check_fits
from sigraph.objectives.base import Objective
from sigraph.objectives.graph_batch import (
    check_graphs,
    check_kinds,
    check_parts,
    connected,
    draw_some,
    nodes_of,
    predicted,
    replaced,
)
from sigraph.samples.categories import categories_of_nodes

_DECODERS = ("gin", "gcn", "gat", "linear")


class ReconstructionTarget(NamedTuple):
    """The K nodes that were hidden, what they were, and the edges of the batch."""

    node: Tensor  # [K] in [0, V)
    value: Tensor  # [K, F], or kinds [K, A]
    edge_index: Tensor  # [2, E]
    num_nodes: int


class GraphMAE(Objective):
    r"""Hide all attributes of some nodes of each graph, and reconstruct them from the embeddings of the other nodes.

    .. math:: L_M = \frac{1}{K} \sum_v \Big(1 - \frac{x_v^\top \hat x_v}{\|x_v\|\,\|\hat x_v\|}\Big)^\gamma,
              \quad \hat x = \mathrm{GNN}(\tilde h)

    where :math:`\tilde h` are linear maps of the embeddings of nodes, set to 0 where nodes are hidden (re-mask), so
    that the decoder, one layer, has to reconstruct a node from its neighbours.

    Args:
        node_channels: F, attributes of a node.
        part_channels: D', width of a node's embedding.
        node_categories: None: attributes are real numbers. ``ogb``, ``hu2020`` or a list of numbers of kinds: they are
            kinds, reconstructed as indicators (0 and 1).
        attributes: Which of the kinds are reconstructed, numbers from 0 on; None: the first. Real ones all are.
        mask_rate: Share of the nodes of a graph that are hidden, in (0, 1); one more than its whole part.
        replace_rate: Share of these that get the attributes of another node of the step instead, in [0, 1).
        gamma: Exponent, >= 1: the larger, the less nodes count that are reconstructed well.
        decoder: ``gin``, ``gcn``, ``gat`` or ``linear``, which looks at no neighbour and does not re-mask.
        corrupt_all: Corrupt every sample of the step instead of the seed samples only.

    Shapes:
        - **inputs:** PyG batch of B graphs  ->  the same with hidden attributes 0 and marks, ``node_mask`` [V], and the
          target of K nodes.  **returns:** scalar, >= 0.

    :class:`~sigraph.encoders.GraphEncoder` with a ``node_encoder`` reads the marks by a learnt row, others read zeros.

    Source: Hou et al., "GraphMAE: Self-Supervised Masked Graph Autoencoders", KDD 2022, Eq. 1, 2 and 4. Differs in: the
    share is drawn in each graph.

    Guide:
        reads: graphs
        predicts: attributes of hidden nodes, by their neighbours
    """

    def __init__(
        self,
        node_channels: int,
        part_channels: int,
        node_categories: str | list[int] | None = None,
        attributes: list[int] | None = None,
        mask_rate: float = 0.5,
        replace_rate: float = 0.0,
        gamma: float = 2.0,
        decoder: str = "gin",
        corrupt_all: bool = False,
    ) -> None:
        super().__init__()
        name = "GraphMAE"
        if node_channels is None:
            raise ValueError(f"'node_channels' needs graphs in {name!r} (got a data set without)")
        check_integers(name, 1, node_channels=node_channels, part_channels=part_channels)
        check_rates(name, above_zero=True, mask_rate=mask_rate)
        check_rates(name, replace_rate=replace_rate)
        check_numbers(name, least=1, gamma=gamma)
        check_choices(name, _DECODERS, decoder=decoder)
        check_flags(name, corrupt_all=corrupt_all)
        self.part_channels, self.mask_rate, self.corrupt_all = part_channels, mask_rate, corrupt_all
        self.replace_rate, self.gamma = replace_rate, float(gamma)
        self.node_channels, self.nodes, width = node_channels, None, node_channels
        if node_categories is not None:
            self.nodes = categories_of_nodes(node_categories, "node_categories", name)
            self.attributes = predicted(attributes, self.nodes, "attributes", name)
            self.sizes = [self.nodes.known[one] for one in self.attributes]
            width = sum(self.sizes)
        elif attributes is not None:
            raise ValueError(f"'attributes' needs 'node_categories' in {name!r}; real ones are all reconstructed")
        check_fits(name, 4 * part_channels * (part_channels + width), part_channels=part_channels)
        self.to_decoder = nn.Linear(part_channels, part_channels, bias=False)
        self.is_linear = decoder == "linear"
        self.decoder: Any = nn.Linear(part_channels, width)
        if decoder == "gin":
            self.decoder = GINConv(MLP([part_channels, part_channels, width], norm=None), aggr=IndexSum())
        elif not self.is_linear:
            self.decoder = {"gcn": GCNConv, "gat": GATConv}[decoder](part_channels, width)

    def check_encoder(self, encoder: Encoder) -> None:
        check_parts(encoder, self.part_channels, "GraphMAE")

    def corrupt(
        self, inputs: Any, node: Tensor, num_seeds: int, generator: torch.Generator | None = None
    ) -> tuple[Any, ReconstructionTarget]:
        check_graphs(inputs, "GraphMAE")
        x = inputs.x
        if self.nodes is not None:
            check_kinds(x, self.nodes, "of nodes, x,", "GraphMAE")
        elif x.size(1) != self.node_channels:
            raise ValueError(
                f"'node_channels' needs to be the number of attributes of nodes, {x.size(1)}, in 'GraphMAE' (got "
                f"{self.node_channels})"
            )
        count = inputs.num_graphs if self.corrupt_all else num_seeds
        row = draw_some(inputs.batch, count, self.mask_rate, generator).nonzero().view(-1)
        swapped = torch.rand(len(row), generator=generator) < self.replace_rate if len(x) > 1 else row < 0
        marked = torch.zeros(len(x), dtype=torch.bool).index_fill(0, row[~swapped], True)
        shown = x.masked_fill(marked[:, None], 0)
        if self.replace_rate and len(x) > 1:
            other = torch.randint(len(x) - 1, (len(row),), generator=generator)
            other += other >= row  # any but itself
            shown[row[swapped]] = x[other[swapped]]
        value = x[row].float() if self.nodes is None else x[row][:, self.attributes].long()
        return replaced(inputs, x=shown, node_mask=marked), ReconstructionTarget(row, value, inputs.edge_index, len(x))

    def forward(self, encoding: Encoding, target: ReconstructionTarget) -> Tensor:
        h = self.to_decoder(nodes_of(encoding, target.num_nodes, "GraphMAE"))  # [V, D']
        if self.is_linear:
            found = self.decoder(h[target.node])
        else:
            found = self.decoder(h.index_fill(0, target.node, 0.0), target.edge_index)[target.node]  # [K, F]
        value = target.value
        if self.nodes is not None:
            columns = (F.one_hot(value[:, i], size) for i, size in enumerate(self.sizes))
            value = torch.cat(list(columns), dim=1).to(found.dtype)
        count = torch.tensor(float(len(value)), device=h.device)
        return self.mean(scaled_cosine_error(found, value, self.gamma).sum(), count) + connected(encoding)


def scaled_cosine_error(found: Tensor, value: Tensor, gamma: float) -> Tensor:
    """One minus the cosine of each reconstruction and what was hidden, to a power. Shape [K, F] each -> [K]."""
    return (1 - F.cosine_similarity(found, value, dim=1)).clamp(min=0).pow(gamma)  # rounding may go below 0
