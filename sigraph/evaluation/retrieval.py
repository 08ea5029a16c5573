"""How well the latent space ranks held-out edges."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sigraph.data import PretrainGraph
from sigraph.evaluation.neighbors import chunks


def edge_retrieval(
    z: Tensor,
    edges: Tensor,
    graph: PretrainGraph | None = None,
    ks: tuple[int, ...] = (1, 10),
) -> dict[str, float]:
    r"""Rank the other end of each held-out edge among all samples by cosine similarity, from both ends.

    Filtered, as in link prediction: an end's neighbours in ``graph`` and its other held-out partners are no
    competitors. With :math:`r` the rank (1 is best; ties count half, so that a constant encoder gains nothing),
    :math:`\mathrm{MRR} = \overline{1 / r}` and :math:`\mathrm{hits@}k = \overline{[r \le k]}`.

    Args:
        z: Embeddings of all samples. Shape [N, D].
        edges: Held-out edges, each once. Shape [2, M], M >= 1.
        graph: Edges that were trained on; None: nothing is filtered but the held-out partners.
        ks: The k of hits@k, >= 1.

    Returns:
        ``mrr`` and ``hits@k`` for each k, in [0, 1].
    """
    if edges.dim() != 2 or edges.size(0) != 2 or edges.size(1) == 0:
        raise ValueError(f"'edges' needs shape [2, M] with M >= 1 in 'edge_retrieval' (got {list(edges.shape)})")
    anchor, partner = torch.cat([edges, edges.flip(0)], dim=1)
    order = anchor.argsort(stable=True)
    anchor, partner = anchor[order], partner[order]
    asked, row = anchor.unique_consecutive(return_inverse=True)
    unit = F.normalize(z, dim=1)
    ranks = []
    for start, block in chunks(unit[asked], z.size(0)):
        ids = asked[start : start + len(block)]
        similarity = block @ unit.t()  # [a, N]
        mine = ((row >= start) & (row < start + len(block))).nonzero().view(-1)
        at = (row[mine] - start, partner[mine])
        score = similarity[at]
        similarity[torch.arange(len(block)), ids] = -torch.inf
        similarity[at] = -torch.inf
        if graph is not None:
            known = graph.edges_between(ids, torch.arange(z.size(0)))
            similarity[known[0], known[1]] = -torch.inf
        ranks += [
            1 + _count(similarity[r], s) for r, s in zip(at[0].split(len(block)), score.split(len(block)), strict=True)
        ]
    rank = torch.cat(ranks)
    return {"mrr": float((1 / rank).mean()), **{f"hits@{k}": float((rank <= k).float().mean()) for k in ks}}


def _count(similarity: Tensor, score: Tensor) -> Tensor:
    """Competitors that score higher, ties counted half. Shape [m, N], [m] -> [m]."""
    higher = (similarity > score[:, None]).sum(dim=1)
    equal = (similarity == score[:, None]).sum(dim=1)
    return higher + equal / 2
