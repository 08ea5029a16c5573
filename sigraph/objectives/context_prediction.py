"""ContextPrediction: tell what lies around a node's neighbourhood from what lies around others'."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import Batch

from sigraph.encoders import Encoder, Encoding
from sigraph.files.arguments import check_flags, check_integers, check_kinds
from sigraph.objectives.base import Objective
from sigraph.objectives.graph_batch import check_graphs, check_parts, connected, nodes_of, replaced


class ContextTarget(NamedTuple):
    """The centres of n graphs, one each, and their contexts: subgraphs, in a batch of their own."""

    centre: Tensor  # [n] in [0, V)
    context: Batch  # of n graphs
    anchor: Tensor  # [A] nodes of the context batch that lie in the centre's neighbourhood too
    num_nodes: int


class ContextPrediction(Objective):
    r"""Tell from the embedding of a node, which sees K hops, the ring around it that begins where these end.

    A second encoder reads the ring; c is the mean of what it makes of the nodes that lie in both.

    .. math:: L_M = -\frac{1}{n} \sum_v \log \sigma(h_v^\top c_v)
              - \frac{1}{n} \sum_v \sum_{v'} \log \sigma(-h_v^\top c_{v'})

    Args:
        part_channels: D', width of a node's embedding.
        context_encoder: Reads rings: a :class:`~sigraph.encoders.GraphEncoder` of its own, dropped after pre-training;
            a node's embedding has the same width. In a YAML a component; it is not given ``edge_channels``.
        num_hops: K, how far the encoder sees, >= 1: its layers.
        inner: Nodes that are at most this many hops away are not in the ring, in [0, K); None: K - 1.
        outer: Nor are those that are more hops away, >= K; None: ``inner`` + 3.
        num_negatives: Contexts of other samples v' for each centre, >= 1.
        corrupt_all: A centre in every sample of the step instead of the seed samples only.

    Shapes:
        - **inputs:** PyG batch of B graphs  ->  the same, and the target of n <= B graphs.  **returns:** scalar, >= 0.

    A centre is drawn in each graph; a graph that does not reach beyond ``inner`` hops of it plays no part. Nothing is
    hidden: the encoder must not see beyond K hops, so that it has as many layers and no virtual node.

    Source: Hu et al., "Strategies for Pre-training Graph Neural Networks", ICLR 2020, section 3.1.1. Differs in: the
    encoder reads the whole graph, of which a node's embedding sees no more than K hops.

    Guide:
        reads: graphs
        predicts: what lies around the neighbourhood of a node
    """

    def __init__(
        self,
        part_channels: int,
        context_encoder: Encoder,
        num_hops: int = 3,
        inner: int | None = None,
        outer: int | None = None,
        num_negatives: int = 1,
        corrupt_all: bool = False,
    ) -> None:
        super().__init__()
        name = "ContextPrediction"
        check_kinds(name, context_encoder=(context_encoder, Encoder))
        check_integers(name, 1, part_channels=part_channels, num_hops=num_hops, num_negatives=num_negatives)
        check_flags(name, corrupt_all=corrupt_all)
        inner = num_hops - 1 if inner is None else inner
        check_integers(name, 0, most=num_hops - 1, inner=inner)
        outer = inner + 3 if outer is None else outer
        check_integers(name, num_hops, outer=outer)
        check_parts(context_encoder, part_channels, name)
        self.part_channels, self.context_encoder = part_channels, context_encoder
        self.num_hops, self.inner, self.outer = num_hops, inner, outer
        self.num_negatives, self.corrupt_all = num_negatives, corrupt_all

    def check_encoder(self, encoder: Encoder) -> None:
        check_parts(encoder, self.part_channels, "ContextPrediction")
        layers = getattr(encoder, "num_layers", self.num_hops)
        if layers != self.num_hops:
            raise ValueError(
                f"'num_hops' needs to be the number of the encoder's layers, {layers}, in 'ContextPrediction' (got "
                f"{self.num_hops})"
            )
        if getattr(encoder, "virtual_node", False):
            raise ValueError(
                "'virtual_node' of the encoder shows each node the whole graph, its context too, which "
                "'ContextPrediction' is to predict; leave it out"
            )

    def corrupt(
        self, inputs: Any, node: Tensor, num_seeds: int, generator: torch.Generator | None = None
    ) -> tuple[Any, ContextTarget]:
        check_graphs(inputs, "ContextPrediction")
        count = inputs.num_graphs if self.corrupt_all else num_seeds
        size = inputs.ptr.diff()[:count]
        draw = torch.rand(count, generator=generator, dtype=torch.float64)
        centre = inputs.ptr[:count] + (draw * size).long()
        away = self._distances(inputs, centre)
        is_anchor = (away > self.inner) & (away <= self.num_hops)
        has = torch.zeros(inputs.num_graphs, dtype=torch.bool)
        has[inputs.batch[is_anchor]] = True  # those whose centre has a ring, and hands it on
        in_ring = (away > self.inner) & (away <= self.outer) & has[inputs.batch]
        return inputs, ContextTarget(
            centre[has[:count]],
            _subgraph(inputs, in_ring, has),
            is_anchor[in_ring].nonzero().view(-1),
            len(inputs.batch),
        )

    def _distances(self, inputs: Any, centre: Tensor) -> Tensor:
        """Hops from each graph's centre, edges taken in both directions; beyond ``outer``, ``outer`` + 1. [V]"""
        away = torch.full_like(inputs.batch, self.outer + 1)
        away[centre] = 0
        ends = torch.cat([inputs.edge_index, inputs.edge_index.flip(0)], dim=1)
        for hop in range(self.outer):
            reached = ends[1, away[ends[0]] == hop]
            if not len(reached):
                break
            away[reached] = away[reached].clamp(max=hop + 1)
        return away

    def forward(self, encoding: Encoding, target: ContextTarget) -> Tensor:
        own = nodes_of(encoding, target.num_nodes, "ContextPrediction")[target.centre]  # [n, D']
        read = self.context_encoder(target.context)
        h = nodes_of(read, len(target.context.batch), "ContextPrediction")[target.anchor]
        whose, many = target.context.batch[target.anchor], len(own)
        context = own.new_zeros(many, h.size(1)).index_add(0, whose, h.to(own.dtype))
        context = context / whose.bincount(minlength=many).clamp(min=1)[:, None]
        count = torch.tensor(float(many), device=own.device)
        loss = self.mean(-F.logsigmoid((own * context).sum(dim=1)).sum(), count)
        shifts = range(1, min(self.num_negatives, many - 1) + 1)  # of one sample's context there is no other
        others = [own.new_zeros(0), *((own * context.roll(shift, dims=0)).sum(dim=1) for shift in shifts)]
        loss = loss + self.mean(-F.logsigmoid(-torch.cat(others)).sum(), count * bool(shifts))
        return loss + connected(encoding) + connected(read)


def _subgraph(inputs: Any, kept: Tensor, graphs: Tensor) -> Batch:
    """The nodes ``kept`` and the edges among them, as a batch of ``graphs``, which hold all of them."""
    place = kept.cumsum(0) - 1
    among = kept[inputs.edge_index].all(dim=0)
    number = graphs.cumsum(0) - 1
    batch = number[inputs.batch[kept]]
    count = batch.bincount(minlength=int(graphs.sum()))
    out = replaced(
        inputs,
        x=inputs.x[kept],
        edge_index=place[inputs.edge_index[:, among]],
        batch=batch,
        ptr=torch.cat([count.new_zeros(1), count.cumsum(0)]),
    )
    if inputs.edge_attr is not None:
        out.edge_attr = inputs.edge_attr[among]
    out._num_graphs = len(count)
    return out
