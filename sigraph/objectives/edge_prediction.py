"""EdgePrediction: tell hidden edges of each graph from pairs of nodes that are not joined."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sigraph.encoders import Encoding
from sigraph.files.arguments import check_flags, check_integers, check_rates
from sigraph.objectives.base import Objective
from sigraph.objectives.graph_batch import check_graphs, connected, draw_some, nodes_of, replaced

_TRIES = 8  # to find a pair that is not joined; nearly complete graphs give fewer


class EdgeTarget(NamedTuple):
    """Pairs of nodes that are joined by an edge that was hidden, and that are not joined."""

    positive: Tensor  # [2, P] in [0, V)
    negative: Tensor  # [2, Q]
    num_nodes: int


class EdgePrediction(Objective):
    r"""Hide some edges of each graph and tell them from pairs that are not joined, by the embeddings of both ends.

    .. math:: L_M = -\frac{1}{P} \sum_{(u, v)} \log \sigma(h_u^\top h_v)
              - \frac{1}{Q} \sum_{(u', v')} \log \sigma(-h_{u'}^\top h_{v'})

    Args:
        mask_rate: Share of the edges of a graph that are hidden, in (0, 1), one more than its whole part; an edge with
            both of its directions, and all that join the same two nodes.
        num_negatives: Pairs that are not joined, of the same graph, for each hidden edge, >= 1.
        corrupt_all: Corrupt every sample of the step instead of the seed samples only.

    Shapes:
        - **inputs:** PyG batch of B graphs  ->  the same without the hidden edges, and the target of P and Q pairs.
          **returns:** scalar, >= 0.

    A graph without edges plays no part, nor do edges from a node to itself.

    Source: Hamilton et al., "Inductive Representation Learning on Large Graphs", NeurIPS 2017, as in Hu et al.,
    "Strategies for Pre-training Graph Neural Networks", ICLR 2020. Differs in: the encoder does not see the edges that
    are predicted.

    Guide:
        reads: graphs
        predicts: which pairs of nodes a hidden edge joins
    """

    def __init__(self, mask_rate: float = 0.15, num_negatives: int = 1, corrupt_all: bool = False) -> None:
        super().__init__()
        check_rates("EdgePrediction", above_zero=True, mask_rate=mask_rate)
        check_integers("EdgePrediction", 1, num_negatives=num_negatives)
        check_flags("EdgePrediction", corrupt_all=corrupt_all)
        self.mask_rate, self.num_negatives, self.corrupt_all = mask_rate, num_negatives, corrupt_all

    def corrupt(
        self, inputs: Any, node: Tensor, num_seeds: int, generator: torch.Generator | None = None
    ) -> tuple[Any, EdgeTarget]:
        check_graphs(inputs, "EdgePrediction")
        size = len(inputs.batch)
        low, high = inputs.edge_index.amin(dim=0), inputs.edge_index.amax(dim=0)
        is_pair = low != high
        key = (low * size + high).masked_fill(~is_pair, -1)
        pairs, of = key.unique(return_inverse=True)  # [J], [E]; ascending, thus graph by graph
        loops = int(len(pairs) > 0 and pairs[0] < 0)
        pairs, of = pairs[loops:], of - loops
        first = pairs // size
        count = inputs.num_graphs if self.corrupt_all else num_seeds
        drawn = draw_some(inputs.batch[first], count, self.mask_rate, generator)
        gone = torch.zeros_like(is_pair)
        gone[is_pair] = drawn[of[is_pair]]
        out = replaced(inputs, edge_index=inputs.edge_index[:, ~gone])
        if inputs.edge_attr is not None:
            out = replaced(out, edge_attr=inputs.edge_attr[~gone])
        positive = torch.stack([first[drawn], pairs[drawn] % size])
        whose = inputs.batch[positive[0]].repeat(self.num_negatives)
        return out, EdgeTarget(positive, _not_joined(pairs, whose, inputs.ptr, size, generator), size)

    def forward(self, encoding: Encoding, target: EdgeTarget) -> Tensor:
        h = nodes_of(encoding, target.num_nodes, "EdgePrediction")
        loss = connected(encoding) + h[:0].sum()
        for pair, sign in ((target.positive, 1), (target.negative, -1)):
            score = (h[pair[0]] * h[pair[1]]).sum(dim=1)
            count = torch.tensor(float(len(score)), device=h.device)
            loss = loss + self.mean(-F.logsigmoid(sign * score).sum(), count)
        return loss


def _not_joined(pairs: Tensor, whose: Tensor, ptr: Tensor, size: int, generator: torch.Generator | None) -> Tensor:
    """For each entry of ``whose``, a pair of nodes of that graph that is none of ``pairs``, if a few tries find one."""
    start, many = ptr[whose][:, None], ptr.diff()[whose][:, None]
    draw = torch.rand(2, len(whose), _TRIES, generator=generator, dtype=torch.float64)
    ends = start + (draw * many).long()  # [2, Q, tries]
    low, high = ends.amin(dim=0), ends.amax(dim=0)
    fits = (low != high) & ~torch.isin(low * size + high, pairs)
    which = fits.long().argmax(dim=1, keepdim=True)
    chosen = torch.stack([low.gather(1, which), high.gather(1, which)])[:, :, 0]
    return chosen[:, fits.any(dim=1)]
