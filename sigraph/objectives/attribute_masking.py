"""AttributeMasking: predict hidden kinds of nodes and edges, as atoms and bonds."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sigraph.encoders import Encoder, Encoding
from sigraph.files.arguments import check_flags, check_integers, check_rates
from sigraph.files.memory import check_fits
from sigraph.objectives.base import Objective
from sigraph.objectives.graph_batch import (
    check_graphs,
    check_kinds,
    check_parts,
    connected,
    draw_some,
    kind_losses,
    nodes_of,
    predicted,
    replaced,
)
from sigraph.samples.categories import categories_of_edges, categories_of_nodes


class AttributeTarget(NamedTuple):
    """The K nodes and L edges whose attributes were hidden, and V, the number of all nodes of the batch."""

    node: Tensor  # [K] in [0, V)
    kind: Tensor  # [K, A]
    ends: Tensor  # [2, L] in [0, V)
    edge_kind: Tensor  # [L, A']
    num_nodes: int


class AttributeMasking(Objective):
    r"""Hide all attributes of some nodes of each graph, and of the edges at them if asked for, and predict them.

    .. math:: L_M = -\frac{1}{K} \sum_v \log \mathrm{softmax}(W h_v + b)_{x_v}
              - \frac{1}{L} \sum_{(u, v)} \log \mathrm{softmax}\big(W' (h_u + h_v) + b'\big)_{x_{uv}}

    Args:
        part_channels: D', width of a node's embedding.
        node_categories: The kinds that attributes of nodes are: ``ogb``, ``hu2020`` or a list of numbers of kinds, as
            the encoder's ``node_encoder``.
        attributes: Which of them are predicted, numbers from 0 on; None: the first, the kind of atom.
        edge_categories: The same of edges; None: attributes of edges are neither hidden nor predicted.
        edge_attributes: Which of them are predicted; None: the first, the kind of bond.
        mask_rate: Share of the nodes of a graph that are hidden, in (0, 1); one more than its whole part, so that a
            graph of one node loses that.
        corrupt_all: Corrupt every sample of the step instead of the seed samples only.

    Shapes:
        - **inputs:** PyG batch of B graphs  ->  the same with hidden attributes 0 and marks, ``node_mask`` [V] and
          ``edge_mask`` [E], and the target of K nodes and L edges.  **returns:** scalar, >= 0.

    :class:`~sigraph.encoders.GraphEncoder` with a ``node_encoder`` reads the marks; an encoder that does not, takes
    what is hidden for kind 0.

    Source: Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, section 3.1.2. Differs in: other
    attributes than the first can be predicted too; both directions of an edge are.

    Guide:
        reads: graphs, attributes that are kinds
        predicts: attributes of hidden nodes, and of the edges at them
    """

    def __init__(
        self,
        part_channels: int,
        node_categories: str | list[int] = "ogb",
        attributes: list[int] | None = None,
        edge_categories: str | list[int] | None = None,
        edge_attributes: list[int] | None = None,
        mask_rate: float = 0.15,
        corrupt_all: bool = False,
    ) -> None:
        super().__init__()
        name = "AttributeMasking"
        check_integers(name, 1, part_channels=part_channels)
        check_rates(name, above_zero=True, mask_rate=mask_rate)
        check_flags(name, corrupt_all=corrupt_all)
        self.part_channels, self.mask_rate, self.corrupt_all = part_channels, mask_rate, corrupt_all
        self.nodes = categories_of_nodes(node_categories, "node_categories", name)
        self.edges = None if edge_categories is None else categories_of_edges(edge_categories, "edge_categories", name)
        self.attributes = predicted(attributes, self.nodes, "attributes", name)
        self.sizes = [self.nodes.known[one] for one in self.attributes]
        check_fits(name, 4 * part_channels * sum(self.sizes), part_channels=part_channels)
        self.decoder = nn.Linear(part_channels, sum(self.sizes))
        self.edge_attributes: list[int] = []
        if self.edges is not None:
            self.edge_attributes = predicted(edge_attributes, self.edges, "edge_attributes", name)
            self.edge_sizes = [self.edges.known[one] for one in self.edge_attributes]
            self.edge_decoder = nn.Linear(part_channels, sum(self.edge_sizes))
        elif edge_attributes is not None:
            raise ValueError(f"'edge_attributes' needs 'edge_categories' in {name!r}, which says that edges are hidden")

    def check_encoder(self, encoder: Encoder) -> None:
        check_parts(encoder, self.part_channels, "AttributeMasking")

    def corrupt(
        self, inputs: Any, node: Tensor, num_seeds: int, generator: torch.Generator | None = None
    ) -> tuple[Any, AttributeTarget]:
        check_graphs(inputs, "AttributeMasking")
        check_kinds(inputs.x, self.nodes, "of nodes, x,", "AttributeMasking")
        count = inputs.num_graphs if self.corrupt_all else num_seeds
        hidden = draw_some(inputs.batch, count, self.mask_rate, generator)
        row = hidden.nonzero().view(-1)
        out = replaced(inputs, x=inputs.x.masked_fill(hidden[:, None], 0), node_mask=hidden)
        ends, edge_kind = inputs.edge_index[:, :0], inputs.x.new_empty(0, 0)
        if self.edges is not None:
            if inputs.edge_attr is None:
                raise ValueError(
                    "'edge_categories' needs graphs with attributes of edges in 'AttributeMasking' (got none)"
                )
            check_kinds(inputs.edge_attr, self.edges, "of edges, edge_attr,", "AttributeMasking")
            at_hidden = hidden[inputs.edge_index].any(dim=0)
            out = replaced(out, edge_attr=inputs.edge_attr.masked_fill(at_hidden[:, None], 0), edge_mask=at_hidden)
            ends = inputs.edge_index[:, at_hidden]
            edge_kind = inputs.edge_attr[at_hidden][:, self.edge_attributes].long()
        kind = inputs.x[row][:, self.attributes].long()
        return out, AttributeTarget(row, kind, ends, edge_kind, len(inputs.x))

    def forward(self, encoding: Encoding, target: AttributeTarget) -> Tensor:
        h = nodes_of(encoding, target.num_nodes, "AttributeMasking")
        count = torch.tensor(float(len(target.node)), device=h.device)
        loss = self.mean(kind_losses(self.decoder(h[target.node]), target.kind, self.sizes), count)
        if self.edges is not None:
            logits = self.edge_decoder(h[target.ends[0]] + h[target.ends[1]])
            count = torch.tensor(float(target.ends.size(1)), device=h.device)
            loss = loss + self.mean(kind_losses(logits, target.edge_kind, self.edge_sizes), count)
        return loss + connected(encoding)
